"""Finds the papers and reads their contract names; a paper's module is imported only when its ``Paper`` is loaded."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from suite.errors import UserError

STEM = re.compile(r"p(\d\d)_([a-z0-9_]+)")
SCALES = ("smoke", "reduced", "full")


def names() -> list[str]:
    """The stems of all papers (``p17_jacobian_uap``), in order of their numbers."""
    return sorted(p.stem for p in Path(__file__).parent.iterdir() if STEM.fullmatch(p.stem) and p.suffix in ("", ".py"))


def resolve(text: str) -> str:
    """The stem of the paper that ``17``, ``p17``, ``jacobian_uap`` or the stem itself means."""
    for stem in names():
        number, ident = STEM.fullmatch(stem).groups()  # type: ignore[union-attr]
        if text in (stem, ident, f"p{number}", number, number.lstrip("0")):
            return stem
    close = difflib.get_close_matches(text, [*names(), *(n.split("_", 1)[1] for n in names())], n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise UserError(f"paper {text!r} is unknown{hint} (suite list shows the {len(names())} papers)")


@dataclass(frozen=True)
class Paper:
    """A paper's module, seen through its contract names."""

    stem: str
    module: ModuleType

    @property
    def scales(self) -> tuple[str, ...]:
        """The scales that the module offers, smallest first."""
        return tuple(scale for scale in SCALES if scale in self.module.SCALES)

    def settings(self, scale: str) -> Any:
        """The frozen settings of a scale; UserError for a scale that the paper does not offer."""
        if scale not in self.module.SCALES:
            raise UserError(f"{self.stem} has no scale {scale!r}; it has {', '.join(self.scales)}")
        return self.module.SCALES[scale]

    @property
    def out(self) -> dict[str, str]:
        """Ids that have no function yet or never will, with the reason that the pages show."""
        return dict(getattr(self.module, "OUT", {}))

    @property
    def functions(self) -> dict[str, Callable[..., Any]]:
        """All unit functions by id: the public functions of the module, or package, whose only parameter is ``run``."""
        return self._with_parameter("run")

    @property
    def claims(self) -> dict[str, Callable[..., Any]]:
        """All claim functions by id: the public functions of the module whose only parameter is ``seen``."""
        return self._with_parameter("seen")

    def seeds(self, scale: str, unit: str) -> int:
        """How many seeds are planned for a unit at a scale; 0 means that it is not planned there."""
        planned = getattr(self.module, "SEEDS", {}).get(scale, 0)
        return planned if isinstance(planned, int) else planned.get(unit, 0)

    def units(self, scale: str) -> list[str]:
        """The ids of the units planned at a scale, in the order of the module."""
        return [unit for unit in self.functions if self.seeds(scale, unit)]

    def parts(self, unit: str, settings: Any) -> list[str | None]:
        """The values of the settings field that SPLIT names for this unit, ``[None]`` for a unit that is not split."""
        field = getattr(self.module, "SPLIT", {}).get(unit)
        return [None] if field is None else list(getattr(settings, field))

    def minutes(self, scale: str, unit: str) -> float | None:
        """The guessed minutes of one seed of a unit on one idle core, or None where none is given."""
        return getattr(self.module, "COST", {}).get(scale, {}).get(unit)

    def _with_parameter(self, name: str) -> dict[str, Callable[..., Any]]:
        return {
            key: value
            for key, value in vars(self.module).items()
            if inspect.isfunction(value)
            and f"{value.__module__}.".startswith(f"{self.module.__name__}.")
            and not key.startswith("_")
            and list(inspect.signature(value).parameters) == [name]
        }


def load(text: str) -> Paper:
    """Imports a paper, named in any of the accepted ways."""
    stem = resolve(text)
    return Paper(stem, importlib.import_module(f"suite.papers.{stem}"))


def part_id(unit: str, part: str | None) -> str:
    """The id of a part in records and commands: ``table1`` or ``table1@mnist``."""
    return unit if part is None else f"{unit}@{part}"


def split_id(ident: str) -> tuple[str, str | None]:
    """The unit and the part of an id that ``part_id`` wrote."""
    unit, _, part = ident.partition("@")
    return unit, part or None


def change(settings: Any, changes: dict[str, str]) -> Any:
    """Settings with fields replaced by values given as text, each read as the type of the field's present value."""
    fields = {f.name for f in dataclasses.fields(settings)}
    replaced = {}
    for key, text in changes.items():
        if key not in fields:
            close = difflib.get_close_matches(key, fields, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise UserError(
                f"--set {key}={text}: there is no setting {key!r}{hint} (settings: {', '.join(sorted(fields))})"
            )
        replaced[key] = _parse(key, text, getattr(settings, key))
    return dataclasses.replace(settings, **replaced)


def _parse(key: str, text: str, like: Any) -> Any:
    if isinstance(like, tuple):
        inner = like[0] if like else ""
        return tuple(_parse(key, item.strip(), inner) for item in text.split(",") if item.strip())
    if isinstance(like, bool):
        if text.lower() not in ("true", "false"):
            raise UserError(f"--set {key}={text}: expected true or false")
        return text.lower() == "true"
    if isinstance(like, (int, float, str)):
        try:
            return type(like)(text)
        except ValueError:
            raise UserError(f"--set {key}={text}: expected {type(like).__name__}, such as {like!r}") from None
    raise UserError(f"--set {key}: a setting of type {type(like).__name__} cannot be given as text")

"""What a paper sees and gives: ``Run``, ``Inputs``, ``Seen``, ``Missing``, ``Value``. Standard library and rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from suite.errors import UserError
from suite.rows import Row, select, show_labels


class Recipe(Protocol):
    """A training that papers share: a frozen dataclass of all its settings (see ``suite.recipes``)."""

    @property
    def name(self) -> str:
        """The name derived from the fields; it names the checkpoint folder."""

    @property
    def data(self) -> str:
        """The data set that it trains on."""


@dataclass(frozen=True)
class Inputs:
    """The data sets and recipes that a unit, or one part of it, may use; ``Run`` refuses any other."""

    data: tuple[str, ...] = ()
    recipes: tuple[Any, ...] = ()

    @property
    def sets(self) -> tuple[str, ...]:
        """All data sets that are needed, those of the recipes included, in a fixed order."""
        return tuple(dict.fromkeys([*self.data, *(recipe.data for recipe in self.recipes)]))


class Run(Protocol):
    """All that a unit of a paper sees of the world (design: contract of a paper)."""

    settings: Any
    seed: int
    part: Any  # the value of the settings field that SPLIT names, None for a unit that is not split
    device: str

    def rng(self, *label: object) -> Any:
        """A numpy Generator at the start of the stream of (seed, label). A label never names the arm."""

    def generator(self, *label: object) -> Any:
        """A CPU torch.Generator at the start of the stream of (seed, label)."""

    def data(self, name: str) -> Any:
        """The frozen arrays of a data set that ``inputs`` names."""

    def recipe(self, recipe: Recipe) -> Any:
        """The model that this recipe trained with this seed, in evaluation mode."""

    def keep(self, label: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """``function(*arguments)``, a tensor, array or dictionary of them, computed once, found again after a kill."""

    def map(self, label: str, function: Callable[..., Any], items: Iterable[Any]) -> list[Any]:
        """``[function(run, item) for item in items]``; every finished item is found again after a kill."""

    def figure(self, label: str, array: Any) -> None:
        """Keeps a small array that the paper's page shows beside the record."""

    def progress(self, message: str) -> None:
        """Tells a waiting person what the unit is doing."""


@dataclass(frozen=True)
class Missing:
    """A measured value that is not there; arithmetic and ``sum`` carry it on, anything else is an error."""

    what: str

    def _carry(self, *_: object) -> Missing:
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _carry
    __pow__ = __rpow__ = __neg__ = __pos__ = __abs__ = _carry

    def _refuse(self, *_: object) -> NoReturn:
        raise UserError(f"{self.what} is missing and cannot be compared or converted; write carry(function, value)")

    __float__ = __int__ = __bool__ = __lt__ = __le__ = __gt__ = __ge__ = __iter__ = __len__ = _refuse


Value = float | Missing


def carry(function: Callable[..., float], *arguments: Value) -> Value:
    """``function(*arguments)``, or the first missing argument.

    >>> carry(max, 1.0, Missing("table1[method=uat] uer"))
    Missing(what='table1[method=uat] uer')
    """
    for argument in arguments:
        if isinstance(argument, Missing):
            return argument
    return function(*arguments)


class Seen:
    """The measured rows of one seed, as a claim sees them."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = tuple(rows)

    def __call__(self, table: str, metric: str, **at: object) -> Value:
        """The one measured value with these labels, or ``Missing``; UserError when the labels fit several rows."""
        what = f"{table}[{show_labels(at)}] {metric}"
        found = [row for row in select(self._rows, table, **at) if metric in row.values]
        if len(found) > 1:
            raise UserError(f"{what}: the labels fit {len(found)} rows ({', '.join(map(str, found[:3]))}); add labels")
        return float(found[0].values[metric]) if found else Missing(what)


UnitFunction = Callable[[Run], Iterator[Row]]
ClaimFunction = Callable[[Seen], Mapping[str, Value]]

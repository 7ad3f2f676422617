"""What several commands share: common options, reading a paper's name, printing as text or as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from suite.errors import UserError

T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Scale = Annotated[str, typer.Option("--scale", help="smoke (seconds), reduced (minutes), full (the paper's own).")]
Device = Annotated[str | None, typer.Option("--device", help="cpu or cuda; given, only its own records are reused.")]


def show(value: Any, as_json: bool, text: Callable[[], Any]) -> None:
    """Prints a value as JSON, or lets ``text`` print it for people."""
    print(json.dumps(value, indent=1, ensure_ascii=False)) if as_json else text()


def teller(quiet: bool, as_json: bool) -> Callable[[str], None]:
    """Prints messages for people: on stdout, or on stderr where stdout is to hold one JSON object; or swallows them."""
    if quiet:
        return lambda message: None
    stream = sys.stderr if as_json else sys.stdout
    return lambda message: print(message, file=stream, flush=True)


def complain(message: str) -> None:
    """Prints one error on stderr."""
    print(f"suite: {message}", file=sys.stderr)


def paper(text: str) -> str:
    """The stem of a paper, after a look that the running package is the project's own and the paper can be imported."""
    from suite import loading, papers, project

    project.root()
    stem = papers.resolve(text)
    loading.load(stem)
    return stem


def target(text: str) -> tuple[str, list[str]]:
    """The stem and the units of ``17`` or ``17.table1``."""
    name, _, unit = text.partition(".")
    return paper(name), [unit] if unit else []


def relative(path: Path) -> str:
    """A path as seen from the current folder."""
    return os.path.relpath(path)


def of_each(stems: Iterable[str], make: Callable[[str], T]) -> tuple[list[T], dict[str, str]]:
    """What ``make`` gives for each paper, and the reason for papers of which it gives nothing, told on stderr too."""
    from suite import loading

    found: list[T] = []
    broken: dict[str, str] = {}
    for stem in stems:
        try:
            loading.load(stem)
            found.append(make(stem))
        except (UserError, ValueError) as error:  # a ValueError: rows that no rule can judge
            broken[stem] = str(error)
    tell_broken(broken)
    return found, broken


def tell_broken(broken: Mapping[str, str]) -> None:
    """Names the papers that were left out, with the reason."""
    for stem, reason in broken.items():
        complain(reason if stem in reason else f"{stem}: {reason}")


def tell_old_keys() -> list[Path]:
    """Says on stderr when the tracked key files do not belong to the code, so that nothing stale passes for current."""
    from suite import pipeline

    old = [path for path in pipeline.write_all(check=True, broken={}) if path.name.endswith(".json")]
    if old:
        print(
            "suite: code or settings changed since the key files were written, so 'current' may be stale;",
            file=sys.stderr,
        )
        print("       see 'suite why', or write them anew: suite pipeline", file=sys.stderr)
    return old

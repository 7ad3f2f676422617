"""What the records of a paper say at one scale and device class: measured cells, what is stale, what claims ask for."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite import keys, recipes, store
from suite.contract import Missing, Recipe, Seen, Value
from suite.errors import UserError
from suite.facts import Published
from suite.rows import Row, select
from suite.store import PartRecord, Record


@dataclass(frozen=True, order=True)
class Cell:
    """One metric of one row of a table; ``at`` holds its labels as pairs, in the order of the axes' names."""

    table: str
    at: tuple[tuple[str, str], ...]
    metric: str

    @classmethod
    def of(cls, row: Row, metric: str) -> Cell:
        """The cell of a row."""
        return cls(row.table, tuple(row.at.items()), metric)


@dataclass(frozen=True)
class Standing:
    """Whether results are current, stale or unchecked (no key file), and what changed since they were measured."""

    word: str = "current"
    changed: tuple[str, ...] = ()


def joined(standings: Iterable[Standing]) -> Standing:
    """The worst of several standings, with everything that changed."""
    found = list(standings)
    word = next((w for w in ("stale", "unchecked") if any(s.word == w for s in found)), "current")
    return Standing(word, tuple(dict.fromkeys(line for s in found for line in s.changed if s.word == word)))


# Present keys -------------------------------------------------------------------------------------------------------


def present_keys(folder: Path, scale: str) -> Mapping[str, Any] | None:
    """What ``keys-<scale>.json`` holds, None where there is none; UserError when it is no key file."""
    path = folder / f"keys-{scale}.json"
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        found["units"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path} is not a key file; write it anew: suite pipeline", 1) from None
    return found


def standing(present: Mapping[str, Any] | None, scale: str, part: str, seed: int, record: PartRecord) -> Standing:
    """How a recorded part stands to the present keys; a seed beyond the planned ones is compared by its key's parts."""
    if present is None:
        return Standing("unchecked", (f"keys-{scale}.json is not there: suite pipeline",))
    unit = present["units"].get(part)
    if unit is None:
        return Standing("stale", (f"{part} is no longer planned at {scale}",))
    key = unit["seeds"].get(str(seed))
    if key == record.key:
        return Standing()
    old = {name: digest for name, digest in record.measured["parts"].items() if name != "seed"}
    new = {name: digest for name, digest in unit["parts"].items() if name != "seed"}
    changed = tuple(keys.differences(old, new)) if old != new else ()
    if key is None and not changed:
        return Standing()
    return Standing("stale", changed or ("its key differs",))


# Measured rows ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """A measured value and the part of the record that holds it."""

    value: float
    part: str


@dataclass(frozen=True)
class View:
    """The records of one scale on one device class; results of two classes never meet in a cell or a claim."""

    scale: str
    device: str
    records: Mapping[int, Record]
    present: Mapping[str, Any] | None

    @functools.cached_property
    def cells(self) -> dict[Cell, dict[int, Found]]:
        """The values of every cell by seed."""
        cells: dict[Cell, dict[int, Found]] = {}
        for seed, record in sorted(self.records.items()):
            for part in sorted(record.parts):
                for row in record.parts[part].rows:
                    for metric, value in row.values.items():
                        cells.setdefault(Cell.of(row, metric), {})[seed] = Found(float(value), part)
        return cells

    @property
    def seeds(self) -> range:
        """All seeds from 0 to the last one measured: one without a record is a hole, not left out."""
        return range(max(self.records, default=-1) + 1)

    def rows(self, seed: int) -> list[Row]:
        """All rows of a seed; none where it has no record."""
        record = self.records.get(seed)
        return [row for part in sorted(record.parts) for row in record.parts[part].rows] if record else []

    def parts(self) -> list[str]:
        """The ids of all parts that some seed holds."""
        return sorted({part for record in self.records.values() for part in record.parts})

    def having(self, part: str) -> dict[int, PartRecord]:
        """A part's records by seed."""
        return {seed: record.parts[part] for seed, record in self.records.items() if part in record.parts}

    def cells_of(self, part: str) -> dict[Cell, None]:
        """The cells that a part holds, in the order in which its unit yielded them."""
        rows = [row for record in self.having(part).values() for row in record.rows]
        return {Cell.of(row, metric): None for row in rows for metric in row.values}

    def standing(self, parts: Iterable[str]) -> Standing:
        """The standing of all records of these parts together."""
        return joined(
            standing(self.present, self.scale, part, seed, record)
            for part in sorted(set(parts))
            for seed, record in sorted(self.having(part).items())
        )

    def played(self, part: str) -> dict[str, str]:
        """Which set played each role of a part, for roles that another set than their own played."""
        roles = [record.measured.get("data", {}) for record in self.having(part).values()]
        return {role: facts["set"] for data in roles for role, facts in sorted(data.items()) if facts["set"] != role}

    def declared_later(self, name: str, tables: Iterable[str]) -> bool:
        """Whether a declaration (a claim's id, "numbers TABLE.METRIC") is another than when the tables were measured.

        R0: False too where there is no key file to say what is declared now.
        """
        now = (self.present or {}).get("declarations", {}).get(name)
        wanted = set(tables)
        return now is not None and any(
            record.measured.get("declaration", {}).get(name) != now
            for part in self.parts()
            if store.table_of(part) in wanted
            for record in self.having(part).values()
        )


def views(stem: str, scale: str, runs: Path, present: Mapping[str, Any] | None) -> list[View]:
    """The views of a folder of records, the CPU's first."""
    records = store.records(stem, scale, runs)
    return [
        View(scale, device, {r.seed: r for r in records if r.device == device}, present)
        for device in dict.fromkeys(r.device for r in records)
    ]


# Claims -------------------------------------------------------------------------------------------------------------


class Traced(float):
    """A measured value that remembers the cells it was computed from; divided by one that is 0 it gives ``Missing``."""

    cells: tuple[Cell, ...]

    def __new__(cls, value: float, cells: tuple[Cell, ...]) -> Traced:
        """A value and the cells behind it."""
        traced = super().__new__(cls, value)
        traced.cells = cells
        return traced

    def _computed(self, name: str, *others: Any) -> Any:
        try:
            result = getattr(float, name)(self, *others)
        except ZeroDivisionError:
            divisor = others[0] if name == "__truediv__" else self
            return Missing(f"a quotient: {_named(divisor)} is 0")
        if result is NotImplemented:
            return result
        cells = [cell for value in (self, *others) for cell in getattr(value, "cells", ())]
        return Traced(result, tuple(dict.fromkeys(cells)))


def _operator(name: str) -> Callable[..., Any]:
    return lambda self, *others: self._computed(name, *others)


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "neg", "pos", "abs"):
    setattr(Traced, f"__{_name}__", _operator(f"__{_name}__"))


def _named(value: object) -> str:
    return ", ".join(f"{c.table} {c.metric}" for c in getattr(value, "cells", ())) or str(value)


class Watching(Seen):
    """``Seen`` whose values are traced, and which notes the tables that were asked for."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._all = tuple(rows)
        super().__init__(self._all)
        self.tables: dict[str, None] = {}

    def __call__(self, table: str, metric: str, **at: object) -> Value:
        """The one measured value with these labels, or ``Missing``."""
        self.tables[table] = None
        value = super().__call__(table, metric, **at)
        if isinstance(value, Missing):
            return value
        row = next(row for row in select(self._all, table, **at) if metric in row.values)
        return Traced(value, (Cell.of(row, metric),))


@dataclass(frozen=True)
class Asked:
    """What a claim's function gave: its parts by seed, the cells behind each part, and the tables it asked for."""

    by_seed: dict[int, dict[str, Value]]
    behind: dict[str, tuple[Cell, ...]]
    tables: tuple[str, ...]


def ask(function: Callable[[Seen], Mapping[str, Value]], rows: Mapping[int, Iterable[Row]]) -> Asked:
    """Calls a claim's function for each seed."""
    by_seed: dict[int, dict[str, Value]] = {}
    behind: dict[str, tuple[Cell, ...]] = {}
    tables: dict[str, None] = {}
    for seed, found in rows.items():
        seen = Watching(found)
        by_seed[seed] = dict(function(seen))
        tables |= seen.tables
        for name, value in by_seed[seed].items():
            if not behind.get(name):
                behind[name] = getattr(value, "cells", ())
    return Asked(by_seed, behind, tuple(tables))


def printed_rows(published: Published) -> list[Row]:
    """All printed rows: of tables and figures, and those that a number of the prose says it is."""
    tables = [*published.tables.values(), *published.figures.values()]
    of = [Row(n.of.table, n.of.at, {n.of.metric: n.value}, role=n.role) for n in published.numbers.values() if n.of]
    there = {Cell.of(row, metric) for table in tables for row in table.rows for metric in row.values}
    added = [row for row in of if not any(Cell.of(row, metric) in there for metric in row.values)]
    return [row for table in tables for row in table.rows] + added


def printed_parts(function: Callable[[Seen], Mapping[str, Value]], rows: Iterable[Row]) -> dict[str, float]:
    """The claim's parts computed from the printed rows alone; empty where those do not say."""
    try:
        values = function(Watching(rows))
    except (UserError, ArithmeticError, ValueError):
        return {}
    return {name: float(value) for name, value in values.items() if not isinstance(value, Missing)}


# Costs --------------------------------------------------------------------------------------------------------------


def minutes(view: View, table: str) -> float | None:
    """Measured core-minutes of one more seed of a table, trainings apart; None where nothing was measured."""
    parts = [part for part in view.parts() if store.table_of(part) == table]
    found = [[record.measured["seconds"] for record in view.having(part).values()] for part in parts]
    return sum(sum(seconds) / len(seconds) for seconds in found) / 60 if found else None


def training_minutes(reports: Path, recipe: Recipe) -> float:
    """Minutes of one training of a recipe: the mean of the committed ones, else a guess, 0 where nobody knows."""
    return _training(reports / "recipes" / recipe.name) / 60 or recipes.guessed_minutes(recipe) or 0.0


def _training(folder: Path) -> float:
    """Mean seconds of a recipe's committed trainings; 0 where there are none."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("s*.json"))]
    return sum(record["measured"]["seconds"] for record in records) / max(1, len(records))

"""The one shape of a printed and of a measured result, and the labels that join the two. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")


def label(value: object) -> str:
    """The canonical text of a label: numbers without trailing zeros, everything else as it is written.

    >>> label(0.20), label("0.2"), label(Decimal("0.200")), label(5.0), label("jr"), label(True)
    ('0.2', '0.2', '0.2', '5', 'jr', 'true')
    """
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value).strip()
    if not NUMBER.fullmatch(text):
        return text
    number = Decimal(text).normalize()
    return format(number if number else Decimal(0), "f")


def labels(at: Mapping[str, object]) -> dict[str, str]:
    """Canonical labels, ordered by axis name, so that equal labels are equal dictionaries and equal text."""
    return {axis: label(at[axis]) for axis in sorted(at)}


def show_labels(at: Mapping[str, object]) -> str:
    """Labels as a person reads them.

    >>> show_labels({"eps": 0.20, "dataset": "mnist"})
    'dataset=mnist eps=0.2'
    """
    return " ".join(f"{axis}={value}" for axis, value in labels(at).items())


@dataclass(frozen=True)
class Row:
    """One row of a printed or measured table.

    ``at`` names the row by its labels, ``values`` holds its numbers in the printed unit: ``Decimal`` where printed (the
    last digit bounds the rounding), ``float`` where measured. A stored row carries the ``seed`` of its run.
    A printed row carries its ``role`` (own, rerun, quoted, setting, derived), its printed ``spread`` and the number
    ``n`` of runs behind it where they are printed.
    """

    table: str
    at: Mapping[str, Any]
    values: Mapping[str, Decimal | float]
    seed: int | None = None
    role: str | None = None
    spread: Mapping[str, Decimal] = field(default_factory=dict)
    n: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", labels(self.at))
        object.__setattr__(self, "values", dict(self.values))
        object.__setattr__(self, "spread", dict(self.spread))

    def __hash__(self) -> int:
        return hash((self.table, tuple(self.at.items()), self.seed))

    def matches(self, at: Mapping[str, object]) -> bool:
        """Whether every given label is this row's label on that axis."""
        return all(self.at.get(axis) == label(value) for axis, value in at.items())

    def __str__(self) -> str:
        return f"{self.table}[{show_labels(self.at)}]"


def select(rows: Iterable[Row], table: str, **at: object) -> list[Row]:
    """The rows of one table that carry all the given labels."""
    return [row for row in rows if row.table == table and row.matches(at)]


def pack(rows: Sequence[Row]) -> dict[str, list]:
    """Rows of one table as ``{"columns", "data"}``: labels are text, values are numbers, an absent cell is null.

    Raises ValueError when an axis and a metric share a name, since text and numbers are told apart by their type.
    """
    axes = sorted({axis for row in rows for axis in row.at})
    metrics = list(dict.fromkeys(metric for row in rows for metric in row.values))
    if both := set(axes) & set(metrics):
        raise ValueError(f"{sorted(both)} name both a label and a metric")
    data = [[row.at.get(a) for a in axes] + [_plain(row.values.get(m)) for m in metrics] for row in rows]
    return {"columns": axes + metrics, "data": data}


def unpack(packed: Mapping[str, list], table: str, seed: int | None = None) -> list[Row]:
    """The rows that ``pack`` wrote."""
    found = []
    for cells in packed["data"]:
        named = dict(zip(packed["columns"], cells, strict=True))
        at = {name: cell for name, cell in named.items() if isinstance(cell, str)}
        values = {name: float(cell) for name, cell in named.items() if isinstance(cell, (int, float))}
        found.append(Row(table, at, values, seed))
    return found


def _plain(value: Decimal | float | None) -> float | None:
    return None if value is None else float(value)

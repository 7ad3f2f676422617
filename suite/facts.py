"""What a paper printed, as frozen dataclasses, and the words that its facts may use. ``suite.published`` reads them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from suite.errors import UserError
from suite.rows import Row, label, show_labels

FAMILIES = (
    *("pruning", "detection", "calibration", "adversarial", "robustness", "theory"),
    *("vision", "language", "reid", "sequence", "rl", "survey"),
)
ROLES = ("own", "rerun", "quoted", "setting", "derived")
JUDGED = ("own", "rerun")  # the roles of numbers that get a verdict
BETTER = ("higher", "lower", "none")
NOISE = ("seeds", "none")
SPREADS = ("sd", "se", "ci95", "range", "unclear")
DECIDABLE = ("exact", "smoke", "reduced", "full-cpu", "full-cuda", "private")
BASES = ("arithmetic", "stated", "assumed")
SIDES = ("above", "below")
LOOKS = (5, 10, 20)
KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # what a kind needs, what it may carry besides
    "ordering": (("margin",), ("size",)),
    "no_loss": (("margin",), ()),
    "trend": (("levels",), ("margin",)),
    "curve": (("margin",), ("levels",)),
    "ratio": (("size",), ()),
    "threshold": (("value", "side"), ("margin",)),
    "within": (("low", "high"), ()),
    "pooled": (("statistic", "value", "side"), ()),
    "exact": ((), ()),
}


@dataclass(frozen=True)
class SRef:
    """The seed spread of a metric measured at ``reduced`` over five seeds or more, and its records' digests (R2)."""

    value: Decimal
    records: tuple[str, ...]


@dataclass(frozen=True)
class Metric:
    """A column of numbers, and what R2 computes the margin of its numbers from.

    ``gap`` is the smallest printed difference on which a conclusion rests, ``cap`` the widest margin, both in ``unit``;
    ``n_test`` the number of test items behind a share, from which its noise floor follows. ``noise`` is "none" where
    the metric is deterministic, so that a number is judged by equality after rounding (R1).
    """

    name: str
    unit: str
    says: str
    better: str = "none"
    gap: Decimal | None = None
    cap: Decimal | None = None
    n_test: int | None = None
    s_ref: SRef | None = None
    noise: str = "seeds"


@dataclass(frozen=True)
class Table:
    """A printed table. ``runs``: how many runs stand behind each cell; ``spread_is``: what a printed +/- means.

    ``notes`` are by the labels of a row as ``show_labels`` writes them; ``doubts``, the cells whose extraction is
    uncertain, by those labels and the metric.
    """

    id: str
    where: str
    about: str
    metrics: Mapping[str, Metric]
    rows: tuple[Row, ...]
    runs: int | None = None
    spread_is: str | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    doubts: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure(Table):
    """A printed figure; it has rows only where its drawn values are printed somewhere."""

    rows: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Ours:
    """A table of ours: reported, never compared with print. ``axes`` are the labels that each of its rows has."""

    id: str
    about: str
    metrics: Mapping[str, Metric]
    axes: tuple[str, ...]


@dataclass(frozen=True)
class Of:
    """The row of a table or figure, and the metric, that a number of the prose is."""

    table: str
    metric: str
    at: Mapping[str, str]


@dataclass(frozen=True)
class Number:
    """A number printed in the prose or in a caption."""

    id: str
    where: str
    says: str
    value: Decimal
    unit: str
    role: str
    at: Mapping[str, str] = field(default_factory=dict)
    of: Of | None = None
    doubt: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Claim:
    """A claim and the test that decides it, both declared before the run. What each kind needs stands in ``KINDS``.

    ``over`` is ``"all"``, ``"some"`` or the number u of ``at_least: u``. ``levels`` stand in the order in which the
    value is claimed to grow. ``size`` gives, by part, the interval that the claimed size stands for. ``unit`` is that
    of the parts' values; ``"%"`` says that they are percentages.
    """

    id: str
    where: str
    says: str
    test: str
    decidable: str
    kind: str
    effect: str | None = None
    over: str | int = "all"
    margin: Decimal | None = None
    size: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    looks: tuple[int, ...] = LOOKS
    levels: tuple[str, ...] = ()
    value: Decimal | None = None
    side: str | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    statistic: str | None = None
    unit: str = ""
    note: str | None = None

    def needed(self, parts: int) -> int:
        """How many of this many parts must hold; UserError when the claim asks for more than there are."""
        if isinstance(self.over, str):
            return parts if self.over == "all" else 1
        if self.over > parts:
            raise UserError(
                f"claim {self.id}: at_least: {self.over} of {parts} parts; give it the number of parts or fewer"
            )
        return self.over


@dataclass(frozen=True)
class Each:
    """The rows that a check is made for: of these tables, with one of these labels on each axis, without those."""

    table: tuple[str, ...]
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    without: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Identity:
    """Arithmetic that the printed numbers must obey; without ``check`` a reader's note."""

    id: str
    over: str
    says: str
    formula: str
    holds: str
    each: Each | None = None
    check: tuple[str, ...] = ()
    basis: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Published:
    """All that a paper printed, by id."""

    id: str
    number: int
    title: str
    authors: tuple[str, ...]
    year: int
    venue: str
    family: str
    path: Path
    doi: str | None = None
    note: str | None = None
    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    numbers: Mapping[str, Number] = field(default_factory=dict)
    claims: Mapping[str, Claim] = field(default_factory=dict)
    identities: Mapping[str, Identity] = field(default_factory=dict)
    ours: Mapping[str, Ours] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """The one name of module, folders and stage file."""
        return stem_of(self.number, self.id)

    @property
    def units(self) -> dict[str, Table | Figure | Ours]:
        """All that wants a function that yields rows: tables, figures and our own tables."""
        return {**self.tables, **self.figures, **self.ours}


def stem_of(number: int, ident: str) -> str:
    """The canonical id of a paper.

    >>> stem_of(7, "glunet")
    'p07_glunet'
    """
    return f"p{number:02d}_{ident}"


def claim_digest(claim: Claim) -> str:
    """A digest of what a claim says and how it is decided; ``where`` and ``note`` are commentary and left out.

    Numbers count by value: a margin of 5 and one of 5.0 are the same declaration.
    """
    return _digest({f.name: getattr(claim, f.name) for f in fields(claim) if f.name not in ("where", "note")})


def number_declarations(published: Published) -> dict[str, str]:
    """By "numbers TABLE.METRIC", a digest of all that is chosen before the printed numbers of a metric are judged (R0).

    That is what R2 makes the margin from (gap, cap, n_test, s_ref), noise, the direction, what a printed spread is, and
    the runs behind each judged row (1 where the paper is silent). Printed values and spreads are facts, not choices:
    they are left out, and so are words. Numbers count by value, rows and metrics in any order.
    """
    found = {}
    for table in (*published.tables.values(), *published.figures.values()):
        for name, metric in table.metrics.items():
            rows = [row for row in table.rows if name in row.values and row.role in JUDGED]
            entry: dict[str, Any] = {key: getattr(metric, key) for key in ("gap", "cap", "n_test", "better")}
            if metric.s_ref:
                entry["s_ref"] = {"value": metric.s_ref.value, "records": tuple(sorted(metric.s_ref.records))}
            if metric.noise != "seeds":
                entry["noise"] = metric.noise
            entry["spread_is"] = table.spread_is
            entry["runs"] = {show_labels(row.at): row.n or 1 for row in rows} or table.runs or 1
            found[numbers_of(table.id, name)] = _digest(entry)
    return found


def numbers_of(table: str, metric: str) -> str:
    """The name under which the numbers of a metric are declared."""
    return f"numbers {table}.{metric}"


def _digest(entry: Mapping[str, Any]) -> str:
    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, tuple):
            return [plain(item) for item in value]
        return None if value is None else label(value)

    text = json.dumps(plain(entry), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

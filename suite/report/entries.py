"""The data model of a paper's page and of the scoreboard: frozen facts that ``suite.report.model`` makes from files.

The Markdown pages and the views of the command line are drawn from it, and nothing else is read for them but the figure
arrays that it names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from suite.agreement import Agreement
from suite.facts import JUDGED, Identity, Metric
from suite.verdict import ClaimVerdict

SCALES = ("full", "reduced", "smoke")
DECIDED = ("holds", "reversed", "tied", "inconclusive", "exact", "contradicts")
CLAIM_WORDS = (*DECIDED, "trend", "open", "private data", "not run")
NUMBER_WORDS = ("reproduced", "refuted", "deviates", "inconclusive", "no verdict")


@dataclass(frozen=True)
class Measured:
    """A cell at one scale on one device class: its values by seed, their mean, and the 95 % t interval of two or more.

    ``played`` names the sets that played a role of another set: such values are never laid beside a printed number.
    """

    scale: str
    device: str
    values: Mapping[int, float]
    mean: float
    low: float | None
    high: float | None
    standing: str
    changed: tuple[str, ...]
    played: Mapping[str, str]

    @property
    def n(self) -> int:
        """How many seeds stand behind it."""
        return len(self.values)


@dataclass(frozen=True)
class CellEntry:
    """A printed number, what was measured for it (largest scale first), and the verdict with its reason."""

    table: str
    at: Mapping[str, str]
    metric: str
    printed: Decimal | None
    spread: Decimal | None
    role: str
    measured: tuple[Measured, ...]
    word: str
    reason: str
    note: str = ""
    agreement: Agreement | None = None

    @property
    def judged(self) -> bool:
        """Whether it is a number that a verdict is given on: the authors' own or one that they ran again."""
        return self.role in JUDGED


@dataclass(frozen=True)
class TableEntry:
    """A table, a figure or a table of ours with its cells; ``out`` is the reason why it has no function."""

    id: str
    kind: str  # table | figure | ours
    where: str
    about: str
    metrics: Mapping[str, Metric]
    axes: tuple[str, ...]
    cells: tuple[CellEntry, ...]
    commands: Mapping[str, str]  # scale -> what measures it
    out: str = ""

    @property
    def scales(self) -> tuple[str, ...]:
        """The scales at which some cell was measured, largest first."""
        there = {measured.scale for cell in self.cells for measured in cell.measured}
        return tuple(scale for scale in SCALES if scale in there)


@dataclass(frozen=True)
class Side:
    """One of the measured means that a claim's part was computed from."""

    cell: CellEntry
    measured: Measured


@dataclass(frozen=True)
class ClaimAtScale:
    """A claim's verdict at one scale, the sides of each part, what the printed rows give for it, and its standing."""

    scale: str
    device: str
    verdict: ClaimVerdict
    sides: Mapping[str, tuple[Side, ...]]
    printed: Mapping[str, float]
    standing: str
    changed: tuple[str, ...]


@dataclass(frozen=True)
class ClaimEntry:
    """A claim with its verdict: at the largest scale that decides it, else the trend below, else why there is none."""

    id: str
    where: str
    says: str
    test: str
    effect: str
    kind: str
    over: str
    unit: str
    margin: Decimal | None
    band: tuple[float | None, float | None]  # the claimed region of a part's value
    decidable: str
    word: str
    reason: str
    at: tuple[ClaimAtScale, ...]
    note: str = ""
    command: str = ""

    @property
    def shown(self) -> ClaimAtScale | None:
        """The result that the word is from."""
        return next((found for found in self.at if found.verdict.word == self.word), None)

    @property
    def group(self) -> str:
        """The word under which it is counted: the three trends are one."""
        return self.word.partition(":")[0]


@dataclass(frozen=True)
class NumberEntry:
    """A number printed in the prose or a caption; ``of`` is the cell that it is, where it is one."""

    id: str
    where: str
    says: str
    printed: Decimal
    unit: str
    role: str
    at: Mapping[str, str]
    word: str
    reason: str
    of: str = ""
    note: str = ""


@dataclass(frozen=True)
class NotRun:
    """Something that has no result, or not all of its seeds, with the reason and the expected core-minutes."""

    id: str
    scale: str
    reason: str
    minutes: float | None
    command: str = ""


@dataclass(frozen=True)
class Provenance:
    """How the results of one part were measured, for all seeds that were measured in the same way.

    ``repeated`` names the CPU types on which a seed was measured again, byte for byte (R17).
    """

    scale: str
    part: str
    device: str
    seeds: tuple[int, ...]
    command: str
    seconds: float
    cpu: str
    versions: Mapping[str, str]
    threads: int
    data: Mapping[str, Mapping[str, str]]  # role -> set, content
    keys: Mapping[int, str]
    weights: Mapping[str, Mapping[int, str]]  # recipe -> seed -> digest
    standing: str
    changed: tuple[str, ...]
    repeated: Mapping[int, tuple[str, ...]]

    @property
    def determinism(self) -> str:
        """R17: the class that repeats have shown, with the seeds that were repeated."""
        if not self.repeated:
            return "not repeated"
        elsewhere = any(cpu != self.cpu for found in self.repeated.values() for cpu in found)
        seeds = ", ".join(map(str, self.repeated))
        return f"{'exact' if elsewhere else 'device-exact'} (seed {seeds})"


@dataclass(frozen=True)
class Array:
    """A figure array that a unit kept; ``path`` is relative to the project's root."""

    unit: str
    part: str
    label: str
    scale: str
    device: str
    seed: int
    path: str
    digest: str


@dataclass(frozen=True)
class ScaleState:
    """How much of what is planned at a scale has results (parts of units times seeds), and how it departs from full.

    ``differs`` names the settings that have another value than at full, with both values.
    """

    scale: str
    done: int
    planned: int
    standing: str
    changed: tuple[str, ...]
    devices: tuple[str, ...]
    minutes: float | None  # expected core-minutes of what is missing; None where nobody knows
    differs: Mapping[str, tuple[str, str]]
    command: str

    @property
    def words(self) -> str:
        """In one phrase."""
        if not self.planned and not self.done:
            return "not planned"
        if not self.done:
            return f"none of {self.planned} results measured"
        if self.done >= self.planned:
            return f"all {self.done} results measured"
        return f"{self.done} of {self.planned} results measured"


@dataclass(frozen=True)
class Page:
    """All that is shown of a paper."""

    stem: str
    number: int
    title: str
    authors: tuple[str, ...]
    year: int
    venue: str
    doi: str
    family: str
    note: str
    states: tuple[ScaleState, ...]
    claims: tuple[ClaimEntry, ...]
    tables: tuple[TableEntry, ...]
    ours: tuple[TableEntry, ...]
    numbers: tuple[NumberEntry, ...]
    identities: tuple[Identity, ...]
    not_run: tuple[NotRun, ...]
    provenance: tuple[Provenance, ...]
    arrays: tuple[Array, ...]
    recipes: tuple[str, ...]

    @property
    def scale(self) -> str:
        """The largest scale that has a result, or an empty text."""
        return next((state.scale for state in self.states if state.done), "")

    @property
    def standing(self) -> str:
        """``current``, ``stale``, ``unchecked`` (no key file), or ``no records``."""
        there = [state.standing for state in self.states if state.done]
        return next((w for w in ("stale", "unchecked", "current") if w in there), "no records")

    @property
    def claim_counts(self) -> dict[str, int]:
        """How many claims have each word of ``CLAIM_WORDS``."""
        counts = Counter(claim.group for claim in self.claims)
        return {word: counts[word] for word in CLAIM_WORDS}

    @property
    def number_counts(self) -> dict[str, int]:
        """How many of the authors' own numbers have each word of ``NUMBER_WORDS``."""
        words = [cell.word for table in self.tables for cell in table.cells if cell.judged]
        words += [number.word for number in self.numbers if number.role in JUDGED and not number.of]
        counts = Counter(word if word in NUMBER_WORDS else "no verdict" for word in words)
        return {word: counts[word] for word in NUMBER_WORDS}


@dataclass(frozen=True)
class Scoreboard:
    """All papers."""

    pages: tuple[Page, ...]

    @property
    def claim_counts(self) -> dict[str, int]:
        """The counts of all papers together."""
        return {word: sum(page.claim_counts[word] for page in self.pages) for word in CLAIM_WORDS}

    @property
    def number_counts(self) -> dict[str, int]:
        """The counts of all papers together."""
        return {word: sum(page.number_counts[word] for page in self.pages) for word in NUMBER_WORDS}


def plain(value: Any) -> Any:
    """Any of these facts as JSON holds it; printed numbers are text, so that they keep their digits."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(value)
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)

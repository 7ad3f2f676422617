"""How numbers and facts are written on pages and in the terminal: one manner for both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from math import floor, log10

from tabulate import tabulate

from suite.report.entries import CellEntry, ClaimEntry, Measured, ScaleState
from suite.verdict import Part

NOTHING = "-"
MOST_CHANGES = 4
MOST_PARTS = 4


def places(half: float | None, printed: Decimal | None = None) -> int:
    """How many decimals to show: two significant digits of the half-width, at most one decimal more than printed.

    Without a width as many as are printed, else none.
    """
    printed_places = None if printed is None else max(0, -int(printed.as_tuple().exponent))
    if not half:
        return printed_places or 0
    wanted = max(0, 1 - floor(log10(half)))
    return wanted if printed_places is None else min(wanted, printed_places + 1)


def half_width(mean: float, low: float | None, high: float | None) -> float | None:
    """Half the width of an interval; None where there is none, or where it is nothing but rounding."""
    if low is None or high is None or high - low <= 1e-9 * abs(mean):
        return None
    return (high - low) / 2


def number(value: float, decimals: int) -> str:
    """A number with so many decimals; very small ones keep two significant digits, and nothing is minus zero.

    >>> number(-0.001, 2), number(12.345, 1), number(3.2e-7, 4), number(41.0, 0)
    ('0.00', '12.3', '3.2e-07', '41')
    """
    if 0 < abs(value) < 1e-4 and decimals > 3:
        return f"{value:.1e}"
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if not text.strip("-0.") else text


def interval(mean: float, low: float | None, high: float | None, printed: Decimal | None = None) -> str:
    """A mean with its 95 % interval, ``52.3 [50.4, 54.2]``; the mean alone where one seed gives none."""
    half = half_width(mean, low, high)
    if half is not None and low is not None and high is not None:
        decimals = places(half, printed)
        return f"{number(mean, decimals)} [{number(low, decimals)}, {number(high, decimals)}]"
    alone = alone_as(mean, printed)
    return alone if low is None else f"{alone} [{alone}, {alone}]"


def mean_of(mean: float, low: float | None, high: float | None, printed: Decimal | None = None) -> str:
    """A mean with the digits that its interval allows, without the interval."""
    return interval(mean, low, high, printed).partition(" [")[0]


def alone_as(mean: float, printed: Decimal | None) -> str:
    """A mean without an interval: with the printed decimals where it is printed."""
    return short(mean) if printed is None else number(mean, places(None, printed))


def measured(found: Measured, printed: Decimal | None = None) -> str:
    """A measured cell: mean, interval, number of seeds, and what is odd about it."""
    odd = [f"on {name} for {role}" for role, name in found.played.items()]
    odd += [found.device] if found.device != "cpu" else []
    odd += [found.standing] if found.standing == "stale" else []
    text = f"{interval(found.mean, found.low, found.high, printed)}, n = {found.n}"
    return text + (f" ({', '.join(odd)})" if odd else "")


def printed(cell: CellEntry) -> str:
    """A printed value with its printed spread."""
    if cell.printed is None:
        return NOTHING
    return f"{cell.printed}" + (f" ± {cell.spread}" if cell.spread is not None else "")


def against_print(cell: CellEntry) -> str:
    """How far ours is from a printed number: difference with its 95 % interval, margin, and the seeds tested."""
    found = cell.agreement
    if found is None:
        return NOTHING
    told = []
    if found.difference is not None:
        told = [interval(found.difference, found.low, found.high, cell.printed)]
    told += [] if found.margin is None else [f"margin {short(found.margin)}"]
    told += [] if found.look is None else [f"n = {found.look}"]
    return ", ".join(told) or NOTHING


def marks(cell: CellEntry) -> list[str]:
    """What stands beside the verdict on a printed number."""
    found = cell.agreement
    if found is None:
        return []
    stale = bool(cell.measured) and cell.measured[0].standing == "stale"
    there = {"better than printed": found.better, "stale": stale, "post hoc": found.post_hoc}
    return [word for word, yes in there.items() if yes]


def whose(cell: CellEntry) -> str:
    """The metric and labels before a verdict whose reason is the cell's own, else nothing."""
    if cell.agreement is None:
        return ""
    return f"{cell.metric} [{', '.join(f'{axis} {label}' for axis, label in cell.at.items())}] "


def part_effect(part: Part) -> str:
    """The measured value of a claim's part."""
    return NOTHING if part.mean is None else interval(part.mean, part.low, part.high)


def claimed_effect(part: Part, claimed: Mapping[str, float]) -> str:
    """What the printed rows give for a part."""
    return short(claimed[part.name]) if part.name in claimed else NOTHING


def effects(claim: ClaimEntry, intervals: bool = False) -> str:
    """The means of a claim's first parts in one line, each with what the printed rows give for it."""
    at = claim.shown
    parts = [part for part in at.verdict.parts if part.mean is not None] if at else []
    told = []
    for part in parts[:MOST_PARTS] if at else []:
        value = part.mean or 0.0
        mean = part_effect(part) if intervals else mean_of(value, part.low, part.high)
        claimed = f" ({short(at.printed[part.name])})" if at and part.name in at.printed else ""
        told.append(f"{part.name} {mean}{claimed}")
    more = len(parts) - MOST_PARTS
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "") or NOTHING


def short(value: float) -> str:
    """A number without an interval: four significant digits, whole numbers as they are.

    >>> short(65.41), short(-0.020000000000000018), short(61706.0), short(123456.7), short(0.00001234)
    ('65.41', '-0.02', '61706', '123457', '1.234e-05')
    """
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


def sides(claim: ClaimEntry, part: str) -> str:
    """The measured means that a part was computed from, told apart by the labels in which they differ."""
    at = claim.shown
    found = at.sides.get(part, ()) if at else ()
    if not 1 < len(found) <= 4:
        return NOTHING
    axes = [axis for axis in found[0].cell.at if len({side.cell.at.get(axis) for side in found}) > 1]
    metrics = {(side.cell.table, side.cell.metric) for side in found}
    items = []
    for side in found:
        name = " ".join(side.cell.at.get(axis, "") for axis in axes)
        if len(metrics) > 1:
            name = f"{side.cell.metric} {name}".strip()
        items.append(f"{name} {mean_of(side.measured.mean, side.measured.low, side.measured.high, side.cell.printed)}")
    return "; ".join(items)


def seeds(numbers: Iterable[int]) -> str:
    """Seeds in short.

    >>> seeds([0, 1, 2, 3, 4]), seeds([0]), seeds([0, 2])
    ('0 to 4', '0', '0, 2')
    """
    found = sorted(numbers)
    if len(found) > 2 and found == list(range(found[0], found[-1] + 1)):
        return f"{found[0]} to {found[-1]}"
    return ", ".join(map(str, found))


def counts(found: Mapping[str, int]) -> str:
    """The words that occur, with their numbers."""
    return ", ".join(f"{word} {n}" for word, n in found.items() if n) or "none"


def papers(n: int) -> str:
    """So many papers, in words."""
    return "1 paper" if n == 1 else f"{n} papers"


def changes(changed: Sequence[str]) -> str:
    """The first few lines of what changed, and how many more there are."""
    more = len(changed) - MOST_CHANGES
    return "; ".join(changed[:MOST_CHANGES]) + (f"; and {more} more" if more > 0 else "")


def state(found: ScaleState) -> str:
    """How far a scale has come, in one phrase."""
    words = found.words
    if found.done < found.planned and found.minutes:
        words += f", about {duration(found.minutes)} on one core for the rest"
    if found.done and found.standing != "current":
        words += f"; {found.standing}: {changes(found.changed)}"
    return words


def differs(found: ScaleState) -> str:
    """What a scale does otherwise than full."""
    told = [f"{name} {own} (full: {full})" for name, (own, full) in found.differs.items()]
    return "; ".join(told) or ("the paper's own" if found.scale == "full" else "the same")


def duration(core_minutes: float) -> str:
    """Minutes in words.

    >>> duration(0.1), duration(4.4), duration(200)
    ('under a minute', '4 min', '3.3 h')
    """
    if core_minutes < 1:
        return "under a minute"
    return f"{core_minutes:.0f} min" if core_minutes < 100 else f"{core_minutes / 60:.1f} h"


def slug(text: str) -> str:
    """A text as it may stand in a file's name or an anchor."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def sentence(text: str) -> str:
    """A text with a capital first letter and one full stop.

    >>> sentence("minutes and seconds."), sentence("c1 holds"), sentence("")
    ('Minutes and seconds.', 'C1 holds.', '')
    """
    return text[:1].upper() + text[1:].rstrip(". ") + "." if text else ""


def grid(rows: Iterable[Sequence[str]], headers: Sequence[str]) -> str:
    """A table in Markdown; what would end a cell is escaped, and an empty one gets a dash."""
    safe = [[re.sub(r"\s+", " ", str(cell)).replace("|", "\\|") or NOTHING for cell in row] for row in rows]
    return tabulate(safe, headers=list(headers), tablefmt="github", disable_numparse=True)

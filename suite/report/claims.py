"""The claims of a page: each judged at the scale that decides it, with the trend below and both sides of every part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from suite import store
from suite.contract import Missing
from suite.facts import Claim
from suite.report import gather, show
from suite.report.entries import SCALES, CellEntry, ClaimAtScale, ClaimEntry, Side, TableEntry
from suite.report.gather import Asked, Cell, View
from suite.report.source import Source
from suite.verdict import DECIDED_FROM, RANK, judge_claim

Cells = Mapping[Cell, CellEntry]


def entry(source: Source, claim: Claim, tables: Sequence[TableEntry]) -> ClaimEntry:
    """A claim with its verdicts, the decisive one first."""
    cells = {Cell(c.table, tuple(c.at.items()), c.metric): c for table in tables for c in table.cells}
    function = source.paper.claims.get(claim.id)
    found = _at_scales(source, claim, cells) if function else []
    asked = gather.ask(function, {0: []}).tables if function else ()
    scale = _needed(claim)
    word, reason = _word(source, claim, found, asked, scale)
    return ClaimEntry(
        id=claim.id,
        where=claim.where,
        says=claim.says,
        test=claim.test,
        effect=claim.effect or "",
        kind=claim.kind,
        over=claim.over if isinstance(claim.over, str) else f"at least {claim.over}",
        unit=claim.unit,
        margin=claim.margin,
        band=_band(claim),
        decidable=claim.decidable,
        word=word,
        reason=reason,
        at=tuple(found),
        note=claim.note or "",
        command=source.command(asked, scale) if asked and scale in source.paper.scales else "",
    )


def _needed(claim: Claim) -> str:
    """The smallest scale that decides a claim."""
    rank = min(DECIDED_FROM[claim.decidable], RANK["full"])
    return next(scale for scale, place in RANK.items() if place == rank)


def _word(source: Source, claim: Claim, found: list[ClaimAtScale], asked: Iterable[str], scale: str) -> tuple[str, str]:
    """The first result that is not open, else an open one at the scale that decides, else why there is none."""
    if reason := source.paper.out.get(claim.id):
        return "not run", reason
    if claim.decidable == "private":
        verdict = judge_claim(claim, {}, "full")
        return verdict.word, verdict.reason
    told = [f for f in found if f.verdict.word != "open" or RANK[f.scale] >= RANK[scale]]
    if told:
        first = next((f for f in told if f.verdict.word != "open"), told[0])
        return first.verdict.word, first.verdict.reason
    if claim.id not in source.paper.claims:
        return "open", "the paper's module has no function for it yet"
    units = [unit for unit in asked if source.paper.seeds(scale, unit)]
    if not units:
        return "open", f"nothing that it asks for is planned at {scale}"
    cost = source.rest(scale, {pair for unit in units for pair in source.planned(scale, unit)})
    about = "" if cost is None else f", about {show.duration(cost)} on one core for all seeds"
    return "not run", f"no seed was run at {scale}{about}: {source.command(units, scale)}"


def _at_scales(source: Source, claim: Claim, cells: Cells) -> list[ClaimAtScale]:
    """The claim at each scale that has rows for it, the largest first; smoke counts only for claims that it decides."""
    scales = [scale for scale in SCALES if scale != "smoke" or claim.decidable in ("exact", "smoke")]
    found = []
    for scale in scales:
        candidates = [c for view in source.views[scale] if (c := _at(source, claim, view, cells))]
        if candidates:
            found.append(max(candidates, key=lambda c: (c.verdict.word != "open", c.verdict.n)))
    return found


def _at(source: Source, claim: Claim, view: View, cells: Cells) -> ClaimAtScale | None:
    function = source.paper.claims[claim.id]
    tables = gather.ask(function, {0: []}).tables
    parts = [part for part in view.parts() if store.table_of(part) in tables]
    if not parts:
        return None
    last = max(seed for part in parts for seed in view.having(part))
    asked = gather.ask(function, {seed: view.rows(seed) for seed in range(last + 1)})
    used = _used(asked, view, parts)
    verdict = judge_claim(
        claim,
        asked.by_seed,
        view.scale,
        post_hoc=bool(used) and view.declared_later(claim.id, asked.tables),
        minutes=source.minutes(view.scale, asked.tables),
    )
    standing = view.standing(used)
    printed = gather.printed_parts(function, gather.printed_rows(source.print))
    sides = {part.name: _sides(asked, part.name, view, cells) for part in verdict.parts}
    return ClaimAtScale(view.scale, view.device, verdict, sides, printed, standing.word, standing.changed)


def _used(asked: Asked, view: View, parts: list[str]) -> set[str]:
    """The parts of the record behind a claim's values: all that it asks for where more than arithmetic hides them."""
    valued = {name for values in asked.by_seed.values() for name, v in values.items() if not isinstance(v, Missing)}
    if any(not asked.behind[name] for name in valued):
        return set(parts)
    return {found.part for name in valued for cell in asked.behind[name] for found in view.cells[cell].values()}


def _sides(asked: Asked, part: str, view: View, cells: Cells) -> tuple[Side, ...]:
    """The measured means behind a part, of this view alone, in the order in which the claim asks for them."""
    sides = []
    for cell in asked.behind.get(part, ()):
        shown = cells.get(cell)
        measured = [m for m in shown.measured if (m.scale, m.device) == (view.scale, view.device)] if shown else []
        if shown and measured:
            sides.append(Side(shown, measured[0]))
    return tuple(sides)


def _band(claim: Claim) -> tuple[float | None, float | None]:
    """The claimed region of a part's value; open at an end where nothing bounds it."""
    number = [None if end is None else float(end) for end in (claim.margin, claim.value, claim.low, claim.high)]
    margin, value, low, high = number
    match claim.kind:
        case "ordering":
            return 0.0, None
        case "no_loss":
            return None, margin
        case "threshold":
            return (value, None) if claim.side == "above" else (None, value)
        case "within":
            return low, high
        case "ratio" if claim.size:
            return min(float(ends[0]) for ends in claim.size.values()), None
    return None, None

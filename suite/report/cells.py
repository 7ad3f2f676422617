"""The tables of a page: each printed or measured cell with its verdict and reason."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from suite import statistics
from suite.facts import Ours, Table
from suite.report.entries import SCALES, CellEntry, Measured, TableEntry
from suite.report.gather import Cell, View, printed_rows
from suite.report.source import Source
from suite.rows import Row

ROLE_REASONS = {
    "quoted": "printed from another paper; not ours to judge",
    "setting": "a setting, not a result",
    "derived": "computed from other printed numbers",
    "drawn": "drawn in the print without its value",
    "ours": "a table of ours, never compared with print",
}


def tables(source: Source) -> list[TableEntry]:
    """All tables, figures and tables of ours, in the order of the published facts."""
    facts = source.print
    printed = [("table", t) for t in facts.tables.values()] + [("figure", f) for f in facts.figures.values()]
    return [_table(source, k, t) for k, t in printed] + [_table(source, "ours", o) for o in facts.ours.values()]


def measure(cell: Cell, views: Iterable[View]) -> Measured | None:
    """A cell as the device class with the most seeds measured it, the CPU on a tie; None where none did."""
    there = [view for view in views if cell in view.cells]
    if not there:
        return None
    view = max(there, key=lambda v: len(v.cells[cell]))
    found = view.cells[cell]
    values = {seed: item.value for seed, item in found.items()}
    numbers = list(values.values())
    low, high = (float(end) for end in statistics.t_interval(numbers)) if len(numbers) > 1 else (None, None)
    parts = {item.part for item in found.values()}
    standing = view.standing(parts)
    played = {role: name for part in sorted(parts) for role, name in view.played(part).items()}
    return Measured(
        view.scale, view.device, values, sum(numbers) / len(numbers), low, high, standing.word, standing.changed, played
    )


def _table(source: Source, kind: str, table: Table | Ours) -> TableEntry:
    printed = {Cell.of(row, m): row for row in printed_rows(source.print) if row.table == table.id for m in row.values}
    views = [view for scale in SCALES for view in source.views[scale]]
    there = [c for view in views for part in source.ordered(view.parts()) for c in view.cells_of(part)]
    found = dict.fromkeys([*printed, *(c for c in there if c.table == table.id)])
    cells = [_cell(source, kind, table, cell, printed.get(cell)) for cell in found]
    metrics = list(table.metrics)
    cells.sort(key=lambda c: metrics.index(c.metric) if c.metric in metrics else len(metrics))
    own = table.axes if isinstance(table, Ours) else ()
    axes = tuple(dict.fromkeys([*own, *(axis for cell in cells for axis in cell.at)]))
    offered = [scale for scale in SCALES if source.paper.seeds(scale, table.id)]
    commands = {scale: source.command([table.id], scale) for scale in offered}
    out = source.paper.out.get(table.id, "")
    where = "" if isinstance(table, Ours) else table.where
    return TableEntry(table.id, kind, where, table.about, table.metrics, axes, tuple(cells), commands, out)


def _cell(source: Source, kind: str, table: Table | Ours, cell: Cell, row: Row | None) -> CellEntry:
    found = [m for scale in SCALES if (m := measure(cell, source.views[scale]))]
    if kind != "ours" and not source.private:
        found = [m for m in found if not m.played]
    if any(m.scale != "smoke" for m in found):
        found = [m for m in found if m.scale != "smoke"]
    role = "ours" if kind == "ours" else (row.role or "own") if row else "drawn"
    word, reason = _verdict(source, table, cell, role, found)
    printed = row.values[cell.metric] if row else None
    notes = []
    if row and not isinstance(table, Ours):
        labels = " ".join(f"{axis}={label}" for axis, label in cell.at)
        notes = [table.notes.get(labels, ""), table.doubts.get((labels, cell.metric), "")]
    return CellEntry(
        table.id, dict(cell.at), cell.metric, printed if isinstance(printed, Decimal) else None,
        row.spread.get(cell.metric) if row else None, role, tuple(found), word, reason, "; ".join(filter(None, notes)),
    )  # fmt: skip


def _verdict(source: Source, table: Table | Ours, cell: Cell, role: str, found: list[Measured]) -> tuple[str, str]:
    if role not in ("own", "rerun"):
        return role, ROLE_REASONS[role]
    if any(m.scale == "full" for m in found):
        return "open", "the rule for printed numbers (R3) is not built yet"
    if found:
        return "no verdict below full", f"R15: a printed number is judged at full; this is {found[0].scale}"
    if reason := source.paper.out.get(table.id):
        return "not run", reason
    scales = [s for s in SCALES if any(c.table == table.id for v in source.views[s] for c in v.cells)]
    if scales == ["smoke"]:
        return "not run", "measured at smoke alone, which only shows that the code runs"
    if scales:
        return "not run", f"{table.id} has no such row at {scales[0]}"
    return "not run", f"{table.id} has no record yet"

"""The tables of a page: each printed or measured cell with its verdict and reason."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from suite import statistics
from suite.agreement import Agreement, Printed, judge_number
from suite.facts import JUDGED, Ours, Table, numbers_of
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
    view = _widest(cell, views)
    if view is None:
        return None
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


def _widest(cell: Cell, views: Iterable[View]) -> View | None:
    """The view of the device class with the most seeds of a cell, the first on a tie."""
    return max((view for view in views if cell in view.cells), key=lambda v: len(v.cells[cell]), default=None)


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
    agreement = None
    at_full = bool(found) and found[0].scale == "full" and not found[0].played
    if at_full and row and role in JUDGED and not isinstance(table, Ours):
        agreement = _agreement(source, table, cell, row)
    word, reason = (agreement.word, agreement.reason) if agreement else _unjudged(source, table, cell, role, found)
    printed = row.values[cell.metric] if row else None
    notes = []
    if row and not isinstance(table, Ours):
        labels = " ".join(f"{axis}={label}" for axis, label in cell.at)
        notes = [table.notes.get(labels, ""), table.doubts.get((labels, cell.metric), "")]
    return CellEntry(
        table.id, dict(cell.at), cell.metric, printed if isinstance(printed, Decimal) else None,
        row.spread.get(cell.metric) if row else None, role, tuple(found), word, reason, "; ".join(filter(None, notes)),
        agreement,
    )  # fmt: skip


def _agreement(source: Source, table: Table, cell: Cell, row: Row) -> Agreement | None:
    """The verdict on a printed number from its full records (R1 to R4)."""
    view, value = _widest(cell, source.views["full"]), row.values[cell.metric]
    if view is None or not isinstance(value, Decimal):
        return None
    others = [c for c in view.cells if (c.table, c.metric) == (cell.table, cell.metric) and c != cell]
    return judge_number(
        Printed(value, row.n or table.runs, row.spread.get(cell.metric), table.spread_is),
        table.metrics[cell.metric],
        _by_seed(view, cell),
        [_by_seed(view, other) for other in others if _test_set(view, other) == _test_set(view, cell)],
        minutes=source.minutes("full", [table.id]),
        post_hoc=view.declared_later(numbers_of(table.id, cell.metric), [table.id]),
    )


def _by_seed(view: View, cell: Cell) -> dict[int, float]:
    return {seed: found.value for seed, found in view.cells[cell].items()}


def _test_set(view: View, cell: Cell) -> tuple[set[str], list[str]]:
    """What tells test sets apart: the data that the cell's part of the record used, and the labels that name data.

    Those are the labels on the axis ``dataset`` and any that is the name of such a set, so that one unit over several
    sets is told apart as well as one that is split by them.
    """
    parts = {found.part for found in view.cells[cell].values()}
    records = [record for part in parts for record in view.having(part).values()]
    sets = {role for record in records for role in record.measured.get("data", {})}
    return sets, [label for axis, label in cell.at if axis == "dataset" or label in sets]


def _unjudged(source: Source, table: Table | Ours, cell: Cell, role: str, found: list[Measured]) -> tuple[str, str]:
    if role not in JUDGED:
        return role, ROLE_REASONS[role]
    if found and found[0].played:
        names = ", ".join(f"{name} for {role}" for role, name in found[0].played.items())
        return "no verdict", f"measured on {names}, which never meets a printed number"
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

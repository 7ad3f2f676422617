"""Curves of a figure, or of a table of ours, along a numeric axis: means and intervals over the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from suite.report.canvas import COLOURS, DARK, Drawing, empty, inputs, legend
from suite.report.entries import CellEntry, Measured, TableEntry
from suite.rows import NUMBER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVELS = 3  # fewer are no curve
Curves = Mapping[tuple[str, str, str], Sequence[tuple[float, Measured]]]  # (metric, panel, line) -> points


def drawing(table: TableEntry) -> Drawing | None:
    """The curves of a table at the largest scale that has some; None where no axis has three numeric levels."""
    for scale in (scale for scale in table.scales if scale != "smoke"):
        cells = [(c, m) for c in table.cells for m in c.measured if m.scale == scale and not m.played]
        axes = _axes(table, [cell for cell, _ in cells])
        if axes is None:
            continue
        along, line, panel = axes
        curves: dict[tuple[str, str, str], list[tuple[float, Measured]]] = {}
        for cell, measured in cells:
            key = (cell.metric, cell.at.get(panel, ""), cell.at.get(line, ""))
            curves.setdefault(key, []).append((float(cell.at[along]), measured))
        points = {key: sorted(found, key=lambda point: point[0]) for key, found in curves.items()}
        alt = f"{table.where or table.id} at {scale}: {', '.join(table.metrics)} against {along}"
        facts = [list(key) + [[x, m.mean, m.low, m.high, m.n] for x, m in found] for key, found in points.items()]
        draw = partial(_draw, table, scale, along, line, points)
        return Drawing(f"{table.id}-curves", table.id, alt, inputs(__file__, alt, line, facts), draw)
    return None


def _axes(table: TableEntry, cells: Sequence[CellEntry]) -> tuple[str, str, str] | None:
    """The axis along which the curves run, that of the lines, that of the panels (an empty name: there is none).

    The last axis with three numeric levels or more is the abscissa; of the others the last one tells the lines apart.
    """
    levels = {axis: dict.fromkeys(cell.at[axis] for cell in cells if axis in cell.at) for axis in table.axes}
    numeric = [a for a, found in levels.items() if len(found) >= LEVELS and all(map(NUMBER.fullmatch, found))]
    if not numeric or table.kind == "table" or any(numeric[-1] not in cell.at for cell in cells):
        return None
    others = [axis for axis in table.axes if axis != numeric[-1]]
    if len(others) > 2:
        return None
    return numeric[-1], others[-1] if others else "", others[0] if len(others) == 2 else ""


def _draw(table: TableEntry, scale: str, along: str, line: str, curves: Curves) -> Figure:
    panels = list(dict.fromkeys((metric, panel) for metric, panel, _ in curves))
    lines = list(dict.fromkeys(name for _, _, name in curves))
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = empty(0.6 + 2.3 * rows)
    seeds = sorted({measured.n for points in curves.values() for _, measured in points})
    told = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
    title = f"{table.where or table.id}, {scale}: mean and 95 % interval over {told} seeds"
    figure.suptitle(title, x=0.01, ha="left", fontsize=9.5, color=DARK)
    for axes, (metric, panel) in zip(figure.subplots(rows, columns, squeeze=False).flat, panels, strict=False):
        for name, colour in zip(lines, _colours(len(lines)), strict=True):
            if points := curves.get((metric, panel, name)):
                _line(axes, points, " ".join(filter(None, (line.replace("_", " "), name.replace("_", " ")))), colour)
        axes.set_title(" ".join(filter(None, (panel.replace("_", " "), metric))), loc="left", fontsize=8.5, color=DARK)
        axes.set_xlabel(along, color=DARK)
        axes.set_ylabel(table.metrics[metric].unit, color=DARK)
    for axes in list(figure.axes)[len(panels) :]:
        axes.axis("off")
    legend(figure, figure.axes)
    return figure


def _line(axes: Axes, points: Sequence[tuple[float, Measured]], label: str, colour: str) -> None:
    x, means = [place for place, _ in points], [measured.mean for _, measured in points]
    low = [m.mean if m.low is None else m.low for _, m in points]
    high = [m.mean if m.high is None else m.high for _, m in points]
    axes.plot(x, means, color=colour, lw=1.3, marker="o", ms=3.5, label=label)
    axes.fill_between(np.array(x), np.array(low), np.array(high), color=colour, alpha=0.15, lw=0)


def _colours(count: int) -> list[str]:
    return [COLOURS[place % len(COLOURS)] for place in range(count)]

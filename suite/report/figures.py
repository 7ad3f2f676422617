"""The figures of a page as SVG: effects over seeds, images and histograms that a unit kept. Equal inputs, equal bytes.

Each file names its inputs: a digest of the facts drawn and of this module's text. One whose inputs are those of now is
left alone, so that a page needs no redrawing on a machine with another matplotlib.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suite import store
from suite.errors import UserError
from suite.report import curves, show
from suite.report.canvas import (
    BLUE,
    COLOURS,
    DARK,
    GREEN,
    GREY,
    SKY,
    STYLE,
    VERMILLION,
    WIDTH,
    Drawing,
    empty,
    inputs,
    legend,
)  # fmt: skip
from suite.report.entries import Array, CellEntry, ClaimAtScale, ClaimEntry, Page
from suite.rows import NUMBER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HISTOGRAM = re.compile(r"histogram (.+?)(?: from (\S+) to (\S+))?")
MEANINGS = {
    "ordering": "difference, positive as claimed",
    "no_loss": "loss, claimed to stay below the margin",
    "ratio": "factor",
    "threshold": "value",
    "within": "value, claimed to lie in the band",
    "trend": "value",
    "curve": "value",
    "pooled": "value",
}


def drawings(page: Page, root: Path) -> list[Drawing]:
    """All figures of a page, in the order in which it shows them."""
    found = [_effects(claim, at) for claim in page.claims if (at := claim.shown) and _drawable(claim, at)]
    for unit in dict.fromkeys(array.unit for array in page.arrays):
        arrays = [array for array in page.arrays if array.unit == unit]
        histograms = [a for a in arrays if HISTOGRAM.fullmatch(a.label)]
        images = [a for a in arrays if a not in histograms and _load(a, root).ndim == 2]
        found += [_images(page, unit, images, root)] if images else []
        found += [_histograms(page, unit, histograms, root)] if histograms else []
    return found + [drawing for table in (*page.tables, *page.ours) if (drawing := curves.drawing(table))]


def write(page: Page, root: Path, check: bool = False) -> list[Path]:
    """Brings the figures' folder up to date and returns what changed, or with ``check`` only what would."""
    folder = root / "reports" / page.stem / "figures"
    wanted = {f"{drawing.name}.svg": drawing for drawing in drawings(page, root)}
    changed = [path for path in sorted(folder.glob("*.svg")) if path.name not in wanted]
    for path in [] if check else changed:
        path.unlink()
    for name, drawing in wanted.items():
        path = folder / name
        if path.is_file() and drawing.inputs in path.read_text(encoding="utf-8"):
            continue
        changed.append(path)
        if not check:
            store.write(path, svg(drawing))
    return changed


def svg(drawing: Drawing) -> bytes:
    """The SVG of a drawing: no date, no version, no random id."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        facts = {"Date": None, "Creator": None, "Identifier": drawing.inputs, "Title": drawing.alt}
        drawing.draw().savefig(buffer, format="svg", metadata=facts, bbox_inches="tight", pad_inches=0.06)
    return buffer.getvalue()


def png(drawing: Drawing, dots: int = 150) -> bytes:
    """The same figure as PNG."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        drawing.draw().savefig(buffer, format="png", dpi=dots, bbox_inches="tight", pad_inches=0.06)
    return buffer.getvalue()


# Effects ------------------------------------------------------------------------------------------------------------


def _drawable(claim: ClaimEntry, at: ClaimAtScale) -> bool:
    return claim.kind in MEANINGS and any(part.mean is not None for part in at.verdict.parts)


def _effects(claim: ClaimEntry, at: ClaimAtScale) -> Drawing:
    shown = [part for part in at.verdict.parts if part.mean is not None]
    described = "; ".join(f"{part.name}: {show.part_effect(part)}" for part in shown)
    unit = f" in {claim.unit}" if claim.unit not in ("", "1") else ""
    alt = f"{claim.id}, {claim.says}: effect{unit} over {at.verdict.n} seeds at {at.scale}; {described}"
    return Drawing(f"{claim.id}-effect", claim.id, alt, inputs(__file__, claim, at), partial(_draw_effects, claim, at))


def _draw_effects(claim: ClaimEntry, at: ClaimAtScale) -> Figure:
    parts = [part for part in at.verdict.parts if part.mean is not None]
    figure = empty(0.95 + 0.52 * len(parts))
    panels = figure.subplots(len(parts), 1, sharex=True, squeeze=False)[:, 0]
    title = textwrap.fill(f"{claim.id}: {claim.says} ({at.scale}, {at.verdict.word})", 100)
    figure.suptitle(title, x=0.01, ha="left", fontsize=9.5, color=DARK)
    factors = claim.kind == "ratio" and all((part.least or 0) > 0 for part in parts)
    for axes, part in zip(panels, parts, strict=True):
        _reference(axes, claim, factors)
        values = [value for value in part.values.values() if isinstance(value, float)]
        heights = 0.5 + 0.26 * (np.arange(len(values)) % 5 - 2) / 2
        axes.plot(values, heights, "o", color=SKY, ms=4, mec=BLUE, mew=0.5, label="one seed")
        if part.low is not None:
            axes.plot([part.low, part.high], [0.5, 0.5], color=DARK, lw=1.6, label="95 % interval of the mean")
        axes.plot([part.mean], [0.5], "D", color=DARK, ms=5.5, label="mean")
        if part.name in at.printed:
            axes.plot([at.printed[part.name]], [0.5], "x", color=VERMILLION, ms=8, mew=2, label="printed")
        axes.set(ylim=(0, 1), yticks=[])
        axes.set_ylabel(part.name.replace("_", " "), rotation=0, ha="right", va="center", color=DARK)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="x", length=2.5, labelbottom=axes is panels[-1])
        if factors:
            _factor_axis(axes)
    unit = f" ({claim.unit})" if claim.unit not in ("", "1") else ""
    panels[-1].set_xlabel(MEANINGS[claim.kind] + unit, color=DARK)
    legend(figure, panels)
    return figure


def _reference(axes: Axes, claim: ClaimEntry, factors: bool) -> None:
    """The line of no effect, the margin within which nothing counts as a difference, and the claimed region."""
    low, high = claim.band
    if claim.kind in ("ordering", "no_loss"):
        axes.axvline(0, color=GREY, lw=0.9, label="no effect")
    if factors:
        axes.axvline(1, color=GREY, lw=0.9, label="no effect")
    if claim.kind == "ordering" and claim.margin is not None:
        margin = float(claim.margin)
        axes.axvspan(-margin, margin, color=GREY, alpha=0.22, lw=0, label=f"margin {claim.margin}")
    elif low is not None and high is not None:
        axes.axvspan(low, high, color=GREEN, alpha=0.16, lw=0, label="claimed band")
    elif claim.kind in ("no_loss", "threshold", "ratio"):
        bound = high if low is None else low
        if bound is not None:
            axes.axvline(
                bound, color=GREEN, lw=1.2, ls="--", label=f"claimed {'below' if low is None else 'above'} {bound:g}"
            )


def _factor_axis(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


# Images -------------------------------------------------------------------------------------------------------------


def _images(page: Page, unit: str, arrays: Sequence[Array], root: Path) -> Drawing:
    labels = _in_order(page, {array.label for array in arrays})
    where = _where(page, arrays[0])
    parts = dict.fromkeys(array.part for array in arrays)
    of = f" for {', '.join(map(_part_name, parts))}" if any("@" in part for part in parts) else ""
    alt = f"Images kept by {where}: {', '.join(labels)}{of}"
    return Drawing(
        f"{unit}-images",
        unit,
        alt,
        inputs(__file__, arrays, labels),
        partial(_draw_images, where, arrays, labels, root),
    )


def _draw_images(where: str, arrays: Sequence[Array], labels: Sequence[str], root: Path) -> Figure:
    parts = list(dict.fromkeys(array.part for array in arrays))
    columns = min(len(labels), 6)
    lines = -(-len(labels) // columns)
    figure = empty(0.3 + lines * len(parts) * (WIDTH / max(columns, 4) * 0.95))
    figure.suptitle(where, x=0.01, ha="left", fontsize=9.5, color=DARK)
    panels = figure.subplots(lines * len(parts), columns, squeeze=False)
    for row, part in enumerate(parts):
        found = {array.label: _load(array, root) for array in arrays if array.part == part}
        limit = max(float(np.abs(image).max()) for image in found.values()) or 1.0
        own = panels[row * lines : (row + 1) * lines]
        for place, axes in enumerate(own.flat):
            label = labels[place] if place < len(labels) else ""
            axes.axis("off")
            if label in found:
                image = axes.imshow(found[label], cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="none")
                axes.set_title(label, fontsize=8.5, color=DARK, pad=3)
        bar = figure.colorbar(image, ax=list(own.flat), shrink=0.8, pad=0.015, aspect=22, ticks=[-limit, 0, limit])
        bar.ax.set_yticklabels([f"{end:+.2g}" if end else "0" for end in (-limit, 0, limit)], fontsize=8, color=DARK)
        bar.set_label(_part_name(part), fontsize=8.5, color=DARK)
        bar.outline.set_visible(False)
    return figure


# Histograms ---------------------------------------------------------------------------------------------------------


def _histograms(page: Page, unit: str, arrays: Sequence[Array], root: Path) -> Drawing:
    cells = [cell for table in (*page.tables, *page.ours) for cell in table.cells if cell.table == unit]
    names = _in_order(page, {_name(array) for array in arrays})
    where, scale = _where(page, arrays[0]), arrays[0].scale
    lines = {
        (part, name): cell
        for part in dict.fromkeys(array.part for array in arrays)
        for name in names
        if (cell := _marked(cells, part, name))
    }
    told = [f"{_part_name(part)} {_told(name, cell, scale)}" for (part, name), cell in lines.items()]
    alt = f"Histograms of {where}; " + ("; ".join(told) or ", ".join(names))
    table = next(t for t in (*page.tables, *page.ours) if t.id == unit)
    units = dict.fromkeys(table.metrics[cell.metric].unit for cell in lines.values() if cell.metric in table.metrics)
    draw = partial(_draw_histograms, where, arrays, names, lines, ", ".join(units), root)
    return Drawing(
        f"{unit}-histograms", unit, alt, inputs(__file__, arrays, names, list(lines.values()), list(units)), draw
    )


def _draw_histograms(
    where: str,
    arrays: Sequence[Array],
    names: Sequence[str],
    lines: dict[tuple[str, str], CellEntry],
    unit: str,
    root: Path,
) -> Figure:
    parts = list(dict.fromkeys(array.part for array in arrays))
    figure = empty(0.35 + 2.1 * len(parts))
    figure.suptitle(where, x=0.01, ha="left", fontsize=9.5, color=DARK)
    for axes, part in zip(figure.subplots(len(parts), 1, squeeze=False)[:, 0], parts, strict=True):
        for name, colour in zip(names, COLOURS, strict=False):
            array = next((a for a in arrays if a.part == part and _name(a) == name), None)
            if array is None:
                continue
            counts, cell = _load(array, root).astype(float), lines.get((part, name))
            edges = np.linspace(*_range(array), len(counts) + 1)
            shares = 100 * counts / (counts.sum() or 1.0)
            label = _told(name, cell, array.scale) if cell else name
            axes.stairs(shares, edges, color=colour, lw=1.2, fill=False, label=label)
            axes.stairs(shares, edges, color=colour, alpha=0.12, fill=True)
            for value, style in _marks(cell, array.scale):
                axes.axvline(value, color=colour, lw=1.1, ls=style)
        axes.set_title(_part_name(part), loc="left", fontsize=8.5, color=DARK)
        axes.set_ylabel("share (%)", color=DARK)
        axes.margins(x=0)
        place: Any = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.1}
        axes.legend(frameon=False, fontsize=8, labelcolor=DARK, **place)
    axes.set_xlabel(unit, color=DARK)
    return figure


def _marked(cells: Sequence[CellEntry], part: str, name: str) -> CellEntry | None:
    """The one cell of a table that carries the part and the histogram's name among its labels."""
    wanted = {name, *([part.partition("@")[2]] if "@" in part else [])}
    found = [cell for cell in cells if wanted <= set(cell.at.values())]
    return found[0] if len(found) == 1 else None


def _marks(cell: CellEntry | None, scale: str) -> list[tuple[float, str]]:
    """Where a cell's measured mean (a solid line) and its printed value (a dashed one) stand."""
    measured = [m.mean for m in cell.measured if m.scale == scale] if cell else []
    printed = [float(cell.printed)] if cell and cell.printed is not None else []
    return [(value, "-") for value in measured] + [(value, "--") for value in printed]


def _told(name: str, cell: CellEntry, scale: str) -> str:
    found = next((m for m in cell.measured if m.scale == scale), None)
    mean = f" {show.measured(found, cell.printed)}" if found else ""
    printed = f"; printed {cell.printed} (dashed)" if cell.printed is not None else ""
    return f"{name}: {cell.metric}{mean}{printed}"


# Labels -------------------------------------------------------------------------------------------------------------


def _where(page: Page, array: Array) -> str:
    """A unit by its place in print, and the scale and seed of its arrays."""
    table = next((table for table in page.tables if table.id == array.unit), None)
    return f"{table.where if table else array.unit} at {array.scale}, seed {array.seed}"


def _name(array: Array) -> str:
    match = HISTOGRAM.fullmatch(array.label)
    return match[1] if match else array.label


def _range(array: Array) -> tuple[float, float]:
    """What the bins of a histogram cover: -1 to 1 unless its label says ``from A to B``."""
    match = HISTOGRAM.fullmatch(array.label)
    return (float(match[2]), float(match[3])) if match and match[2] else (-1.0, 1.0)


def _part_name(part: str) -> str:
    return (part.partition("@")[2] or part).replace("_", " ")


def _in_order(page: Page, labels: Iterable[str]) -> list[str]:
    """Labels by the order in which their first words stand in the printed tables, then words before numbers."""
    printed = [label for table in page.tables for cell in table.cells for label in cell.at.values()]
    places = {label: place for place, label in enumerate(dict.fromkeys(printed))}

    def key(label: str) -> tuple[int, list[tuple[float, str]]]:
        first, *rest = label.split()
        return places.get(first, len(places)), [(float(w) if NUMBER.fullmatch(w) else -1.0, w) for w in [first, *rest]]

    return sorted(labels, key=key)


def _load(array: Array, root: Path) -> np.ndarray:
    path = root / array.path
    if not path.is_file() or store.sha256(path.read_bytes()) != array.digest:
        raise UserError(f"{path} is missing or not the recorded array; restore it from git or measure it again", 1)
    return np.asarray(np.load(path, allow_pickle=False))

"""What all figures share: their colours and style, an empty figure, and the digest of what one is drawn from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite import store
from suite.report.entries import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
COLOURS = (VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY)  # Okabe and Ito: told apart with any colour vision
DARK, GREY = "#222222", "#8a8a8a"
STYLE: Any = {
    "svg.hashsalt": "suite",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": DARK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
WIDTH = 7.2  # inches


@dataclass(frozen=True)
class Drawing:
    """A figure of a page: its file's name, what it belongs to, its alternative text, its inputs and how to draw it."""

    name: str
    of: str  # a claim's or a unit's id
    alt: str
    inputs: str
    draw: Callable[[], Figure]


def inputs(module: str, *facts: Any) -> str:
    """The digest of the facts that are drawn and of the text of the module, named by its file, that draws them."""
    text = "".join(Path(file).read_text(encoding="utf-8") for file in (__file__, module))
    return "inputs sha256:" + hashlib.sha256((text + store.canonical(plain(list(facts)))).encode()).hexdigest()


def empty(height: float, **options: Any) -> Figure:
    """A figure of the pages' width and a height in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH, height), layout="constrained", **options)


def legend(figure: Figure, panels: Iterable[Axes]) -> None:
    """One legend below all panels; a label that several of them use stands there once."""
    named: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    figure.legend(
        list(named.values()), list(named), loc="outside lower center", ncols=min(6, len(named)), frameon=False,
        fontsize=8, handletextpad=0.5, columnspacing=1.4, labelcolor=DARK,
    )  # fmt: skip

"""What a page is made from: a paper's module, its print, and the views of its records at each scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from suite import papers, published
from suite.facts import Published
from suite.papers import Paper, part_id
from suite.report import gather
from suite.report.entries import SCALES
from suite.report.gather import View


@dataclass(frozen=True)
class Source:
    """What a page is made from: the paper, its print, and the views of each scale."""

    paper: Paper
    print: Published
    root: Path
    views: Mapping[str, list[View]]
    private: bool

    @property
    def reports(self) -> Path:
        """The folder of all committed results."""
        return self.root / "reports"

    def ordered(self, idents: Iterable[str]) -> list[str]:
        """Ids of parts in the order of the module and of its settings, unknown ones last."""
        known = [
            part_id(unit, part)
            for scale in self.paper.scales
            for unit in self.paper.units(scale)
            for part in self.paper.parts(unit, self.paper.settings(scale))
        ]
        units = list(self.paper.functions)
        places = {ident: (units.index(papers.split_id(ident)[0]), n) for n, ident in enumerate(dict.fromkeys(known))}
        return sorted(idents, key=lambda ident: (*places.get(ident, (len(units), 0)), ident))

    def command(self, units: Iterable[str], scale: str) -> str:
        """What measures these units at a scale."""
        named = [unit for unit in units if self.paper.seeds(scale, unit)]
        target = f"{self.print.number}.{named[0]}" if len(named) == 1 else f"{self.print.number}"
        return f"suite run {target}" + (f" --scale {scale}" if scale != "reduced" else "")

    def minutes(self, scale: str, units: Iterable[str]) -> float | None:
        """Core-minutes of one more seed: as measured where it was, else as guessed; None where nobody knows."""
        total = 0.0
        for unit in units:
            if not self.paper.seeds(scale, unit):
                continue
            found = [m for view in self.views[scale] if (m := gather.minutes(self.reports, view, [unit])) is not None]
            guess = self.paper.minutes(scale, unit)
            if not found and guess is None:
                return None
            total += found[0] if found else guess or 0.0
        return total or None


def open_source(stem: str, root: Path, paper: Paper, runs: Mapping[str, Path] | None) -> Source:
    """Reads all that a page needs; ``runs`` names record folders by scale to be read instead of the committed ones."""
    reports = root / "reports" / stem
    views = {}
    for scale in SCALES:
        if runs is None:
            views[scale] = gather.views(stem, scale, reports / "runs" / scale, gather.present_keys(reports, scale))
        else:
            views[scale] = gather.views(stem, scale, runs[scale], None) if scale in runs else []
    return Source(paper, published.load(root / "baselines" / stem / "published.yaml"), root, views, runs is not None)

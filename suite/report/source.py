"""What a page is made from: a paper's module, its print, and the views of its records at each scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from suite import papers, published
from suite.contract import Recipe
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

    def planned(self, scale: str, unit: str) -> set[tuple[str, int]]:
        """The parts of a unit and the seeds that are planned at a scale."""
        idents = [part_id(unit, part) for *_, part in self._parts(scale, unit)]
        return {(ident, seed) for ident in idents for seed in range(self.paper.seeds(scale, unit))}

    def minutes(self, scale: str, units: Iterable[str]) -> float | None:
        """Core-minutes of one more seed, trainings included: as measured, else as guessed; None where nobody knows."""
        planned = [unit for unit in units if self.paper.seeds(scale, unit)]
        costs = [self._measuring(scale, unit) for unit in planned]
        trainings = {recipe for unit in planned for part in self._parts(scale, unit) for recipe in self._recipes(*part)}
        if not planned or None in costs:
            return None
        return sum(filter(None, costs)) + sum(gather.training_minutes(self.reports, recipe) for recipe in trainings)

    def rest(self, scale: str, missing: Iterable[tuple[str, int]]) -> float | None:
        """Core-minutes of the missing parts and seeds, with the trainings that have no record, each counted once."""
        total, trainings = 0.0, set()
        for ident, seed in missing:
            unit, part = papers.split_id(ident)
            cost = self._measuring(scale, unit)
            if cost is None:
                return None
            total += cost / len(self._parts(scale, unit))
            trainings |= {(recipe, seed) for recipe in self._recipes(scale, unit, part)}
        there = {(r, s) for r, s in trainings if (self.reports / "recipes" / r.name / f"s{s}.json").is_file()}
        return total + sum(gather.training_minutes(self.reports, recipe) for recipe, _ in trainings - there)

    def _measuring(self, scale: str, unit: str) -> float | None:
        """Core-minutes of one seed of a unit without its trainings."""
        found = [m for view in self.views[scale] if (m := gather.minutes(view, unit)) is not None]
        return found[0] if found else self.paper.minutes(scale, unit)

    def _parts(self, scale: str, unit: str) -> list[tuple[str, str, str | None]]:
        return [(scale, unit, part) for part in self.paper.parts(unit, self.paper.settings(scale))]

    def _recipes(self, scale: str, unit: str, part: str | None) -> tuple[Recipe, ...]:
        recipes: tuple[Recipe, ...] = self.paper.module.inputs(self.paper.settings(scale), unit, part).recipes
        return recipes


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

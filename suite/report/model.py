"""From tracked files to the facts of a page: published facts, committed records, key files, the paper's functions.

No clock, no state of the machine and no private run has a part in a tracked page. ``page`` with ``runs`` reads the
records of a private run instead, for the command line alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

from suite import papers, project, store
from suite.papers import Paper
from suite.report import claims, gather
from suite.report.cells import tables
from suite.report.entries import (
    SCALES,
    Array,
    NotRun,
    NumberEntry,
    Page,
    Provenance,
    ScaleState,
    Scoreboard,
    TableEntry,
)
from suite.report.gather import View
from suite.report.source import Source, open_source
from suite.store import PartRecord


def page(
    stem: str, root: Path | None = None, paper: Paper | None = None, runs: Mapping[str, Path] | None = None
) -> Page:
    """The facts of a paper's page; ``runs`` names record folders by scale to be read instead of the committed ones."""
    root = root or project.root()
    source = open_source(stem, root, paper or papers.load(stem), runs)
    facts = source.print
    cells = tables(source)
    return Page(
        stem=stem,
        number=facts.number,
        title=facts.title,
        authors=facts.authors,
        year=facts.year,
        venue=facts.venue,
        doi=facts.doi or "",
        family=facts.family,
        note=facts.note or "",
        states=tuple(_state(source, scale) for scale in SCALES if scale in source.paper.scales),
        claims=tuple(claims.entry(source, claim, cells) for claim in facts.claims.values()),
        tables=tuple(table for table in cells if table.kind != "ours"),
        ours=tuple(table for table in cells if table.kind == "ours"),
        numbers=tuple(_numbers(source, cells)),
        identities=tuple(facts.identities.values()),
        not_run=tuple(_not_run(source)),
        provenance=tuple(p for scale in SCALES for view in source.views[scale] for p in _provenance(source, view)),
        arrays=tuple(_arrays(source)),
        recipes=tuple(_recipes(source)),
    )


def scoreboard(family: str | None = None, root: Path | None = None, pages: Iterable[Page] | None = None) -> Scoreboard:
    """The pages of all papers, or of those of one family, by number."""
    found = [page(stem, root) for stem in papers.names()] if pages is None else pages
    return Scoreboard(tuple(sorted((p for p in found if family in (None, p.family)), key=lambda p: p.number)))


def _state(source: Source, scale: str) -> ScaleState:
    paper, views = source.paper, source.views[scale]
    wanted = {pair for unit in paper.units(scale) for pair in source.planned(scale, unit)}
    there = {(ident, seed) for view in views for ident in view.parts() for seed in view.having(ident)} & wanted
    planned, done, missing = len(wanted), len(there), source.rest(scale, wanted - there)
    standing = gather.joined(view.standing(view.parts()) for view in views)
    devices = tuple(view.device for view in views)
    command = source.command(paper.units(scale), scale)
    changed, differs = standing.changed, _differs(paper, scale)
    return ScaleState(scale, done, planned, standing.word, changed, devices, missing, differs, command)


def _differs(paper: Paper, scale: str) -> dict[str, tuple[str, str]]:
    """The settings of a scale that are others than at full, where the paper has a full scale."""
    if "full" not in paper.scales:
        return {}
    own, full = paper.settings(scale), paper.settings("full")
    both = {field.name: (getattr(own, field.name), getattr(full, field.name)) for field in dataclasses.fields(own)}
    return {name: (_setting(here), _setting(there)) for name, (here, there) in both.items() if here != there}


def _setting(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, (tuple, list)) else str(value)


def _numbers(source: Source, cells: list[TableEntry]) -> Iterable[NumberEntry]:
    """The numbers of the prose; one that is a cell has that cell's verdict."""
    by_cell = {(c.table, tuple(c.at.items()), c.metric): c for table in cells for c in table.cells}
    reasons = {
        "quoted": "printed from another paper",
        "setting": "a setting, not a result",
        "derived": "computed from other printed numbers",
    }
    for number in source.print.numbers.values():
        of = number.of
        cell = by_cell.get((of.table, tuple(sorted(of.at.items())), of.metric)) if of else None
        word, reason = number.role, reasons.get(number.role, "")
        if cell:
            word, reason = cell.word, cell.reason
        elif not reason:
            word, reason = "open", "published.yaml does not say which measured row it is"
        yield NumberEntry(
            number.id, number.where, number.says, number.value, number.unit, number.role, number.at, word, reason,
            f"{of.table} {of.metric}" if of else "", "; ".join(filter(None, (number.note, number.doubt))),
        )  # fmt: skip


def _not_run(source: Source) -> Iterable[NotRun]:
    paper = source.paper
    for ident, reason in paper.out.items():
        yield NotRun(ident, "", reason, None)
    for scale in [s for s in SCALES if s in paper.scales and s != "smoke"]:
        for unit in paper.units(scale):
            there = {(i, s) for view in source.views[scale] for i in view.parts() for s in view.having(i)}
            wanted = source.planned(scale, unit)
            missing = wanted - there
            if not missing:
                continue
            few = f"{len(missing)} of {len(wanted)} results are missing"
            reason = "not run yet" if missing == wanted else few
            total = source.rest(scale, missing)
            yield NotRun(unit, scale, reason, total, source.command([unit], scale))


def _provenance(source: Source, view: View) -> Iterable[Provenance]:
    """One entry for the seeds of a part that share everything but key, seconds and weights."""
    for part in source.ordered(view.parts()):
        groups: dict[str, dict[int, PartRecord]] = {}
        for seed, record in sorted(view.having(part).items()):
            facts = {k: record.measured.get(k) for k in ("command", "device", "cpu", "versions", "threads", "data")}
            groups.setdefault(store.canonical(facts), {})[seed] = record
        for records in groups.values():
            first = next(iter(records.values())).measured
            standing = gather.joined(gather.standing(view.present, view.scale, part, s, r) for s, r in records.items())
            repeated = {s: tuple(on) for s, r in records.items() if (on := r.measured.get("repeated_on"))}
            weights: dict[str, dict[int, str]] = {}
            for seed, record in records.items():
                for recipe, digest in sorted(record.measured.get("weights", {}).items()):
                    weights.setdefault(recipe, {})[seed] = digest or "not kept"
            yield Provenance(
                view.scale, part, first["device"], tuple(records), first["command"],
                sum(record.measured["seconds"] for record in records.values()), first["cpu"], first["versions"],
                first["threads"], first.get("data", {}), {s: record.key for s, record in records.items()}, weights,
                standing.word, standing.changed, repeated,
            )  # fmt: skip


def _arrays(source: Source) -> Iterable[Array]:
    """The arrays of each unit at the largest scale that has some, of its first seed; none that stand-ins gave."""
    seen: set[str] = set()
    for view in (view for scale in SCALES for view in source.views[scale]):
        for part in source.ordered(view.parts()):
            seed, record = min(view.having(part).items())
            if not record.figures or part in seen or (view.played(part) and not source.private):
                continue
            seen.add(part)
            for label, digest in sorted(record.figures.items()):
                path = store.figure_path(view.records[seed].path, part, label)
                relative = path.relative_to(source.root).as_posix() if path.is_relative_to(source.root) else path.name
                yield Array(papers.split_id(part)[0], part, label, view.scale, view.device, seed, relative, digest)


def _recipes(source: Source) -> list[str]:
    """The names of all trainings that the paper's units use."""
    paper, names = source.paper, dict[str, None]()
    for scale in paper.scales:
        settings = paper.settings(scale)
        for unit in paper.units(scale):
            for part in paper.parts(unit, settings):
                names |= dict.fromkeys(r.name for r in paper.module.inputs(settings, unit, part).recipes)
    return list(names)

"""What a run has to do: its tasks, the place and key of each, and whether a committed result can be used again."""

from __future__ import annotations

import dataclasses
import functools
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite import keys, papers, project, store
from suite.contract import Inputs
from suite.data import sources
from suite.errors import UserError
from suite.papers import Paper, part_id

CHOICE = "ours_choice"  # fixes settings once, before any comparison: seeds asked for do not mean it unless it is named
TRACKED_RECIPES = ("reduced", "full")  # scales whose trained weights have committed records


@dataclass(frozen=True)
class Place:
    """Where the results of a run lie: under ``reports/`` or in a private folder of their own."""

    records: Path
    work: Path  # journals, kept artefacts, private weights
    tracked: bool
    fresh: bool = False  # trained weights of other runs are not used either

    @property
    def recipes(self) -> Path:
        """Weights and records of recipes that are not tracked."""
        return self.work / "recipes"


@dataclass(frozen=True)
class Task:
    """One part of a unit for one seed; all that a worker process needs to know."""

    stem: str
    scale: str
    seed: int
    unit: str
    part: str | None
    settings: Any
    sets: tuple[tuple[str, str], ...]  # role -> the data set that plays it
    device: str
    place: Place

    @property
    def ident(self) -> str:
        """The part's id in the record."""
        return part_id(self.unit, self.part)

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.stem} {self.scale} seed {self.seed} {self.ident}"

    @property
    def state(self) -> str:
        """The name of its state file."""
        return (
            f"{self.stem}/{self.scale}/{store.sha256(str(self.place.records).encode())[7:15]}/s{self.seed}.{self.ident}"
        )

    @property
    def record(self) -> Path:
        """The file of its record."""
        return store.record_path(self.place.records, self.seed, self.device)

    @property
    def paper(self) -> Paper:
        """The paper's module, imported."""
        return papers.load(self.stem)

    @property
    def inputs(self) -> Inputs:
        """The data sets and recipes that it may use."""
        return inputs(self.paper, self.settings, self.unit, self.part)

    @functools.cached_property
    def key(self) -> keys.Key:
        """The key of its result."""
        sets = dict(self.sets)
        return keys.unit_key(self.paper, self.settings, self.unit, self.part, self.seed, project.root(), sets)


@dataclass(frozen=True)
class Step:
    """A task and what is to be done about it."""

    task: Task
    state: str  # current | todo | stale | absent | skipped
    reason: str = ""

    @property
    def to_do(self) -> bool:
        """Whether the run has to measure it."""
        return self.state in ("todo", "stale")


def inputs(paper: Paper, settings: Any, unit: str, part: str | None) -> Inputs:
    """What the paper's ``inputs`` says of a unit or part."""
    return paper.module.inputs(settings, unit, part)


def plan(
    stem: str,
    scale: str,
    units: Sequence[str] = (),
    seeds: Iterable[int] | None = None,
    device: str | None = None,
    changes: dict[str, str] | None = None,
    fresh: bool = False,
) -> list[Step]:
    """The steps of a run, parts of one unit together, seeds in order; ``device`` None means any class for reuse.

    ``units`` are units or single parts of them (``table1@mnist``); none stands for all that are planned.
    """
    paper = papers.load(stem)
    settings = own = paper.settings(scale)
    if changes:
        settings = papers.change(own, changes)
    steps = []
    for unit in _chosen(paper, scale, units):
        if seeds is not None and unit == CHOICE and not units:
            continue
        for part in _parts(paper, unit, settings, units):
            for seed in _seeds(paper, scale, unit, seeds):
                bare = Task(
                    paper.stem, scale, seed, unit, part, settings, (), device or "cpu", _place(paper.stem, scale)
                )
                steps.append(_step(bare, own, fresh, any_device=device is None))
    if not steps:
        raise UserError(
            f"{paper.stem} plans none of the seeds {list(seeds or [])} at {scale}; leave --seeds out to see its plan"
        )
    return steps


def planned(stem: str, scale: str) -> list[Task]:
    """All tasks that a paper plans at a scale, on its own settings and sets, data or no data."""
    paper = papers.load(stem)
    if scale not in paper.scales:
        return []
    settings, found = paper.settings(scale), []
    for unit in paper.units(scale):
        for part in paper.parts(unit, settings):
            for seed in range(paper.seeds(scale, unit)):
                bare = Task(stem, scale, seed, unit, part, settings, (), "cpu", _place(stem, scale))
                found.append(dataclasses.replace(bare, sets=_sets(bare, embedded=True)))
    return found


def trainings(tasks: Iterable[Task]) -> dict[str, dict[int, tuple[Any, Task]]]:
    """The trainings that tasks need: by the recipe's name, then by seed, the recipe and a task that plans it."""
    found: dict[str, dict[int, tuple[Any, Task]]] = {}
    for task in tasks:
        for recipe in task.inputs.recipes:
            found.setdefault(recipe.name, {})[task.seed] = (recipe, task)
    return {name: dict(sorted(by_seed.items())) for name, by_seed in found.items()}


def standing(stem: str, scale: str, units: Sequence[str] = ()) -> list[Step]:
    """How the committed records stand to the present code, data or no data: current, stale or never measured (todo)."""
    chosen = _chosen(papers.load(stem), scale, units)
    tasks = [task for task in planned(stem, scale) if task.unit in chosen]
    return [_compare(t, any_device=True) for t in tasks if t.part in _parts(t.paper, t.unit, t.settings, units)]


def _step(task: Task, own: Any, fresh: bool, any_device: bool) -> Step:
    changed = task.settings != own
    if reason := _skip(task):
        return Step(task, "skipped", reason)
    official = dataclasses.replace(task, sets=_sets(task, embedded=True) or ())
    if not changed and not fresh:
        step = _compare(official, any_device)
        if step.state == "current":
            return step
    sets = _sets(task)
    if isinstance(sets, str):
        return Step(official, "absent", sets)
    moved = changed or fresh or (any(role != name for role, name in sets) and task.scale != "smoke")
    task = dataclasses.replace(task, sets=sets)
    if moved:
        task = dataclasses.replace(task, place=_private(task, fresh))
    return _compare(task, any_device)


def _compare(task: Task, any_device: bool) -> Step:
    record = store.read_record(task.record)
    if any_device and (record is None or task.ident not in record.parts):
        others = [store.read_record(p) for p in task.place.records.glob(f"s{task.seed}@*.json")]
        record = next((r for r in others if r and task.ident in r.parts), record)
    if record is None or task.ident not in record.parts:
        return Step(task, "todo")
    if record.parts[task.ident].key == task.key.digest:
        if broken := store.broken_figures(record, task.ident):
            return Step(task, "todo", f"{broken[0]} is missing or damaged")
        return Step(dataclasses.replace(task, device=record.device), "current")
    return Step(task, "stale", "; ".join(why(task)))


def why(task: Task) -> list[str]:
    """What changed between the record of a task and now; empty when nothing did or nothing is recorded."""
    record = store.read_record(task.record)
    if record is None or task.ident not in record.parts:
        return []
    return keys.differences(record.parts[task.ident].measured["parts"], task.key.parts)


def current(task: Task) -> bool:
    """Whether the task's record holds its part under its present key."""
    record = store.read_record(task.record)
    found = record is not None and task.ident in record.parts and record.parts[task.ident].key == task.key.digest
    return found and not store.broken_figures(record, task.ident)  # type: ignore[arg-type]


def _skip(task: Task) -> str | None:
    function = getattr(task.paper.module, "skip", None)
    return function(task.settings, task.device) if function else None


def _chosen(paper: Paper, scale: str, units: Sequence[str]) -> list[str]:
    planned = paper.units(scale)
    wanted = [papers.split_id(ident)[0] for ident in units]
    for unit in wanted:
        if unit not in paper.functions:
            known = ", ".join(paper.functions)
            reason = paper.out.get(unit)
            raise UserError(f"{paper.stem} has no unit {unit!r}" + (f": {reason}" if reason else f" (it has {known})"))
        if unit not in planned:
            raise UserError(
                f"{paper.stem} does not plan {unit} at {scale} (planned: {', '.join(planned) or 'nothing'})"
            )
    return [unit for unit in planned if not wanted or unit in wanted]


def _parts(paper: Paper, unit: str, settings: Any, units: Sequence[str]) -> list[str | None]:
    """The parts of a unit that are asked for: all of them, unless parts of it are named."""
    parts = paper.parts(unit, settings)
    named = [papers.split_id(ident) for ident in units if ident != unit]
    wanted = [part for name, part in named if name == unit]
    for part in wanted:
        if part not in parts:
            known = ", ".join(papers.part_id(unit, p) for p in parts)
            raise UserError(f"{paper.stem} has no part {papers.part_id(unit, part)!r}; its parts are {known}")
    return wanted if wanted and unit not in units else parts


def _seeds(paper: Paper, scale: str, unit: str, seeds: Iterable[int] | None) -> list[int]:
    planned = paper.seeds(scale, unit)
    # A unit planned once, such as a choice of settings, has one result; others may be measured on further seeds.
    return [seed for seed in (range(planned) if seeds is None else seeds) if planned > 1 or seed < planned]


def _sets(task: Task, embedded: bool = False) -> Any:
    """Which set plays each role: the official one, at smoke the embedded one, else its stand-in; text: what is absent.

    With ``embedded`` only the scale's own sets are named, whether they are there or not.
    """
    chosen, absent = [], []
    for role in task.inputs.sets:
        facts = sources.describe(role)
        if task.scale == "smoke":
            chosen.append((role, facts.embedded or role))
        elif embedded or sources.locate(role):
            chosen.append((role, role))
        elif task.scale == "reduced" and facts.stand_in and sources.locate(facts.stand_in):
            chosen.append((role, facts.stand_in))
        else:
            absent.append(role)
    if absent:
        return f"{', '.join(absent)} absent: suite data fetch {' '.join(absent)}"
    return tuple(chosen)


def _place(stem: str, scale: str) -> Place:
    return Place(store.runs_folder(stem, scale), project.home() / "work" / stem / scale, tracked=True)


def _private(task: Task, fresh: bool) -> Place:
    facts = {"settings": repr(task.settings), "sets": [pair for pair in task.sets if pair[0] != pair[1]]}
    name = store.sha256(store.canonical(facts).encode())[7:19] + ("-fresh" if fresh else "")
    folder = project.home() / "runs" / name / task.stem / task.scale
    return Place(folder, folder / "work", tracked=False, fresh=fresh)


def private_places() -> list[Path]:
    """The record folders of all private runs (``--set``, ``--fresh``, stand-ins)."""
    return sorted(p for p in (project.home() / "runs").glob("*/p*/*") if p.is_dir())


def start_anew(steps: Sequence[Step]) -> list[Step]:
    """Empties the folders of fresh runs that are finished, so that ``--fresh`` measures again; else continues them."""
    if any(step.to_do for step in steps) or not any(step.state == "current" for step in steps):
        return list(steps)
    for folder in {step.task.place.records for step in steps if not step.task.place.tracked}:
        shutil.rmtree(folder, ignore_errors=True)
    return [dataclasses.replace(s, state="todo") if s.state == "current" else s for s in steps]


def minutes(task: Task) -> float | None:
    """Expected minutes of a task on one idle core: the mean processor time of its part there, else the guess."""
    seconds = [
        r.parts[task.ident].measured.get("cpu_seconds", r.parts[task.ident].measured["seconds"])
        for r in store.records(task.stem, task.scale)
        if task.ident in r.parts and r.device == task.device
    ]
    if seconds:
        return sum(seconds) / len(seconds) / 60
    guess = task.paper.minutes(task.scale, task.unit)
    return None if guess is None else guess / len(task.paper.parts(task.unit, task.settings))

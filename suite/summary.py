"""What a run of the stages left to do: results current, run, stale, missing, failed, skipped; sets that are absent."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from suite import loading, pipeline, plan, project, store
from suite.data import sources
from suite.errors import UserError
from suite.plan import Task


@dataclass(frozen=True)
class Summary:
    """What the stages did and left: results by state, how many became current since the stage ``keys`` ran last."""

    counts: dict[str, int]  # current, stale, missing, failed, skipped
    run: int
    left: tuple[str, ...]  # a line for each part and state that is not current
    absent: dict[str, str]  # set -> how to get it
    full: dict[str, str]  # a paper with full records -> how many of its full results are current
    broken: dict[str, str]  # a paper that cannot be imported -> why

    @property
    def code(self) -> int:
        """1 where something could not be done, else 0.

        A result skipped with a reason is done; full results are not the stages' to do.
        """
        left = any(self.counts[state] for state in ("stale", "missing", "failed"))
        return 1 if left or self.absent or self.broken else 0

    def lines(self) -> list[str]:
        """The summary as people read it."""
        counts = ", ".join(f"{number} {state}" for state, number in self.counts.items() if state != "current")
        results = f"results: {self.counts['current']} current ({self.run} run now), {counts}"
        absent = (f"absent: {name}: {way}" for name, way in self.absent.items())
        return [*self.left, *absent, *self.broken.values(), *self.full.values(), results]

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {"exit": self.code, **dataclasses.asdict(self)}


def summarise() -> Summary:
    """What the records hold of all that the papers plan at smoke and reduced, on the official and embedded sets."""
    whole, broken = loading.sound()
    planned = {(s, scale): tasks for s in whole for scale in pipeline.STAGED if (tasks := plan.planned(s, scale))}
    datasets = project.root() / "datasets"  # a stage uses no other place
    sets = pipeline.used_sets(task for tasks in planned.values() for task in tasks)
    missing = [name for name in sets if sources.locate(name) != datasets / name]
    absent = {name: _way(name) for name in missing if sources.describe(name).origin != "package"}
    faults = {state["unit"]: state for state in store.states(project.home())}
    waiting = set(pipeline.remembered().get("waiting", []))
    counts, run = dict.fromkeys(("current", "stale", "missing", "failed", "skipped"), 0), 0
    left: dict[tuple[str, str], list[str]] = {}
    for (stem, scale), tasks in planned.items():
        for task, state, why in _states(stem, scale, tasks, absent, faults):
            counts[state] += 1
            if state == "current":
                run += task.name in waiting
            else:
                left.setdefault((f"{stem} {scale} {task.ident}", state + why), []).append(str(task.seed))
    lines = (f"{what}, seed {', '.join(seeds)}: {state}" for (what, state), seeds in left.items())
    return Summary(counts, run, tuple(lines), absent, {stem: line for stem in whole if (line := _full(stem))}, broken)


def _full(stem: str) -> str | None:
    """How far the full results of a paper are, where it has any."""
    try:
        recorded = pipeline.recorded(stem, "full")
    except UserError as error:
        return str(error)
    if not recorded:
        return None
    tasks = plan.planned(stem, "full")
    current = sum(task.key.digest in recorded.get((task.seed, task.ident), []) for task in tasks)
    way = "" if current == len(tasks) else f" (suite run {int(stem[1:3])} --scale full)"
    return f"{stem} full: {current} of {len(tasks)} results current{way}"


def _states(
    stem: str, scale: str, tasks: list[Task], absent: Collection[str], faults: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[Task, str, str]]:
    """The state of each planned result, and why it is not current."""
    try:
        recorded = pipeline.recorded(stem, scale)
    except UserError as error:
        yield from ((task, "failed", f", {error}") for task in tasks)
        return
    for task in tasks:
        found = recorded.get((task.seed, task.ident), [])
        skip = getattr(task.paper.module, "skip", None)
        if task.key.digest in found:
            yield task, "current", ""
        elif skip and (reason := skip(task.settings, task.device)):
            yield task, "skipped", f", {reason}"
        elif fault := _fault(task, faults):
            yield task, "failed", f", {fault}"
        else:
            gone = [name for _, name in task.sets if name in absent]
            yield task, "stale" if found else "missing", f", {', '.join(gone)} absent" if gone else ""


def _fault(task: Task, faults: Mapping[str, Mapping[str, Any]]) -> str | None:
    """How the task, or a training that it needs, failed last."""
    trainings = (f"recipes/{task.scale}/{recipe.name}.s{task.seed}" for recipe in task.inputs.recipes)
    for ident in (task.state, *trainings):
        if (fault := faults.get(ident)) and fault["state"] in ("failed", "killed"):
            return f"{fault.get('task', ident)}: {fault.get('message') or 'its process was killed'}"
    return None


def _way(name: str) -> str:
    facts = sources.describe(name)
    lacks = facts.package and sources.locate(name) is None
    package = f"install the {facts.package} that the project pins; " if lacks else ""
    terms = "" if facts.terms == "none" else f" (terms of access: {facts.terms})"
    return f"{package}suite data fetch {name}{terms}"

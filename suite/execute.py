"""Executes tasks and trainings: rows become records, faults become outcomes, work is fanned out over processes."""

from __future__ import annotations

import functools
import math
import os
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import joblib

from suite import facts, keys, machine, project, published, store, weights
from suite.errors import UserError
from suite.plan import Task, current
from suite.published import Ours
from suite.rows import Row, show_labels
from suite.run import BudgetSpent, make, train, wanted


@dataclass(frozen=True)
class Outcome:
    """How a task or training ended: done, reused, failed or paused."""

    name: str
    state: str
    seconds: float
    message: str = ""


def training_name(what: weights.Wanted) -> str:
    """How outcomes call a training."""
    return f"train {what.name}"


def execute_training(what: weights.Wanted, deadline: float = math.inf) -> Outcome:
    """Trains in a worker process; never raises."""
    start = time.monotonic()
    name = training_name(what)
    state = f"recipes/{what.scale}/{what.recipe.name}.s{what.seed}"
    return _guarded(name, state, start, lambda: _trained(what, deadline))


def _trained(what: weights.Wanted, deadline: float) -> str:
    found = weights.find(what) is not None
    train(what, deadline)
    return "reused" if found else "done"


# Units --------------------------------------------------------------------------------------------------------------


def execute(task: Task, command: str, deadline: float = math.inf, jobs: int = 1) -> Outcome:
    """Measures one task and merges it into its record; never raises but on interruption."""
    start = time.monotonic()
    return _guarded(task.name, task.state, start, lambda: _measured(task, command, deadline, jobs))


def _measured(task: Task, command: str, deadline: float, jobs: int) -> str:
    with store.locked(f"unit {task.record} {task.ident}"):
        if current(task):
            return "reused"
        if time.time() > deadline:
            raise BudgetSpent
        start, processor = time.monotonic(), time.process_time()
        run = make(task, deadline, jobs)
        guarded = keys.guard(_texts(task), project.root()) if task.scale == "smoke" else None
        if guarded:
            with guarded:
                rows = collect(task, task.paper.functions[task.unit](run))
        else:
            rows = collect(task, task.paper.functions[task.unit](run))
        result = store.pack_result(task.key.digest, rows, run.figures)
        head = {"paper": task.stem, "scale": task.scale, "seed": task.seed}
        measured = {
            "parts": task.key.parts,
            "seconds": round(time.monotonic() - start, 3),
            "cpu_seconds": round(time.process_time() - processor + run.elsewhere, 3),
            "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            "command": command,
            "weights": {r.name: weights.digest(wanted(task, r)) for r in task.inputs.recipes},
            "declaration": declaration(task),
            **machine.facts(task.device, task.sets),
        }
        store.merge(task.record, head, task.ident, result, measured, run.figures)
        run._journal.path.unlink(missing_ok=True)
        return "done"


def collect(task: Task, rows: Iterable[Row]) -> list[Row]:
    """The rows of a unit, each checked: its table, labels, metrics, finite values, no row twice with other values."""
    table = store.table_of(task.unit)
    seen: dict[str, Row] = {}
    for row in rows:
        if not isinstance(row, Row) or row.table != table:
            raise UserError(f"{task.name} yielded {row!r}; expected rows of {table}", 1)
        if problem := misfit(task, row):
            raise UserError(f"{task.name}: {problem}", 1)
        for metric, value in row.values.items():
            if not math.isfinite(value):
                raise UserError(f"{task.name}: {metric} of {row} is {value}; a fault of the unit, never a number", 1)
        old = seen.setdefault(show_labels(row.at), row)
        if old.values != row.values:
            raise UserError(f"{task.name} yielded {row} twice, with {dict(old.values)} and {dict(row.values)}", 1)
    if not seen:
        raise UserError(f"{task.name} yielded no row", 1)
    return list(seen.values())


def misfit(task: Task, row: Row) -> str | None:
    """Why a row cannot belong to its table in published.yaml (unknown metric or labels), or None when it fits."""
    unit = published.read(task.stem).units.get(row.table)
    if unit is None:
        return f"published.yaml has no table, figure or ours entry {row.table!r}"
    if unknown := set(row.values) - set(unit.metrics):
        return f"{row} has metric {min(unknown)!r}, published.yaml declares {', '.join(unit.metrics)}"
    rows = () if isinstance(unit, Ours) else unit.rows
    if rows and all(row.at != printed.at for printed in rows):
        return f"{row} is no printed row; printed are {'; '.join(show_labels(printed.at) for printed in rows)}"
    drawn: dict[str, tuple[str, ...]] = getattr(task.paper.module, "AXES", {})
    axes = unit.axes if isinstance(unit, Ours) else drawn.get(row.table, ())
    if not rows and not axes:
        return f"{row.table} prints no rows; name its axes in the module's AXES"
    if not rows and set(axes) != set(row.at):
        return f"{row} has labels {', '.join(row.at)}, expected {', '.join(sorted(axes))}"
    return None


def declaration(task: Task) -> dict[str, str]:
    """What is declared before the verdicts, as it stands at the time of the run (R0), each by a short digest.

    Per claim, of its published entry and its function's text; at ``full`` also "numbers TABLE.METRIC" for every metric
    of the printed tables and figures, of what their margins are made from (``facts.number_declarations``).
    """
    printed, paper = published.read(task.stem), task.paper
    texts = {
        c: published.claim_digest(printed.claims[c]) + keys.claim_text(paper, c, project.root()) for c in paper.claims
    }
    if task.scale == "full":  # numbers are judged nowhere else
        texts |= facts.number_declarations(printed)
    return {name: store.sha256(text.encode())[:23] for name, text in texts.items()}


def _texts(task: Task) -> set[str]:
    reached = {p.removeprefix("text ") for p in task.key.parts if p.startswith("text ")}
    for recipe in task.inputs.recipes:
        parts = keys.recipe_key(recipe, task.seed, project.root(), dict(task.sets)).parts
        reached |= {p.removeprefix("text ") for p in parts if p.startswith("text ")}
    return reached


def _guarded(name: str, state: str, start: float, work: Callable[[], str]) -> Outcome:
    """Runs ``work`` under a state file that a later run can read, and turns every exception into an outcome."""
    machine.prepare()
    home = project.home()
    message = ""
    store.set_state(home, state, "running", task=name, start=time.strftime("%Y-%m-%dT%H:%M:%S%z"))
    try:
        outcome = work()
        store.clear_state(home, state)
    except BudgetSpent:
        outcome, message = "paused", "the budget is spent; run again to go on"
        store.clear_state(home, state)
    except KeyboardInterrupt:
        store.clear_state(home, state)
        raise
    except Exception as error:
        outcome, message = "failed", str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        store.set_state(home, state, "failed", task=name, message=message, traceback=traceback.format_exc())
    return Outcome(name, outcome, time.monotonic() - start, message)


# Fan-out ------------------------------------------------------------------------------------------------------------


def run_all(
    tasks: Sequence[Task],
    command: str,
    jobs: int = 0,
    deadline: float = math.inf,
    tell: Callable[[Outcome, int, int], None] = lambda outcome, done, total: None,
) -> list[Outcome]:
    """Trains what the tasks need, then measures them, over ``jobs`` processes of one thread each (0: one a core)."""
    jobs = jobs or os.cpu_count() or 1
    trainings = list(
        {(w.name, w.private()): w for t in tasks for r in t.inputs.recipes for w in [wanted(t, r)]}.values()
    )
    trainings = [w for w in trainings if weights.find(w) is None]
    total = len(trainings) + len(tasks)
    outcomes = train_all(trainings, jobs, deadline, lambda outcome, done, _: tell(outcome, done, total))
    inner = max(1, jobs // max(1, len(tasks)))  # a unit alone spreads its items instead
    for outcome in _fan_out([functools.partial(execute, t, command, deadline, inner) for t in tasks], jobs):
        outcomes.append(outcome)
        tell(outcome, len(outcomes), total)
    return outcomes


def train_all(
    trainings: Sequence[weights.Wanted],
    jobs: int = 0,
    deadline: float = math.inf,
    tell: Callable[[Outcome, int, int], None] = lambda outcome, done, total: None,
) -> list[Outcome]:
    """Trains what is not there, over ``jobs`` processes of one thread each (0: one a core)."""
    outcomes: list[Outcome] = []
    calls = [functools.partial(execute_training, w, deadline) for w in trainings]
    for outcome in _fan_out(calls, jobs or os.cpu_count() or 1):
        outcomes.append(outcome)
        tell(outcome, len(outcomes), len(trainings))
    return outcomes


def _fan_out(calls: Sequence[Callable[[], Outcome]], jobs: int) -> Iterator[Outcome]:
    if jobs == 1 or len(calls) < 2:
        yield from (call() for call in calls)
        return
    try:
        yield from joblib.Parallel(n_jobs=min(jobs, len(calls)), return_as="generator_unordered")(
            map(joblib.delayed(_call), calls)
        )
    except KeyboardInterrupt:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=False, kill_workers=True)
        raise


def _call(call: Callable[[], Outcome]) -> Outcome:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and stops its workers
    return call()

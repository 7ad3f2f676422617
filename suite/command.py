"""What ``suite run`` and ``suite train`` do between command line and rooms: plan, progress, summary, exit code."""

from __future__ import annotations

import dataclasses
import json
import math
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tabulate import tabulate

from suite import execute, keys, papers, plan, project, run, sharing, store, weights
from suite.data import sources
from suite.errors import UserError
from suite.execute import Outcome
from suite.plan import Step, Task
from suite.rows import show_labels


@dataclass(frozen=True)
class Request:
    """What ``suite run`` was asked for."""

    targets: tuple[tuple[str, tuple[str, ...]], ...]
    scale: str
    seeds: Sequence[int] | None
    device: str | None
    changes: dict[str, str]
    fresh: bool
    seconds: float | None
    jobs: int
    by_name: bool
    quiet: bool


def steps(request: Request) -> list[Step]:
    """The steps of all papers asked for; papers that do not offer the scale are left out when all are meant."""
    if request.device not in (None, "cpu", "cuda"):
        raise UserError(f"--device {request.device}: expected cpu or cuda")
    if request.device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: this machine's torch sees no CUDA device; leave --device out to run on the CPU")
    if request.scale not in papers.SCALES:
        raise UserError(f"--scale {request.scale}: expected {', '.join(papers.SCALES)}")
    found: list[Step] = []
    for stem, units in request.targets:
        paper = papers.load(stem)
        if not request.by_name and not (request.scale in paper.scales and paper.units(request.scale)):
            continue
        _check_changes(stem, request)
        found += plan.plan(stem, request.scale, units, request.seeds, request.device, request.changes, request.fresh)
    return list({(step.task.record, step.task.ident): step for step in found}.values())


def _check_changes(stem: str, request: Request) -> None:
    """A ValueError of a paper's settings, or of what they lead to, is a value of ``--set`` that the paper refuses."""
    paper = papers.load(stem)
    if not request.changes or request.scale not in paper.scales:
        return
    try:
        settings = papers.change(paper.settings(request.scale), request.changes)
        for unit in paper.units(request.scale):
            for part in paper.parts(unit, settings):
                plan.inputs(paper, settings, unit, part)
    except ValueError as error:
        given = " ".join(f"--set {field}={text}" for field, text in request.changes.items())
        raise UserError(f"{given}: {paper.stem} refuses it: {error}") from None


def show_plan(found: list[Step], as_json: bool) -> int:
    """Prints what would be done and reused, the minutes, the disk and the data to fetch."""
    rows = []
    for step in found:
        cost = plan.minutes(step.task) if step.to_do else 0.0
        name = f"{step.task.stem} {step.task.ident}"
        rows.append({"unit": name, "seed": step.task.seed, "state": step.state, "minutes": cost, "reason": step.reason})
    if as_json:
        print(json.dumps(rows, indent=1))
        return 0
    grouped: dict[tuple[str, str, str], list[dict]] = {}
    for row in rows:
        grouped.setdefault((str(row["unit"]), str(row["state"]), str(row["reason"])), []).append(row)
    table = [
        [u, _ranges([r["seed"] for r in g]), s, _cost([r["minutes"] for r in g]), reason]
        for (u, s, reason), g in grouped.items()
    ]
    print(
        tabulate(
            table, headers=["unit", "seeds", "state", "core-minutes", "reason"], maxcolwidths=[None, 12, None, None, 44]
        )
    )
    total = sum(row["minutes"] or 0 for row in rows)  # type: ignore[misc]
    todo = sum(step.to_do for step in found)
    trainings = [w for step in found if step.to_do for w in _trainings(step.task)]
    missing = {w.name: w for w in trainings if weights.find(w) is None}
    known = [weights.minutes(w) for w in missing.values()]
    told = f"about {sum(m or 0 for m in known):.0f} core-minutes" + (
        ", some of unknown length" if None in known else ""
    )
    print(f"\n{todo} to measure, {len(found) - todo} not; about {total:.0f} core-minutes for the measuring itself")
    print(f"{len(missing)} trainings to do, {told if missing else 'none'}; disk free: {_free()}")
    absent = sorted(
        {role for step in found if step.state == "absent" for role in step.task.inputs.sets if not sources.locate(role)}
    )
    print(
        f"data to fetch: {', '.join(absent) or 'none'}" + (f" (suite data fetch {' '.join(absent)})" if absent else "")
    )
    return 0


def carry_out(request: Request, found: list[Step], as_json: bool = False) -> int:
    """Measures the steps that are to do, says how each ended, and returns the exit code."""
    found = plan.start_anew(found) if request.fresh else found
    todo = [step.task for step in found if step.to_do]
    tell = _quiet if request.quiet else _say
    for step in found:
        if step.state in ("absent", "skipped"):
            tell(f"not run: {step.task.name}: {step.reason}")
    for reason in dict.fromkeys(_private_because(task) for task in todo if not task.place.tracked):
        tell(f"private run ({reason}): it stays out of the committed records")
    hours = sum(plan.minutes(task) or 0 for task in todo) / 60
    if hours > 1:
        tell(f"this is expected to take about {hours:.1f} core-hours; it can be stopped and resumes by itself")
    deadline = math.inf if request.seconds is None else time.time() + request.seconds
    outcomes = _measure(todo, request, deadline)
    _share(outcomes, todo, tell)
    code = _summary(found, outcomes, request, tell)
    if request.fresh:
        code = max(code, compare(found, tell))
    if as_json:
        print(json.dumps({"exit": code, "outcomes": [dataclasses.asdict(o) for o in outcomes]}, indent=1))
    return code


def _private_because(task: Task) -> str:
    played = [f"{role} is played by {name}" for role, name in task.sets if role != name and task.scale != "smoke"]
    return ", ".join(played) or ("--fresh" if task.place.fresh else "settings of your own")


def _measure(todo: list[Task], request: Request, deadline: float) -> list[Outcome]:
    """Trains and measures: with a budget paper by paper, the cheapest first, so that what is begun gets finished."""
    batches = [todo]
    if request.seconds is not None:
        by_paper: dict[str, list[Task]] = {}
        for task in todo:
            by_paper.setdefault(task.stem, []).append(task)
        batches = sorted(by_paper.values(), key=_expected)
    outcomes: list[Outcome] = []
    waiting = len(todo)
    with _Bar(waiting, request.quiet) as bar:
        for batch in batches:
            waiting -= len(batch)
            before, after = len(outcomes), waiting

            def tell(outcome: Outcome, done: int, total: int, before: int = before, after: int = after) -> None:
                bar.tell(outcome, before + done, before + total + after)

            outcomes += execute.run_all(batch, _command(), request.jobs, deadline, tell)
    return outcomes


def _expected(tasks: Sequence[Task]) -> float:
    """Core-minutes of tasks and of the trainings that they wait for; infinite where nobody knows."""
    missing = {w.name: w for task in tasks for w in _trainings(task) if weights.find(w) is None}
    costs = [*(plan.minutes(task) for task in tasks), *(weights.minutes(w) for w in missing.values())]
    return sum(math.inf if cost is None else cost for cost in costs)


def _share(outcomes: list[Outcome], todo: list[Task], tell: Callable[[str], None]) -> None:
    """Hands tracked weights that this run trained to DVC, as ``suite train`` does, and locks its full records."""
    done = {o.name for o in outcomes if o.state == "done"}
    trained = {w.recipe.name for t in todo for w in _trainings(t) if w.tracked and execute.training_name(w) in done}
    if trained:
        planned = sharing.recipes()
        for name in sorted(trained & planned.keys()):
            sharing.share(name, planned[name], tell)
    if full := {t.stem for t in todo if t.place.tracked and t.scale == "full" and t.name in done}:
        sharing.lock_full(sorted(full), tell)


def _summary(found: list[Step], outcomes: list[Outcome], request: Request, tell: Callable[[str], None]) -> int:
    count = {state: sum(o.state == state for o in outcomes) for state in ("done", "reused", "failed", "paused")}
    reused = count["reused"] + sum(step.state == "current" for step in found)
    unable = [step for step in found if step.state in ("absent", "skipped")]
    for outcome in outcomes:
        if outcome.state == "failed":
            print(f"suite: failed: {outcome.name}: {outcome.message}", file=sys.stderr)
    tell(
        f"{count['done']} done, {reused} reused, {count['failed']} failed, "
        f"{count['paused']} paused, {len(unable)} not run"
    )
    if count["failed"]:
        return 1
    if count["paused"]:
        for line in _left(found, outcomes):
            tell(line)
        tell("the budget is spent: run the same command again to go on")
        return 4
    if request.by_name and unable and len(unable) == len(found):
        print(f"suite: nothing could be run: {unable[0].reason}", file=sys.stderr)
        return 1
    return 0


def _left(found: list[Step], outcomes: list[Outcome]) -> list[str]:
    """A line for each part of which results are left when the budget is spent."""
    paused = {o.name for o in outcomes if o.state == "paused"}
    grouped: dict[str, list[Task]] = {}
    for task in (step.task for step in found):
        if task.name in paused:
            grouped.setdefault(f"{task.stem} {task.scale} {task.ident}", []).append(task)
    rows = [
        (name, [task.seed for task in tasks], [plan.minutes(task) for task in tasks]) for name, tasks in grouped.items()
    ]
    return [f"left: {name}, seed {_ranges(seeds)}: {_cost(minutes)} core-minutes" for name, seeds, minutes in rows]


def compare(found: list[Step], tell: Callable[[str], None]) -> int:
    """Lays the results of fresh runs beside the committed records; 1 where the same key gave other rows."""
    rows, differ = [], 0
    for step in found:
        mine = store.read_record(step.task.record)
        if step.task.place.tracked or mine is None or step.task.ident not in mine.parts:
            continue
        official = store.read_record(
            store.record_path(store.runs_folder(step.task.stem, step.task.scale), step.task.seed, step.task.device)
        )
        theirs = official.parts.get(step.task.ident) if official else None
        ours = mine.parts[step.task.ident]
        played = [
            f"{role} played by {name}" for role, name in step.task.sets if role != name and step.task.scale != "smoke"
        ]
        if theirs is None or played:
            word = f"no comparison: {', '.join(played)}" if played else "no committed record"
        elif theirs.result["rows"] == ours.result["rows"]:
            word = "byte-equal"
        elif theirs.key != ours.key:
            word = "not comparable: other settings, or the committed record is stale"
        elif theirs.measured["cpu"] != ours.measured["cpu"]:
            word = f"other CPU type ({theirs.measured['cpu']}): differences are expected to be small"
        else:
            word, differ = "DIFFERENT on the same CPU type", differ + 1
        for row in ours.rows:
            old = next((r.values for r in theirs.rows if r.at == row.at), {}) if theirs and not played else {}
            cells = [f"{m} {v:.6g} ({old[m]:.6g})" if m in old else f"{m} {v:.6g}" for m, v in row.values.items()]
            rows.append([step.task.ident, step.task.seed, show_labels(row.at), "\n".join(cells), word])
    if rows:
        table = tabulate(rows, headers=["unit", "seed", "row", "values", "rows"], maxcolwidths=[22, 4, 30, 30, 26])
        tell(f"\nmeasured now (committed)\n{table}")
    return 1 if differ else 0


def strict_code(stems: list[str]) -> int:
    """3 where a verdict says that something printed does not hold, else 0."""
    from suite.report import model

    pages = [model.page(stem) for stem in stems]
    bad = [f"{page.stem} {claim.id} is reversed" for page in pages for claim in page.claims if claim.word == "reversed"]
    for page in pages:
        cells = [cell for table in page.tables for cell in table.cells if cell.word == "refuted"]
        bad += [f"{page.stem} {cell.table} {cell.metric} [{show_labels(cell.at)}] is refuted" for cell in cells]
    for line in bad:
        print(f"suite: {line}", file=sys.stderr)
    return 3 if bad else 0


def why(task: Task) -> list[str]:
    """What changed since a task was measured; for a recipe that changed also what changed in it."""
    lines = []
    for line in plan.why(task):
        lines.append(line)
        for want in _trainings(task):
            record = weights.read_record(want.public()[0])
            if line == f"recipe {want.recipe.name} changed" and record and record["key"] != want.key.digest:
                lines += [f"    {inner}" for inner in keys.differences(record["measured"]["parts"], want.key.parts)]
    return lines


def train(name: str, seeds: Sequence[int] | None, if_stale: bool, jobs: int, quiet: bool, as_json: bool = False) -> int:
    """Trains a recipe that some paper plans; hands the weights to DVC where it is installed and all seeds are there."""
    planned = sharing.recipes()
    if name not in planned:
        raise UserError(f"recipe {name!r} is unknown; the papers plan {', '.join(sorted(planned)) or 'none'}")
    quiet = quiet or as_json
    wanted = [w for w in planned[name] if seeds is None or w.seed in seeds]
    if beyond := sorted(set(seeds or []) - {w.seed for w in planned[name]}):
        raise UserError(f"recipe {name} is planned for seeds 0 to {len(planned[name]) - 1}, not for {beyond}")
    wanted = [w for w in wanted if not (if_stale and weights.recorded(w))]
    for facts in {role for w in wanted for role, _ in w.sets}:
        if weights.find(wanted[0]) is None and sources.locate(facts) is None:
            raise UserError(f"{name}: {facts} absent: suite data fetch {facts}", 1)
    with _Bar(len(wanted), quiet) as bar:
        outcomes = execute.train_all(wanted, jobs, tell=bar.tell)
    for outcome in outcomes:
        if outcome.state == "failed":
            print(f"suite: failed: {outcome.name}: {outcome.message}", file=sys.stderr)
    if any(o.state == "done" for o in outcomes):
        sharing.share(name, planned[name], _quiet if quiet else _say)
    code = 1 if any(o.state == "failed" for o in outcomes) else 0
    if as_json:
        told = [dataclasses.asdict(o) for o in outcomes]
        print(json.dumps({"exit": code, "recipe": name, "to_train": len(wanted), "outcomes": told}, indent=1))
    elif not quiet:
        print(f"{name}: {len(wanted)} seeds to train, {sum(o.state == 'done' for o in outcomes)} trained")
    return code


def _trainings(task: Task) -> list[weights.Wanted]:
    return [run.wanted(task, recipe) for recipe in task.inputs.recipes]


class _Bar:
    """Progress on a terminal, plain lines elsewhere, nothing when quiet."""

    def __init__(self, total: int, quiet: bool) -> None:
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self._progress = Progress(*columns, console=console, disable=quiet or not console.is_terminal)
        self._plain = not quiet and not console.is_terminal
        self._start = time.monotonic()
        self._task = self._progress.add_task("starting", total=total or None, left="")

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def tell(self, outcome: Outcome, done: int, total: int) -> None:
        """Shows that one more task ended."""
        left = (time.monotonic() - self._start) / done * (total - done)
        self._progress.update(
            self._task, description=outcome.name, completed=done, total=total, left=f"about {_time(left)} left"
        )
        if self._plain:
            print(
                f"[{done}/{total}] {outcome.state}: {outcome.name} ({outcome.seconds:.1f} s); about {_time(left)} left",
                flush=True,
            )


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _cost(minutes: Sequence[float | None]) -> str:
    return "unknown" if None in minutes else f"{sum(m or 0 for m in minutes):.1f}"


def _ranges(seeds: list[int]) -> str:
    return (
        str(seeds[0])
        if len(seeds) == 1
        else f"{min(seeds)}-{max(seeds)}"
        if len(seeds) == max(seeds) - min(seeds) + 1
        else ",".join(map(str, seeds))
    )


def _free() -> str:
    return f"{shutil.disk_usage(project.root()).free / 1e9:.0f} GB"


def _command() -> str:
    return shlex.join(["suite", *sys.argv[1:]])


def _say(message: str) -> None:
    print(message, flush=True)


def _quiet(message: str) -> None:
    return None

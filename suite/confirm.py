"""Confirms stale results: one seed is measured again, and where nothing moved all seeds count under the present key."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Sequence

from suite import execute, machine, plan, project, store, weights
from suite.errors import UserError
from suite.plan import Place, Step, Task
from suite.run import train, wanted


def confirm(stem: str, scale: str, tell: Callable[[str], object] = print) -> int:
    """Confirms what is stale of a paper at a scale; 0 when all of it is current afterwards, else 1.

    One seed of each stale recipe, also of one that only unmeasured parts need, is trained again: bit-equal weights
    re-key its records. Then one seed of each stale part is measured again: bit-equal rows on the same CPU type re-key
    its records. Records that came from other states of the code are confirmed apart. What differs is told and stays
    stale; ``suite run`` measures it anew.
    """
    steps = plan.standing(stem, scale)
    stale, trained = [step for step in steps if step.state == "stale"], _recipes([s for s in steps if s.to_do])
    if not stale and not trained:
        tell(f"{stem} {scale}: nothing is stale")
        return 0
    folder = project.home() / "confirm" / stem / scale
    shutil.rmtree(folder, ignore_errors=True)
    place = Place(folder, folder / "work", tracked=False)
    moved = [group[0].recipe.name for group in trained if not _recipe(group, place, tell)]
    moved += [tasks[0].ident for tasks in _groups(stale) if not _part(tasks, place, tell)]
    tell(f"{stem} {scale}: " + (f"{', '.join(moved)} stay stale" if moved else "all confirmed"))
    return 1 if moved else 0


def _groups(stale: Sequence[Step]) -> list[list[Task]]:
    """Stale tasks measured by the same code on the same inputs, but for the seed: one of them speaks for all."""
    found: dict[str, list[Task]] = {}
    for task in (step.task for step in stale):
        record = store.read_record(task.record)
        if record is not None:
            parts = record.parts[task.ident].measured["parts"]
            found.setdefault(store.canonical([task.ident, _seedless(parts)]), []).append(task)
    return list(found.values())


def _recipes(steps: Sequence[Step]) -> list[list[weights.Wanted]]:
    """Stale trainings with a committed record, grouped by recipe and by the code that trained them."""
    found: dict[str, dict[int, weights.Wanted]] = {}
    for what in (w for step in steps for w in _wanted(step.task) if _is_stale(w)):
        parts = (weights.read_record(what.public()[0]) or {})["measured"]["parts"]
        found.setdefault(store.canonical([what.recipe.name, _seedless(parts)]), {})[what.seed] = what
    return [[by_seed[seed] for seed in sorted(by_seed)] for by_seed in found.values()]


def _seedless(parts: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in parts.items() if name != "seed"}


def _wanted(task: Task) -> list[weights.Wanted]:
    return [wanted(task, recipe) for recipe in task.inputs.recipes]


def _is_stale(what: weights.Wanted) -> bool:
    record = weights.read_record(what.public()[0])
    return record is not None and record["key"] != what.key.digest


def _recipe(group: Sequence[weights.Wanted], place: Place, tell: Callable[[str], object]) -> bool:
    first, name = group[0], group[0].recipe.name
    old = weights.read_record(first.public()[0])
    assert old is not None  # _is_stale has read it
    machine.prepare()
    tell(f"training {first.name} again")
    found = store.sha256(train(dataclasses.replace(first, place=place)).read_bytes())
    if found != old["weights"]:
        tell(
            f"{name}: the weights of seed {first.seed} differ ({found[:15]}, recorded {old['weights'][:15]})"
            + _other_cpu(old["measured"])
        )
        return False
    for what in group:
        record = weights.read_record(what.public()[0])
        assert record is not None
        measured = {**record["measured"], "parts": what.key.parts}
        weights.write_record(what.public()[0], {**record, "key": what.key.digest, "measured": measured})
    tell(f"{name}: bit-equal weights; {len(group)} seeds are current")
    return True


def _part(tasks: Sequence[Task], place: Place, tell: Callable[[str], object]) -> bool:
    first = min(tasks, key=lambda task: task.seed)
    record = store.read_record(first.record)
    if record is None:
        raise UserError(f"{first.record} disappeared; run 'suite run {first.stem}'", 1)
    old = record.parts[first.ident]
    tell(f"measuring {first.name} again")
    again = dataclasses.replace(first, place=place)
    outcome = execute.execute(again, f"suite confirm {first.stem}", jobs=os.cpu_count() or 1)
    if outcome.state == "failed":
        raise UserError(f"{first.name} failed: {outcome.message}", 1)
    found = store.read_record(again.record)
    assert found is not None  # execute has just written it
    new = found.parts[first.ident]
    if {**new.result, "key": ""} != {**old.result, "key": ""}:
        for before, after in zip(old.rows, new.rows, strict=False):
            if before != after:
                tell(f"    {before}: {dict(before.values)} -> {dict(after.values)}")
        tell(
            f"{first.ident}: seed {first.seed} differs{_other_cpu(old.measured)}; "
            f"'suite run {first.stem}' measures all seeds"
        )
        return False
    if new.measured["cpu"] != old.measured["cpu"]:
        tell(f"{first.ident}: bit-equal, but on another CPU type{_other_cpu(old.measured)}; it stays stale")
        return False
    for task in tasks:
        repeated_on = new.measured["cpu"] if task == first else ""
        store.rekey(task.record, task.ident, task.key.digest, task.key.parts, repeated_on)
    tell(f"{first.ident}: bit-equal rows; {len(tasks)} seeds are current")
    return True


def _other_cpu(measured: dict) -> str:
    return (
        ""
        if measured["cpu"] == machine.cpu_type()
        else f" (measured on {measured['cpu']}, this is {machine.cpu_type()})"
    )

"""Brings home records that were made elsewhere: each is checked as if it came from an enemy, then merged like a run's.

A folder of records is another checkout of the project, or its ``reports/``. Nothing in it is executed or followed:
JSON without duplicate or unknown fields, small plain files, arrays without pickles, names that the present papers plan.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite import execute, importable, keys, loading, papers, plan, sharing, store, weights
from suite.data import sources
from suite.errors import UserError
from suite.plan import Task
from suite.store import Measured, Record
from suite.weights import Wanted

SHOWN = 4  # differences that one message names


@dataclass
class Imported:
    """What became of each file, by its path below ``reports/``; reasons stand beside what was not taken."""

    taken: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)  # ours stays: theirs comes from another CPU type
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def code(self) -> int:
        """1 where a file was refused, else 0."""
        return 1 if self.refused else 0

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {"exit": self.code, **dataclasses.asdict(self)}

    def lines(self, only_plan: bool) -> list[str]:
        """What was taken and left, as people read it; refusals are errors, and told apart from this."""
        word = "would be imported" if only_plan else "imported"
        lines = [f"{word}: {name}" for name in self.taken]
        lines += [f"ours stays: {name}: {reason}" for name, reason in self.kept.items()]
        if self.taken and not only_plan:
            lines.append("now: suite pipeline, then dvc repro (or suite report)")
        counts = f"{len(self.taken)} {word}, {len(self.unchanged)} unchanged"
        return [*lines, f"{counts}, {len(self.kept)} of another CPU type, {len(self.refused)} refused"]


def bring(folder: Path, only_plan: bool = False) -> Imported:
    """Checks and files every record below a folder; a file that is refused stops no other.

    With ``only_plan`` everything is checked and nothing written. UserError where the folder holds no records at all.
    """
    reports, found = _reports(folder), Imported()
    visited = False
    for name, path, bring_one in _files(reports, found):
        visited = True
        try:
            _note(found, name, *bring_one(path, only_plan))
        except UserError as error:
            found.refused[name] = importable.printable(str(error))
    if not visited and not found.refused:
        raise UserError(f"{folder} holds no records; expected reports/pNN_id/runs/SCALE/sN.json below it")
    return found


def _note(found: Imported, name: str, state: str, reason: str) -> None:
    if state == "kept":
        found.kept[name] = reason
    else:
        (found.taken if state == "taken" else found.unchanged).append(name)


# The files ----------------------------------------------------------------------------------------------------------

One = Callable[[Path, bool], tuple[str, str]]


def _reports(folder: Path) -> Path:
    """The reports folder that a checkout holds or that is named itself."""
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; name another checkout of the project, or its reports folder")
    inner = folder / "reports"
    if inner.is_symlink():
        raise UserError(f"{inner} is a link, which is not followed; name the folder that it leads to")
    return inner if inner.is_dir() else folder


def _files(reports: Path, found: Imported) -> Iterator[tuple[str, Path, One]]:
    """Every file that claims to be a record, recipes first, as their name, path and importer; oddities are refused."""
    for folder in _folders(reports, reports, found):
        if folder.name == "recipes":
            for recipe in _folders(folder, reports, found):
                yield from ((_name(p, reports), p, _bring_recipe) for p in _plain(recipe, reports, found, (".json",)))
    for folder in _folders(reports, reports, found):
        if folder.name == "recipes" or not (folder / "runs").is_dir():
            continue
        for runs in (f for f in _folders(folder, reports, found) if f.name == "runs"):
            for scale in _folders(runs, reports, found):
                yield from _runs(scale, reports, found)


def _runs(scale: Path, reports: Path, found: Imported) -> Iterator[tuple[str, Path, One]]:
    files = list(_plain(scale, reports, found, (".json", ".npy")))
    records = [path for path in files if path.suffix == ".json"]
    yield from ((_name(path, reports), path, _bring_record) for path in records)
    owners = {path.stem for path in records}
    for path in files:
        if path.suffix == ".npy" and path.name.partition(".")[0] not in owners:
            found.refused[_name(path, reports)] = "an array without the record that it belongs to"


def _folders(folder: Path, reports: Path, found: Imported) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            if path.is_dir():
                found.refused[_name(path, reports)] = "a link, which is not followed; copy what it leads to"
        elif path.is_dir() and not path.name.startswith("."):
            yield path


def _plain(folder: Path, reports: Path, found: Imported, kinds: tuple[str, ...]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.suffix in kinds:
            yield path
        else:
            found.refused[_name(path, reports)] = f"neither record nor array; expected {', '.join(kinds)}"


def _name(path: Path, reports: Path) -> str:
    return importable.printable(path.relative_to(reports).as_posix())


# Records of runs ----------------------------------------------------------------------------------------------------


def _bring_record(path: Path, only_plan: bool) -> tuple[str, str]:
    """Checks one record whole and merges it; returns what became of it, and why ours stays where it does."""
    found = importable.record(path)
    stem, scale, seed, device = found["paper"], found["scale"], found["seed"], importable.device(path)
    if (stem, scale) != (path.parts[-4], path.parts[-2]) or path.name != store.record_path(path, seed, device).name:
        raise UserError(f"it says paper {stem!r}, scale {scale!r}, seed {seed}, which is not what its path says")
    if stem not in papers.names():
        raise UserError(f"paper {stem!r} is unknown here")
    loading.load(stem)
    home = store.record_path(store.runs_folder(stem, scale), seed, device)
    present = store.read_record(home)
    new = {}
    for ident, result in found["result"].items():
        if present is None or ident not in present.parts or present.parts[ident].result != result:
            task = _task(stem, scale, ident, seed, device)
            _check(task, result, found["measured"][ident])
        new[ident] = Measured(result, found["measured"][ident], importable.figures(path, ident, result))
    kept: list[str] = []

    def choose(present: Record | None) -> dict[str, Measured]:
        kept.clear()
        chosen = {ident: item for ident, item in new.items() if _wins(present, ident, item, kept)}
        if only_plan:
            raise _Planned(any(_result(present, ident) != item.result for ident, item in chosen.items()))
        return chosen

    try:
        changed = bool(store.merge_parts(home, {"paper": stem, "scale": scale, "seed": seed}, choose))
    except _Planned as planned:
        changed = planned.changed
    return ("taken", "") if changed else ("kept", "; ".join(kept)) if kept else ("unchanged", "")


class _Planned(Exception):
    """Ends a merge before it writes, and tells whether it would have changed the record."""

    def __init__(self, changed: bool) -> None:
        super().__init__()
        self.changed = changed


def _result(present: Record | None, ident: str) -> dict[str, Any] | None:
    return present.parts[ident].result if present and ident in present.parts else None


def _task(stem: str, scale: str, ident: str, seed: int, device: str) -> Task:
    """The task that a run would do for this part here."""
    planned = {task.ident: task for task in plan.planned(stem, scale)}
    if ident not in planned:
        raise UserError(f"{stem} plans no {ident!r} at {scale} (planned: {', '.join(planned) or 'nothing'})")
    task = planned[ident]
    if seed and task.paper.seeds(scale, task.unit) == 1:
        raise UserError(f"{stem} plans {ident} at {scale} once, for seed 0, not for seed {seed}")
    return dataclasses.replace(task, seed=seed, device=device)


def _check(task: Task, result: Mapping[str, Any], measured: Mapping[str, Any]) -> None:
    """The result is one that a run would give here: present key, sets of the catalogue, rows that fit the tables."""
    _check_key(task.ident, task.key, result["key"], measured["parts"])
    _check_data(task.ident, task.sets, measured["data"])
    if set(measured["weights"]) != (names := {recipe.name for recipe in task.inputs.recipes}):
        raise UserError(f"{task.ident} used weights of {sorted(measured['weights'])}, expected {sorted(names)}")
    rows = importable.rows(result["rows"], store.table_of(task.ident), task.seed)
    execute.collect(task, rows)


def _check_key(what: str, present: keys.Key, key: str, parts: Mapping[str, str]) -> None:
    if parts != present.parts:
        lines = keys.differences(parts, present.parts)
        more = f"; and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
        raise UserError(f"stale: {what}: {'; '.join(lines[:SHOWN])}{more}; bring both to the same code and run again")
    if key != present.digest:
        raise UserError(f"{what} stands under the key {key!r}, which its parts do not give ({present.digest})")


def _check_data(what: str, sets: tuple[tuple[str, str], ...], data: Any) -> None:
    expected = {role: {"set": name, "content": sources.content_id(name)} for role, name in sets}
    if data != expected:
        raise UserError(f"{what} was measured on {json.dumps(data)[:300]}, the catalogue says {json.dumps(expected)}")


def _wins(present: Record | None, ident: str, new: Measured, kept: list[str]) -> bool:
    """Whether a checked part goes into the record; a current result is never replaced by a different one."""
    result = _result(present, ident)
    if present is None or result is None or result == new.result or result["key"] != new.result["key"]:
        return True
    ours = present.parts[ident].measured
    difference = f"{ident} seed {present.seed}: {importable.difference(result, new.result)}"
    if _machine(ours) != _machine(new.measured):
        kept.append(f"{difference}, on {_machine(new.measured)}")
        return False
    raise UserError(
        f"{difference}: the same key on the same type of machine ({_machine(ours)}) gave another result; "
        f"nothing was overwritten: measure it again with 'suite run --fresh' on both"
    )


def _machine(measured: Mapping[str, Any]) -> str:
    return measured["cpu"] if measured["device"] == "cpu" else f"{measured['cpu']}, {measured['device']}"


# Records of trainings -----------------------------------------------------------------------------------------------


def _bring_recipe(path: Path, only_plan: bool) -> tuple[str, str]:
    """Checks the record of one training and files it; the weights themselves come by DVC."""
    found = importable.training(path)
    name, seed = found["recipe"], found["seed"]
    if (name, f"s{seed}.json") != (path.parent.name, path.name):
        raise UserError(f"it says recipe {name!r}, seed {seed}, which is not what its path says")
    planned = sharing.recipes()
    if name not in planned:
        raise UserError(f"no paper plans the recipe {name!r} at reduced or full")
    wanted = dataclasses.replace(planned[name][0], seed=seed)
    home = wanted.public()[0]
    with _nothing() if only_plan else store.locked(f"weights {wanted.public()[1]} {wanted.private()[1]}"):
        old = weights.read_record(home)
        if old and (old["key"], old["weights"]) == (found["key"], found["weights"]):
            return "unchanged", ""
        _check_training(wanted, found)
        if old and old["key"] == found["key"]:
            difference = f"{wanted.name}: weights {old['weights'][:15]} here, {found['weights'][:15]} there"
            if old["measured"]["cpu"] != found["measured"]["cpu"]:
                return "kept", f"{difference}, on {found['measured']['cpu']}"
            raise UserError(
                f"{difference}: the same key on the same CPU type ({old['measured']['cpu']}) gave other weights; "
                f"nothing was overwritten"
            )
        if not only_plan:
            weights.write_record(home, found)
    return "taken", ""


def _check_training(wanted: Wanted, found: Mapping[str, Any]) -> None:
    _check_key(wanted.recipe.name, wanted.key, found["key"], found["measured"]["parts"])
    _check_data(wanted.recipe.name, wanted.sets, found["measured"]["data"])
    if found["measured"]["device"] != "cpu":
        raise UserError(f"trained on {found['measured']['device']}: only trainings on a CPU have committed records")


@contextlib.contextmanager
def _nothing() -> Iterator[None]:
    yield

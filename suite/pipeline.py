"""The stage files of DVC and the key files, written from the papers.

The graph: ``keys`` writes the key files, ``data-SET`` brings a set, a stage of ``checkpoints/dvc.yaml`` trains a
recipe, those of a paper measure its units at a scale, ``report`` writes the pages. Stages depend on keys, sets and
records, never on sources, so that a comment reruns nothing and rewrites no lock.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from suite import keys, loading, papers, plan, project, store
from suite.data import sources
from suite.errors import UserError
from suite.plan import Task

STAGED = ("smoke", "reduced")  # scales whose stages a plain 'dvc repro' may start
LARGEST = 500_000_000  # bytes of a set that a plain 'dvc repro' fetches
# DVC deletes an output before its stage starts unless it is to persist, and trusts the copy in its cache unhashed.
KEPT = {"cache": False, "persist": True}
HEADER = "# Written by 'suite pipeline' from the papers' modules; change those, not this file.\n"
GENERATED = (  # whatever is there under these names and is not written any more is removed
    "reports/p*/keys-*.json",
    "reports/recipes/*.key.json",
    "reports/p*/dvc.yaml",
    "checkpoints/dvc.yaml",
    "datasets/large/dvc.yaml",
)
Tasks = Mapping[tuple[str, str], list[Task]]  # by stem and scale


def write_all(
    check: bool = False, keys_only: bool = False, root: Path | None = None, broken: dict[str, str] | None = None
) -> list[Path]:
    """Writes the key and stage files; returns those that were, or with ``check`` would be, changed or removed.

    With ``keys_only``, as in the stage ``keys``, stage files are left alone, and old ones are a UserError: a running
    ``dvc repro`` has read them already. ``root`` is where the files lie, the project's root unless it is given.
    A paper whose plan cannot be had is a UserError; given ``broken``, it is noted there instead with the reason, the
    other papers' own files are written, and what holds keys or stages of several papers stays as it is.
    """
    root = root or project.root()
    if keys_only and not check and (note := _note(root)) == remembered().get("note"):
        _remember(root, note)
        return []
    tasks = _planned(broken)
    if broken:
        return _bring(root, _own_files(tasks, root, keys_only), check)
    key_files = _key_files(tasks)
    stage_files = _stage_files(tasks, list(key_files), root)
    changed = _bring(root, key_files, check)
    if not keys_only:
        return changed + _bring(root, stage_files, check) + _remove(root, {*key_files, *stage_files}, check)
    if old := _bring(root, stage_files, check=True):
        raise UserError(f"{old[0]} is old; write the stage files anew ('suite pipeline') and run 'dvc repro' again", 1)
    if not check:
        _remember(root, _note(root))
    return changed


def _planned(broken: dict[str, str] | None) -> Tasks:
    """All tasks that papers plan, with their keys computed, so that a paper without a sound key is found here."""
    tasks: dict[tuple[str, str], list[Task]] = {}
    for stem in papers.names():
        try:
            loading.load(stem)
            own = {(stem, scale): found for scale in papers.SCALES if (found := plan.planned(stem, scale))}
            _ = [task.key for found in own.values() for task in found]
        except UserError as error:
            if broken is None:
                raise
            broken[stem] = str(error)
        else:
            tasks |= own
    return tasks


def _own_files(tasks: Tasks, root: Path, keys_only: bool) -> dict[str, str]:
    """The files of single papers: all that can be told where another paper's plan is unknown."""
    files = {
        f"reports/{stem}/keys-{scale}.json": _paper_keys(stem, scale, found) for (stem, scale), found in tasks.items()
    }
    return files if keys_only else files | _paper_stage_files(tasks, root)


def _bring(root: Path, files: Mapping[str, str], check: bool) -> list[Path]:
    changed = []
    for name, content in files.items():
        path = root / name
        old = path.read_text(encoding="utf-8") if path.is_file() else None
        if old != content:
            changed.append(path)
            if not check:
                store.write(path, content)
    return changed


def _remove(root: Path, current: set[str], check: bool) -> list[Path]:
    """Generated files of papers, recipes and scales that are gone, and the locks of removed stage files."""
    found = {path for pattern in GENERATED for path in root.glob(pattern)} - {root / name for name in current}
    found |= {lock for path in found if path.name == "dvc.yaml" and (lock := path.with_name("dvc.lock")).is_file()}
    if not check:
        for path in found:
            path.unlink()
    return sorted(found)


# Key files ----------------------------------------------------------------------------------------------------------


def _key_files(tasks: Tasks) -> dict[str, str]:
    files = {
        f"reports/{stem}/keys-{scale}.json": _paper_keys(stem, scale, found) for (stem, scale), found in tasks.items()
    }
    tracked = [task for (_, scale), found in tasks.items() if scale in plan.TRACKED_RECIPES for task in found]
    for name, by_seed in sorted(plan.trainings(tracked).items()):
        files[f"reports/recipes/{name}.key.json"] = _recipe_keys(name, by_seed)
    return files


def _paper_keys(stem: str, scale: str, tasks: list[Task]) -> str:
    from suite.execute import declaration  # brings torch, which a stage that finds nothing changed need not wait for

    units: dict[str, dict[str, dict[str, str]]] = {}
    for task in tasks:
        unit = units.setdefault(task.ident, {"parts": _seedless(task.key), "seeds": {}})
        unit["seeds"][str(task.seed)] = task.key.digest
    facts = {
        "format": store.FORMAT,
        "paper": stem,
        "scale": scale,
        "units": units,
        "recipes": _recipes(tasks),
        "declarations": declaration(tasks[0]),
        # What the stage depends on: other claims, or other words for the parts of a key, rerun nothing.
        "keys": store.sha256(store.canonical({ident: unit["seeds"] for ident, unit in units.items()}).encode()),
    }
    return store.pretty(facts)


def _recipe_keys(name: str, by_seed: Mapping[int, tuple[Any, Task]]) -> str:
    found = {s: keys.recipe_key(recipe, s, project.root(), dict(task.sets)) for s, (recipe, task) in by_seed.items()}
    recipe = next(iter(by_seed.values()))[0]
    facts = {
        "format": store.FORMAT,
        "recipe": name,
        "data": recipe.data,
        "fields": dataclasses.asdict(recipe),
        "parts": _seedless(found[min(found)]),
        "seeds": {str(seed): key.digest for seed, key in found.items()},
    }
    return store.pretty(facts)


def _seedless(key: keys.Key) -> dict[str, str]:
    return {name: value for name, value in key.parts.items() if name != "seed"}


def _recipes(tasks: Iterable[Task]) -> list[str]:
    return sorted({recipe.name for task in tasks for recipe in task.inputs.recipes})


# Stage files --------------------------------------------------------------------------------------------------------


def _stage_files(tasks: Tasks, key_files: list[str], root: Path) -> dict[str, str]:
    staged = _staged(tasks, root)
    started = {name for (_, scale), found in staged.items() if scale in STAGED for name in used_sets(found)}
    sets = [sources.describe(name) for name in used_sets(task for found in staged.values() for task in found)]
    # What a frozen stage alone needs is fetched when somebody runs it, not by a plain 'dvc repro'.
    asked = [s.name for s in sets if s.bytes > LARGEST or s.terms != "none" or s.name not in started]
    at_hand = [facts.name for facts in sets if facts.name not in asked]
    stages: dict[str, dict[str, Any]] = {
        "dvc.yaml": {
            "keys": {"cmd": "suite pipeline --keys", "always_changed": True, "outs": _outs(*key_files)},
            **{f"data-{name}": _data_stage(name, "datasets") for name in at_hand},
            "report": {
                "cmd": "suite report",
                "always_changed": True,
                "deps": [f"reports/{stem}/runs/{scale}" for stem, scale in staged],
            },
        },
        "checkpoints/dvc.yaml": _training_stages(staged),
        # A frozen stage whose set is not there fails what depends on it, and never fetches.
        "datasets/large/dvc.yaml": {f"data-{name}": {**_data_stage(name, ".."), "frozen": True} for name in asked},
    }
    files = {name: _dumped(found) for name, found in stages.items() if found} | _paper_stage_files(tasks, root)
    # Set by set, since datasets/large/dvc.yaml is tracked.
    files["datasets/.gitignore"] = HEADER + "".join(f"/{name}\n" for name in sources.catalogue())
    files["checkpoints/.gitignore"] = HEADER + "/*/\n"
    return files


def _staged(tasks: Tasks, root: Path) -> Tasks:
    """The tasks that have a stage: all those of small scales, and the full ones that have a record.

    DVC can lock a frozen stage only when all that it depends on is there, such as the trainings of its tasks.
    """
    found = {place: [t for t in those if place[1] in STAGED or _recorded(t, root)] for place, those in tasks.items()}
    return {place: those for place, those in found.items() if those}


def _recorded(task: Task, root: Path) -> bool:
    """Whether a record of any device class holds the task's part."""
    folder = root / task.record.relative_to(project.root()).parent
    records = [
        store.read_record(path) for path in folder.glob(f"s{task.seed}*.json") if store.NAME.fullmatch(path.name)
    ]
    return any(record.seed == task.seed and task.ident in record.parts for record in records if record)


def _paper_stage_files(tasks: Tasks, root: Path) -> dict[str, str]:
    stages: dict[str, dict[str, Any]] = {}
    for (stem, scale), found in _staged(tasks, root).items():
        stages.setdefault(f"reports/{stem}/dvc.yaml", {})[scale] = _paper_stage(stem, scale, found)
    return {name: _dumped(found) for name, found in stages.items()}


def _dumped(stages: Mapping[str, Any]) -> str:
    return HEADER + yaml.safe_dump({"stages": dict(stages)}, sort_keys=False, width=1000)


def _outs(*paths: str) -> list[dict[str, Any]]:
    return [{path: dict(KEPT)} for path in paths]


def _data_stage(name: str, folder: str) -> dict[str, Any]:
    return {"cmd": f"suite data fetch {name}", "outs": _outs(f"{folder}/{name}")}


def _paper_stage(stem: str, scale: str, tasks: list[Task]) -> dict[str, Any]:
    recipes = _recipes(tasks) if scale in plan.TRACKED_RECIPES else []
    deps = [*(f"../../datasets/{name}" for name in used_sets(tasks)), *(f"../recipes/{name}" for name in recipes)]
    stage = {
        "cmd": f"suite run {_number(stem)} --scale {scale}",
        "params": [{f"keys-{scale}.json": ["keys"]}],
        "deps": deps,
        "outs": _outs(f"runs/{scale}"),
        # Full runs are started by name alone; 'dvc repro' looks whether the records are there, and goes on.
        "frozen": scale not in STAGED,
    }
    return {name: value for name, value in stage.items() if value}


def _training_stages(staged: Tasks) -> dict[str, Any]:
    """A stage per recipe that a ``reduced`` stage needs; frozen ones for recipes that ``full`` stages alone need."""
    full, reduced = (
        plan.trainings(task for place, found in staged.items() if place[1] == scale for task in found)
        for scale in ("full", "reduced")
    )
    stages: dict[str, Any] = {}
    for name, by_seed in sorted({**full, **reduced}.items()):
        recipe = next(iter(by_seed.values()))[0]
        stage = {
            "cmd": f"suite train {name} --seeds 0-{max(by_seed)} --if-stale",
            "deps": [f"../datasets/{recipe.data}", f"../reports/recipes/{name}.key.json"],
            "outs": _outs(f"../reports/recipes/{name}"),
        }
        stages[stage_name(name)] = stage if name in reduced else {**stage, "frozen": True}
    return stages


def stage_name(recipe: str) -> str:
    """The name of a recipe's stage, in which DVC allows no dot."""
    return recipe.replace(".", "_")


def used_sets(tasks: Iterable[Task]) -> list[str]:
    """The names of the data sets that tasks use."""
    return sorted({name for task in tasks for _, name in task.sets})


def _number(stem: str) -> int:
    return int(stem[1:3])


# What the stage 'keys' remembers -------------------------------------------------------------------------------------


def _memory() -> Path:
    return project.home() / "pipeline.json"


def remembered() -> dict[str, Any]:
    """What the stage ``keys`` noted when it ran last; nothing where it never ran."""
    try:
        return json.loads(_memory().read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def _remember(root: Path, note: str) -> None:
    """Notes what the files follow from, and which units are not current before the stages run, for ``summary``."""
    store.write_if_changed(_memory(), store.pretty({"note": note, "waiting": _waiting(root)}))


def _note(root: Path) -> str:
    """A digest of all that the generated files follow from, and of the files: the same note, the same files.

    Reading the sources takes milliseconds, importing the papers seconds.
    """
    texts = [p for p in (root / "suite").rglob("*") if p.suffix in (".py", ".yaml")]
    texts += root.glob("baselines/*/published.yaml")
    texts += [path for pattern in GENERATED for path in root.glob(pattern)]
    texts += [root / "dvc.yaml", root / "datasets/.gitignore", root / "checkpoints/.gitignore"]
    read = {str(p.relative_to(root)): store.sha256(p.read_bytes()) for p in texts if p.is_file()}
    full = sorted({str(p.parent.relative_to(root)) for p in root.glob("reports/p*/runs/full/s*.json")})
    return store.sha256(store.canonical([read, full, sys.version]).encode())


def _waiting(root: Path) -> list[str]:
    """The planned results whose records do not hold them under their present keys, by the names of their tasks."""
    waiting = []
    for path in sorted(p for scale in STAGED for p in root.glob(f"reports/p*/keys-{scale}.json")):
        facts = json.loads(path.read_text(encoding="utf-8"))
        try:
            there = recorded(facts["paper"], facts["scale"])
        except UserError:  # told by the stage that uses the damaged record
            there = {}
        for ident, unit in facts["units"].items():
            for seed, key in unit["seeds"].items():
                if key not in there.get((int(seed), ident), ()):
                    waiting.append(f"{facts['paper']} {facts['scale']} seed {seed} {ident}")
    return waiting


def recorded(stem: str, scale: str) -> dict[tuple[int, str], list[str]]:
    """The keys under which records of any device class hold a result, by seed and part."""
    found: dict[tuple[int, str], list[str]] = {}
    for record in store.records(stem, scale):
        for ident, part in record.parts.items():
            found.setdefault((record.seed, ident), []).append(part.key)
    return found

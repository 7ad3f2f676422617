"""The generator of key and stage files, on the project's own papers; tests/test_dvc.py runs what it writes."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from suite import execute, papers, pipeline, plan, rows, sharing, store, summary
from suite.data import sources
from suite.errors import UserError

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """A working folder of the test's own."""
    monkeypatch.setenv("SUITE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> Path:
    """A folder with everything that the generator writes; nobody may change it."""
    folder = tmp_path_factory.mktemp("generated")
    pipeline.write_all(root=folder)
    return folder


@pytest.fixture
def written(generated, tmp_path) -> Path:
    """A copy of one's own."""
    return Path(shutil.copytree(generated, tmp_path / "written"))


def names(paths: list[Path], root: Path) -> set[str]:
    """The paths, relative to a folder."""
    return {path.relative_to(root).as_posix() for path in paths}


def stages(root: Path) -> dict[str, dict[str, Any]]:
    """Every generated stage by stage file and name, with its paths relative to ``root``."""
    found = {}
    for path in sorted(root.rglob("dvc.yaml")):
        for name, stage in yaml.safe_load(path.read_text())["stages"].items():
            params = [file for entry in stage.get("params", []) for file in entry]
            outs = {
                (path.parent / out).resolve(): flags for entry in stage.get("outs", []) for out, flags in entry.items()
            }
            deps = [(path.parent / dep).resolve() for dep in [*stage.get("deps", []), *params]]
            place = f"{path.parent.relative_to(root).as_posix()}:{name}"
            found[place] = {
                **stage,
                "outs": {out.relative_to(root.resolve()).as_posix(): flags for out, flags in outs.items()},
                "deps": [dep.relative_to(root.resolve()).as_posix() for dep in deps],
            }
    return found


def fingerprint(path: Path) -> str:
    """What a lock of DVC states of a file or folder."""
    if path.is_file():
        return hashlib.md5(path.read_bytes()).hexdigest()
    inside = [p for p in sorted(path.rglob("*")) if p.is_file()]
    entries = [{"md5": fingerprint(p), "relpath": p.relative_to(path).as_posix()} for p in inside]
    text = json.dumps(sorted(entries, key=lambda entry: entry["relpath"]), sort_keys=True)
    return hashlib.md5(text.encode()).hexdigest() + ".dir"


def out_of_step(root: Path) -> list[str]:
    """The entries of locks that do not state what the tracked files beside them are."""
    found = []
    for lock in sorted([root / "dvc.lock", *root.glob("checkpoints/dvc.lock"), *root.glob("reports/*/dvc.lock")]):
        locked = yaml.safe_load(lock.read_text())["stages"] if lock.is_file() else {}
        current = yaml.safe_load(lock.with_suffix(".yaml").read_text())["stages"] if lock.is_file() else {}
        for name, stage in locked.items():
            where = f"{lock.relative_to(root)}: {name}"
            if name not in current or stage["cmd"] != current[name]["cmd"]:
                found.append(f"{where}: cmd")
            for entry in [*stage.get("deps", []), *stage.get("outs", [])]:
                path = lock.parent / entry["path"]
                if "datasets" not in path.parts and (not path.exists() or fingerprint(path) != entry["md5"]):
                    found.append(f"{where}: {entry['path']}")
            for file, values in stage.get("params", {}).items():
                facts = json.loads((lock.parent / file).read_text())
                found += [f"{where}: {file}" for key, value in values.items() if facts[key] != value]
    return found


# The project's own files ----------------------------------------------------------------------------------------------


def test_the_generated_files_are_current() -> None:
    """What 'suite pipeline' writes today is what is tracked."""
    assert names(pipeline.write_all(check=True), ROOT) == set(), "run: suite pipeline"


@pytest.mark.skipif(not (ROOT / "dvc.lock").is_file(), reason="no lock yet: nothing was reproduced")
def test_the_locks_state_the_tracked_files() -> None:
    """A fresh clone finds every stage current: locks were written after the last change of keys and records."""
    assert out_of_step(ROOT) == [], "run: dvc repro"


# Key files ----------------------------------------------------------------------------------------------------------


def test_key_files_hold_the_keys_that_runs_compare_with(generated) -> None:
    """Every planned result stands in its paper's key file under the key that a run gives it; parts name no seed."""
    for stem in papers.names():
        for scale in papers.load(stem).scales:
            facts = json.loads((generated / f"reports/{stem}/keys-{scale}.json").read_text())
            tasks = plan.planned(stem, scale)
            present = {(i, int(s)): key for i, unit in facts["units"].items() for s, key in unit["seeds"].items()}
            assert present == {(task.ident, task.seed): task.key.digest for task in tasks}
            assert all("seed" not in unit["parts"] and unit["parts"] for unit in facts["units"].values())
            assert facts["declarations"] == execute.declaration(tasks[0])
            assert facts["recipes"] == sorted({r.name for task in tasks for r in task.inputs.recipes})
            assert (facts["format"], facts["paper"], facts["scale"]) == (1, stem, scale)


def test_recipe_files_hold_the_keys_that_trainings_compare_with(generated) -> None:
    """Every recipe whose weights are tracked has a file with the key of each planned seed."""
    planned = sharing.recipes()
    assert {p.name.removesuffix(".key.json") for p in generated.glob("reports/recipes/*.key.json")} == {*planned}
    for name, wanted in planned.items():
        facts = json.loads((generated / f"reports/recipes/{name}.key.json").read_text())
        assert facts["seeds"] == {str(w.seed): w.key.digest for w in wanted}
        assert (facts["recipe"], facts["data"]) == (name, wanted[0].recipe.data)
        assert facts["fields"]["data"] == facts["data"]
        assert "seed" not in facts["parts"]


def test_a_claim_changes_a_key_file_but_nothing_that_a_stage_depends_on(written, monkeypatch) -> None:
    """Stages depend on the digest of the keys alone, so that another declaration reruns none and rewrites no lock."""
    files = sorted(written.glob("reports/p*/keys-*.json"))
    before = [json.loads(path.read_text()) for path in files]
    monkeypatch.setattr(execute, "declaration", lambda task: {"c1": "sha256:another"})
    assert names(pipeline.write_all(root=written), written) == names(files, written)
    after = [json.loads(path.read_text()) for path in files]
    assert [facts["keys"] for facts in after] == [facts["keys"] for facts in before]
    assert all(facts["declarations"] == {"c1": "sha256:another"} for facts in after)


def test_one_key_more_changes_what_the_stage_depends_on(written, monkeypatch) -> None:
    """A further seed at one scale gives that scale's stage another digest, and no other."""
    stem = papers.names()[0]
    module = papers.load(stem).module
    before = {p.name: json.loads(p.read_text())["keys"] for p in written.glob(f"reports/{stem}/keys-*.json")}
    more = {unit: count + 1 for unit, count in module.SEEDS["reduced"].items()}
    monkeypatch.setitem(module.SEEDS, "reduced", more)
    pipeline.write_all(root=written)
    after = {p.name: json.loads(p.read_text())["keys"] for p in written.glob(f"reports/{stem}/keys-*.json")}
    assert {name for name in after if after[name] != before[name]} == {"keys-reduced.json"}


# Stage files --------------------------------------------------------------------------------------------------------


def test_every_dependency_has_one_owner_and_no_output_two(generated) -> None:
    """What a stage depends on is the output of exactly one stage, and outputs neither repeat nor lie inside another."""
    found = stages(generated)
    outs = Counter(out for stage in found.values() for out in stage["outs"])
    assert {out for out, count in outs.items() if count > 1} == set()
    assert [(a, b) for a in outs for b in outs if b.startswith(f"{a}/")] == []
    assert {dep for stage in found.values() for dep in stage["deps"]} - set(outs) == set()


def test_no_output_is_deleted_before_its_stage_or_copied_into_a_cache(generated) -> None:
    """DVC deletes outputs that are not persistent, and trusts copies in its cache without hashing them."""
    flags = [flags for stage in stages(generated).values() for flags in stage["outs"].values()]
    assert flags == [{"cache": False, "persist": True}] * len(flags)


def test_a_paper_has_a_stage_for_each_small_scale_and_none_for_full(generated) -> None:
    """A plain 'dvc repro' starts smoke and reduced runs, never a full one; stage files stay short."""
    found = stages(generated)
    for stem in papers.names():
        mine = {place.split(":")[1]: stage for place, stage in found.items() if place.startswith(f"reports/{stem}:")}
        assert set(mine) == {scale for scale in ("smoke", "reduced") if plan.planned(stem, scale)}
        for scale, stage in mine.items():
            tasks = plan.planned(stem, scale)
            recipes = {r.name for task in tasks for r in task.inputs.recipes} if scale == "reduced" else set()
            assert set(stage["deps"]) == {
                f"reports/{stem}/keys-{scale}.json",
                *(f"datasets/{name}" for task in tasks for _, name in task.sets),
                *(f"reports/recipes/{name}" for name in recipes),
            }
            assert stage["cmd"] == f"suite run {stem[1:3].lstrip('0')} --scale {scale}"
            assert f"reports/{stem}/runs/{scale}" in found[".:report"]["deps"]
    assert found[".:keys"]["always_changed"] and found[".:report"]["always_changed"]


def measured_in_full(root: Path) -> dict[str, plan.Task]:
    """Brings a full record of one part, which needs a recipe, of every paper that plans one; gives these tasks."""
    planned = {stem: plan.planned(stem, "full") for stem in papers.names()}
    measured = {stem: next(t for t in tasks if t.inputs.recipes) for stem, tasks in planned.items() if tasks}
    stems = list(measured)
    for stem, task in measured.items():
        result, head = {"key": "sha256:0", "rows": rows.pack([])}, {"paper": stem, "scale": "full", "seed": task.seed}
        store.merge(root / f"reports/{stem}/runs/full/s{task.seed}.json", head, task.ident, result, {"parts": {}})
    changed = names(pipeline.write_all(root=root), root)
    assert {"dvc.yaml", *(f"reports/{stem}/dvc.yaml" for stem in stems)} <= changed
    assert pipeline.write_all(root=root) == []
    return measured


def test_a_full_record_brings_a_frozen_stage(written) -> None:
    """With the record the stage is there, frozen, and the report waits for it; without it, it goes again.

    It depends on what the measured parts need, since DVC locks only what is there.
    """
    before = stages(written)
    measured = measured_in_full(written)
    found = stages(written)
    new = {place: stage for place, stage in found.items() if place not in before}
    full = {place for place in new if place.endswith(":full")}
    assert full and all(stage["frozen"] for stage in new.values())
    for place in full:
        stem = place.split("/")[1].split(":")[0]
        assert set(new[place]["deps"]) == {
            f"reports/{stem}/keys-full.json",
            *(f"datasets/{name}" for _, name in measured[stem].sets),
            *(f"reports/recipes/{r.name}" for r in measured[stem].inputs.recipes),
        }
        assert set(new[place]["outs"]) == {f"reports/{stem}/runs/full"} <= set(found[".:report"]["deps"])
        assert new[place]["cmd"] == f"suite run {stem[1:3].lstrip('0')} --scale full"
    small = {place: stage for place, stage in found.items() if place in before and place != ".:report"}
    assert small == {place: stage for place, stage in before.items() if place != ".:report"}
    test_every_dependency_has_one_owner_and_no_output_two(written)
    for record in written.glob("reports/p*/runs/full/s0.json"):
        record.unlink()
    pipeline.write_all(root=written)
    assert stages(written) == before


def test_only_recipes_that_reduced_needs_are_trained_by_a_plain_repro(written) -> None:
    """A recipe of full runs gets a stage, a frozen one, when a full record is there; before that it has none."""
    tasks = [task for stem in papers.names() for task in plan.planned(stem, "reduced")]
    reduced = {name.replace(".", "_") for name in plan.trainings(tasks)}

    def trained() -> dict[str, bool]:
        found = stages(written)
        return {p.split(":")[1]: s.get("frozen", False) for p, s in found.items() if p.startswith("checkpoints:")}

    assert trained() == dict.fromkeys(reduced, False)
    full = {r.name.replace(".", "_") for task in measured_in_full(written).values() for r in task.inputs.recipes}
    assert full - reduced, "the papers plan no recipe for full alone: nothing is tested here"
    assert trained() == {name: name not in reduced for name in full | reduced}


def test_a_training_covers_all_seeds_that_the_small_scales_plan(generated) -> None:
    """The stage of a recipe trains from seed 0 to the highest that some paper plans at reduced."""
    planned = plan.trainings(task for stem in papers.names() for task in plan.planned(stem, "reduced"))
    found = stages(generated)
    for name, by_seed in planned.items():
        stage = found[f"checkpoints:{name.replace('.', '_')}"]
        assert stage["cmd"] == f"suite train {name} --seeds 0-{len(by_seed) - 1} --if-stale"
        assert set(stage["deps"]) == {
            f"datasets/{by_seed[0][0].data}",
            f"reports/recipes/{name}.key.json",
        }


def test_large_sets_are_frozen_in_a_file_of_their_own(written, monkeypatch) -> None:
    """A set above the limit, or with terms of access, is no matter of the root's stages, which would fetch it."""
    before = {place.split(":")[1] for place in stages(written) if place.startswith(".:data-")}
    monkeypatch.setattr(pipeline, "LARGEST", 1)
    assert names(pipeline.write_all(root=written), written) == {"dvc.yaml", "datasets/large/dvc.yaml"}
    found = stages(written)
    moved = {place.split(":")[1]: stage for place, stage in found.items() if place.startswith("datasets/large:")}
    assert set(moved) == before
    assert not [place for place in found if place.startswith(".:data-")]
    for name, stage in moved.items():
        assert stage["frozen"] and set(stage["outs"]) == {f"datasets/{name.removeprefix('data-')}"}


def test_git_ignores_data_and_weights_but_no_stage_file(written) -> None:
    """Sets and weights stay out of git; what says how to get them is tracked."""
    subprocess.run(["git", "init", "--quiet", written], check=True)
    sets = [f"datasets/{name}/file" for name in sources.catalogue()]
    tracked = ["datasets/large/dvc.yaml", "checkpoints/dvc.yaml", "checkpoints/lenet.dvc", "datasets/.gitignore"]
    asked = [*sets, "checkpoints/lenet/s0.safetensors", *tracked]
    done = subprocess.run(["git", "-C", written, "check-ignore", *asked], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [*sets, "checkpoints/lenet/s0.safetensors"]


# Writing ------------------------------------------------------------------------------------------------------------


def test_a_second_pass_writes_nothing_and_a_check_never_writes(generated, tmp_path) -> None:
    """The same papers give the same bytes; ``check`` names what it would write, and leaves it."""
    assert pipeline.write_all(root=generated) == []
    empty = tmp_path / "empty"
    empty.mkdir()
    files = {path.relative_to(generated).as_posix() for path in generated.rglob("*") if path.is_file()}
    assert names(pipeline.write_all(check=True, root=empty), empty) == files
    assert list(empty.iterdir()) == []


def test_what_was_generated_for_papers_that_are_gone_is_removed(written) -> None:
    """Stage files, their locks and key files of removed papers, scales and recipes go; records and pages stay."""
    gone = {"reports/p99_gone/dvc.yaml", "reports/p99_gone/dvc.lock", "reports/p99_gone/keys-full.json"}
    gone |= {"reports/recipes/gone.key.json", "datasets/large/dvc.yaml"}
    kept = {"reports/p99_gone/README.md", "reports/p99_gone/runs/full/s0.json", "reports/recipes/gone/s0.json"}
    for name in gone | kept:
        store.write(written / name, "{}")
    assert names(pipeline.write_all(check=True, root=written), written) == gone
    assert names(pipeline.write_all(root=written), written) == gone
    assert not any((written / name).exists() for name in gone)
    assert all((written / name).exists() for name in kept)


# The stage 'keys' -----------------------------------------------------------------------------------------------------


def test_the_stage_keys_mends_key_files_and_refuses_old_stage_files(written) -> None:
    """It writes what others depend on; it leaves stage files, which DVC has read already, and says what to do."""
    key_file = next(written.glob("reports/p*/keys-reduced.json"))
    key_file.write_text("{}")
    assert pipeline.write_all(keys_only=True, root=written) == [key_file]
    assert pipeline.write_all(check=True, root=written) == []
    stage_file = written / "checkpoints/dvc.yaml"
    stage_file.write_text("stages: {}\n")
    with pytest.raises(UserError, match=r"checkpoints/dvc.yaml is old; .*suite pipeline"):
        pipeline.write_all(keys_only=True, root=written)
    assert stage_file.read_text() == "stages: {}\n"


@pytest.mark.parametrize("name", ["suite/kernels/new.py", "suite/data/catalogue/a.yaml", "baselines/p1/published.yaml"])
def test_the_stage_keys_looks_at_papers_only_after_a_change(written, monkeypatch, name) -> None:
    """Importing all papers takes seconds: when no source and no generated file changed, it is not done."""
    store.write(written / name, "1")
    pipeline.write_all(keys_only=True, root=written)

    def planned(stem: str, scale: str) -> list[plan.Task]:
        raise LookupError(stem)

    monkeypatch.setattr(plan, "planned", planned)
    assert pipeline.write_all(keys_only=True, root=written) == []
    before = (written / name).read_text()
    store.write(written / name, "2")
    with pytest.raises(LookupError):
        pipeline.write_all(keys_only=True, root=written)
    store.write(written / name, before)
    assert pipeline.write_all(keys_only=True, root=written) == []
    next(written.glob("reports/p*/keys-smoke.json")).unlink()
    with pytest.raises(LookupError):
        pipeline.write_all(keys_only=True, root=written)


# Summary ------------------------------------------------------------------------------------------------------------


def test_a_damaged_record_is_told_and_stops_no_other_stage(written, monkeypatch) -> None:
    """The stage keys goes on, so that other papers run; the summary calls its results failed, and says why."""

    def records(stem: str, scale: str) -> list[store.Record]:
        raise UserError("s0.json was changed after it was written")

    monkeypatch.setattr(store, "records", records)
    assert pipeline.write_all(keys_only=True, root=written) == []
    found = summary.summarise()
    planned = [task for stem in papers.names() for scale in ("smoke", "reduced") for task in plan.planned(stem, scale)]
    assert found.counts["failed"] == len(planned)
    assert all(line.endswith("failed, s0.json was changed after it was written") for line in found.left)
    assert found.code == 1


def test_a_result_skipped_with_a_reason_counts_as_done(monkeypatch) -> None:
    """What a paper refuses to run on this machine is shown with its reason, and is no failure."""
    monkeypatch.setattr(store, "records", lambda stem, scale: [])
    monkeypatch.setattr(store, "states", lambda home: [])
    monkeypatch.setattr(sources, "locate", lambda name: ROOT / "datasets" / name)
    missing = summary.summarise()
    assert missing.counts["missing"] and missing.code == 1
    for stem in papers.names():
        monkeypatch.setattr(papers.load(stem).module, "skip", lambda settings, device: "needs cuda", raising=False)
    found = summary.summarise()
    assert found.counts["skipped"] == missing.counts["missing"]
    assert found.code == 0
    assert all("skipped, needs cuda" in line for line in found.left)

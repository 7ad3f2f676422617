"""The pipeline under real DVC, in copies of the project with toy papers and sets: what it reruns, what it leaves."""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests import trees
from tests.test_pipeline import out_of_step

NET = '''"""A toy that trains: the share of its set that a network gets right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from suite.contract import Inputs, Run, Seen, Value
from suite.kernels import toy_net
from suite.recipes import LeNet
from suite.rows import Row
from suite.train import pixels


@dataclass(frozen=True)
class Settings:
    """Where it trains, and how long."""

    data: str = "toy_a"
    epochs: int = 1


SCALES = {"full": Settings(epochs=2), "reduced": Settings(), "smoke": Settings()}
SEEDS = {"full": 3, "reduced": 2, "smoke": 1}


def inputs(settings: Settings, unit: str, part: str | None) -> Inputs:
    """One set and one recipe."""
    return Inputs(data=(settings.data,), recipes=(LeNet(settings.data, epochs=settings.epochs),))


def table1(run: Run) -> Iterator[Row]:
    """The accuracy."""
    images = run.data(run.settings.data)
    logits = run.recipe(LeNet(run.settings.data, epochs=run.settings.epochs))(pixels(images.test_images))
    run.figure("mean image", images.test_images.float().mean(0))
    yield Row("table1", {"method": "net"}, {"share": toy_net.share(logits, images.test_labels)})


def c1(seen: Seen) -> dict[str, Value]:
    """It gets more than nothing right."""
    return {"share": seen("table1", "share", method="net")}
'''

NET_KERNEL = '''"""The net's kernel."""

from __future__ import annotations

from torch import Tensor


def share(logits: Tensor, labels: Tensor) -> float:
    """The share in % of right answers."""
    return 100 * (logits.argmax(1) == labels).double().mean().item()
'''

MEAN = '''"""A toy that looks at its set: the mean of its pixels, in % of white."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from suite.contract import Inputs, Run, Seen, Value
from suite.rows import Row


@dataclass(frozen=True)
class Settings:
    """What it looks at."""

    data: str = "toy_b"


SCALES = {"reduced": Settings(), "smoke": Settings()}
SEEDS = {"reduced": 1, "smoke": 1}


def inputs(settings: Settings, unit: str, part: str | None) -> Inputs:
    """One set."""
    return Inputs(data=(settings.data,))


def table1(run: Run) -> Iterator[Row]:
    """The mean."""
    pixels = run.data(run.settings.data).train_images.float()
    yield Row("table1", {"method": "net"}, {"share": pixels.mean().item() / 2.55})


def c1(seen: Seen) -> dict[str, Value]:
    """It is more than nothing."""
    return {"share": seen("table1", "share", method="net")}
'''

PUBLISHED = """id: {ident}
number: {number}
title: A toy
authors: [Nobody]
year: 2026
venue: "nowhere"
family: theory
tables:
  - id: table1
    where: "Table 1"
    about: one share
    metrics:
      share: {{unit: "%", better: higher, says: "share", cap: 1, n_test: 20}}
    runs: 1
    rows:
      - {{at: {{method: net}}, role: own, values: {{share: 10.0}}}}
claims:
  - {{id: c1, where: "Table 1", says: "more than nothing", test: "share > 0", decidable: reduced, kind: threshold,
      value: 0, side: above, margin: 0.1, unit: "%"}}
"""

LOADER = '''

def {name}(files: Mapping[str, bytes]) -> Images:
    """A toy set."""
    return _digits(files, "", 40, 20)
'''


class Project:
    """A clone of the toy project, its mirror of official files, and commands in it."""

    def __init__(self, tree: Path, mirror: Path, tools: Path) -> None:
        self.tree, self.mirror = tree, mirror
        state = tools.parent / "dvc-state"
        who = {f"GIT_{role}_{fact}": "toy@toy" for role in ("AUTHOR", "COMMITTER") for fact in ("NAME", "EMAIL")}
        more = {
            **who,
            **{f"DVC_{place}_DIR": str(state / place) for place in ("GLOBAL_CONFIG", "SYSTEM_CONFIG", "SITE_CACHE")},
            "GIT_CONFIG_GLOBAL": os.devnull,
            "PATH": os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "SUITE_MIRROR": str(mirror),
        }
        self.environment = trees.environment(tree, **more)

    def another(self, tree: Path) -> Project:
        """A further clone, with the same mirror."""
        subprocess.run(["git", "clone", "--quiet", self.tree, tree], check=True)
        return Project(tree, self.mirror, Path(self.environment["PATH"].split(os.pathsep)[0]))

    def call(self, *command: str, code: int = 0) -> str:
        """Runs a command and returns all that it printed; its exit code must be ``code``."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(command, cwd=self.tree, env=self.environment, check=False, **options)
        assert done.returncode == code, f"exit {done.returncode}, expected {code}\n{done.stdout}"
        return done.stdout

    def dvc(self, *arguments: str, code: int = 0) -> str:
        """Runs ``dvc``."""
        return self.call(sys.executable, "-m", "dvc", *arguments, code=code)

    def repro(self, *arguments: str, code: int = 0) -> list[str]:
        """``dvc repro``; returns the stages that it ran, ``keys`` and ``report`` left out."""
        self.said = self.dvc("repro", *arguments, code=code)
        return sorted(set(re.findall(r"Running stage '(.*)'", self.said)) - {"keys", "report"})

    def commit(self) -> None:
        """Commits everything that git does not ignore."""
        self.call("git", "add", "--all")
        self.call("git", "commit", "--quiet", "--message", "a change")

    def changed(self) -> list[str]:
        """The files that differ from the last commit, new ones included."""
        return sorted(line[3:] for line in self.call("git", "status", "--porcelain", "-uall").splitlines())

    def edit(self, name: str, old: str, new: str) -> None:
        """Replaces a text in a file of the package."""
        trees.edit(self.tree / "suite" / name, old, new)

    def records(self) -> dict[str, bytes]:
        """Every record and figure array, by path."""
        reports = self.tree / "reports"
        found = [*reports.glob("p*/runs/*/s*"), *reports.glob("recipes/*/s*")]
        return {str(path.relative_to(reports)): path.read_bytes() for path in found}

    def measured(self, before: dict[str, bytes]) -> set[str]:
        """The records that were written or changed since ``before`` was taken; none was removed."""
        now = self.records()
        assert before.keys() <= now.keys()
        return {name for name, content in now.items() if before.get(name) != content and name.endswith(".json")}


def write_set(tree: Path, mirror: Path, name: str, terms: str = "none") -> None:
    """Adds a toy set to a tree: its files in the mirror, its entry in the catalogue, its loader."""
    rng = np.random.default_rng(list(name.encode()))
    files = {}
    for part, count in (("train", 40), ("t10k", 20)):
        images, labels = rng.integers(0, 256, (count, 28, 28), np.uint8), rng.integers(0, 10, count, np.uint8)
        files[f"{part}-images-idx3-ubyte"] = struct.pack(">HBB3I", 0, 8, 3, count, 28, 28) + images.tobytes()
        files[f"{part}-labels-idx1-ubyte"] = struct.pack(">HBBI", 0, 8, 1, count) + labels.tobytes()
    (mirror / name).mkdir(parents=True)
    for file, content in files.items():
        (mirror / name / file).write_bytes(content)
    listed = [{"name": n, "bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in files.items()]
    facts = {"title": name, "licence": "none", "terms": terms, "citation": "none", "origin": "official", "mirror": name}
    facts |= {"compare": "nothing", "files": listed}
    trees.write(tree / f"suite/data/catalogue/{name}.yaml", json.dumps(facts))
    loaders = tree / "suite/data/loaders.py"
    trees.edit(loaders, "\n\ndef _digits(", LOADER.format(name=name) + "\n\ndef _digits(")
    trees.edit(loaders, '    "digits28": digits28,\n', f'    "digits28": digits28,\n    "{name}": {name},\n')


def write_paper(tree: Path, number: int, ident: str, text: str) -> None:
    """Adds a toy paper to a tree."""
    stem = f"p{number}_{ident}"
    trees.write(tree / f"suite/papers/{stem}.py", text)
    trees.write(tree / f"baselines/{stem}/published.yaml", PUBLISHED.format(number=number, ident=ident))
    trees.write(tree / f"baselines/{stem}/card.md", "# A toy\n")


@pytest.fixture(scope="session")
def reproduced(tools, tmp_path_factory) -> Project:
    """The toy project after its first ``dvc repro``, committed; nobody may change it."""
    folder = tmp_path_factory.mktemp("reproduced")
    tree, mirror = trees.copy(folder, "toy"), folder / "mirror"
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore", "datasets.dvc"):
        trees.write(tree / name, (trees.ROOT / name).read_text())
    write_set(tree, mirror, "toy_a")
    write_set(tree, mirror, "toy_b")
    trees.write(tree / "suite/kernels/toy_net.py", NET_KERNEL)
    write_paper(tree, 91, "net", NET)
    write_paper(tree, 92, "mean", MEAN)
    project = Project(tree, mirror, tools)
    project.call("git", "init", "--quiet", "--initial-branch", "main")
    project.call("suite", "pipeline")
    project.commit()
    project.repro()
    project.commit()
    return project


@pytest.fixture
def clone(reproduced, tmp_path) -> Project:
    """A fresh clone with its own mirror: no data, no weights, no working folder."""
    mirror = Path(shutil.copytree(reproduced.mirror, tmp_path / "mirror"))
    found: Project = reproduced.another(tmp_path / "tree")
    found.mirror = mirror
    found.environment["SUITE_MIRROR"] = str(mirror)
    return found


DATA = ["data-toy_a", "data-toy_b"]


def test_the_graph_leads_from_data_over_training_to_papers_and_report(reproduced) -> None:
    """``dvc dag`` shows every set before the training and the papers that use it, and the report behind all papers."""
    dot = reproduced.dvc("dag", "--dot")
    edges = {tuple(re.findall(r'"([^"]+)"', line)) for line in dot.splitlines() if "->" in line}
    training, net, mean = (
        "checkpoints/dvc.yaml:lenet-toy_a-epochs1",
        "reports/p91_net/dvc.yaml",
        "reports/p92_mean/dvc.yaml",
    )
    assert {
        ("keys", training),
        ("data-toy_a", training),
        ("data-toy_a", f"{net}:reduced"),
        ("keys", f"{net}:reduced"),
        (training, f"{net}:reduced"),
        ("data-toy_a", f"{net}:smoke"),
        ("data-toy_b", f"{mean}:reduced"),
        (f"{net}:reduced", "report"),
        (f"{mean}:reduced", "report"),
        ("reports/p90_toy/dvc.yaml:smoke", "report"),
    } <= edges
    assert (training, f"{net}:smoke") not in edges


def test_a_fresh_clone_fetches_and_changes_nothing(clone) -> None:
    """With the data at hand nothing runs and no tracked file changes: at first, again, and after a comment."""
    before = clone.records()
    assert out_of_step(clone.tree) == []
    assert clone.repro() == DATA
    assert clone.changed() == []
    clone.edit("kernels/toy_net.py", "    return 100 *", "    # In per cent.\n    return 100 *")
    clone.edit("train.py", "    steps = epochs", "\n    steps = epochs")
    clone.commit()
    assert clone.repro() == []
    assert clone.changed() == []
    assert clone.records() == before
    assert "12 current (0 run now), 0 stale, 0 missing" in clone.call("suite", "pipeline", "--summary")


def test_verify_finds_a_flipped_byte_in_a_file_that_dvc_calls_up_to_date(clone) -> None:
    """DVC trusts size and time of a file that it has hashed; every load and ``suite data verify`` hash it again."""
    clone.repro()
    path = next(p for p in sorted((clone.tree / "datasets/toy_a").iterdir()) if "images" in p.name)
    assert "up to date" in clone.dvc("status", "data-toy_a")
    before = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "up to date" in clone.dvc("status", "data-toy_a")
    assert path.name in clone.call("suite", "data", "verify", "toy_a", code=1)


def test_a_kernel_edit_reruns_the_papers_and_recipes_that_reach_it(clone) -> None:
    """A kernel of one paper reruns its units, the training loop the recipe and the units that use it, a claim none."""
    before = clone.records()
    clone.edit("kernels/toy_net.py", "return 100 *", "return 100.0 *")
    assert clone.repro() == [*DATA, "reports/p91_net/dvc.yaml:reduced", "reports/p91_net/dvc.yaml:smoke"]
    net = {"p91_net/runs/reduced/s0.json", "p91_net/runs/reduced/s1.json", "p91_net/runs/smoke/s0.json"}
    assert clone.measured(before) == net
    assert "12 current (3 run now), 0 stale" in clone.call("suite", "pipeline", "--summary")
    before = clone.records()
    clone.edit("train.py", "steps = epochs * -(-len(images) // batch)", "steps = -(-len(images) // batch) * epochs")
    assert "checkpoints/dvc.yaml:lenet-toy_a-epochs1" in clone.repro()
    assert clone.measured(before) == net | {f"recipes/lenet-toy_a-epochs1/s{seed}.json" for seed in range(2)}
    clone.edit("papers/p91_net.py", 'method="net")}', 'method="net") - 0}')
    assert clone.repro() == []
    assert out_of_step(clone.tree) == []


def test_an_absent_set_stops_only_what_needs_it(clone) -> None:
    """Exit code 255 and one message for the set; every record stays byte for byte, and the other papers are done."""
    shutil.rmtree(clone.mirror / "toy_a")
    clone.edit("kernels/toy.py", "return float(rng.standard_normal())", "return float(rng.standard_normal() * 2)")
    clone.edit("kernels/toy_net.py", "return 100 *", "return 100.0 *")
    before = clone.records()
    ran = clone.repro("--keep-going", code=255)
    assert clone.said.count("toy_a cannot be had") == 1
    assert {stage for stage in ran if stage.startswith("reports/p91")} == set()
    toy = {f"p90_toy/runs/{place}.json" for place in ("smoke/s0", "reduced/s0", "reduced/s1", "reduced/s2")}
    assert clone.measured(before) == toy
    said = clone.call("suite", "pipeline", "--summary", code=1)
    assert "p91_net reduced table1, seed 0, 1: stale, toy_a absent" in said
    assert "absent: toy_a: suite data fetch toy_a" in said
    assert "9 current (4 run now), 3 stale, 0 missing, 0 failed" in said


def test_a_stage_that_fails_at_once_leaves_every_record(clone) -> None:
    """DVC would delete the outputs of a stage before it runs; records are kept, and the failure is told."""
    clone.edit("papers/p92_mean.py", '"""The mean."""\n', '"""The mean."""\n    raise ValueError("the toy broke")\n')
    before = clone.records()
    clone.repro("--keep-going", code=255)
    assert clone.records() == before
    said = clone.call("suite", "pipeline", "--summary", code=1)
    assert "p92_mean reduced table1, seed 0: failed, p92_mean reduced seed 0 table1: ValueError: the toy broke" in said


def test_a_new_unit_text_reruns_its_paper_and_a_new_seed_only_itself(clone) -> None:
    """What one paper changes is no matter of the others, and measured seeds stay when one is added."""
    clone.edit("papers/p92_mean.py", "/ 2.55", "/ 2.55 + 0.0")
    before = clone.records()
    assert clone.repro() == [*DATA, "reports/p92_mean/dvc.yaml:reduced", "reports/p92_mean/dvc.yaml:smoke"]
    assert clone.measured(before) == {"p92_mean/runs/reduced/s0.json", "p92_mean/runs/smoke/s0.json"}
    clone.edit("papers/p91_net.py", '"reduced": 2', '"reduced": 3')
    before = clone.records()
    said = clone.dvc("repro", code=255)
    assert "checkpoints/dvc.yaml is old; write the stage files anew ('suite pipeline')" in said
    clone.call("suite", "pipeline")
    clone.repro()
    assert clone.measured(before) == {"p91_net/runs/reduced/s2.json", "recipes/lenet-toy_a-epochs1/s2.json"}


def test_a_full_run_is_never_started_by_repro(clone, tmp_path) -> None:
    """``suite run`` measures and locks it; after that no ``dvc repro`` runs it, current, stale or without its data."""
    clone.repro()
    said = clone.call("suite", "run", "91", "--scale", "full")
    assert "6 done" in said and "failed (" not in said
    trained, lock = "checkpoints/dvc.yaml:lenet-toy_a-epochs2", clone.tree / "reports/p91_net/dvc.lock"
    assert out_of_step(clone.tree) == [] and "\n  full:\n" in lock.read_text()
    frozen = clone.dvc("status", "reports/p91_net/dvc.yaml:full", trained)
    assert "changed" not in frozen and "modified" not in frozen
    before = clone.records()
    assert clone.repro() == []
    assert out_of_step(clone.tree) == [] and clone.records() == before
    clone.commit()
    other = clone.another(tmp_path / "other")
    assert other.repro() == DATA
    assert other.changed() == []
    assert "p91_net full: 3 of 3 results current" in other.call("suite", "pipeline", "--summary")
    other.edit("kernels/toy_net.py", "return 100 *", "return 100.0 *")
    assert other.repro() == ["reports/p91_net/dvc.yaml:reduced", "reports/p91_net/dvc.yaml:smoke"]
    assert not [name for name in other.measured(before) if "full" in name or "epochs2" in name]
    said = other.call("suite", "pipeline", "--summary")
    assert "p91_net full: 0 of 3 results current (suite run 91 --scale full)" in said
    shutil.rmtree(clone.mirror)
    bare = clone.another(tmp_path / "bare")
    bare.repro("--keep-going", code=255)
    assert "ERROR: failed to reproduce stages: 'data-toy_a' and 'data-toy_b'" in bare.said
    assert bare.changed() == []


def test_records_brought_from_elsewhere_are_locked_by_repro(clone, tmp_path) -> None:
    """Full records of a machine without DVC come home by ``suite import``; a repro locks them and trains nothing."""
    other = clone.another(tmp_path / "other")
    shutil.rmtree(other.tree / ".dvc")
    other.call("suite", "data", "fetch", "toy_a")
    other.call("suite", "run", "91", "--scale", "full")
    clone.repro()
    assert "6 imported, 11 unchanged" in clone.call("suite", "import", str(other.tree))
    clone.call("suite", "pipeline")
    before = clone.records()
    assert clone.repro() == []
    assert "Verifying outputs in frozen stage: 'reports/p91_net/dvc.yaml:full'" in clone.said
    assert out_of_step(clone.tree) == [] and clone.records() == before
    assert not (clone.tree / "checkpoints/lenet-toy_a-epochs2").exists()


def test_a_set_that_full_runs_alone_need_is_fetched_by_name_alone(clone, tmp_path) -> None:
    """A plain repro of a fresh clone neither fetches it nor misses it."""
    write_set(clone.tree, clone.mirror, "toy_c")
    clone.edit("papers/p91_net.py", '"full": Settings(epochs=2)', '"full": Settings("toy_c")')
    clone.call("suite", "pipeline")
    clone.call("suite", "data", "fetch", "toy_c")
    clone.call("suite", "run", "91", "--scale", "full")
    clone.repro()
    clone.commit()
    other = clone.another(tmp_path / "other")
    assert other.repro() == DATA
    assert other.changed() == []
    assert not (other.tree / "datasets/toy_c").exists()


def test_weights_go_through_a_remote(clone, reproduced, tmp_path) -> None:
    """Weights that one clone trained and pushed are pulled by another, byte for byte, and used without training."""
    for project in (reproduced, clone):
        project.dvc("remote", "add", "--local", "--default", "shelf", str(tmp_path / "shelf"))
    name = "checkpoints/lenet-toy_a-epochs1"
    reproduced.dvc("push", name)
    assert not (clone.tree / name).exists()
    clone.dvc("pull", name)
    for seed in range(2):
        weights = (clone.tree / name / f"s{seed}.safetensors").read_bytes()
        record = json.loads((clone.tree / f"reports/recipes/lenet-toy_a-epochs1/s{seed}.json").read_text())
        assert "sha256:" + hashlib.sha256(weights).hexdigest() == record["weights"]
    assert clone.changed() == []
    clone.call("suite", "data", "fetch", "toy_a")
    clone.edit("kernels/toy_net.py", "return 100 *", "return 100.0 *")
    said = clone.call("suite", "run", "91")
    assert "train" not in said and "2 done" in said


def test_a_record_of_another_device_in_the_folder_reruns_no_unit(clone) -> None:
    """An imported record joins the folder that its stage owns; the stage looks once, and measures nothing."""
    clone.repro()
    folder = clone.tree / "reports/p92_mean/runs/reduced"
    shutil.copy(folder / "s0.json", folder / "s0@cuda.json")
    locked = ["dvc.lock: report: reports/p92_mean/runs/reduced", "reports/p92_mean/dvc.lock: reduced: runs/reduced"]
    assert out_of_step(clone.tree) == locked
    before = clone.records()
    assert clone.repro() == ["reports/p92_mean/dvc.yaml:reduced"]
    assert clone.records() == before
    assert out_of_step(clone.tree) == []
    assert clone.repro() == []


def test_a_set_with_terms_of_access_is_used_but_never_fetched(clone) -> None:
    """Its papers wait until somebody fetches it by name; then they run."""
    write_set(clone.tree, clone.mirror, "toy_c", terms="a signed form")
    clone.edit("papers/p92_mean.py", 'data: str = "toy_b"', 'data: str = "toy_c"')
    clone.call("suite", "pipeline")
    before = clone.records()
    clone.repro("--keep-going", code=255)
    assert clone.measured(before) == set()
    assert not (clone.tree / "datasets/toy_c").exists()
    said = clone.call("suite", "pipeline", "--summary", code=1)
    assert "absent: toy_c: suite data fetch toy_c (terms of access: a signed form)" in said
    clone.call("suite", "data", "fetch", "toy_c")
    clone.repro()
    assert clone.measured(before) == {"p92_mean/runs/reduced/s0.json", "p92_mean/runs/smoke/s0.json"}


@pytest.mark.slow
def test_nothing_to_do_takes_seconds(clone, tmp_path, record_property) -> None:
    """With the real command a current paper costs 3 seconds of one core, a current project of three papers 15."""
    command = tmp_path / "suite"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m suite.cli "$@"\n')
    command.chmod(0o755)
    clone.environment["PATH"] = os.pathsep.join([str(tmp_path), clone.environment["PATH"]])
    del clone.environment["PYTHONDONTWRITEBYTECODE"]
    assert clone.repro() == DATA
    for target, limit in (("reports/p92_mean/dvc.yaml",), 3), ((), 15):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        assert clone.repro(*target) == []
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        record_property(f"dvc repro {target}", f"{seconds:.1f} s of a core, {time.monotonic() - start:.1f} s in all")
        assert seconds < limit

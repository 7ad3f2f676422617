"""A new paper from the templates: what is written, what is refused, and that it runs as it stands."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from suite import new, published
from suite.errors import UserError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def project(tmp_path):
    """An empty project that has paper 17."""
    (tmp_path / "suite" / "papers").mkdir(parents=True)
    (tmp_path / "suite" / "papers" / "p17_jacobian_uap.py").write_text("")
    (tmp_path / "baselines").mkdir()
    return tmp_path


def test_three_files_are_written_under_one_stem(project):
    """Module, published facts and card appear where every paper has them, and no placeholder is left in them."""
    paths = new.create(4, "my_paper", project)
    assert [str(path.relative_to(project)) for path in paths] == [
        "suite/papers/p04_my_paper.py",
        "baselines/p04_my_paper/published.yaml",
        "baselines/p04_my_paper/card.md",
    ]
    for path in paths:
        assert "$" not in path.read_text()


def test_every_id_of_the_example_has_its_function(project, monkeypatch):
    """The published facts are valid, and each table, claim and table of ours is a function of the module."""
    module, facts, _ = new.create(64, "my_paper", project)
    said = published.load(facts)
    monkeypatch.syspath_prepend(module.parent)
    written = importlib.import_module(module.stem)
    assert (said.stem, list(said.tables), list(said.claims), list(said.ours)) == (
        "p64_my_paper",
        ["table1"],
        ["c1"],
        ["ours_control"],
    )
    assert all(callable(getattr(written, name)) for name in [*said.units, *said.claims])
    assert said.claims["c1"].kind == "ordering"


@pytest.mark.parametrize("number", [0, 100, -1])
def test_numbers_outside_1_to_99_are_refused(project, number):
    """A stem has two digits."""
    with pytest.raises(UserError, match=f"paper number {number}: expected 1 to 99"):
        new.create(number, "my_paper", project)


@pytest.mark.parametrize("ident", ["", "My_paper", "my-paper", "../my", "p17", "64", "a b", "é", "x\n"])
def test_ids_that_are_no_names_are_refused(project, ident):
    """An id is a lower-case name that no command could take for a number."""
    with pytest.raises(UserError, match="expected a name of a-z, 0-9 and _"):
        new.create(64, ident, project)


@pytest.mark.parametrize(
    ("number", "ident", "what"), [(17, "other", "number 17"), (64, "jacobian_uap", "id 'jacobian_uap'")]
)
def test_a_number_or_id_that_is_taken_is_refused(project, number, ident, what):
    """One number and one id mean one paper."""
    with pytest.raises(UserError, match=rf"{what} belongs to suite/papers/p17_jacobian_uap.py"):
        new.create(number, ident, project)


def test_nothing_is_overwritten(project):
    """A file that is there already stops everything before the first write."""
    card = project / "baselines" / "p64_my_paper" / "card.md"
    card.parent.mkdir()
    card.write_text("mine")
    with pytest.raises(UserError, match="card.md is there already and stays as it is"):
        new.create(64, "my_paper", project)
    assert card.read_text() == "mine"
    assert sorted(path.name for path in project.rglob("*") if path.is_file()) == ["card.md", "p17_jacobian_uap.py"]


@pytest.fixture
def clone(tmp_path):
    """A copy of the project in which a contributor works, and a function that runs a command there as they would."""
    for name in ("suite", "baselines", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SUITE_", "PYTEST_")) and k != "PYTHONPATH"}

    def command(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return tmp_path, command


def test_a_new_paper_is_reproduced_and_meets_the_contract_at_once(clone):
    """After ``suite new`` the paper runs, its result stands beside the print, its claim is decided."""
    root, command = clone
    assert "written: suite/papers/p64_my_paper.py" in command("suite.cli", "new", "64", "my_paper")
    assert "2 done, 0 reused, 0 failed" in command("suite.cli", "run", "64", "--scale", "smoke", "--jobs", "1")
    assert "10 done, 0 reused, 0 failed" in command("suite.cli", "run", "64", "--jobs", "1")
    result = json.loads((root / "reports/p64_my_paper/runs/reduced/s3.json").read_text())["result"]
    (ridge,), (control,) = (result[unit]["rows"]["data"] for unit in ("table1", "ours_control"))
    assert (ridge[0], control[0]) == ("ridge", "nearest mean")
    assert 4 < ridge[1] < control[1] < 12
    shown = command("suite.cli", "show", "64")
    assert re.search(r"^ridge +5\.8 +5\.83 \[", shown, re.MULTILINE)
    assert re.search(r"^c1 +holds +reduced +5 ", shown, re.MULTILINE)
    passed = command("pytest", "-q", "-p", "no:cacheprovider", "tests/test_contract.py", "-k", "p64_my_paper")
    assert re.search(r"^[5-9] passed", passed, re.MULTILINE)

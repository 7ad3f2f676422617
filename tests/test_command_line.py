"""What commands print and return: JSON, closed pipes, refused settings, papers that cannot be imported, budgets."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import trees, warm
from tests.test_dvc import NET, NET_KERNEL, write_paper, write_set

CHECK = """    pause: float = 0.0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count is {self.count}, expected at least 1")
"""
FULL = 'SCALES = {"full": Settings(count=4), "reduced"'


@pytest.fixture(scope="module")
def suite(tools) -> Callable[..., Any]:
    """Runs a command of a copy: ``suite(tree, "show", "90", code=0)``."""
    return functools.partial(warm.run, tools)


@pytest.fixture(scope="module")
def measured(tmp_path_factory, suite) -> Path:
    """A copy with the toy and a paper that trains, both measured at reduced, and its key and stage files."""
    folder = tmp_path_factory.mktemp("measured")
    tree = trees.copy(folder, "toy")
    write_set(tree, folder / "mirror", "toy_a")
    trees.write(tree / "suite/kernels/toy_net.py", NET_KERNEL)
    write_paper(tree, 91, "net", NET)
    trees.edit(tree / "suite/papers/p90_toy.py", "    pause: float = 0.0\n", CHECK)
    suite(tree, "pipeline")
    suite(tree, "run", "--all", "--jobs", "1", SUITE_MIRROR=str(folder / "mirror"))
    return tree


@pytest.fixture
def tree(measured, tmp_path) -> Path:
    """A measured copy of one's own."""
    return Path(shutil.copytree(measured, tmp_path / "tree"))


# JSON ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["confirm", "90"], {"paper": "p90_toy", "scale": "reduced", "results": {}}),
        (["train", "lenet-toy_a-epochs1", "--if-stale"], {"recipe": "lenet-toy_a-epochs1", "to_train": 0}),
        (["report"], {"broken": {}}),
        (["pipeline"], {"written": [], "broken": {}}),
        (["pipeline", "--check"], {"old": []}),
        (["data", "fetch", "digits28"], {"sets": {"digits28": {"here": True, "path": "datasets/digits28"}}}),
        (["data", "verify", "digits28"], {"sets": {"digits28": {"here": True, "problems": []}}}),
        (["run", "90"], {"outcomes": []}),
    ],
)
def test_json_is_one_object_with_the_exit_code(tree, suite, arguments, expected) -> None:
    """What a program reads stands alone on stdout, with the facts that people are told."""
    found = json.loads(suite(tree, *arguments, "--json").stdout)
    assert found["exit"] == 0
    assert expected.items() <= found.items()


def test_json_of_what_went_wrong_has_the_reasons_and_the_exit_code(tree, suite) -> None:
    """An absent set, stale pages and moved results: the object says so, messages for people go to stderr."""
    done = suite(tree, "data", "fetch", "mnist", "--json", code=1, SUITE_MIRROR=str(tree))
    assert "mnist" in json.loads(done.stdout)["sets"] and "suite: mnist" in done.stderr
    assert "error" in json.loads(done.stdout)["sets"]["mnist"]
    found = json.loads(suite(tree, "report", "--check", "--json", code=1).stdout)
    assert "reports/p90_toy/README.md" in found["old"] and found["exit"] == 1
    trees.edit(tree / "suite/kernels/toy.py", "rng.standard_normal())", "rng.standard_normal() * 2)")
    done = suite(tree, "confirm", "90", "--json", code=1)
    assert set(json.loads(done.stdout)["results"].values()) == {"stale"}
    assert "table1: seed 0 differs" in done.stderr
    found = json.loads(suite(tree, "pipeline", "--summary", "--json", code=1).stdout)
    assert found["counts"]["stale"] == 3 and any("table1" in line for line in found["left"])


# Pipes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["show", "90"], ["list", "--json"], ["why", "90"], ["run", "90", "--plan"]])
def test_a_reader_that_goes_away_ends_a_command_quietly(tree, tools, arguments) -> None:
    """``suite show 17 | head -3`` ends as a signal of that kind would end it, 141, without a word on stderr."""
    call = [str(tools / "suite"), *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(call, cwd=tree, env=trees.environment(tree), **pipes) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 141


# Settings -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "change", "message"),
    [
        ("90", "count=-1", "--set count=-1: p90_toy refuses it: count is -1, expected at least 1"),
        ("91", "data=a b", "--set data=a b: p91_net refuses it: "),
    ],
)
def test_a_value_that_a_paper_refuses_is_one_message(tree, suite, target, change, message) -> None:
    """A ValueError of the settings, or of a recipe made from them, is bad input: one line, exit code 2."""
    trees.edit(
        tree / "suite/papers/p91_net.py",
        '    """One set and one recipe."""\n',
        '    """One set and one recipe."""\n    int(settings.data[4:], 16)\n',
    )
    done = suite(tree, "run", target, "--set", change, code=2)
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


# Papers that cannot be imported -------------------------------------------------------------------------------------


@pytest.fixture
def broken(tree) -> Path:
    """A measured copy with two papers more, of which one stops while it is imported and the other is no Python."""
    trees.write(tree / "suite/papers/p92_broken.py", '"""Broken."""\n\nraise RuntimeError("no such thing")\n')
    trees.write(tree / "suite/papers/p93_torn.py", '"""Torn."""\n\ndef table1(run\n')
    return tree


def named(stderr: str) -> bool:
    """Whether both papers are named with their fault, and nothing looks like a crash."""
    first = "suite: p92_broken cannot be imported: suite/papers/p92_broken.py:3: RuntimeError: no such thing"
    return first in stderr and "suite: p93_torn cannot be imported: SyntaxError" in stderr and "Traceback" not in stderr


def test_the_other_papers_are_listed_and_reported(broken, suite) -> None:
    """``list``, ``verdicts`` and ``report`` name what is broken, do the rest, and end with 1."""
    found = suite(broken, "list", "--json", code=1)
    assert named(found.stderr)
    assert [p["stem"] for p in json.loads(found.stdout)["papers"]] == ["p90_toy", "p91_net"]
    assert set(json.loads(found.stdout)["broken"]) == {"p92_broken", "p93_torn"}
    found = suite(broken, "verdicts", code=1)
    assert named(found.stderr) and "90 c1" in found.stdout
    found = suite(broken, "report", code=1)
    assert named(found.stderr) and "the scoreboard counts all papers, so it stays as it is" in found.stderr
    assert (broken / "reports/p90_toy/README.md").is_file() and (broken / "reports/p91_net/README.md").is_file()
    assert not (broken / "reports/README.md").exists()


def test_the_other_papers_keys_and_stages_are_written(broken, suite) -> None:
    """``pipeline`` writes what belongs to one sound paper, and leaves files of several papers and of the broken one."""
    shared = [
        p for p in (broken / "dvc.yaml", broken / "checkpoints/dvc.yaml", *broken.glob("reports/recipes/*.key.json"))
    ]
    own = broken / "reports/p92_broken/dvc.yaml"
    trees.write(own, "stages: {}\n")
    before = {path: path.read_bytes() for path in [*shared, own]}
    keys = broken / "reports/p90_toy/keys-reduced.json"
    for option in ([], ["--keys"]):
        keys.write_text("{}")
        done = suite(broken, "pipeline", *option, code=0 if option else 1)
        assert named(done.stderr)
        assert json.loads(keys.read_text())["paper"] == "p90_toy"
    assert {path: path.read_bytes() for path in [*shared, own]} == before
    found = suite(broken, "pipeline", "--summary", code=1)
    assert "p92_broken cannot be imported" in found.stdout


def test_the_other_papers_run(broken, suite) -> None:
    """``run --all`` measures what can be, and ends with 1; a broken paper asked for by name is one line."""
    trees.edit(broken / "suite/papers/p91_net.py", '"smoke": Settings()', '"smoke": Settings(data="digits28")')
    done = suite(broken, "run", "--all", "--scale", "smoke", "--jobs", "1", code=1)
    assert named(done.stderr) and "0 failed" in done.stdout and "p90_toy smoke seed 0 table1" in done.stdout
    for command in (["show", "92"], ["run", "92.table1"], ["why", "p92"]):
        done = suite(broken, *command, code=1)
        assert "p92_broken cannot be imported" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


# Full runs and budgets ----------------------------------------------------------------------------------------------


@pytest.fixture
def several(tree) -> Path:
    """A copy in which p90 has a cheap full scale, p89 one of unknown cost, and p88 none."""
    toy = (tree / "suite/papers/p90_toy.py").read_text()
    full = toy.replace('SCALES = {"reduced"', FULL).replace('SEEDS = {"reduced"', 'SEEDS = {"full": 2, "reduced"')
    published = (tree / "baselines/p90_toy/published.yaml").read_text()
    for number, ident, text in ((88, "small", toy), (89, "dear", full), (90, "toy", full)):
        if number == 90:
            text = text.replace("COST = {", 'COST = {"full": {"table1": 0.01, "ours_sum": 0.01}, ')
        stem = f"p{number}_{ident}"
        trees.write(tree / f"suite/papers/{stem}.py", text)
        facts = published.replace("id: toy\n", f"id: {ident}\n").replace("number: 90", f"number: {number}")
        trees.write(tree / f"baselines/{stem}/published.yaml", facts)
        trees.write(tree / f"baselines/{stem}/card.md", "# A toy\n")
    trees.edit(tree / "suite/papers/p91_net.py", '"full": Settings(epochs=2), ', "")
    return tree


ALL = ("run", "--all", "--scale", "full", "--jobs", "1")


def test_a_spent_budget_says_what_is_left_and_the_same_command_goes_on(several, suite) -> None:
    """Papers without a full scale are left out; nothing starts after the deadline; a second run does the rest."""
    done = suite(several, *ALL, "--budget", "0s", code=4)
    assert re.findall(r"left: (.*)", done.stdout) == [
        "p89_dear full table1, seed 0-1: unknown core-minutes",
        "p89_dear full ours_sum, seed 0-1: unknown core-minutes",
        "p90_toy full table1, seed 0-1: 0.0 core-minutes",
        "p90_toy full ours_sum, seed 0-1: 0.0 core-minutes",
    ]
    assert "0 done, 0 reused, 0 failed, 8 paused" in done.stdout
    assert "run the same command again to go on" in done.stdout
    assert not list(several.glob("reports/p*/runs/full/*"))
    done = suite(several, *ALL, "--budget", "1h")
    started = re.findall(r"\[(\d)/8\] done: (p\d\d)", done.stdout)
    assert started == [(str(n + 1), "p90" if n < 4 else "p89") for n in range(8)], "the cheapest paper goes first"
    assert "8 done, 0 reused" in done.stdout
    assert "0 done, 8 reused" in suite(several, *ALL, "--budget", "0s").stdout


@pytest.mark.slow
def test_one_paper_is_finished_before_the_next_begins(several, suite) -> None:
    """Where the budget ends in the dear paper, the results of the cheap one are there."""
    pause = 'time.sleep(30 if run.settings.count == 4 and item == ["a", 0] else 0)'
    trees.edit(several / "suite/papers/p89_dear.py", "time.sleep(run.settings.pause)", pause)
    done = suite(several, *ALL, "--budget", "25s", code=4)
    assert "4 done, 0 reused, 0 failed, 4 paused" in done.stdout
    assert set(re.findall(r"left: (p\d\d)", done.stdout)) == {"p89"}
    assert len(list(several.glob("reports/p90_toy/runs/full/s?.json"))) == 2


STUB = """#!/bin/sh
echo "$(basename "$0") $*"
case "$*" in *"{failing}"*) exit {code};; esac
"""


@pytest.mark.parametrize(
    ("full", "failing", "code", "spent"),
    [
        ("", "nothing", 0, False),
        ("1", "nothing", 0, False),
        ("1", "--scale full", 4, True),
        ("1", "--scale full", 1, False),
        ("1", "repro", 255, False),
    ],
)
def test_make_reproduce_all_adds_full_runs_and_tells_of_a_spent_budget(tmp_path, full, failing, code, spent) -> None:
    """The stages first, full runs within the budget, then stages and report again; a failure weighs more."""
    for name in ("suite", "dvc"):
        (tmp_path / name).write_text(STUB.format(failing=failing, code=code))
        (tmp_path / name).chmod(0o755)
    (tmp_path / "stamp").touch()
    values = {"SUITE": tmp_path / "suite", "BIN": tmp_path, "STAMP": tmp_path / "stamp", "FULL": full, "BUDGET": "20m"}
    call = ["make", "--no-print-directory", "reproduce-all", *(f"{name}={value}" for name, value in values.items())]
    done = subprocess.run(call, cwd=trees.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == (2 if code else 0)
    added = ["suite run --all --scale full --budget 20m", "suite pipeline", "dvc repro --keep-going"]
    assert [line for line in done.stdout.splitlines() if line.startswith(("suite", "dvc"))] == [
        "suite data fetch",
        "dvc repro --keep-going",
        *(added if full else []),
        "suite report",
        "suite pipeline --summary",
    ]
    assert ("The budget is spent" in done.stdout) == spent

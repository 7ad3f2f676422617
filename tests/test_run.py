"""Runs end to end in copied trees: reuse, staleness, confirmation, resumption after a kill, and bad input."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from suite import plan, run
from suite.errors import UserError
from suite.kernels import streams
from suite.models.lenet import LeNet
from tests import trees


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> Path:
    """A copy in which the toy's reduced scale was measured once."""
    tree = trees.copy(tmp_path_factory.mktemp("measured"), "toy")
    trees.suite(tree, "run", "90", "--jobs", "1")
    return tree


@pytest.fixture
def tree(measured, tmp_path) -> Path:
    """A measured copy of one's own."""
    return Path(shutil.copytree(measured, tmp_path / "tree"))


def states(tree: Path) -> dict[str, str]:
    """The state of every part and seed, as ``suite why`` sees it."""
    return {name: entry["state"] for name, entry in json.loads(trees.suite(tree, "why", "90", "--json").stdout).items()}


def stale(tree: Path) -> set[str]:
    """The ids of stale parts."""
    return {name.split()[0] for name, state in states(tree).items() if state != "current"}


def test_the_same_command_twice_does_no_work_twice(tree) -> None:
    """The second run reuses all five results and leaves every byte of the records."""
    before = {p: p.read_bytes() for p in (tree / "reports").rglob("*") if p.is_file()}
    assert "0 done, 5 reused" in trees.suite(tree, "run", "90").stdout
    assert {p: p.read_bytes() for p in (tree / "reports").rglob("*") if p.is_file()} == before


MODULE = "suite/papers/p90_toy.py"


@pytest.mark.parametrize(
    ("old", "new", "path", "expected"),
    [
        ('"""a exceeds b."""\n    return {"mean": seen', '"""b."""\n    return {"other": seen', MODULE, set()),
        ('"""One number; arm a is larger."""', '"""One number."""  # a comment', MODULE, set()),
        ("float(vector.sum())", "float(vector.sum() + 0)", MODULE, {"ours_sum"}),
        ("scale: float = 2.0", "scale: float = 2.5", MODULE, {"table1"}),
        (
            "return float(rng.standard_normal())",
            "return float(rng.standard_normal() * 1)",
            "suite/kernels/toy.py",
            {"table1"},
        ),
        ("count=3", "count=4", MODULE, set()),
        ("margin: 0.1", "margin: 0.2", "baselines/p90_toy/published.yaml", set()),
    ],
    ids=["a claim", "a comment", "another unit", "another unit's setting", "a kernel", "another scale", "a margin"],
)
def test_an_edit_makes_stale_exactly_the_units_that_reach_it(tree, old, new, path, expected) -> None:
    """Claims, comments, margins and other scales rerun nothing; a unit, setting or kernel its own units only."""
    trees.edit(tree / path, old, new)
    assert stale(tree) == expected


def test_why_names_the_kernel_and_confirm_rekeys_all_seeds_after_one(tree) -> None:
    """A kernel edit that keeps the numbers is confirmed by one seed; the rows stay byte for byte."""
    rows = {path: {part: r["rows"] for part, r in result.items()} for path, result in trees.results(tree).items()}
    trees.edit(
        tree / "suite/kernels/toy.py",
        "return float(rng.standard_normal())",
        "return 1.0 * float(rng.standard_normal())",
    )
    assert "text suite.kernels.toy.noise changed" in trees.suite(tree, "why", "90").stdout
    done = trees.suite(tree, "confirm", "90")
    assert "bit-equal rows; 3 seeds are current" in done.stdout
    assert stale(tree) == set()
    assert {
        path: {part: r["rows"] for part, r in result.items()} for path, result in trees.results(tree).items()
    } == rows
    assert "nothing is stale" in trees.suite(tree, "confirm", "90").stdout
    repeated = {
        (path.name, part): facts.get("repeated_on", [])
        for path in (tree / "reports/p90_toy/runs/reduced").glob("s*.json")
        for part, facts in json.loads(path.read_text(encoding="utf-8"))["measured"].items()
    }
    on = {key: len(found) for key, found in repeated.items() if found}
    assert on == {("s0.json", part): 1 for _, part in on} and on, "the one seed that was measured again, and no other"
    trees.suite(tree, "report")
    assert "device-exact (seed 0)" in (tree / "reports/p90_toy/README.md").read_text(encoding="utf-8")


def test_confirm_refuses_results_that_moved_and_shows_them(tree) -> None:
    """Other rows stay stale, the difference is shown, the exit code is 1 and the records keep every byte."""
    before = {p: p.read_bytes() for p in (tree / "reports").rglob("*.json")}
    trees.edit(
        tree / "suite/kernels/toy.py", "return float(rng.standard_normal())", "return 2 * float(rng.standard_normal())"
    )
    done = trees.suite(tree, "confirm", "90", code=1)
    assert "table1[arm=a]" in done.stdout
    assert "table1: seed 0 differs" in done.stdout
    assert stale(tree) == {"table1"}
    assert {p: p.read_bytes() for p in (tree / "reports").rglob("*.json")} == before


def test_confirm_speaks_only_for_records_of_the_same_code(tree) -> None:
    """A seed measured by later code says nothing of seeds that earlier code measured: those are confirmed apart."""
    trees.edit(tree / MODULE, "run.settings.scale * noise", "3 * run.settings.scale * noise")
    trees.suite(tree, "run", "90.table1", "--seeds", "1", "--jobs", "1")
    trees.edit(tree / MODULE, "noise = toy.noise", "_ = 0\n    noise = toy.noise")
    done = trees.suite(tree, "confirm", "90", code=1)
    assert "table1: bit-equal rows; 1 seeds are current" in done.stdout
    assert "table1: seed 1 differs" in done.stdout
    found = states(tree)
    assert [found[f"table1 seed {seed}"] for seed in range(3)] == ["current", "stale", "stale"]


def test_items_are_journaled_by_the_function_that_computed_them(tree) -> None:
    """Two functions under one label do not share results."""
    trees.edit(
        tree / MODULE,
        "half = len(values) // 2",
        'assert run.map("draws", zero, items) == [0.0] * len(items)\n    half = len(values) // 2',
    )
    trees.edit(
        tree / MODULE, "def ours_sum(", "def zero(run: Run, item: list) -> float:\n    return 0.0\n\n\ndef ours_sum("
    )
    trees.suite(tree, "run", "90.table1", "--seeds", "1", "--jobs", "1")


def test_a_kept_artefact_depends_on_the_code_of_the_network_it_was_made_with(monkeypatch) -> None:
    """An argument's digest changes with what its class reaches, not only with its weights."""
    model = LeNet(streams.generator(0))
    before = run.digest_of(model)
    assert run.digest_of(LeNet(streams.generator(0))) == before
    monkeypatch.setattr(run.keys, "function_digest", lambda *_: "sha256:edited")
    assert run.digest_of(model) != before


def test_planning_a_fresh_run_deletes_nothing(tree) -> None:
    """--plan only tells: the finished private run stays."""
    trees.suite(tree, "run", "90.table1", "--seeds", "1", "--fresh", "--jobs", "1")
    before = sorted((tree / ".suite/runs").rglob("*.json"))
    assert before
    trees.suite(tree, "run", "90.table1", "--seeds", "1", "--fresh", "--plan")
    assert sorted((tree / ".suite/runs").rglob("*.json")) == before


def test_one_part_of_a_unit_can_be_asked_for() -> None:
    """``table1@mnist`` plans that part alone, beside whole units; a misspelt part is named with those that exist."""
    asked = ["table1@mnist", "fig4"]
    parts = {(step.task.unit, step.task.part) for step in plan.plan("p17_jacobian_uap", "reduced", asked)}
    assert parts == {("table1", "mnist"), ("fig4", "mnist"), ("fig4", "fashion_mnist")}
    assert {s.task.part for s in plan.standing("p17_jacobian_uap", "reduced", asked[:1])} == {"mnist"}
    with pytest.raises(UserError, match="no part 'table1@mnst'; its parts are table1@mnist, table1@fashion_mnist"):
        plan.plan("p17_jacobian_uap", "reduced", ["table1@mnst"])


def test_a_damaged_figure_array_is_measured_again(tree) -> None:
    """A flipped byte in an array beside a record is found, and the same run mends it."""
    path = next((tree / "reports").rglob("s0.ours_sum.*.npy"))
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert "1 done, 1 reused" in trees.suite(tree, "run", "90.ours_sum", "--jobs", "1").stdout
    assert path.read_bytes() == good


def test_views_say_when_the_key_files_are_older_than_the_code(tree) -> None:
    """The pages speak for the key files; a command that shows them compares these with the code."""
    trees.suite(tree, "pipeline")
    assert "key files" not in trees.suite(tree, "list").stderr
    trees.edit(tree / MODULE, "run.settings.scale * noise", "3 * run.settings.scale * noise")
    assert "code or settings changed since the key files were written" in trees.suite(tree, "list").stderr


def test_a_kept_artefact_of_older_code_is_not_served(tree) -> None:
    """After an edit of the kept function the unit gives the new vector."""
    before = trees.results(tree)["reports/p90_toy/runs/reduced/s0.json"]["ours_sum"]["rows"]["data"][0][1]
    trees.edit(tree / "suite/kernels/toy.py", "dtype=torch.float64)", "dtype=torch.float64) + 1")
    trees.suite(tree, "run", "90.ours_sum", "--jobs", "1")
    after = trees.results(tree)["reports/p90_toy/runs/reduced/s0.json"]["ours_sum"]["rows"]["data"][0][1]
    assert after == pytest.approx(before + 8)


def test_a_damaged_record_is_refused_by_name(tree) -> None:
    """A flipped digit in a record is found by its digest before it is used."""
    path = tree / "reports/p90_toy/runs/reduced/s1.json"
    text = path.read_text()
    at = text.index('"table1"') + text[text.index('"table1"') :].index("0.")
    path.write_text(text[: at + 2] + ("1" if text[at + 2] != "1" else "2") + text[at + 3 :])
    done = trees.suite(tree, "run", "90", code=1)
    assert "s1.json was changed after it was written" in done.stderr


def test_serial_and_fanned_out_runs_give_the_same_bytes(measured, tmp_path) -> None:
    """Two processes over seeds, and two over the items of one unit, agree with one process."""
    fanned = trees.copy(tmp_path, "toy")
    trees.suite(fanned, "run", "90", "--jobs", "2", "--seeds", "1")
    trees.suite(fanned, "run", "90.table1", "--jobs", "2")
    trees.suite(fanned, "run", "90", "--jobs", "2")
    assert trees.results(fanned) == trees.results(measured)
    arrays = [p.relative_to(fanned) for p in (fanned / "reports").rglob("*.npy")]
    assert arrays
    assert all((fanned / p).read_bytes() == (measured / p).read_bytes() for p in arrays)


def test_private_settings_never_reach_the_reports(tree) -> None:
    """A --set run stands beside the records, is reused, and changes no tracked file."""
    before = {p: p.read_bytes() for p in (tree / "reports").rglob("*") if p.is_file()}
    first = trees.suite(tree, "run", "90.table1", "--seeds", "1", "--set", "scale=3")
    assert "1 done" in first.stdout
    assert "private run" in first.stdout
    assert "0 done, 1 reused" in trees.suite(tree, "run", "90.table1", "--seeds", "1", "--set", "scale=3").stdout
    assert {p: p.read_bytes() for p in (tree / "reports").rglob("*") if p.is_file()} == before


def test_a_fresh_run_measures_again_and_agrees_with_the_record(tree) -> None:
    """--fresh ignores the record, lays the new rows beside it, and starts anew each time."""
    for _ in range(2):
        done = trees.suite(tree, "run", "90.table1", "--seeds", "1", "--fresh")
        assert "1 done, 0 reused" in done.stdout
        assert "byte-equal" in done.stdout


def test_the_budget_stops_between_items_and_a_second_run_goes_on(tmp_path) -> None:
    """Exit code 4, finished items are kept, and the result is that of an undisturbed run."""
    tree = trees.copy(tmp_path, "toy")
    trees.edit(tree / MODULE, "pause: float = 0.0", "pause: float = 0.5")
    done = trees.suite(tree, "run", "90.table1", "--seeds", "1", "--jobs", "1", "--budget", "5s", code=4)
    assert "1 paused" in done.stdout
    journal = next((tree / ".suite/work").rglob("*.jsonl"))
    finished = len(journal.read_text().splitlines())
    assert 0 < finished < 16
    trees.suite(tree, "run", "90.table1", "--seeds", "1", "--jobs", "1")
    assert trees.results(tree)["reports/p90_toy/runs/reduced/s0.json"]["table1"]["rows"]["data"]
    assert not journal.exists()


def kill_five_times(tree: Path, arguments: list[str], longest: float) -> None:
    """Starts a run five times and ends it with SIGKILL at a random moment after its work began."""
    rng = random.Random(17)
    for _ in range(5):
        process = subprocess.Popen(
            trees.command("run", *arguments),
            cwd=tree,
            env=trees.environment(tree),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        give_up = time.monotonic() + 60
        while process.poll() is None and not states_of(tree) and time.monotonic() < give_up:
            time.sleep(0.02)
        time.sleep(rng.uniform(0, longest))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def states_of(tree: Path) -> list[Path]:
    """The state files of a copy: something is or was being measured."""
    return list((tree / ".suite/states").rglob("*.json"))


def rows_of(tree: Path) -> dict[str, dict]:
    """The rows of every part of every record."""
    return {path: {part: r["rows"] for part, r in result.items()} for path, result in trees.results(tree).items()}


def test_a_run_killed_at_five_random_moments_ends_with_the_same_result(measured, tmp_path) -> None:
    """SIGKILL of the whole process group costs at most the item in progress; rows are those of an undisturbed run."""
    tree = trees.copy(tmp_path, "toy")
    trees.edit(tree / MODULE, "pause: float = 0.0", "pause: float = 0.05")
    kill_five_times(tree, ["90", "--jobs", "2"], longest=1.0)
    trees.suite(tree, "run", "90", "--jobs", "1")
    assert rows_of(tree) == rows_of(measured)


@pytest.mark.slow
def test_paper_17_at_smoke_killed_at_five_random_moments_ends_with_the_same_result(tmp_path) -> None:
    """Trainings, attacks, perturbations and rows of a real paper are those of an undisturbed run, byte by byte."""
    calm, killed = (trees.copy(tmp_path / name, "p17_jacobian_uap") for name in ("calm", "killed"))
    trees.suite(calm, "run", "17", "--scale", "smoke")
    kill_five_times(killed, ["17", "--scale", "smoke"], longest=8.0)
    trees.suite(killed, "run", "17", "--scale", "smoke")
    assert trees.results(killed) == trees.results(calm)
    arrays = sorted(p.relative_to(calm) for p in (calm / "reports").rglob("*.npy"))
    assert arrays
    assert all((calm / p).read_bytes() == (killed / p).read_bytes() for p in arrays)


def hear_ctrl_c() -> None:
    """Undoes that a shell lets its background jobs, and what they start, ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_with_130_and_one_message_and_the_next_run_goes_on(tmp_path) -> None:
    """No traceback, nothing finished is lost."""
    tree = trees.copy(tmp_path, "toy")
    trees.edit(tree / MODULE, "pause: float = 0.0", "pause: float = 0.2")
    process = subprocess.Popen(
        trees.command("run", "90.table1", "--jobs", "1"), cwd=tree, env=trees.environment(tree), start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c,
    )  # fmt: skip
    while process.poll() is None and not list((tree / ".suite").rglob("*.jsonl")):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip() == "suite: interrupted; what was finished is kept, run the same command again to go on"
    assert list((tree / ".suite").rglob("*.jsonl"))


def test_two_processes_of_the_same_run_do_the_work_once(tmp_path) -> None:
    """One measures, the other waits and reuses; both end with 0 and the records are whole."""
    tree = trees.copy(tmp_path, "toy")
    trees.edit(tree / MODULE, "pause: float = 0.0", "pause: float = 0.05")
    processes = [
        subprocess.Popen(
            trees.command("run", "90.table1", "--jobs", "1"),
            cwd=tree,
            env=trees.environment(tree),
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    done = [int(output.rsplit(" done,", 1)[0].rsplit(maxsplit=1)[-1]) for output in outputs]
    assert sum(done) == 3
    assert len(trees.results(tree)) == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('{"mean": sum(values[:half]) / half}', '{"mean": float("nan")}', "mean of table1[arm=a] is nan"),
        ('{"arm": "b"}', '{"arm": "c"}', "table1[arm=c] is no printed row; printed are arm=a; arm=b"),
        ('{"arm": "b"}', '{"arm": "a"}', "table1[arm=a] twice"),
        (
            '{"total": float(vector.sum())}',
            '{"sum": float(vector.sum())}',
            "has metric 'sum', published.yaml declares total",
        ),
        ('Row("ours_sum", {"what": "sum"}', 'Row("table1", {"arm": "a"}', "expected rows of ours_sum"),
        ("time.sleep(run.settings.pause)", "run.data('mnist')", "asks for data 'mnist', which its inputs do not name"),
        ("time.sleep(run.settings.pause)", "import dataclasses; dataclasses.asdict(run.settings)", "table1"),
        ("time.sleep(run.settings.pause)", "raise RuntimeError('broken')", "RuntimeError: broken"),
    ],
    ids=[
        "nan",
        "unknown label",
        "row twice",
        "unknown metric",
        "other table",
        "undeclared data",
        "whole settings",
        "exception",
    ],
)
def test_a_faulty_unit_fails_by_name_and_the_others_go_on(tree, old, new, message) -> None:
    """One message on stderr without a traceback, exit code 1, the failure is remembered, no record is harmed."""
    trees.edit(tree / MODULE, old, new)
    done = trees.suite(tree, "run", "90", "--jobs", "1", "--seeds", "1", code=1)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    failed = json.loads(next((tree / ".suite/states").rglob("*.json")).read_text())
    assert failed["state"] == "failed"
    assert "Traceback" in failed["traceback"]


def test_a_unit_run_alone_under_guard_names_code_outside_its_key(tree) -> None:
    """At smoke a function of ours that runs through a registry, which no text names, is an error."""
    trees.edit(
        tree / "suite/kernels/toy.py",
        "def vector(",
        'def hidden() -> float:\n    """Hidden."""\n    return 0.0\n\n\ndef vector(',
    )
    trees.edit(
        tree / MODULE,
        "time.sleep(run.settings.pause)",
        'import sys; vars(sys.modules["suite.kernels.toy"])["hidden"]()',
    )
    done = trees.suite(tree, "run", "90", "--scale", "smoke", "--jobs", "1", code=1)
    assert "suite.kernels.toy.hidden" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "91"], 2, "paper '91' is unknown"),
        (["show", "toi"], 2, "did you mean toy?"),
        (["run", "90.table9"], 2, "has no unit 'table9' (it has table1, ours_sum)"),
        (["run", "90", "--scale", "huge"], 2, "--scale huge: expected smoke, reduced, full"),
        (["run", "90", "--scale", "full"], 2, "has no scale 'full'"),
        (["run", "90", "--set", "cuont=3"], 2, "did you mean count?"),
        (["run", "90", "--set", "count=many"], 2, "expected int, such as 8"),
        (["run", "90", "--set", "count"], 2, "expected field=value"),
        (["run", "90", "--seeds", "-1"], 2, "--seeds"),
        (["run", "90", "--seeds", "0,-2"], 2, "expected a number of seeds"),
        (["run", "90", "--budget", "nan"], 2, "expected a time such as 90s, 9m or 2h"),
        (["run", "90", "--jobs", "-3"], 2, "--jobs"),
        (["why", "90", "--scale", "huge"], 2, "--scale huge: expected smoke, reduced, full"),
        (["confirm", "90", "--scale", "huge"], 2, "--scale huge: expected smoke, reduced, full"),
        (["new", "64", "class"], 2, "'class'"),
        (["run", "90", "--seeds", "x"], 2, "expected a number of seeds (5), a range (0-4) or a list (0,2)"),
        (["run", "90", "--budget", "soon"], 2, "expected a time such as 90s, 9m or 2h"),
        (["run", "90", "--device", "cuda"], 2, "no CUDA device"),
        (["run", "90", "--device", "tpu"], 2, "expected cpu or cuda"),
        (["run"], 2, "name papers or units"),
        (["run", "--all", "90"], 2, "name papers or units"),
        (["runn"], 2, "No such command"),
        (["run", "--frehs"], 2, "No such option"),
        (["data", "fetch", "minst"], 2, "did you mean mnist?"),
        (["train", "lenet"], 2, "recipe 'lenet' is unknown"),
        (["new", "90", "other"], 2, "90"),
        (["new", "0", "zero"], 2, "0"),
    ],
)
def test_bad_input_gives_one_clear_line_and_the_right_exit_code(measured, arguments, code, message) -> None:
    """The thing, the value, the expectation and the way out, without a traceback, on stderr."""
    done = trees.suite(measured, *arguments, code=code)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_outside_a_project_a_command_says_where_to_go(tmp_path) -> None:
    """The message names the folder and the way out; the exit code is 2."""
    done = subprocess.run(
        trees.command("list"),
        cwd=tmp_path,
        env=trees.environment(trees.ROOT),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "is not inside a suite project" in done.stderr
    assert "SUITE_ROOT" in done.stderr


def test_another_package_than_the_project_s_own_is_refused(tmp_path, measured) -> None:
    """Records are never written by code that their keys do not describe."""
    done = subprocess.run(
        trees.command("run", "90"),
        cwd=tmp_path,
        env=trees.environment(trees.ROOT, SUITE_ROOT=str(measured)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "install the project's own" in done.stderr


def test_a_malformed_published_file_is_named_with_its_line(tree) -> None:
    """File, line, problem and remedy, exit code 2, and no traceback."""
    trees.edit(tree / "baselines/p90_toy/published.yaml", "year: 2026", "year: 2026\nyaer: 2027")
    done = trees.suite(tree, "show", "90", code=2)
    assert "published.yaml:6" in done.stderr
    assert "year" in done.stderr

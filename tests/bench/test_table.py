"""The program behind the table of ``make bench``, and the page of accepted times."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.bench import race, table
from tests.bench.race import Contender, Group, Setting

SUITE = {"class": "Vendor X, torch 1", "versions": {"torch": "1"}, "data": "d", "network": "n", "tiny": False}


def entry(name: str, data: list[float], role: str = "peer", at_least: float | None = None, **facts: Any) -> dict:
    """A contender as pytest-benchmark writes it."""
    extra = {"role": role, "memory": 2_000_000, "facts": facts, "at_least": at_least}
    return {"group": "g", "name": name, "extra_info": extra, "stats": {"data": data}}


def raw(*others: dict, ours: float = 2.0, evasion: float = 50.0) -> dict:
    """A file with ours, a floor of one second, and others."""
    own = entry("ours", [ours, 1.01 * ours, ours], "ours", evasion=evasion)
    floor = entry("pass", [1.0, 1.0, 1.01], "floor")
    return {"suite": {**SUITE, "not_run": [["g", "art", "no art"], ["h", "ours", "needs cuda"]]},
            "benchmarks": [own, floor, *others]}  # fmt: skip


def test_a_summary_holds_times_and_ratios_of_medians():
    """Minimum, median and the ratio to ours are those of the rounds; of ours also the ratio to the floor."""
    found = table.summary(raw(entry("book", [9.0, 5.0, 4.0])))["groups"]["g"]
    assert (found["book"]["min"], found["book"]["median"], found["book"]["rounds"]) == (4.0, 5.0, 3)
    assert found["book"]["ratio"][0] == 2.5
    assert found["book"]["ratio"][1] < 2.5 < found["book"]["ratio"][2]
    assert found["ours"]["to_floor"][0] == 2.0
    assert "to_floor" not in found["book"]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (entry("book", [20.0], "by the book", 10.0), []),
        (entry("book", [19.0], "by the book", 10.0), ["g: book takes 9.50 of our time, must be at least 10"]),
        (entry("art", [5.0], "peer", 1.0, evasion=50.4), []),
        (entry("art", [5.0], "peer", 1.0, evasion=60.0), ["g: art evades in 60.0 %, ours in 50.0 %"]),
        (entry("art", [5.0], "by the book", evasion=60.0), []),
    ],
)
def test_a_missed_requirement_is_named(other, words):
    """Too small a ratio and a peer's attack that succeeds more often are told; what is met is not."""
    assert table.missed(table.summary(raw(other))) == words


def test_a_requirement_without_ours_is_missed():
    """A group in which ours did not run meets nothing."""
    found = raw(entry("book", [20.0], at_least=10.0))
    del found["benchmarks"][0]
    assert table.missed(table.summary(found)) == ["g: ours did not run beside book"]


@pytest.mark.parametrize(
    ("ours", "word"), [(2.0, "not slower"), (4.0, "slower"), (1.0, "faster"), (2.2, "cannot tell")]
)
def test_a_change_is_measured_against_the_floor(ours, word):
    """Twice the time is slower, half of it faster, the same is not; what lies in the intervals cannot be told."""
    accepted = table.summary(raw())
    assert table.changed(table.summary(raw(ours=ours)), accepted) == {"g": word}
    twice = raw(ours=2 * ours)
    twice["benchmarks"][0]["stats"]["data"] = [2 * t for t in raw(ours=ours)["benchmarks"][0]["stats"]["data"]]
    twice["benchmarks"][1]["stats"]["data"] = [2.0, 2.0, 2.02]
    assert table.changed(table.summary(twice), accepted) == {"g": word}
    assert table.changed(accepted, None) == {"g": "new"}


def test_the_table_shows_every_contender_and_why_one_did_not_run():
    """Rows carry ratios, requirements, memory and facts; who did not run stands there with the reason."""
    found = table.summary(raw(entry("book", [20.0], "by the book", 10.0)))
    text = table.plain(found, table.summary(raw()))
    line = next(line for line in text.splitlines() if line.startswith("  book"))
    assert line.split() == [
        "book",
        "by",
        "the",
        "book",
        "20.0",
        "s",
        "20.0",
        "s",
        "1",
        "10.0",
        "at",
        "least",
        "10",
        "2",
        "MB",
        "new",
    ]
    assert re.search(r"art +not run +no art", text)
    assert "not run, needs cuda: h" in text
    assert "| book | by the book | 20.0 s |" in table.markdown(found)
    assert {row.count("|") for row in table.markdown(found).splitlines() if row.startswith("|")} == {
        len(table.HEAD) + 1
    }


def test_accepted_times_are_read_back_and_shown_on_the_page(tmp_path):
    """Accepting writes the class's file and the page between its markers, and nothing else on the page changes."""
    page = tmp_path / "docs" / "kernels.md"
    page.parent.mkdir()
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n", "utf-8")
    found = table.summary(raw())
    path = table.accept(found, tmp_path)
    assert table.read(path) == json.loads(json.dumps(found))
    text = page.read_text("utf-8")
    assert text.startswith(f"before\n{table.BEGIN}\n") and text.endswith(f"{table.END}\nafter\n")
    assert "old" not in text and table.markdown(found).strip() in text
    path.write_text('{"format": 0}', "utf-8")
    with pytest.raises(ValueError, match="format 0, expected 1"):
        table.read(path)


def test_the_page_shows_the_accepted_times(root):
    """docs/kernels.md is what the files under baselines/kernels/ give."""
    assert table.page(root) == (root / "docs" / "kernels.md").read_text("utf-8")


def test_contenders_take_turns_and_a_missing_one_says_why():
    """Every second round runs backwards, the result comes from a call of its own, and facts see it."""
    calls: list[str] = []

    def contender(name: str):
        return lambda inputs: lambda: calls.append(name) or name

    def missing(inputs):
        raise race.Absent("not here")

    entrants = {
        "ours": Contender("ours", contender("a")),
        "b": Contender("floor", contender("b")),
        "once": Contender("peer", contender("o"), most_rounds=1),
        "c": Contender("peer", missing),
    }
    group = Group(
        "toy", lambda s: None, entrants, lambda i, results: {n: {"r": r} for n, r in results.items()}, rounds=2
    )
    outcome = race.run(group, Setting("cpu"))
    assert outcome.fault is None
    assert calls == [*"aabboo", *"ab", *"ba"]
    assert {name: len(seconds) for name, seconds in outcome.seconds.items()} == {"ours": 2, "b": 2, "once": 1}
    assert outcome.facts == {"ours": {"r": "a"}, "b": {"r": "b"}, "once": {"r": "o"}}
    assert outcome.absent == {"c": "not here"}


def test_a_race_whose_results_disagree_fails_once_for_all():
    """Contenders that do not agree are not timed, and each of them is told why without another race."""
    tries = []

    def disagree(inputs, results):
        tries.append(1)
        raise AssertionError("apart")

    group = Group("toy", lambda s: None, {"ours": Contender("ours", lambda i: int)}, disagree, rounds=2)
    for _ in range(2):
        with pytest.raises(AssertionError, match="apart"):
            race.replay(group, Setting("cpu"), "ours", None)
    assert len(tries) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of resident memory is Linux's count")
def test_memory_is_the_rise_during_the_call():
    """A call that fills 64 MB and gives them back rose by them; one that needs nothing by next to nothing."""
    assert 60e6 < race.observed(lambda: len(bytearray(64_000_000)), "cpu")[1] < 80e6
    assert race.observed(lambda: 0, "cpu")[1] < 4e6


def test_peers_are_pinned_and_hashed(root):
    """What make bench installs besides the lock has one version and its digests, and nothing else comes with it."""
    lock = (root / "requirements" / "bench.txt").read_text("utf-8")
    wanted = re.findall(r"^([a-z-]+)[>=]", (root / "requirements" / "bench.in").read_text("utf-8"), flags=re.MULTILINE)
    assert re.findall(r"^([a-z-]+)==[\d.]+ \\\n    --hash=sha256:", lock, flags=re.MULTILINE) == wanted


@pytest.mark.slow
def test_every_benchmark_runs_at_tiny_sizes(root, tmp_path):
    """Each contender is built, agrees with the others, is timed and shown, whether the peers are installed or not."""
    file = tmp_path / "bench.json"
    options = ["--benchmark-enable", "--benchmark-only", "--benchmark-quiet", f"--benchmark-json={file}", "--tiny"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "tests/bench"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    shown = subprocess.run([sys.executable, "-m", "tests.bench.table", file], cwd=root, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert "tiny sizes" in shown.stdout
    groups = table.summary(json.loads(file.read_text("utf-8")))["groups"]
    assert all("ours" in entries for entries in groups.values())
    assert len(groups) >= 11

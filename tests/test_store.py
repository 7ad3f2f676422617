"""Records, journals, states and atomic files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite import store
from suite.errors import UserError
from suite.rows import Row

HEAD = {"paper": "p90_toy", "scale": "reduced", "seed": 3}
MEASURED = {"parts": {"seed": "3"}, "seconds": 1.0, "declaration": {"c1": "first"}}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """Locks and states of each test apart."""
    monkeypatch.setenv("SUITE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def rows(value: float) -> list[Row]:
    """One row of table1."""
    return [Row("table1", {"arm": "a"}, {"mean": value})]


def merged(path: Path, value: float = 1.5, key: str = "k1", measured: dict | None = None) -> bool:
    """A part merged into a record."""
    return store.merge(path, HEAD, "table1@mnist", store.pack_result(key, rows(value), {}), measured or MEASURED)


def test_a_record_comes_back_with_its_rows_and_seed(tmp_path) -> None:
    """Parts of one file are told apart, rows carry the seed and the table's name without the part."""
    path = tmp_path / "s3.json"
    merged(path)
    store.merge(path, HEAD, "timing_table1", store.pack_result("k2", rows(2.0), {}), MEASURED)
    record = store.read_record(path)
    assert (record.paper, record.scale, record.seed, record.device) == ("p90_toy", "reduced", 3, "cpu")
    assert record.parts["table1@mnist"].rows == (Row("table1", {"arm": "a"}, {"mean": 1.5}, 3),)
    assert record.parts["timing_table1"].rows[0].table == "table1"


def test_an_unchanged_result_rewrites_nothing(tmp_path) -> None:
    """The same key and rows leave the file byte for byte, whatever was measured about the run."""
    path = tmp_path / "s3.json"
    assert merged(path)
    before = path.read_bytes()
    assert not merged(path, measured={**MEASURED, "seconds": 9.0})
    assert path.read_bytes() == before


def test_bit_equal_rows_keep_their_declaration_and_other_rows_take_the_new_one(tmp_path) -> None:
    """What was declared when the numbers first came stays with the numbers."""
    path = tmp_path / "s3.json"
    merged(path)
    later = {**MEASURED, "declaration": {"c1": "second"}}
    merged(path, key="k2", measured=later)
    assert store.read_record(path).parts["table1@mnist"].measured["declaration"] == {"c1": "first"}
    merged(path, value=1.6, key="k3", measured=later)
    assert store.read_record(path).parts["table1@mnist"].measured["declaration"] == {"c1": "second"}


def test_rekeying_changes_the_key_and_its_parts_alone(tmp_path) -> None:
    """Rows, declaration and seconds stay."""
    path = tmp_path / "s3.json"
    merged(path)
    store.rekey(path, "table1@mnist", "k9", {"seed": "3", "text x": "new"})
    part = store.read_record(path).parts["table1@mnist"]
    assert (part.key, part.measured["parts"]["text x"], part.measured["seconds"]) == ("k9", "new", 1.0)
    assert part.rows[0].values == {"mean": 1.5}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("1.5", "1.4"), "was changed after it was written"),
        (lambda t: t.replace('"seed": 3', '"seed": 4'), "was changed after it was written"),
        (lambda t: t[: len(t) // 2], "is not a record"),
        (lambda t: "[]", "is not a record"),
        (lambda t: t.replace('"format": 1', '"format": 2'), "has format 2, this version reads 1"),
    ],
)
def test_damaged_records_are_refused_by_name(tmp_path, change, message) -> None:
    """A changed number, a cut file, another format: one message with the file and the way out."""
    path = tmp_path / "s3.json"
    merged(path)
    path.write_text(change(path.read_text()))
    with pytest.raises(UserError, match=message) as raised:
        store.read_record(path)
    assert str(path) in str(raised.value)
    assert raised.value.code == 1


def test_a_record_under_another_seed_s_name_is_refused(tmp_path) -> None:
    """A copied file does not count for another seed."""
    path = tmp_path / "s3.json"
    merged(path)
    os.rename(path, tmp_path / "s4.json")
    with pytest.raises(UserError, match="digest differs"):
        store.read_record(tmp_path / "s4.json")


def test_too_many_rows_are_refused_and_the_old_record_stays(tmp_path) -> None:
    """A record holds at most 512 kB."""
    path = tmp_path / "s3.json"
    merged(path)
    before = path.read_bytes()
    many = [Row("table1", {"arm": i}, {"mean": 1 / (i + 1)}) for i in range(30_000)]
    with pytest.raises(UserError, match="at most 524288 are allowed"):
        store.merge(path, HEAD, "table1", store.pack_result("k", many, {}), MEASURED)
    assert path.read_bytes() == before


def test_figure_arrays_lie_beside_the_record_and_are_checked(tmp_path) -> None:
    """The array comes back; a flipped byte in its file is found."""
    path, array = tmp_path / "s3.json", np.arange(6.0).reshape(2, 3)
    store.merge(path, HEAD, "fig1", store.pack_result("k", rows(1.0), {"a b": array}), MEASURED, {"a b": array})
    np.testing.assert_array_equal(store.read_record(path).figure("fig1", "a b"), array)
    file = store.figure_path(path, "fig1", "a b")
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    with pytest.raises(UserError, match="is missing or not the recorded array"):
        store.read_record(path).figure("fig1", "a b")
    store.merge(path, HEAD, "fig1", store.pack_result("k2", rows(2.0), {}), MEASURED)
    assert not file.exists(), "an array that the new result does not name is removed"


def test_records_of_other_device_classes_come_after_those_of_the_cpu(tmp_path) -> None:
    """The order is by class, then seed, and stray files are no records."""
    for name in ("s2.json", "s10.json", "s2@cuda.json"):
        seed = int(name[1:].split(".")[0].split("@")[0])
        store.merge(tmp_path / name, {**HEAD, "seed": seed}, "table1", store.pack_result("k", rows(1.0), {}), MEASURED)
    (tmp_path / "s1.json.bak").write_text("")
    assert [(r.seed, r.device) for r in store.records("p90_toy", "reduced", tmp_path)] == [
        (2, "cpu"),
        (10, "cpu"),
        (2, "cuda"),
    ]


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch) -> None:
    """An error while syncing or renaming shows the old content and removes the temporary file."""
    path = tmp_path / "f"
    store.write(path, "old")
    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            with pytest.raises(OSError, match="No space"):
                store.write(path, "new")
        assert path.read_text() == "old"
        assert [p.name for p in tmp_path.iterdir()] == ["f"]


@given(results=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5), cut=st.integers(0, 200))
def test_a_journal_cut_anywhere_keeps_whole_lines_and_goes_on(tmp_path_factory, results, cut) -> None:
    """A torn last line is forgotten, every line before it is found, and later items are added."""
    path = tmp_path_factory.mktemp("journal") / "j.jsonl"
    journal = store.Journal(path)
    for number, result in enumerate(results):
        journal.add(f"item{number}", result)
    content = path.read_bytes() if path.exists() else b""
    path.write_bytes(content[:cut])
    whole = content[:cut].count(b"\n")
    again = store.Journal(path)
    assert [again[f"item{n}"] for n in range(whole)] == results[:whole]
    assert f"item{whole}" not in again
    again.add("later", 1.0)
    last = store.Journal(path)
    assert last["later"] == 1.0
    assert all(f"item{n}" in last for n in range(whole))


def test_a_journal_refuses_what_is_no_number() -> None:
    """NaN is a fault of the unit, never a result."""
    with pytest.raises(ValueError, match="Out of range"):
        store.Journal(Path("unused")).add("x", float("nan"))


def test_the_lock_of_a_killed_process_is_free(home) -> None:
    """A process that dies holding a lock does not block the next one."""
    code = "import os; from suite import store; held = store.locked('x'); held.__enter__(); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], check=False, env={**os.environ, "SUITE_HOME": str(home)}, timeout=60)
    with store.locked("x"):
        pass


def test_states_tell_running_from_killed(home) -> None:
    """A unit whose process is gone counts as killed; one of a living process as running."""
    store.set_state(home, "p/u", "running", task="here")
    store.set_state(home, "p/v", "running", task="gone")
    path = store.state_path(home, "p/v")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    path.write_text(json.dumps({**json.loads(path.read_text()), "pid": dead.pid}))
    assert {s["task"]: s["state"] for s in store.states(home)} == {"here": "running", "gone": "killed"}
    store.clear_state(home, "p/u")
    assert [s["task"] for s in store.states(home)] == ["gone"]


def test_json_for_people_is_the_same_value_on_fewer_lines() -> None:
    """Each list without lists inside takes one line."""
    value = {"rows": [["a, b", 1.5, None], ["[x]", -2e-7, True]], "n": {}}
    text = store.pretty(value)
    assert json.loads(text) == value
    assert '["a, b", 1.5, null]' in text.replace("[ ", "[").replace(" ]", "]")

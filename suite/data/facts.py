"""The catalogue: the facts about each data set, one YAML file a set."""

from __future__ import annotations

import difflib
import functools
import hashlib
import json
import re
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

from suite import strict
from suite.errors import UserError

CATALOGUE = Path(__file__).parent / "catalogue"
ORIGINS = ("official", "package")


@dataclass(frozen=True)
class File:
    """One file of a set: its name, size in bytes and SHA-256 in hexadecimal digits."""

    name: str
    bytes: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.name}  {self.bytes} bytes  sha256 {self.sha256}"

    def difference(self, size: int, sha256: str) -> str | None:
        """What is wrong with bytes of this size and digest, or None where they are the file's."""
        if (size, sha256) == (self.bytes, self.sha256):
            return None
        return f"has {size} bytes with sha256 {sha256}, expected {self.bytes} bytes with sha256 {self.sha256}"


@dataclass(frozen=True)
class DataSet:
    """The catalogue's facts about one set."""

    name: str
    title: str
    files: tuple[File, ...]
    licence: str
    terms: str  # of access; "none" where anybody may fetch it
    citation: str
    origin: str  # one of ORIGINS
    compare: str  # what a result on it may be compared with
    mirror: str | None = None  # its folder inside SUITE_MIRROR
    urls: tuple[str, ...] = ()  # folders on the network, tried in order
    package: str | None = None  # the distribution that brings it
    package_file: str | None = None  # and the file inside, from its import name on
    stand_in: str | None = None  # the set that may play its part where it cannot be had
    embedded: str | None = None  # the set that plays its part at smoke

    @property
    def loader(self) -> str:
        """The name of its function in ``suite.data.loaders``."""
        return self.name

    @property
    def bytes(self) -> int:
        """The size of all its files."""
        return sum(file.bytes for file in self.files)


@functools.cache
def catalogue(folder: Path = CATALOGUE) -> dict[str, DataSet]:
    """All sets by name; UserError naming the file and the fact where one is not as it should be."""
    found = {path.stem: _read(path) for path in sorted(folder.glob("*.yaml"))}
    for name, dataset in found.items():
        for fact, other in (("stand_in", dataset.stand_in), ("embedded", dataset.embedded)):
            if other is not None and (other == name or other not in found):
                raise UserError(f"{folder / name}.yaml: {fact} is {other!r}, expected another set's name")
    return found


def describe(name: str, folder: Path = CATALOGUE) -> DataSet:
    """The facts about a set; UserError with the nearest name for an unknown one."""
    known = catalogue(folder)
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise UserError(f"data set {name!r} is unknown{hint} (there are {', '.join(known)}; see suite data list)")
    return known[name]


def content_id(name: str, folder: Path = CATALOGUE) -> str:
    """``"sha256:..."`` of the names, sizes and digests of the set's files; needs no data and reads no prose."""
    facts = sorted((file.name, file.bytes, file.sha256) for file in describe(name, folder).files)
    return "sha256:" + hashlib.sha256(json.dumps(facts, separators=(",", ":")).encode()).hexdigest()


def _read(path: Path) -> DataSet:
    doc = strict.Document(path, strict.bytes_of(path), READERS, {})
    root = doc.root()
    dataset = doc.attempt(lambda d, node, name: d.entry(node, name, DataSet, name=path.stem), root, "the set")
    doc.stop_at_faults()
    _check(doc, root, dataset)
    doc.stop_at_faults()
    return dataset


def _check(doc: strict.Document, root: yaml.Node, dataset: DataSet) -> None:
    """Notes what is wrong between the facts of one set."""
    names = [file.name for file in dataset.files]
    for at, name in enumerate(names):
        if name in names[:at]:
            doc.fault(strict.value(root, "files", at), f"files: {name} stands there twice", "keep one of the two")
    if (dataset.origin == "package") != bool(dataset.package and dataset.package_file):
        remedy = "a set of origin package, and no other, has package and package_file"
        doc.fault(strict.value(root, "origin"), f"origin is {dataset.origin!r}", remedy)


def _like(pattern: str, expected: str) -> strict.Read:
    def read(doc: strict.Document, node: yaml.Node, name: str) -> str:
        text = strict.some_text(doc, node, name)
        if not re.fullmatch(pattern, text):
            raise doc.fault(node, f"{name} is {text!r}", f"expected {expected}")
        return text

    return read


def _file(doc: strict.Document, node: yaml.Node, name: str) -> File:
    return doc.entry(node, name, File)


READERS: dict[str, strict.Read] = {
    **{field.name: strict.some_text for field in fields(DataSet)},
    "files": strict.tuple_of(_file),
    "File.name": _like(r"[A-Za-z0-9][A-Za-z0-9._-]*", "a plain name without folders"),
    "bytes": strict.count,
    "sha256": _like("[0-9a-f]{64}", "64 hexadecimal digits"),
    "origin": strict.one_of(ORIGINS),
    "urls": strict.tuple_of(_like("https?://.+/", "the address of a folder by http or https, with / at its end")),
}

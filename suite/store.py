"""Records, journals, kept artefacts, locks and states: the only writer of ``runs/`` and of ``.suite/``."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import platform
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from suite import project
from suite.errors import UserError
from suite.rows import Row, pack, unpack

FORMAT = 1
MOST_BYTES = 512 * 1024
NAME = re.compile(r"s(\d+)(?:@(\w+))?\.json")


# Files --------------------------------------------------------------------------------------------------------------


def write(path: Path, content: bytes | str) -> None:
    """Writes a file so that readers see the old or the new content, never a part, also after a crash."""
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_if_changed(path: Path, content: bytes | str) -> bool:
    """``write``, unless the file holds this content already; tells whether it wrote."""
    data = content.encode() if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == data:
        return False
    write(path, data)
    return True


def sha256(data: bytes) -> str:
    """``sha256:`` and the hex digest."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical(value: Any) -> str:
    """The one compact JSON text of a value; ValueError on NaN and infinity."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def pretty(value: Any) -> str:
    """JSON for people and diffs: sorted keys, one line for each list without a list or mapping inside."""
    text = json.dumps(value, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False)
    return re.sub(r"\[[^\[\]{}]*\]", lambda m: re.sub(r"\s*\n\s*", " ", m[0]), text) + "\n"


@contextlib.contextmanager
def locked(name: str, home: Path | None = None) -> Iterator[None]:
    """Holds the lock of this name among the processes of this machine; the lock of a dead process is free."""
    path = (home or project.home()) / "locks" / (hashlib.sha256(name.encode()).hexdigest()[:24] + ".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path):
        yield


# Records ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PartRecord:
    """What one part of a unit measured: its key, rows, digests of its figure arrays, and how it was measured."""

    key: str
    rows: tuple[Row, ...]
    figures: dict[str, str]
    measured: dict[str, Any]
    result: dict[str, Any]


@dataclass(frozen=True)
class Record:
    """The parts measured for one paper, scale, seed and device class; ``path`` is its file."""

    paper: str
    scale: str
    seed: int
    device: str
    path: Path
    parts: dict[str, PartRecord]

    def figure(self, part: str, label: str) -> np.ndarray:
        """A kept figure array; UserError where its file is missing or not the recorded one."""
        path = figure_path(self.path, part, label)
        if not path.is_file() or sha256(path.read_bytes()) != self.parts[part].figures[label]:
            raise UserError(f"{path} is missing or not the recorded array; measure it again: suite run {self.paper}", 1)
        return np.load(path, allow_pickle=False)


def broken_figures(record: Record, part: str) -> list[str]:
    """The names of figure arrays of a part that are missing or not the recorded ones."""
    paths = {figure_path(record.path, part, label): digest for label, digest in record.parts[part].figures.items()}
    return [path.name for path, wanted in paths.items() if not path.is_file() or sha256(path.read_bytes()) != wanted]


def runs_folder(stem: str, scale: str) -> Path:
    """Where the committed records of a paper and scale lie."""
    return project.root() / "reports" / stem / "runs" / scale


def record_path(folder: Path, seed: int, device: str = "cpu") -> Path:
    """``sN.json``, or ``sN@cuda.json`` for another device class."""
    return folder / (f"s{seed}.json" if device == "cpu" else f"s{seed}@{device}.json")


def figure_path(record: Path, part: str, label: str) -> Path:
    """The array of a figure beside its record: ``s0.table1@mnist.LABEL.npy``."""
    return record.with_name(f"{record.stem}.{part}.{re.sub(r'[^A-Za-z0-9_+-]+', '-', label)}.npy")


def read_record(path: Path) -> Record | None:
    """The record in a file, None where there is no file; UserError when it is damaged or of an unknown format."""
    if not path.is_file():
        return None
    match = NAME.fullmatch(path.name)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        claimed = found.pop("digest")
    except (ValueError, KeyError, AttributeError, TypeError):
        raise UserError(f"{path} is not a record; restore it from git or delete it and run again", 1) from None
    if found.get("format") != FORMAT:
        raise UserError(
            f"{path} has format {found.get('format')!r}, this version reads {FORMAT}; use the suite that wrote it", 1
        )
    if claimed != sha256(canonical(found).encode()) or match is None or int(match[1]) != found["seed"]:
        raise UserError(
            f"{path} was changed after it was written (its digest differs); "
            "restore it from git, or delete it and run again",
            1,
        )
    parts = {}
    for part, result in found["result"].items():
        rows = unpack(result["rows"], table_of(part), found["seed"])
        measured = found["measured"].get(part)
        if measured is None:
            raise UserError(f"{path} says nothing of how {part} was measured; restore it from git or delete it", 1)
        parts[part] = PartRecord(result["key"], tuple(rows), result.get("figures", {}), measured, result)
    return Record(found["paper"], found["scale"], found["seed"], match[2] or "cpu", path, parts)


def table_of(part: str) -> str:
    """The table whose rows a part yields: ``timing_table1@mnist`` measures the times of ``table1``."""
    return part.partition("@")[0].removeprefix("timing_")


def records(stem: str, scale: str, folder: Path | None = None) -> list[Record]:
    """All records of a paper and scale, ordered by device class and seed; ``folder`` for those of another place."""
    where = folder or runs_folder(stem, scale)
    found = [read_record(p) for p in sorted(where.glob("s*.json")) if NAME.fullmatch(p.name)] if where.is_dir() else []
    return sorted((r for r in found if r), key=lambda r: (r.device != "cpu", r.device, r.seed))


def pack_result(key: str, rows: list[Row], figures: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The ``result`` of one part as it stands in a record."""
    result: dict[str, Any] = {"key": key, "rows": pack(rows)}
    if figures:
        result["figures"] = {label: sha256(npy(array)) for label, array in sorted(figures.items())}
    return result


def npy(array: np.ndarray) -> bytes:
    """The bytes of an array's .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


@dataclass(frozen=True)
class Measured:
    """What one part of a unit gave, ready for a record: its result, how it was measured, its figure arrays."""

    result: dict[str, Any]
    measured: dict[str, Any]
    figures: Mapping[str, np.ndarray]


def merge(
    path: Path,
    head: Mapping[str, Any],
    part: str,
    result: dict[str, Any],
    measured: dict[str, Any],
    figures: Mapping[str, np.ndarray] | None = None,
) -> bool:
    """Writes one part into the record of ``head`` (paper, scale, seed) under that file's lock; tells whether it wrote.

    A part whose ``result`` is unchanged leaves the file as it is; bit-equal rows keep their declaration.
    """
    new = {part: Measured(result, measured, figures or {})}
    return bool(merge_parts(path, head, lambda present: new))


def merge_parts(
    path: Path, head: Mapping[str, Any], choose: Callable[[Record | None], Mapping[str, Measured]]
) -> list[str]:
    """``merge`` of several parts at once, all or none; returns the parts whose result changed.

    ``choose`` is given the present record under the file's lock and says what to write; it may raise to write nothing.
    """
    with locked(str(path)):
        present = read_record(path)
        new = choose(present)
        old = json.loads(path.read_text(encoding="utf-8")) if present else {"result": {}, "measured": {}}
        for part, item in new.items():
            for label, array in item.figures.items():
                write_if_changed(figure_path(path, part, label), npy(array))
        changed = {part: item for part, item in new.items() if old["result"].get(part) != item.result}
        if changed:
            results = {part: item.result for part, item in changed.items()}
            measured = {part: _declared(old, part, item) for part, item in changed.items()}
            both = {"result": {**old["result"], **results}, "measured": {**old["measured"], **measured}}
            _write_record(path, {"format": FORMAT, **head, **both})
        for part, item in changed.items():
            for stale in path.parent.glob(f"{path.stem}.{part}.*.npy"):
                if stale not in {figure_path(path, part, label) for label in item.result.get("figures", {})}:
                    stale.unlink()
        return list(changed)


def _declared(old: Mapping[str, Any], part: str, item: Measured) -> dict[str, Any]:
    """How a part was measured; rows that are bit-equal to the present ones keep the declaration of those."""
    before = old["result"].get(part)
    if before and before["rows"] == item.result["rows"]:
        return {**item.measured, "declaration": old["measured"][part].get("declaration", {})}
    return item.measured


def rekey(path: Path, part: str, key: str, parts: Mapping[str, str], repeated_on: str = "") -> None:
    """Puts a part of a record under another key whose run gave the same rows.

    ``repeated_on`` names the CPU type on which this very seed was measured again, byte for byte (R17).
    """
    with locked(str(path)):
        if read_record(path) is None:
            raise UserError(f"{path} is missing; restore it from git or run again", 1)
        found = json.loads(path.read_text(encoding="utf-8"))
        found["result"][part]["key"] = key
        measured = found["measured"][part]
        measured["parts"] = dict(parts)
        if repeated_on:
            measured["repeated_on"] = sorted({*measured.get("repeated_on", []), repeated_on})
        _write_record(path, {name: value for name, value in found.items() if name != "digest"})


def _write_record(path: Path, content: dict[str, Any]) -> None:
    text = pretty({**content, "digest": sha256(canonical(content).encode())})
    if len(text) > MOST_BYTES:
        raise UserError(f"{path} would hold {len(text)} bytes, at most {MOST_BYTES} are allowed; yield fewer rows", 1)
    write(path, text)


# Journals and kept artefacts ----------------------------------------------------------------------------------------


class Journal:
    """The finished items of ``Run.map`` of one unit, one JSON line each; a torn last line is forgotten."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: dict[str, Any] = {}
        if path.is_file():
            for line in path.read_bytes().split(b"\n")[:-1]:
                with contextlib.suppress(ValueError):
                    entry = json.loads(line)
                    self._found[entry["item"]] = entry["result"]

    def __contains__(self, item: str) -> bool:
        return item in self._found

    def __getitem__(self, item: str) -> Any:
        return self._found[item]

    def add(self, item: str, result: Any) -> None:
        """Appends a finished item and waits until it is on the disk."""
        line = canonical({"item": item, "result": result})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        torn = self.path.is_file() and not self.path.read_bytes().endswith(b"\n") and self.path.stat().st_size > 0
        with open(self.path, "ab") as file:
            file.write((b"\n" if torn else b"") + line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._found[item] = json.loads(line)["result"]


# States of units ----------------------------------------------------------------------------------------------------


def state_path(home: Path, ident: str) -> Path:
    """The file that tells of a running or failed unit."""
    return home / "states" / f"{ident}.json"


def set_state(home: Path, ident: str, state: str, **facts: Any) -> None:
    """Notes that a unit is running, failed or paused, with the process that owns it."""
    owner = {"pid": os.getpid(), "host": platform.node()}
    write(state_path(home, ident), pretty({"unit": ident, "state": state, **owner, **facts}))


def clear_state(home: Path, ident: str) -> None:
    """Forgets the state of a unit that is done."""
    state_path(home, ident).unlink(missing_ok=True)


def states(home: Path) -> list[dict[str, Any]]:
    """All running, failed and paused units; one whose process is gone is called ``killed``."""
    found = []
    for path in sorted((home / "states").glob("**/*.json")):
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, FileNotFoundError):
            continue
        if state["state"] == "running" and not alive(state):
            state["state"] = "killed"
        found.append(state)
    return found


def alive(state: Mapping[str, Any]) -> bool:
    """Whether the process that owns a state may still run; on another host that is assumed."""
    if state["host"] != platform.node():
        return True
    try:
        os.kill(state["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

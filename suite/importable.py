"""Reads files that somebody else wrote: records, trainings and arrays, refused with one message where they are odd."""

from __future__ import annotations

import io
import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from suite import run, store
from suite.errors import UserError
from suite.rows import Row, pack, show_labels, unpack

TEXTS = "texts by name"
NUMBER = (int, float)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
RECORD = {"format": int, "paper": str, "scale": str, "seed": int, "result": dict, "measured": dict}
MACHINE = {"device": str, "cpu": str, "versions": TEXTS, "threads": int, "data": dict}
TIMES = {"seconds": NUMBER, "cpu_seconds": NUMBER, "parts": TEXTS}
MEASURED = {**MACHINE, **TIMES, "peak_memory": int, "command": str, "weights": dict, "declaration": TEXTS}
TRAINING = {
    "format": int, "recipe": str, "seed": int, "key": str, "weights": str, "accuracy": NUMBER, "measured": dict,
}  # fmt: skip
LONGEST = 700  # characters of a message


def record(path: Path) -> dict[str, Any]:
    """The content of a run's record without its digest, every field of the right type; UserError where it is not."""
    device(path)
    found = _sealed(path)
    _fields(found, RECORD, "the record")
    _seed(found)
    if set(found["result"]) != set(found["measured"]) or not found["result"]:
        raise UserError("its result and what it says of the measuring name different parts, or none")
    for ident, result in found["result"].items():
        figures = {"figures": TEXTS} if isinstance(result, dict) and "figures" in result else {}
        _fields(result, {"key": str, "rows": dict, **figures}, f"the result of {ident}")
        measured = found["measured"][ident]
        _fields(measured, MEASURED, f"the measuring of {ident}")
        _machine(measured, device(path), ident)
        if any(not (w is None or (isinstance(w, str) and DIGEST.fullmatch(w))) for w in measured["weights"].values()):
            raise UserError(f"{ident} names weights by something else than their SHA-256")
    return found


def training(path: Path) -> dict[str, Any]:
    """The content of a training's record without its digest, every field of the right type."""
    found = _sealed(path)
    _fields(found, TRAINING, "the record")
    _seed(found)
    _fields(found["measured"], {**MACHINE, **TIMES}, "the measuring")
    _machine(found["measured"], found["measured"]["device"].partition(":")[0], found["recipe"])
    if not DIGEST.fullmatch(found["weights"]):
        raise UserError(f"its weights are {found['weights'][:80]!r}, expected their SHA-256")
    return found


def device(path: Path) -> str:
    """The device class that a record's name tells."""
    match = store.NAME.fullmatch(path.name)
    if match is None or (match[2] or "cuda") != "cuda":
        raise UserError("no name of a record; expected sN.json, or sN@cuda.json from a CUDA device")
    return match[2] or "cpu"


def rows(packed: Mapping[str, Any], table: str, seed: int) -> list[Row]:
    """The rows of a part; UserError where they are not in the one form that records have."""
    columns, data = packed.get("columns"), packed.get("data")
    if not isinstance(columns, list) or not all(isinstance(c, str) for c in columns) or not isinstance(data, list):
        raise UserError(f"the rows of {table} are not columns and data")
    for cells in data:
        if (
            not isinstance(cells, list)
            or len(cells) != len(columns)
            or any(isinstance(c, (bool, list, dict)) for c in cells)
        ):
            raise UserError(f"a row of {table} is {json.dumps(cells)[:200]}, expected a text or number for each column")
    try:
        found = unpack(packed, table, seed)
        same = store.canonical(pack(found)) == store.canonical(packed)
    except (ValueError, OverflowError) as error:
        raise UserError(f"the rows of {table} are malformed: {error}") from None
    if not same:
        raise UserError(f"the rows of {table} are not in the form in which this version writes them")
    return found


def figures(path: Path, ident: str, result: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a part, beside its record; UserError where one is missing, too large or not the recorded one."""
    found, total = {}, 0
    for label, digest in result.get("figures", {}).items():
        file = store.figure_path(path, ident, label)
        if file.parent != path.parent:
            raise UserError(f"the figure {label!r} of {ident} would lie elsewhere")
        content = _read(file, run.MOST_FIGURE_BYTES, f"the array {file.name}: ")
        total += len(content)
        if store.sha256(content) != digest:
            raise UserError(f"the array {file.name} is not the recorded one (its digest differs)")
        found[label] = _array(content, file.name)
    if total > run.MOST_FIGURE_BYTES:
        raise UserError(f"the figures of {ident} hold {total} bytes, at most {run.MOST_FIGURE_BYTES} are allowed")
    return found


def difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """The first cell in which two results of one part differ, with both values."""
    here, there = ({show_labels(r.at): r.values for r in unpack(result["rows"], "")} for result in (ours, theirs))
    for at in [*here, *(at for at in there if at not in here)]:
        if at not in here or at not in there:
            return f"the row {at} is only {'here' if at in here else 'there'}"
        for metric in [*here[at], *(m for m in there[at] if m not in here[at])]:
            if here[at].get(metric) != there[at].get(metric):
                return f"{at}: {metric} is {here[at].get(metric)} here, {there[at].get(metric)} there"
    return "the rows are equal, their figure arrays differ"


def printable(text: str) -> str:
    """A text of foreign origin as a terminal may show it: one line, no control characters, no more than a few lines."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."


# Bytes --------------------------------------------------------------------------------------------------------------


def _read(path: Path, most: int, what: str = "") -> bytes:
    """The bytes of a small plain file; nothing is followed, waited for or read beyond ``most``."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        reason = "a link, which is not followed" if path.is_symlink() else error.strerror
        raise UserError(f"{what}{reason}") from None
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise UserError(f"{what}no plain file")
        with os.fdopen(handle, "rb", closefd=False) as file:
            content = file.read(most + 1)
    finally:
        os.close(handle)
    if len(content) > most:
        raise UserError(f"{what}{facts.st_size} bytes, at most {most} are allowed")
    return content


def _sealed(path: Path) -> dict[str, Any]:
    """The JSON of a record, of this version's format, whose digest covers it."""
    content = _read(path, store.MOST_BYTES)
    try:
        found = json.loads(content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_constant)
        if not isinstance(found, dict) or "digest" not in found:
            raise ValueError("it has no digest")
        claimed = found.pop("digest")
        digest = store.sha256(store.canonical(found).encode())
    except (ValueError, RecursionError) as error:
        raise UserError(f"no record: {error}") from None
    if found.get("format") != store.FORMAT:
        raise UserError(
            f"format {found.get('format')!r}, this version reads {store.FORMAT}; use the suite that wrote it"
        )
    if claimed != digest:
        raise UserError("it was changed after it was written (its digest differs); copy it again")
    return found


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} stands twice")
    return found


def _constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _array(content: bytes, name: str) -> np.ndarray:
    """An array whose header tells the truth about its size, so that no giant is made room for."""
    try:
        buffer = io.BytesIO(content)
        version = np.lib.format.read_magic(buffer)
        reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, _, kind = reader(buffer)
        size = kind.itemsize
        for length in shape:
            size *= length
        if kind.hasobject or len(content) - buffer.tell() != size:
            raise ValueError("its header does not fit its bytes")
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # numpy's reader of headers promises no kind of error for hostile ones
        raise UserError(f"the array {name} is no array of numbers: {error}") from None
    if store.npy(array) != content:
        raise UserError(f"the array {name} is not in the form in which this version writes it")
    return array


# Fields -------------------------------------------------------------------------------------------------------------


def _fields(found: Any, wanted: Mapping[str, Any], what: str) -> None:
    if not isinstance(found, dict) or set(found) != set(wanted):
        names = sorted(found) if isinstance(found, dict) else type(found).__name__
        raise UserError(f"{what} has the fields {names}, expected {sorted(wanted)}")
    for name, kind in wanted.items():
        value = found[name]
        fits = isinstance(value, dict if kind == TEXTS else kind) and not isinstance(value, bool)
        if kind == TEXTS and fits:
            fits = all(isinstance(text, str) for text in value.values())
        if not fits:
            expected = kind if kind == TEXTS else "a number" if kind == NUMBER else kind.__name__
            raise UserError(f"{what}: {name} is {json.dumps(value)[:100]}, expected {expected}")


def _seed(found: Mapping[str, Any]) -> None:
    if found["seed"] < 0:
        raise UserError(f"seed {found['seed']}: expected 0 or more")


def _machine(measured: Mapping[str, Any], device: str, what: str) -> None:
    """A record's name and what it says of its device agree; times and counts are not negative."""
    named = measured["device"]
    if named != "cpu" if device == "cpu" else not named.startswith(f"{device}: "):
        raise UserError(f"{what} was measured on {named!r}, which is not what the file's name says")
    for name in ("seconds", "cpu_seconds", "threads", "peak_memory"):
        if measured.get(name, 0) < 0:
            raise UserError(f"{what}: {name} is {measured[name]}, expected 0 or more")
    if not measured["cpu"]:
        raise UserError(f"{what} does not say on which CPU type it was measured")

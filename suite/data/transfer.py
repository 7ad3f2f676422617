"""Brings single files of a set into a folder, from the mirror, an installed package or a network address."""

from __future__ import annotations

import functools
import hashlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from suite import offline
from suite.data import packages
from suite.data.facts import DataSet, File

PART = ".part"  # inside a set's folder: what is not finished
BLOCK = 1 << 20
CHUNK = 1 << 16  # of a download
RETRIES = 2  # per address, after waits of 1 and 2 seconds
TIMEOUT = 30  # seconds without a byte


class Unusable(Exception):
    """A source that does not have the file, or has other bytes; the message says why."""


def obtain(dataset: DataSet, file: File, folder: Path, mirror: Path | None, progress: Callable[[str], object]) -> None:
    """Puts one verified file into ``folder`` from the first source that has it.

    ``folder/PART`` must exist. Raises Unusable, a line per source, when none has it, and OSError when the disk refuses.
    """
    tried = []
    for source, opened in _sources(dataset, file, folder / PART, mirror, progress):
        try:
            with opened() as stream:
                place(stream, file, folder)
        except Unusable as error:
            tried.append(f"  {source}: {error}")
        else:
            progress(f"{dataset.name}: {file.name} ({file.bytes} bytes) from {source}")
            return
    raise Unusable("\n".join([f"{file.name}:", *tried]))


def place(stream: BinaryIO, file: File, folder: Path) -> None:
    """Copies a stream to the file's place: temporary file, hash, fsync, rename. Unusable when it has other bytes.

    The rename replaces a read-only file or a link, and never writes through it.
    """
    part = folder / PART / file.name
    digest, size = hashlib.sha256(), 0
    with part.open("wb") as sink:
        while size <= file.bytes and (block := stream.read(BLOCK)):
            digest.update(block)
            size += sink.write(block)
        sink.flush()
        os.fsync(sink.fileno())
    if problem := file.difference(size, digest.hexdigest()):
        raise Unusable(problem)
    os.replace(part, folder / file.name)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sources(
    dataset: DataSet, file: File, part: Path, mirror: Path | None, progress: Callable[[str], object]
) -> Iterator[tuple[str, Callable[[], BinaryIO]]]:
    """The sources of a file in order, each with a function that opens it or raises Unusable."""
    if dataset.mirror is not None:
        yield "the mirror", functools.partial(_from_mirror, dataset.mirror, file, mirror)
    if dataset.package is not None:
        yield f"the package {dataset.package}", functools.partial(_from_package, dataset, file)
    for base in dataset.urls:
        yield base + file.name, functools.partial(_from_address, base, file, part, progress)


def _from_mirror(inside: str, file: File, mirror: Path | None) -> BinaryIO:
    if mirror is None:
        raise Unusable("SUITE_MIRROR is not set")
    try:
        return (mirror / inside / file.name).open("rb")
    except OSError as error:
        raise Unusable(str(error)) from None


def _from_package(dataset: DataSet, file: File) -> BinaryIO:
    try:
        return io.BytesIO(packages.build(dataset)[file.name])
    except packages.NotThere as error:
        raise Unusable(str(error)) from None


def _from_address(base: str, file: File, part: Path, progress: Callable[[str], object]) -> BinaryIO:
    """Downloads into a folder of its own by pooch, which retries and hashes; takes no more than the expected bytes."""
    import pooch  # type: ignore[import-untyped]
    import requests

    def bounded(url: str, path: str, keeper: Any) -> None:
        with open(path, "wb") as sink:
            # Asked for as it is: what a server packs for the transfer would be unpacked on the way.
            http = pooch.HTTPDownloader(timeout=TIMEOUT, headers={"Accept-Encoding": "identity"}, chunk_size=CHUNK)
            http(url, _Bounded(sink, file.bytes), keeper)

    progress(f"trying {base}{file.name}")
    pooch.get_logger().setLevel("WARNING")
    digest = f"sha256:{file.sha256}"
    keeper = pooch.create(part / "download", base, registry={file.name: digest}, retry_if_failed=RETRIES)
    try:
        with offline.allowed():
            path = Path(keeper.fetch(file.name, downloader=bounded))
    except (ValueError, requests.RequestException) as error:
        raise Unusable(_cause(error)) from None
    stream = path.open("rb")
    path.unlink()  # its space is free once the copy is in place
    return stream


def _cause(error: Exception) -> str:
    """What went wrong in one line, without the layers of wrapping that a failed connection brings."""
    inner = getattr(error.args[0] if error.args else None, "reason", None)
    return " ".join(str(inner or error).split())


class _Bounded:
    """A file that takes no more than the expected bytes, so that an endless answer cannot fill the disk."""

    def __init__(self, sink: BinaryIO, limit: int) -> None:
        self._sink, self._left, self._limit = sink, limit, limit

    def write(self, data: bytes) -> int:
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"the server sends more than the expected {self._limit} bytes")
        return self._sink.write(data)

    def flush(self) -> None:
        self._sink.flush()

"""Where a data set lies, its verified bytes, and how to get it. The network is used in ``fetch`` alone."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite import project
from suite.data import packages, transfer
from suite.data.facts import CATALOGUE, DataSet, File, catalogue, content_id, describe
from suite.errors import UserError

__all__ = [
    "DataSet",
    "File",
    "Places",
    "catalogue",
    "content_id",
    "describe",
    "fetch",
    "locate",
    "read",
    "table",
    "verify",
]


@dataclass(frozen=True)
class Places:
    """The folders that a search for data looks into."""

    datasets: Path
    locks: Path
    mirror: Path | None = None
    catalogue: Path = CATALOGUE

    @classmethod
    def here(cls) -> Places:
        """Those of the project around the current folder, and SUITE_MIRROR."""
        named = os.environ.get("SUITE_MIRROR")
        return cls(project.root() / "datasets", project.home() / "locks", Path(named).resolve() if named else None)

    def folders(self, dataset: DataSet) -> list[Path]:
        """Where the files of a set may lie: its own folder, then that of the mirror."""
        own = [self.datasets / dataset.name]
        return own if self.mirror is None or dataset.mirror is None else [*own, self.mirror / dataset.mirror]


def locate(name: str, where: Places | None = None) -> Path | None:
    """The first folder that has the set: ``datasets/NAME``, the mirror's, or that of the package's file; else None.

    Looks at presence and size only; ``read`` and ``verify`` look at the bytes.
    """
    where = where or Places.here()
    dataset = describe(name, where.catalogue)
    for folder in where.folders(dataset):
        if all(_size(folder / file.name) == file.bytes for file in dataset.files):
            return folder
    path = packages.installed(dataset)
    return path and path.parent


def read(name: str, where: Places | None = None) -> dict[str, bytes]:
    """The files of a set, every byte hashed; UserError (code 1) with file, digests and remedy when one is wrong."""
    where = where or Places.here()
    dataset = describe(name, where.catalogue)
    folder = locate(name, where)
    if folder is None:
        raise UserError(_absence(dataset, where), code=1)
    if folder not in where.folders(dataset):
        return _read_package(dataset)
    found = {}
    for file in dataset.files:
        path = folder / file.name
        try:
            data = found[file.name] = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error}; {_again(dataset)}", code=1) from None
        if problem := file.difference(len(data), hashlib.sha256(data).hexdigest()):
            raise UserError(f"{path} {problem}; {_again(dataset)}", code=1)
    return found


def verify(name: str, where: Places | None = None) -> list[str]:
    """The problems found by hashing every byte of a set again, each with its remedy; [] when it is good.

    Judges ``datasets/NAME`` whenever that folder exists, else the place that ``locate`` finds.
    """
    where = where or Places.here()
    dataset = describe(name, where.catalogue)
    own = where.datasets / name
    folder = own if own.is_dir() else locate(name, where)
    if folder not in where.folders(dataset):  # in a package, or nowhere
        try:
            read(name, where)
        except UserError as error:
            return [str(error)]
        return []
    faults = {folder / file.name: _fault(folder / file.name, file) for file in dataset.files}
    problems = [f"{path} {fault}; {_again(dataset)}" for path, fault in faults.items() if fault]
    return problems + [f"{path} is not a file of {name}; move it away" for path in _strangers(dataset, own)]


def table(where: Places | None = None) -> list[dict[str, Any]]:
    """A row per set for ``suite data list``.

    Keys: name, title, present (where, or None), get, bytes, licence, terms, compare, stand_in.
    """
    where = where or Places.here()
    return [
        {
            "name": name,
            "title": dataset.title,
            "present": _presence(dataset, where),
            "get": f"suite data fetch {name}" if dataset.package is None else f"comes with {dataset.package}",
            "bytes": dataset.bytes,
            "licence": dataset.licence,
            "terms": dataset.terms,
            "compare": dataset.compare,
            "stand_in": dataset.stand_in,
        }
        for name, dataset in catalogue(where.catalogue).items()
    ]


def fetch(name: str, progress: Callable[[str], object] = print, where: Places | None = None) -> Path:
    """Brings a set into ``datasets/NAME``, from the mirror, the installed package or an official address in this order.

    Good files are left alone; a wrong one is replaced by a verified one or stays. A process that finds another one
    fetching the same set waits for it. UserError (code 1) with the manual steps when the set cannot be had.
    """
    where = where or Places.here()
    dataset = describe(name, where.catalogue)
    folder = where.datasets / name
    try:
        with _lock(where.locks / f"data-{name}.lock", lambda: progress(f"{name}: another process fetches it; waiting")):
            _fill(dataset, folder, where.mirror, progress)
    except transfer.Unusable as error:
        raise UserError(f"{name} cannot be had: no source has {error}\n{_by_hand(dataset, folder)}", code=1) from None
    except OSError as error:
        raise UserError(
            f"{name}: fetching into {folder} failed: {error}; it needs {dataset.bytes} bytes of space, and leave to "
            f"write there and in {where.locks}. No file is half written; mend that, then: suite data fetch {name}",
            code=1,
        ) from error
    if strangers := _strangers(dataset, folder):
        names = ", ".join(path.name for path in strangers)
        raise UserError(f"{folder} must hold the files of {name} alone, not {names}; move that away", code=1)
    return folder


def _fill(dataset: DataSet, folder: Path, mirror: Path | None, progress: Callable[[str], object]) -> None:
    part = folder / transfer.PART
    if part.exists():  # left by a fetch that was killed
        shutil.rmtree(part)
    wrong = {file: fault for file in dataset.files if (fault := _fault(folder / file.name, file))}
    if not wrong:
        return
    part.mkdir(parents=True)
    try:
        for file, fault in wrong.items():
            if (folder / file.name).exists():
                progress(f"{folder / file.name} {fault}; getting it again")
            transfer.obtain(dataset, file, folder, mirror, progress)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        with contextlib.suppress(OSError):  # not empty, unless nothing could be had
            folder.rmdir()


@contextlib.contextmanager
def _lock(path: Path, on_wait: Callable[[], object]) -> Iterator[None]:
    """Holds a lock that the system drops when its process dies."""
    import filelock

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        on_wait()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _read_package(dataset: DataSet) -> dict[str, bytes]:
    try:
        built = packages.build(dataset)
    except packages.NotThere as error:
        raise UserError(
            f"{dataset.name}: {error}; install the {dataset.package} that the project pins", code=1
        ) from None
    for file in dataset.files:
        data = built[file.name]
        if problem := file.difference(len(data), hashlib.sha256(data).hexdigest()):
            raise UserError(
                f"{dataset.name}: {file.name} made from the package {dataset.package} {problem}; "
                f"install the {dataset.package} that the project pins",
                code=1,
            )
    return built


def _fault(path: Path, file: File) -> str | None:
    """What is wrong with a file on the disk, or None; reads every byte unless the size is another already."""
    size = _size(path)
    if size is None:
        return "is missing"
    if size != file.bytes:
        return f"has {size} bytes, expected {file.bytes}"
    try:
        with path.open("rb") as stream:
            return file.difference(size, hashlib.file_digest(stream, "sha256").hexdigest())
    except OSError as error:
        return f"cannot be read: {error}"


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


def _strangers(dataset: DataSet, folder: Path) -> list[Path]:
    names = {file.name for file in dataset.files}
    return sorted(path for path in folder.iterdir() if path.name not in names) if folder.is_dir() else []


def _presence(dataset: DataSet, where: Places) -> str | None:
    folder = locate(dataset.name, where)
    if folder is None:
        return None
    if folder not in where.folders(dataset):
        return f"package {dataset.package}"
    return f"datasets/{dataset.name}" if folder.parent == where.datasets else f"mirror {folder}"


def _absence(dataset: DataSet, where: Places) -> str:
    """Why a set is nowhere: the first fault of each place, and the way out."""
    faults = []
    for folder in where.folders(dataset):
        found = ((folder / file.name, _fault(folder / file.name, file)) for file in dataset.files)
        faults.append(next(f"{path} {fault}" for path, fault in found if fault))
    if dataset.mirror is not None and where.mirror is None:
        faults.append("SUITE_MIRROR is not set")
    if dataset.package is not None:
        faults.append(f"the package {dataset.package} is not installed")
    return f"{dataset.name} is not here ({'; '.join(faults)}); {_again(dataset)}"


def _again(dataset: DataSet) -> str:
    return f"to get it: suite data fetch {dataset.name}"


def _by_hand(dataset: DataSet, folder: Path) -> str:
    """The manual steps: which file to put where."""
    ways = [f"bring these files into {folder}"]
    if dataset.mirror is not None:
        ways.append(f"into {dataset.mirror}/ of a folder that SUITE_MIRROR names")
    if dataset.package is not None:
        ways.append(f"install the {dataset.package} that the project pins")
    files = [f"  {file}" for file in dataset.files]
    return "\n".join([f"By hand: {', or '.join(ways)}:", *files, f"Then: suite data verify {dataset.name}"])

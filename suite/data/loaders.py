"""The arrays of each data set: pure functions of verified bytes, one per set and named as it."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from suite.data import sources
from suite.errors import UserError

CLASSES = 10
SIDE = 28


@dataclass(frozen=True, eq=False)
class Images:
    """Labelled images by official split: uint8 N x C x H x W with values 0..255, labels int64 N, on the CPU."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def load(name: str, where: sources.Places | None = None) -> Images:
    """The arrays of a set, from bytes that are hashed at every call; UserError when it is absent, wrong or unknown."""
    return LOADERS[sources.describe(name).loader](sources.read(name, where))


def mnist(files: Mapping[str, bytes]) -> Images:
    """MNIST in the official order: 60,000 and 10,000 x 1 x 28 x 28. UserError for files that are not its IDX files."""
    return _digits(files, ".gz", 60_000, 10_000)


def fashion_mnist(files: Mapping[str, bytes]) -> Images:
    """Fashion-MNIST in the official order: 60,000 and 10,000 x 1 x 28 x 28. UserError for other files."""
    return _digits(files, ".gz", 60_000, 10_000)


def mnist_5k(files: Mapping[str, bytes]) -> Images:
    """5,000 of MNIST's training images: 4,000 and 1,000 x 1 x 28 x 28. UserError for other files."""
    return _digits(files, "", 4_000, 1_000)


def digits28(files: Mapping[str, bytes]) -> Images:
    """scikit-learn's digits, enlarged: 1,437 and 360 x 1 x 28 x 28. UserError for other files."""
    return _digits(files, "", 1_437, 360)


def _digits(files: Mapping[str, bytes], ending: str, train: int, test: int) -> Images:
    return Images(
        _images(files, f"train-images-idx3-ubyte{ending}", train),
        _labels(files, f"train-labels-idx1-ubyte{ending}", train),
        _images(files, f"t10k-images-idx3-ubyte{ending}", test),
        _labels(files, f"t10k-labels-idx1-ubyte{ending}", test),
    )


def _images(files: Mapping[str, bytes], name: str, count: int) -> Tensor:
    return _idx(files, name, (count, SIDE, SIDE)).reshape(count, 1, SIDE, SIDE)


def _labels(files: Mapping[str, bytes], name: str, count: int) -> Tensor:
    labels = _idx(files, name, (count,)).to(torch.int64)
    if labels.max() >= CLASSES:
        raise UserError(f"{name}: holds the label {labels.max()}, expected 0 to {CLASSES - 1}", code=1)
    return labels


def _idx(files: Mapping[str, bytes], name: str, shape: tuple[int, ...]) -> Tensor:
    """The unsigned bytes of an IDX file whose header must state exactly this shape."""
    if name not in files:
        raise UserError(f"{name} is missing among {', '.join(files) or 'no files'}", code=1)
    magic, sizes = struct.pack(">HBB", 0, 8, len(shape)), struct.pack(f">{len(shape)}I", *shape)
    start = len(magic) + len(sizes)
    total = start + math.prod(shape)
    data = _unpack(name, files[name], total) if name.endswith(".gz") else files[name]
    if data[:4] != magic:
        raise UserError(
            f"{name}: magic number is {data[:4].hex()}, expected {magic.hex()} (IDX, unsigned bytes)", code=1
        )
    if data[4:start] != sizes:
        stated = tuple(int.from_bytes(data[at : at + 4], "big") for at in range(4, start, 4))
        raise UserError(f"{name}: the header states the sizes {stated}, expected {shape}", code=1)
    if len(data) != total:
        raise UserError(f"{name}: holds {len(data)} bytes, expected {total} by its header", code=1)
    return torch.from_numpy(np.frombuffer(data, np.uint8, offset=start).reshape(shape).copy())


def _unpack(name: str, packed: bytes, limit: int) -> bytes:
    """The content of one gzip member; what unpacks to more than ``limit`` bytes is refused before it does."""
    inflate = zlib.decompressobj(wbits=31)
    try:
        data = inflate.decompress(packed, limit + 1)
    except zlib.error as error:
        raise UserError(f"{name}: not gzip ({error}); it starts with {packed[:16]!r}", code=1) from None
    if len(data) > limit:
        raise UserError(f"{name}: unpacks to more than the expected {limit} bytes", code=1)
    if not inflate.eof:
        raise UserError(f"{name}: gzip ends too early, after {len(data)} of {limit} bytes", code=1)
    if inflate.unused_data:
        raise UserError(f"{name}: {len(inflate.unused_data)} bytes follow the end of its gzip member", code=1)
    return data


LOADERS: dict[str, Callable[[Mapping[str, bytes]], Images]] = {
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "mnist_5k": mnist_5k,
    "digits28": digits28,
}

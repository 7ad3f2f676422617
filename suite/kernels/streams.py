"""Independent random streams named by a seed and a label; the only source of randomness of papers and recipes."""

from __future__ import annotations

import hashlib

import numpy as np
import torch


def stream(seed: int, *label: object) -> int:
    """A 63-bit integer that names the stream of (seed, label), the same on every machine and Python version.

    The label's parts count as text, in order, and cannot run into each other.

    >>> stream(0, "train", "mnist") == stream(0, "train", "mnist"), stream(0, "ab", "c") == stream(0, "a", "bc")
    (True, False)
    """
    text = "\x1f".join(str(part) for part in (seed, *label))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def rng(seed: int, *label: object) -> np.random.Generator:
    """A numpy Generator at the start of the stream of (seed, label)."""
    return np.random.default_rng(stream(seed, *label))


def generator(seed: int, *label: object) -> torch.Generator:
    """A CPU torch.Generator at the start of the stream of (seed, label); draw on the CPU, then move to the device."""
    return torch.Generator().manual_seed(stream(seed, *label))

"""The facts of the machine that stand beside a result, and the state of a process in which results are bit-equal."""

from __future__ import annotations

import functools
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from suite import offline
from suite.data import sources


def prepare() -> None:
    """One thread, deterministic kernels, no network: so that a result depends on its key and CPU type alone."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    offline.enforce()


def facts(device: str, sets: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Device, CPU type, versions, threads, and the sets that played each role with their content ids."""
    return {
        "device": device if device == "cpu" else f"{device}: {torch.cuda.get_device_name()}",
        "cpu": cpu_type(),
        "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
        "threads": torch.get_num_threads(),
        "data": {role: {"set": name, "content": sources.content_id(name)} for role, name in sets},
    }


@functools.cache
def cpu_type() -> str:
    """The processor's vendor and torch's instruction set: results are bit-equal within one type."""
    vendor = platform.processor() or platform.machine()
    if sys.platform == "linux":
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        vendor = next((line.split(":")[1].strip() for line in lines if line.startswith("vendor_id")), vendor)
    return f"{vendor} {torch.backends.cpu.get_cpu_capability()}"

"""Does what a paper printed hold when someone else runs it? The methods are in ``kernels`` and ``models``."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

HOME = {"Row": "suite.rows", "UserError": "suite.errors"}
ROOMS = ("kernels", "models")


def __getattr__(name: str) -> Any:
    if name in ROOMS:
        return importlib.import_module(f"suite.{name}")
    if name in HOME:
        return getattr(importlib.import_module(HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(["__version__", *ROOMS, *HOME])

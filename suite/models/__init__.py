"""Networks that two papers or more use, a family per file. A name is imported from its family when it is first used."""

from __future__ import annotations

import importlib
from typing import Any

FAMILIES = {"lenet": ("LeNet",)}
HOME = {name: family for family, names in FAMILIES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in FAMILIES:
        return importlib.import_module(f"suite.models.{name}")
    if name in HOME:
        return getattr(importlib.import_module(f"suite.models.{HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*FAMILIES, *HOME])

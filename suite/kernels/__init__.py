"""Pure, batched, hot functions, a family per file. A name is imported from its family when it is first used."""

from __future__ import annotations

import importlib
from typing import Any

FAMILIES = {
    "jacobian": ("gain", "jacobians", "pair_median", "projected_frobenius", "similarity", "stacked_bound"),
    "streams": ("generator", "rng"),
    "uap": ("ascend", "attack", "evasion_rate", "individual", "perturbed", "predictions", "target_rate"),
}
HOME = {name: family for family, names in FAMILIES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in FAMILIES:
        return importlib.import_module(f"suite.kernels.{name}")
    if name in HOME:
        return getattr(importlib.import_module(f"suite.kernels.{HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*FAMILIES, *HOME])

"""Copies of the project with toy papers, and commands run in them: for tests that edit, kill or break things."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

TOY = '''"""A toy: means of drawn numbers, fast enough to be killed often."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from suite.contract import Inputs, Run, Seen, Value
from suite.kernels import toy
from suite.rows import Row


@dataclass(frozen=True)
class Settings:
    """What the toy draws."""

    count: int = 8
    scale: float = 2.0
    pause: float = 0.0


SCALES = {"reduced": Settings(), "smoke": Settings(count=3)}
SEEDS = {"reduced": {"table1": 3, "ours_sum": 2}, "smoke": 1}
COST = {"reduced": {"table1": 0.01}}


def inputs(settings: Settings, unit: str, part: str | None) -> Inputs:
    """Nothing is needed."""
    return Inputs()


def table1(run: Run) -> Iterator[Row]:
    """A mean of each arm."""
    items = [[arm, number] for arm in ("a", "b") for number in range(run.settings.count)]
    values = run.map("draws", draw, items)
    half = len(values) // 2
    yield Row("table1", {"arm": "a"}, {"mean": sum(values[:half]) / half})
    yield Row("table1", {"arm": "b"}, {"mean": sum(values[half:]) / half})


def draw(run: Run, item: list) -> float:
    """One number; arm a is larger."""
    time.sleep(run.settings.pause)
    noise = toy.noise(run.rng("draw", item[1]))
    return run.settings.scale * noise + (1.0 if item[0] == "a" else 0.0)


def ours_sum(run: Run) -> Iterator[Row]:
    """A kept vector, summed."""
    vector = run.keep("vector", toy.vector, run.settings.count, run.generator("vector"))
    run.figure("vector", vector)
    yield Row("ours_sum", {"what": "sum"}, {"total": float(vector.sum())})


def c1(seen: Seen) -> dict[str, Value]:
    """a exceeds b."""
    return {"mean": seen("table1", "mean", arm="a") - seen("table1", "mean", arm="b")}
'''

KERNEL = '''"""The toy's kernels."""

from __future__ import annotations

import numpy as np
import torch


def noise(rng: np.random.Generator) -> float:
    """A standard normal number."""
    return float(rng.standard_normal())


def vector(count: int, generator: torch.Generator) -> torch.Tensor:
    """A vector of uniform numbers."""
    return torch.rand(count, generator=generator, dtype=torch.float64)
'''

PUBLISHED = """id: toy
number: 90
title: A toy
authors: [Nobody]
year: 2026
venue: "nowhere"
family: theory
tables:
  - id: table1
    where: "Table 1"
    about: two means
    metrics:
      mean: {unit: "1", better: higher, says: "mean", cap: 1}
    runs: 1
    rows:
      - {at: {arm: a}, role: own, values: {mean: 1.0}}
      - {at: {arm: b}, role: own, values: {mean: 0.0}}
ours:
  - id: ours_sum
    about: a sum
    axes: [what]
    metrics:
      total: {unit: "1", says: "sum"}
claims:
  - id: c1
    where: "Table 1"
    says: "a exceeds b"
    test: "mean[a] > mean[b]"
    decidable: reduced
    kind: ordering
    over: all
    margin: 0.1
"""


def copy(folder: Path, *papers: str) -> Path:
    """A copy of the package with the named papers (``toy``, or a stem of the project), without records or data."""
    tree = folder / "tree"
    shutil.copytree(ROOT / "suite", tree / "suite", ignore=shutil.ignore_patterns("__pycache__", "p[0-9]*"))
    (tree / "reports").mkdir()
    (tree / "baselines").mkdir()
    for stem in papers:
        if stem == "toy":
            write(tree / "suite/papers/p90_toy.py", TOY)
            write(tree / "suite/kernels/toy.py", KERNEL)
            write(tree / "baselines/p90_toy/published.yaml", PUBLISHED)
            write(tree / "baselines/p90_toy/card.md", "# A toy\n")
        else:
            module = ROOT / "suite/papers" / stem
            ignored = shutil.ignore_patterns("__pycache__")
            if module.is_dir():
                shutil.copytree(module, tree / "suite/papers" / stem, ignore=ignored)
            else:
                shutil.copy(module.with_suffix(".py"), tree / "suite/papers")
            shutil.copytree(ROOT / "baselines" / stem, tree / "baselines" / stem)
    return tree


def write(path: Path, text: str) -> None:
    """Writes a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def edit(path: Path, old: str, new: str) -> None:
    """Replaces a text that stands exactly once in a file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def environment(tree: Path, **more: str) -> dict[str, str]:
    """The environment of commands in a copy: its own package, no mirror but a given one."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SUITE_")}
    return kept | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"} | more


def command(*arguments: str) -> list[str]:
    """The command line that runs ``suite`` with this Python."""
    return [sys.executable, "-m", "suite.cli", *arguments]


def suite(tree: Path, *arguments: str, code: int | None = 0, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs ``suite`` in a copy and checks its exit code."""
    done = subprocess.run(
        command(*arguments), cwd=tree, env=environment(tree, **more), capture_output=True, text=True, check=False
    )
    assert code is None or done.returncode == code, (
        f"exit {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
    )
    return done


def python(tree: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a program with the copy's package, for what would need many commands otherwise."""
    call = [sys.executable, "-c", program, *arguments]
    return subprocess.run(call, cwd=tree, env=environment(tree), capture_output=True, text=True, check=True)


def results(tree: Path) -> dict[str, Any]:
    """The ``result`` of every record of a copy, by path."""
    found = sorted(p for p in (tree / "reports").glob("p*/runs/*/s*.json"))
    return {str(p.relative_to(tree)): json.loads(p.read_text(encoding="utf-8"))["result"] for p in found}

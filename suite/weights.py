"""The weights of recipes: found, trained, kept as safetensors with a small record, and loaded without running code."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn

from suite import keys, project, recipes, store
from suite.contract import Recipe, Run
from suite.errors import UserError
from suite.kernels import streams
from suite.plan import TRACKED_RECIPES, Place


@dataclass(frozen=True)
class Wanted:
    """The weights of one recipe and seed, and where they may lie."""

    recipe: Recipe
    seed: int
    sets: tuple[tuple[str, str], ...]
    scale: str
    device: str
    place: Place

    @property
    def key(self) -> keys.Key:
        """The key of the training."""
        return keys.recipe_key(self.recipe, self.seed, project.root(), dict(self.sets))

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.recipe.name} seed {self.seed}"

    @property
    def tracked(self) -> bool:
        """Whether a committed record belongs to these weights."""
        return self.place.tracked and self.scale in TRACKED_RECIPES and self.device == "cpu"

    def private(self) -> tuple[Path, Path]:
        """The record and the weights in the git-ignored folder of the run."""
        folder = self.place.recipes / self.recipe.name
        return folder / f"s{self.seed}.json", folder / f"s{self.seed}.safetensors"

    def public(self) -> tuple[Path, Path]:
        """The committed record, and the weights that DVC shares."""
        root, name = project.root(), f"s{self.seed}"
        folder = self.recipe.name
        return (
            root / "reports" / "recipes" / folder / f"{name}.json",
            root / "checkpoints" / folder / f"{name}.safetensors",
        )

    def places(self) -> list[tuple[Path, Path]]:
        """All pairs of record and weights to look at: the same key gives the same weights, whoever trained them."""
        shared = self.scale in TRACKED_RECIPES and not self.place.fresh and self.device == "cpu"
        return [self.public(), self.private()] if shared else [self.private()]


def read_record(path: Path) -> dict[str, Any] | None:
    """The record of a training, None where there is none; UserError when it was changed after it was written."""
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        claimed = found.pop("digest")
    except (ValueError, KeyError, AttributeError):
        raise UserError(f"{path} is not a record; restore it from git or delete it and train again", 1) from None
    if claimed != store.sha256(store.canonical(found).encode()):
        raise UserError(f"{path} was changed after it was written; restore it from git or delete it and train again", 1)
    return found


def find(wanted: Wanted) -> Path | None:
    """Weights trained under the present key that are byte for byte the recorded ones, or None."""
    for record_path, path in wanted.places():
        record = read_record(record_path)
        if record and record["key"] == wanted.key.digest and path.is_file():
            if store.sha256(path.read_bytes()) == record["weights"]:
                return path
            if record_path == wanted.private()[0]:
                path.unlink()
    return None


def digest(wanted: Wanted) -> str | None:
    """The SHA-256 of the weights in use, or None where there are none."""
    path = find(wanted)
    return store.sha256(path.read_bytes()) if path else None


def minutes(wanted: Wanted) -> float | None:
    """The mean processor time of this recipe's recorded trainings, in minutes, else a guess; None: nobody knows."""
    records = [read_record(path) for path in sorted(wanted.public()[0].parent.glob("s*.json"))]
    seconds = [record["measured"]["cpu_seconds"] for record in records if record]
    return sum(seconds) / len(seconds) / 60 if seconds else recipes.guessed_minutes(wanted.recipe)


def recorded(wanted: Wanted) -> bool:
    """Whether the committed record is current, weights or no weights."""
    record = read_record(wanted.public()[0])
    return record is not None and record["key"] == wanted.key.digest


def public_is_current(wanted: Wanted) -> bool:
    """Whether the committed record is current and its very weights lie in ``checkpoints/``."""
    path = wanted.public()[1]
    record = read_record(wanted.public()[0])
    return recorded(wanted) and path.is_file() and store.sha256(path.read_bytes()) == (record or {})["weights"]


def train(wanted: Wanted, run: Run, machine: Callable[[], Mapping[str, Any]]) -> Path:
    """Trains unless another process just did, and keeps the weights with their record; returns the weights' file.

    ``machine`` gives the facts of the device for the record. A committed record that is current is never replaced: on
    another machine the weights differ, and stay private.
    """
    with store.locked(f"weights {wanted.public()[1]} {wanted.private()[1]}"):
        if path := find(wanted):
            return path
        start, processor = time.monotonic(), time.process_time()
        model = wanted.recipe.train(run)  # type: ignore[attr-defined]
        weights = safetensors.torch.save({k: v.contiguous().cpu() for k, v in model.state_dict().items()})
        accuracy = wanted.recipe.accuracy(run, model)  # type: ignore[attr-defined]
        seconds = {
            "seconds": round(time.monotonic() - start, 3),
            "cpu_seconds": round(time.process_time() - processor, 3),
        }
        facts = {**seconds, "parts": wanted.key.parts, **machine()}
        record = {
            "format": store.FORMAT, "recipe": wanted.recipe.name, "seed": wanted.seed, "key": wanted.key.digest,
            "weights": store.sha256(weights), "accuracy": accuracy, "measured": facts,
        }  # fmt: skip
        record_path, path = _where(wanted, record)
        store.write(path, weights)
        old = read_record(record_path) or {}
        if (old.get("key"), old.get("weights")) != (record["key"], record["weights"]):
            write_record(record_path, record)
        return path


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Writes a training's record with its digest."""
    store.write(path, store.pretty({**record, "digest": store.sha256(store.canonical(dict(record)).encode())}))


def _where(wanted: Wanted, record: Mapping[str, Any]) -> tuple[Path, Path]:
    if not wanted.tracked:
        return wanted.private()
    public = wanted.public()
    old = read_record(public[0])
    if old and old["key"] == record["key"] and old["weights"] != record["weights"]:
        return wanted.private()
    return public


def load(recipe: Recipe, path: Path, device: str = "cpu") -> nn.Module:
    """The recipe's network with the weights of a file, in evaluation mode; UserError when they do not fit it."""
    model = recipe.build(streams.generator(0))  # type: ignore[attr-defined]
    try:
        tensors = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path} is no safetensors file ({error}); delete it and run again", 1) from None
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if expected != given:
        odd = sorted(name for name in expected.keys() | given.keys() if expected.get(name) != given.get(name))[0]
        raise UserError(
            f"{path} holds weights of another architecture: {odd} is {given.get(odd, 'absent')}, "
            f"{recipe.name} expects {expected.get(odd, 'no such tensor')}; delete the file and run again", 1
        )  # fmt: skip
    if bad := [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]:
        raise UserError(f"{path} holds weights that are not finite in {bad[0]}; delete it and run again", 1)
    model.load_state_dict(tensors)
    return model.to(device).eval()

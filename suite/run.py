"""Runs units: what a unit sees (``Run``), how its rows become a record, and the fan-out over processes."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import joblib
import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from suite import keys, machine, project, store, weights
from suite.contract import Inputs
from suite.data import loaders
from suite.errors import UserError
from suite.kernels import streams
from suite.plan import Task
from suite.rows import Row

MOST_FIGURE_BYTES = 100_000  # of all figure arrays of one unit and seed


class BudgetSpent(Exception):
    """The time given is over; what is finished is kept."""


class Run:
    """What a unit sees of the world; ``suite.contract.Run`` documents it for authors of papers."""

    def __init__(
        self, task: Task, allowed: Inputs, settings: Any, journal: store.Journal, deadline: float, jobs: int
    ) -> None:
        self.settings, self.seed, self.part, self.device = settings, task.seed, task.part, task.device
        self.figures: dict[str, np.ndarray] = {}
        self.elsewhere = 0.0  # seconds of processor time that items took in other processes
        self._task, self._allowed, self._journal, self._deadline, self._jobs = task, allowed, journal, deadline, jobs

    def rng(self, *label: object) -> np.random.Generator:
        """The numpy stream of (seed, label), from its start."""
        return streams.rng(self.seed, *label)

    def generator(self, *label: object) -> torch.Generator:
        """The torch stream of (seed, label), from its start."""
        return streams.generator(self.seed, *label)

    def data(self, name: str) -> Any:
        """The set that plays the role ``name``."""
        if name not in self._allowed.data:
            raise UserError(
                f"{self._task.name} asks for data {name!r}, which its inputs do not name: {self._allowed.data}"
            )
        return _load(dict(self._task.sets).get(name, name))

    def recipe(self, recipe: Any) -> nn.Module:
        """The model that the recipe trained with this seed."""
        if recipe not in self._allowed.recipes:
            raise UserError(f"{self._task.name} asks for recipe {recipe.name}, which its inputs do not name")
        return weights.load(recipe, train(wanted(self._task, recipe), self._deadline), self.device)

    def keep(self, label: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """``function(*arguments)`` of this seed, found again where arguments and reached code are the same."""
        if _module_level(function) is None:
            raise UserError(f"{self._task.name}: keep({label!r}) needs a module-level function, got {function!r}")
        code = keys.function_digest(function, project.root())
        address = store.sha256("\n".join([code, label, str(self.seed), self.device, digest_of(arguments)]).encode())[7:]
        path = self._task.place.work / "kept" / f"{address}.safetensors"
        if path.is_file():
            try:
                return _unwrap(safetensors.torch.load(_checked(path.read_bytes())))
            except (ValueError, safetensors.SafetensorError):
                path.unlink()  # damaged: computed again below
        self._check_time()
        packed = safetensors.torch.save(_wrap(function(*arguments), f"{self._task.name}: keep({label!r})"))
        store.write(path, hashlib.sha256(packed).digest() + packed)
        return _unwrap(safetensors.torch.load(packed))

    def map(self, label: str, function: Callable[..., Any], items: Iterable[Any]) -> list[Any]:
        """``[function(run, item) for item in items]`` with every finished item journaled."""
        if _module_level(function) is None:
            raise UserError(f"{self._task.name}: map({label!r}) needs a module-level function, got {function!r}")
        listed = [_plain(item) for item in items]
        called = f"{function.__module__}.{function.__qualname__}"
        names = [store.sha256(store.canonical([label, called, item]).encode()) for item in listed]
        missing = [i for i, name in enumerate(names) if name not in self._journal]
        for i, result in self._compute(function, [(i, listed[i]) for i in missing]):
            self._journal.add(names[i], result)
        return [_revive(self._journal[name]) for name in names]

    def figure(self, label: str, array: Any) -> None:
        """Keeps a small array beside the record."""
        self.figures[label] = np.asarray(array.detach().cpu() if isinstance(array, Tensor) else array)
        if (size := sum(len(store.npy(a)) for a in self.figures.values())) > MOST_FIGURE_BYTES:
            raise UserError(
                f"{self._task.name}: its figures hold {size} bytes, at most {MOST_FIGURE_BYTES} are allowed"
            )

    def progress(self, message: str) -> None:
        """Shows in the state of the unit."""
        store.set_state(project.home(), self._task.state, "running", message=message, task=self._task.name)

    def _compute(self, function: Callable[..., Any], items: list[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
        if self._jobs > 1 and len(items) > 1:
            calls = (joblib.delayed(_item)(self._task, self._deadline, function, i, item) for i, item in items)
            for i, result, seconds in joblib.Parallel(n_jobs=self._jobs, return_as="generator_unordered")(calls):
                self.elsewhere += seconds
                yield i, result
            return
        for i, item in items:
            self._check_time()
            yield i, _plain(function(self, _revive(item)))

    def _check_time(self) -> None:
        if time.time() > self._deadline:
            raise BudgetSpent


def make(task: Task, deadline: float = math.inf, jobs: int = 1) -> Run:
    """The Run of a task, with a view of exactly the settings in its key."""
    reached = {part.removeprefix("setting ") for part in task.key.parts if part.startswith("setting ")}
    view = keys.settings_view(task.settings, reached, task.unit)
    path = task.place.work / "journal" / f"s{task.seed}.{task.ident}.{task.device}.{task.key.digest[7:23]}.jsonl"
    return Run(task, task.inputs, view, store.Journal(path), deadline, jobs)


def _item(task: Task, deadline: float, function: Callable[..., Any], number: int, item: Any) -> tuple[int, Any, float]:
    start = time.process_time()
    machine.prepare()
    run = make(task, deadline)
    run._check_time()
    return number, _plain(function(run, _revive(item))), time.process_time() - start


# Trainings ----------------------------------------------------------------------------------------------------------


def wanted(task: Task, recipe: Any) -> weights.Wanted:
    """The weights of a recipe for a task's seed."""
    sets = tuple((role, name) for role, name in task.sets if role == recipe.data)
    return weights.Wanted(recipe, task.seed, sets, task.scale, task.device, task.place)


def train(what: weights.Wanted, deadline: float = math.inf) -> Any:
    """The file of a recipe's weights, trained now unless they are there."""
    if path := weights.find(what):
        return path
    if time.time() > deadline:
        raise BudgetSpent
    task = Task("recipes", what.scale, what.seed, what.recipe.name, None, None, what.sets, what.device, what.place)
    run = Run(task, Inputs(data=(what.recipe.data,)), None, store.Journal(what.place.work / "none"), deadline, 1)
    return weights.train(what, run, lambda: machine.facts(what.device, what.sets))


# Values that are kept -----------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=2)
def _load(name: str) -> Any:
    return loaders.load(name)


def _module_level(function: Callable[..., Any]) -> Callable[..., Any] | None:
    module = sys.modules.get(getattr(function, "__module__", ""))
    return function if getattr(module, getattr(function, "__qualname__", ""), None) is function else None


def digest_of(value: Any) -> str:
    """A digest of an argument: numbers, text, tensors, arrays, modules, generators, and containers of them."""
    if isinstance(value, Tensor):
        return digest_of(value.detach().cpu().contiguous().numpy())
    if isinstance(value, np.ndarray):
        return store.sha256(f"{value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    if isinstance(value, nn.Module):
        return digest_of([_class_digest(value), str(value), dict(value.state_dict())])
    if isinstance(value, torch.Generator):
        return digest_of(value.get_state())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return digest_of([_class_digest(value), {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}])
    if isinstance(value, dict):
        return store.sha256(store.canonical({str(k): digest_of(v) for k, v in value.items()}).encode())
    if isinstance(value, (list, tuple)):
        return store.sha256(store.canonical([digest_of(v) for v in value]).encode())
    if value is None or isinstance(value, (bool, int, float, str)):
        return store.sha256(repr(value).encode())
    raise UserError(
        f"an argument of type {type(value).__name__} cannot be kept; give numbers, text, tensors or modules"
    )


def _class_digest(value: Any) -> str:
    """The code that an argument brings along: what its class reaches, so that an edited network is another argument."""
    kind = type(value)
    return keys.function_digest(kind, project.root()) if kind.__qualname__.isidentifier() else kind.__qualname__


def _wrap(value: Any, what: str) -> dict[str, Tensor]:
    named = value if isinstance(value, dict) else {"": value}
    wrapped = {}
    for name, item in named.items():
        if not isinstance(item, (Tensor, np.ndarray)):
            raise UserError(
                f"{what} returned {type(item).__name__}; keep holds tensors, arrays or dictionaries of them"
            )
        kind = "tensor" if isinstance(item, Tensor) else "array"
        tensor = item.detach().cpu() if isinstance(item, Tensor) else torch.from_numpy(np.ascontiguousarray(item))
        wrapped[f"{kind} {name}"] = tensor.contiguous()
    return wrapped


def _unwrap(tensors: dict[str, Tensor]) -> Any:
    found = {n.partition(" ")[2]: t if n.startswith("tensor ") else t.numpy() for n, t in tensors.items()}
    return found[""] if list(found) == [""] else found


def _checked(content: bytes) -> bytes:
    if hashlib.sha256(content[32:]).digest() != content[:32]:
        raise ValueError("the digest differs")
    return content[32:]


def _plain(value: Any) -> Any:
    """JSON of an item or result; a row becomes a tagged mapping."""
    if isinstance(value, Row):
        return {"row": value.table, "at": dict(value.at), "values": {k: float(v) for k, v in value.values.items()}}
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value


def _revive(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"row", "at", "values"}:
            return Row(value["row"], value["at"], value["values"])
        return {k: _revive(v) for k, v in value.items()}
    return [_revive(v) for v in value] if isinstance(value, list) else value

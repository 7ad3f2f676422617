"""Contenders of one task on one input, timed in turns, so that a machine that slows down slows all of them down."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

DEVICES = ("cpu", "cuda")
AGAIN = "ours, again"

Facts = dict[str, dict[str, str | float]]  # per contender: a word, or a number in percent


class Absent(Exception):
    """What a contender needs is not here; the message says what, and how to get it."""


@dataclass(frozen=True)
class Setting:
    """Where a race runs, and whether with sizes that only show that it runs."""

    device: str
    tiny: bool = False

    def size(self, full: int, tiny: int) -> int:
        """The size to run with."""
        return tiny if self.tiny else full


@dataclass(frozen=True)
class Contender:
    """One way to do the task: ``build(inputs)`` prepares it, and what that returns is called once a round.

    ``at_least`` is the least allowed ratio of its time to ours. ``most_rounds`` is for those that take seconds; with 1
    the call that gives the result is the one that is timed.
    """

    role: str
    build: Callable[[Any], Callable[[], Any]]
    at_least: float | None = None
    most_rounds: int | None = None


@dataclass(frozen=True, eq=False)
class Group:
    """A task. ``inputs(setting)`` is made once for all; ``facts(inputs, results)`` tells about each contender's result.

    ``facts`` asserts that the results agree as far as they must, so that nothing wrong is timed.
    """

    title: str
    inputs: Callable[[Setting], Any]
    contenders: dict[str, Contender]
    facts: Callable[[Any, dict[str, Any]], Facts]
    rounds: int = 20
    devices: tuple[str, ...] = DEVICES

    def entrants(self) -> dict[str, Contender]:
        """The contenders, ours twice where rounds are cheap: what differs between the two is noise."""
        if self.rounds < 5:
            return self.contenders
        return {**self.contenders, AGAIN: Contender("noise", self.contenders["ours"].build)}


@dataclass
class Outcome:
    """What a race found: seconds a round, peak memory in bytes, facts, results, and why a contender did not run."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, int | None] = field(default_factory=dict)
    facts: Facts = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    fault: Exception | None = None


class Clock:
    """Time as ``pytest-benchmark`` reads it while a race that is over is told to it round by round."""

    now = 0.0

    def read(self) -> float:
        """The present moment in seconds."""
        return self.now

    def pass_by(self, seconds: Iterator[float]) -> None:
        """Lets the next round's seconds pass."""
        self.now += next(seconds)


CLOCK = Clock()
replayed = pytest.mark.benchmark(timer=CLOCK.read)


def cases(*groups: Group) -> pytest.MarkDecorator:
    """The parameters of a test that replays each contender of each group on each of its devices."""
    every = [
        pytest.param(group, device, name, id=f"{group.title}-{device}-{name}")
        for group in groups
        for device in group.devices
        for name in group.entrants()
    ]
    return pytest.mark.parametrize(("group", "device", "name"), every)


def replay(group: Group, setting: Setting, name: str, benchmark: Any) -> None:
    """Runs the group's race if it has not been run, and hands one contender's rounds to ``pytest-benchmark``."""
    if setting.device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs cuda")
    outcome = run(group, setting)
    if outcome.fault:
        raise outcome.fault
    if name in outcome.absent:
        pytest.skip(outcome.absent[name])
    contender, seconds = group.entrants()[name], outcome.seconds[name]
    benchmark.group = title(group, setting.device)
    benchmark.name = name
    benchmark.extra_info |= {"role": contender.role, "memory": outcome.memory[name]}
    benchmark.extra_info |= {"facts": outcome.facts.get(name, {}), "at_least": contender.at_least}
    benchmark.pedantic(CLOCK.pass_by, args=(iter(seconds),), rounds=len(seconds))


def title(group: Group, device: str) -> str:
    """The group's name in the table."""
    return group.title if device == "cpu" else f"{group.title}, {device}"


@functools.cache
def run(group: Group, setting: Setting) -> Outcome:
    """The race: one call of each for its result and its memory, then rounds in which they take turns.

    What goes wrong is kept too, so that a race that fails is not run again for each of its contenders.
    """
    outcome = Outcome()
    try:
        _run(group, setting, outcome)
    except Exception as fault:
        outcome.fault = fault
    return outcome


def _run(group: Group, setting: Setting, outcome: Outcome) -> None:
    inputs = group.inputs(setting)
    calls = {}
    for name, contender in group.entrants().items():
        try:
            calls[name] = contender.build(inputs)
        except Absent as reason:
            outcome.absent[name] = str(reason)
    for name, call in calls.items():
        outcome.results[name], outcome.memory[name], first = observed(call, setting.device)
        outcome.seconds[name] = [first] if group.entrants()[name].most_rounds == 1 else []
    outcome.facts = group.facts(inputs, outcome.results)
    rounds = 2 if setting.tiny else group.rounds
    left = {name: (group.entrants()[name].most_rounds or rounds) - len(outcome.seconds[name]) for name in calls}
    with quiet():
        for number in range(rounds):
            for name in list(calls)[:: -1 if number % 2 else 1]:
                if number < left[name]:
                    outcome.seconds[name].append(seconds_of(calls[name], setting.device))


def seconds_of(call: Callable[[], Any], device: str) -> float:
    """How long one call takes, until the device has finished."""
    finish(device)
    start = time.perf_counter()
    call()
    finish(device)
    return time.perf_counter() - start


def finish(device: str) -> None:
    """Waits for the work given to a CUDA device."""
    if device == "cuda":
        torch.cuda.synchronize()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No garbage collection inside."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


# Memory -------------------------------------------------------------------------------------------------------------


def observed(call: Callable[[], Any], device: str) -> tuple[Any, int | None, float]:
    """The result of a call, by how many bytes memory rose at most, and its seconds; of a second call if that is cheap.

    On the CPU it is the process's resident memory as Linux counts it; None elsewhere.
    """
    result, rise, seconds = risen(call, device)
    return risen(call, device) if seconds < 1 else (result, rise, seconds)


def risen(call: Callable[[], Any], device: str) -> tuple[Any, int | None, float]:
    """The result of one call, the rise of memory, and its seconds."""
    gc.collect()
    before = settled(device)
    finish(device)
    start = time.perf_counter()
    result = call()
    finish(device)
    seconds = time.perf_counter() - start
    if device == "cuda":
        return result, torch.cuda.max_memory_allocated() - before, seconds
    return result, max(0, resident("VmHWM") - before) if sys.platform == "linux" else None, seconds


def settled(device: str) -> int:
    """The bytes in use, after freed memory was given back and the count of the peak was started anew."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    if sys.platform != "linux":
        return 0
    with contextlib.suppress(AttributeError):  # other C libraries than glibc return freed memory on their own
        ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    return resident("VmRSS")


def resident(which: str) -> int:
    """A line of this process's status in bytes."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{which}:"))

"""Benchmarks run where they are enabled, by ``make bench``; what the table needs besides times goes into its file."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from suite import machine
from tests.bench import inputs, race

FOLDER = Path(__file__).parent
NOT_RUN = pytest.StashKey[list[list[str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--tiny`` shows in seconds that every contender runs; its times say nothing."""
    parser.addoption("--tiny", action="store_true", help="benchmarks with sizes that only show that they run")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the races out where benchmarks are not asked for."""
    if config.getoption("benchmark_enable"):
        return
    races = [item for item in items if FOLDER in item.path.parents and "benchmark" in getattr(item, "fixturenames", ())]
    if races:
        config.hook.pytest_deselected(items=races)
        items[:] = [item for item in items if item not in races]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Notes which contender did not run, and why."""
    report = yield
    if report.skipped and hasattr(item, "callspec") and "group" in item.callspec.params:
        group, device, name = (item.callspec.params[key] for key in ("group", "device", "name"))
        noted = item.config.stash.setdefault(NOT_RUN, [])
        noted.append([race.title(group, device), name, report.longrepr[2].removeprefix("Skipped: ")])
    return report


def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Adds the class of the machine, the versions, the inputs, and what did not run."""
    output_json["suite"] = {
        "class": machine_class(),
        "versions": {"numpy": np.__version__, "python": platform.python_version(), "torch": torch.__version__},
        "tiny": config.getoption("tiny", False),
        "not_run": config.stash.get(NOT_RUN, []),
        **inputs.description(),
    }


def machine_class() -> str:
    """CPU vendor and capability, torch's version, and the CUDA device where there is one: times compare within it."""
    cuda = [torch.cuda.get_device_name()] if torch.cuda.is_available() else []
    return ", ".join([machine.cpu_type(), f"torch {torch.__version__.split('+')[0]}", *cuda])


@pytest.fixture
def setting(request: pytest.FixtureRequest, device: str) -> race.Setting:
    """The device and the sizes of a race."""
    return race.Setting(device, request.config.getoption("tiny", False))

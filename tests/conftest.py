"""What every test can count on: no network, one torch thread, the same examples of hypothesis each time."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the processes that tests start

import hypothesis
import pytest
import torch

from tests.warm import tools  # noqa: F401

ROOT = Path(__file__).resolve().parents[1]

hypothesis.settings.register_profile("suite", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.load_profile("suite")


class NetworkUsed(RuntimeError):
    """A test reached for the network; no OSError, so that nothing takes it for a server that is down."""


class _Guard:
    """An audit hook that refuses connections and name look-ups outside this machine, from the start to the end."""

    closed = True

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.closed or not event.startswith("socket."):
            return
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            handle, address = arguments
            host = None if handle.family == socket.AF_UNIX or address is None else address[0]
        elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
            host = arguments[0]
        else:
            return
        if not _is_here(host):
            raise NetworkUsed(f"{event} of {host!r}: tests may only reach this machine")


def _is_here(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(str(name)).is_loopback
    except ValueError:
        return False


GUARD = _Guard()
sys.addaudithook(GUARD)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """One torch thread for each test, and the network for those alone that are marked with it."""
    torch.set_num_threads(1)
    GUARD.closed = item.get_closest_marker("network") is None


def pytest_runtest_teardown() -> None:
    """Closes the network that a marked test was given."""
    GUARD.closed = True


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root."""
    return ROOT


@pytest.fixture(scope="session")
def mirror() -> Path | None:
    """The folder of official files that SUITE_MIRROR names, or the one kept beside the project; None without either."""
    for folder in (os.environ.get("SUITE_MIRROR"), ROOT.parent / "shared" / "data"):
        if folder and Path(folder).is_dir():
            return Path(folder).resolve()
    return None

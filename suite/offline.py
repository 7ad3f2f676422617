"""No network while work is done: only loopback and Unix connections are let through, but while data is fetched."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from suite.errors import UserError

_state = {"installed": False, "allowed": 0}


def enforce() -> None:
    """Refuses connections of this process to other machines from now on; calling it again changes nothing."""
    if not _state["installed"]:
        _state["installed"] = 1
        sys.addaudithook(_watch)


@contextlib.contextmanager
def allowed() -> Iterator[None]:
    """Lets connections through, for ``suite data fetch`` alone."""
    _state["allowed"] += 1
    try:
        yield
    finally:
        _state["allowed"] -= 1


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _state["allowed"] or not event.startswith("socket."):
        return
    host: Any = None
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    if host is not None and not _loopback(host.decode() if isinstance(host, bytes) else str(host)):
        raise UserError(f"a connection to {host} was refused: only 'suite data fetch' uses the network", 1)


def _loopback(host: str) -> bool:
    return host in ("localhost", "::1", "") or host.startswith("127.")

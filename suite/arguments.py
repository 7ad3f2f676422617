"""Reads the values of command line options; a bad one is a UserError with the option, the value, the expectation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from suite import papers
from suite.errors import UserError


def seeds(text: str | None) -> Sequence[int] | None:
    """The seeds that a text names: 5 (0 to 4), 0-4 or 0,2; None where none are named."""
    if text is None:
        return None
    found: Sequence[int] = ()
    if re.fullmatch(r"\d+(,\d+)+", text):
        found = sorted({int(item) for item in text.split(",")})
    elif match := re.fullmatch(r"(\d+)-(\d+)", text):
        found = range(int(match[1]), int(match[2]) + 1)
    elif text.isdecimal():
        found = range(int(text))
    if not found:
        raise UserError(f"--seeds {text}: expected a number of seeds (5), a range (0-4) or a list (0,2)")
    return found


def scale(name: str) -> str:
    """The name of a scale, when there is one of that name."""
    if name not in papers.SCALES:
        raise UserError(f"--scale {name}: expected {', '.join(papers.SCALES)}")
    return name


def changes(items: list[str] | None) -> dict[str, str]:
    """The settings of ``field=value`` texts."""
    for item in items or []:
        if "=" not in item:
            raise UserError(f"--set {item}: expected field=value, such as epochs=1")
    return dict(item.split("=", 1) for item in items or [])


def seconds(text: str | None) -> float | None:
    """The seconds of a time such as 90s, 9m or 2h; None where none is given."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if match is None:
        raise UserError(f"--budget {text}: expected a time such as 90s, 9m or 2h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]

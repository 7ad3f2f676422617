"""Imports papers so that one which cannot be imported is a message about itself, and no obstacle for the others."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from pathlib import Path

from suite import papers
from suite.errors import UserError
from suite.papers import Paper


def load(stem: str) -> Paper:
    """The paper of a stem; UserError with file, line and fault where its module cannot be imported."""
    try:
        return papers.load(stem)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{stem} cannot be imported: {_where(error)}{type(error).__name__}: {error}", 1) from error


def sound(stems: Iterable[str] | None = None) -> tuple[list[str], dict[str, str]]:
    """The papers that can be imported, and for the others why not, in the order of ``stems`` (all without any)."""
    whole: list[str] = []
    broken: dict[str, str] = {}
    for stem in papers.names() if stems is None else stems:
        try:
            load(stem)
            whole.append(stem)
        except UserError as error:
            broken[stem] = str(error)
    return whole, broken


def _where(error: Exception) -> str:
    """The innermost place in the suite that the import reached; a syntax error names its own."""
    if isinstance(error, SyntaxError):
        return ""
    package = Path(__file__).parent
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(package)]
    own = [f for f in frames if f.filename != __file__ and Path(f.filename) != Path(papers.__file__)]
    return f"{Path(own[-1].filename).relative_to(package.parent)}:{own[-1].lineno}: " if own else ""

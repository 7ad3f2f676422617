"""Where the project lies: its root, its git-ignored working folder, and a check that the right package is running."""

from __future__ import annotations

import os
from pathlib import Path

from suite.errors import UserError

MARK = Path("suite") / "papers" / "__init__.py"


def root() -> Path:
    """The project's root: SUITE_ROOT, or the nearest folder upwards from the current one that holds the project.

    Raises UserError outside a project, and when the running package is not the one inside the root.
    """
    named = os.environ.get("SUITE_ROOT")
    here = Path(named).resolve() if named else Path.cwd().resolve()
    for folder in [here] if named else [here, *here.parents]:
        if (folder / MARK).is_file() and (folder / "baselines").is_dir():
            return _same_package(folder)
    raise UserError(
        f"{here} is not inside a suite project (no {MARK} and baselines/ here or above); "
        "go into a clone of the project or set SUITE_ROOT to it"
    )


def home() -> Path:
    """The folder of running, failed and private work: ``.suite`` in the root, or SUITE_HOME."""
    named = os.environ.get("SUITE_HOME")
    return Path(named).resolve() if named else root() / ".suite"


def _same_package(folder: Path) -> Path:
    running = Path(__file__).resolve().parent
    if running != folder / "suite":
        raise UserError(
            f"the running package lies in {running}, not in the project {folder}; "
            f"install the project's own ('make setup' there) or unset SUITE_ROOT"
        )
    return folder

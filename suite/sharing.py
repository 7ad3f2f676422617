"""Hands what trainings and full runs wrote to DVC, where it is installed, as a command; the suite never imports it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence

import yaml

from suite import loading, pipeline, plan, project, run, weights


def recipes() -> dict[str, list[weights.Wanted]]:
    """The recipes that papers plan at scales whose weights are tracked: by name, one entry a seed."""
    tasks = (t for stem in loading.sound()[0] for scale in plan.TRACKED_RECIPES for t in plan.planned(stem, scale))
    return {
        name: [run.wanted(task, recipe) for recipe, task in found.values()]
        for name, found in plan.trainings(tasks).items()
    }


def share(name: str, planned: Sequence[weights.Wanted], tell: Callable[[str], None]) -> None:
    """``dvc add`` of a recipe's folder when DVC is installed and every planned seed's tracked weights are there."""
    if _command() and all(weights.public_is_current(w) for w in planned):
        _dvc(["add", f"checkpoints/{name}"], "the weights are kept all the same", tell)


def lock_full(stems: Sequence[str], tell: Callable[[str], None]) -> None:
    """Brings the stage files and the locks of papers up to their full records, when DVC is installed.

    The stages of full runs are frozen, so that ``dvc repro`` starts none of them; a lock that states the records as
    they are is all that DVC has to know. Only the named papers' stages are locked: a lock says "done" of all it names.
    """
    if _command() is None:
        return
    pipeline.write_all(broken={})
    for stem in stems:
        targets = [f"checkpoints/dvc.yaml:{name}" for name in _frozen_trainings(stem)]
        targets.append(f"reports/{stem}/dvc.yaml:full")
        why = "the records are kept all the same; fetch what is missing into datasets/ and run that command"
        _dvc(["commit", "--force", *targets], why, tell)


def _frozen_trainings(stem: str) -> list[str]:
    """The stages of recipes that full runs alone need, where every record of theirs is there."""
    path = project.root() / "checkpoints" / "dvc.yaml"
    stages = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"] if path.is_file() else {}
    needed = plan.trainings(plan.planned(stem, "full"))
    names = {pipeline.stage_name(name): project.root() / "reports" / "recipes" / name for name in needed}
    return [name for name, folder in names.items() if stages.get(name, {}).get("frozen") and folder.is_dir()]


def _dvc(arguments: list[str], otherwise: str, tell: Callable[[str], None]) -> None:
    done = subprocess.run(
        [str(_command()), *arguments], cwd=project.root(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = done.stderr.strip() or done.stdout.strip()
        tell(f"dvc {' '.join(arguments)} failed ({reason}); {otherwise}")


def _command() -> str | None:
    """The command of DVC, where it is installed and the project is under it."""
    if not (project.root() / ".dvc").is_dir():
        return None
    return shutil.which("dvc", path=str(project.root() / ".venv" / "bin")) or shutil.which("dvc")

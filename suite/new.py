"""``suite new``: a new paper that runs at once, written from the templates; the contributor edits from there."""

from __future__ import annotations

import keyword
import re
from importlib import resources
from pathlib import Path
from string import Template

from suite.errors import UserError
from suite.papers import STEM

ID = re.compile(r"(?!p?\d+$)[a-z0-9_]+")


def create(number: int, ident: str, root: Path) -> list[Path]:
    """Writes the module, ``published.yaml`` and ``card.md`` of paper ``number``, and returns their paths in this order.

    The example in them is a complete small paper. Nothing is overwritten: UserError for a number outside 1 to 99, an
    id that is no lower-case name or reads as a number, and for a number, id or file that is there already.
    """
    if not 1 <= number <= 99:
        raise UserError(f"paper number {number}: expected 1 to 99, such as: suite new 64 my_paper")
    if not ID.fullmatch(ident) or keyword.iskeyword(ident):
        raise UserError(f"paper id {ident!r}: expected a name of a-z, 0-9 and _, such as: suite new {number} my_paper")
    _refuse_taken(number, ident, root)
    stem = f"p{number:02d}_{ident}"
    targets = {
        "module.py.txt": root / "suite" / "papers" / f"{stem}.py",
        "published.yaml": root / "baselines" / stem / "published.yaml",
        "card.md": root / "baselines" / stem / "card.md",
    }
    for path in targets.values():
        if path.exists():
            raise UserError(f"{path.relative_to(root)} is there already and stays as it is; take another number or id")
    templates = resources.files("suite") / "templates"
    for name, path in targets.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = Template((templates / name).read_text("utf-8")).substitute(number=number, ident=ident, stem=stem)
        path.write_text(text, "utf-8")
    return list(targets.values())


def _refuse_taken(number: int, ident: str, root: Path) -> None:
    for path in sorted((root / "suite" / "papers").iterdir()):
        match = STEM.fullmatch(path.stem)
        if match and (int(match[1]) == number or match[2] == ident):
            what = f"number {number}" if int(match[1]) == number else f"id {ident!r}"
            raise UserError(f"{what} belongs to {path.relative_to(root)}; take another (suite list shows all papers)")

"""What names reach through the sources of the suite, followed in their text alone: nothing is imported or run."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from suite.errors import UserError
from suite.reach.source import Source, Statement, Use

ROOMS = ("kernels", "models", "train", "recipes")
CORE = ("data", "papers", "reach", "report", "templates")  # packages that are no family's room

Stamp = tuple[Path, int, int]
Members = dict[str, tuple[str, list[Statement]]]  # no statements: a field


@dataclass(frozen=True)
class Reach:
    """What a set of roots reaches: digests of texts by dotted name, and the settings named after a dot.

    The text of a name is that of every statement at the top level of its module that binds it, with the dotted names
    of what it takes from elsewhere. A module's own name stands for its statements that define nothing.
    """

    texts: dict[str, str]
    settings: frozenset[str]


_SOURCES: dict[Path, tuple[Stamp, Source]] = {}
_REACHES: dict[tuple[Path, frozenset[tuple[str, str]], frozenset[str]], tuple[dict[str, Stamp | None], Reach]] = {}


def reach(roots: Iterable[tuple[str, str]], root: Path, apart: Collection[str] = ()) -> Reach:
    """Follows roots, pairs of a module and a name at its top level, through the sources under ``root/suite``.

    ``apart`` are dotted names that are not followed, because a key of their own stands for them. Raises UserError with
    file and line where a name cannot be followed: a star import, a name taken from a package instead of the module that
    defines it, a module of the suite used other than as ``module.name``.
    """
    root = root.resolve()
    asked = (root, frozenset(roots), frozenset(apart))
    known = _REACHES.get(asked)
    if known is None or any(_stamp(module, root) != stamp for module, stamp in known[0].items()):
        follower = _Follower(root, asked[2])
        found = follower.follow(sorted(asked[1]))
        known = _REACHES[asked] = (follower.stamps, found)
    return known[1]


def followed(module: str, root: Path) -> bool:
    """Whether the text of a module counts: papers, kernels, models, loaders, trainings, recipes, families' rooms."""
    package, *rest = module.split(".")
    if package != "suite" or not rest:
        return False
    if rest[0] in CORE:
        return len(rest) > 1 and (rest[0] == "papers" or rest[:2] == ["data", "loaders"])
    return rest[0] in ROOMS or (root / "suite" / rest[0]).is_dir()


def owners(file: Path, line: int, root: Path) -> frozenset[str]:
    """The dotted names that a followed file defines at a line, members of a class included; empty for other files."""
    if not file.is_relative_to(root) or file.suffix != ".py":
        return frozenset()
    module = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    stamp = _stamp(module, root) if followed(module, root) else None
    if stamp is None or stamp[0] != file:
        return frozenset()
    return frozenset(".".join([module, *names]) for names in _source(module, stamp, root).at(line))


def sha256(text: str) -> str:
    """The digest of a text as it stands in keys."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _stamp(module: str, root: Path) -> Stamp | None:
    """The file of a module, or the folder of a package without ``__init__``, with its time and size; None if absent."""
    base = root.joinpath(*module.split("."))
    for path in (base / "__init__.py", base.with_name(f"{base.name}.py")):
        if path.is_file():
            facts = path.stat()
            return path, facts.st_mtime_ns, facts.st_size
    return (base, 0, 0) if base.is_dir() else None


def _source(module: str, stamp: Stamp, root: Path) -> Source:
    known = _SOURCES.get(stamp[0])
    if known is None or known[0] != stamp:
        source = Source(module, stamp[0], stamp[0].relative_to(root).as_posix())
        known = _SOURCES[stamp[0]] = (stamp, source)
    return known[1]


class _Follower:
    """One walk from a set of roots; ``stamps`` is all that its outcome depends on."""

    def __init__(self, root: Path, apart: frozenset[str]) -> None:
        self.root, self.apart = root, apart
        self.stamps: dict[str, Stamp | None] = {}
        self.seen: set[str] = set()
        self.todo: list[tuple[str, list[Statement], str]] = []
        self.settings: set[str] = set()
        self.members_of: dict[str, Members] = {}

    def follow(self, roots: Iterable[tuple[str, str]]) -> Reach:
        """Takes the roots and everything that they reach."""
        for module, name in roots:
            self.name(module, [name], module)
        texts = {}
        while self.todo:
            dotted, statements, paper = self.todo.pop()
            taken, named = set(), set()
            for statement in statements:
                named |= statement.uses.attributes
                for use in statement.uses.found:
                    imported = list(self.use(statement.source, use))
                    taken.update(imported)
                    named.update(() if imported else use.attributes)
            texts[dotted] = sha256("\0".join([*(statement.text for statement in statements), "", *sorted(taken)]))
            if paper:
                self.note(paper, named)
        return Reach(dict(sorted(texts.items())), frozenset(self.settings))

    def use(self, source: Source, use: Use) -> Iterator[str]:
        """Follows a name; gives what it was imported from, as ``name=dotted name``."""
        if use.imported is None and use.name in source.named:
            self.add(f"{source.module}.{use.name}", source.named[use.name])
        targets = source.imports.get(use.name, []) if use.imported is None else use.imported
        for target in targets:
            if target.split(".")[0] == "suite":
                chain = ".".join([use.name, *use.attributes])
                yield f"{chain}={self.resolve([*target.split('.'), *use.attributes], f'{source.shown}:{use.line}')}"
            else:
                yield f"{use.name}={target}"

    def resolve(self, parts: list[str], place: str) -> str:
        """Follows a dotted name that starts with ``suite``; gives the dotted name of what it means in the end."""
        depth = 1
        while depth < len(parts) and self.has(".".join(parts[:depth]), parts[depth]):
            depth += 1
        module, rest = ".".join(parts[:depth]), parts[depth:]
        if not rest:
            raise UserError(f"{place}: the module {module} is used as a value; a key follows it only as 'module.name'")
        if self.is_package(module):
            raise UserError(
                f"{place}: {rest[0]} is no module of {module}, and a key does not follow what a package passes on; "
                f"import it from the module that defines it"
            )
        if not followed(module, self.root):
            return f"{module}.{rest[0]}"
        return self.name(module, rest, place)

    def name(self, module: str, names: list[str], place: str) -> str:
        """Follows a name at the top level of a followed module, through imports to where it is defined."""
        source = self.source(module, place)
        name, *attributes = names
        if name not in source.named and name not in source.imports:
            raise UserError(f"{place}: {module} defines no {name!r} at its top level, where a key could find it")
        if name in source.named:
            self.add(f"{module}.{name}", source.named[name])
        meant = [f"{module}.{name}"] if name in source.named else []
        for target in source.imports.get(name, []):
            parts = target.split(".")
            place = f"{source.shown}:{source.line_of(name)}"
            meant.append(self.resolve([*parts, *attributes], place) if parts[0] == "suite" else target)
        return "|".join(meant)

    def add(self, dotted: str, statements: list[Statement], paper: str = "") -> None:
        """Puts a text on the list, once."""
        if dotted not in self.seen and dotted not in self.apart:
            self.seen.add(dotted)
            self.todo.append((dotted, statements, paper or _paper(statements[0].source.module)))

    def note(self, paper: str, attributes: set[str]) -> None:
        """Takes the fields of the paper's settings among the attributes, and the text of their other members."""
        if paper not in self.members_of:
            self.members_of[paper] = self.members(paper, "Settings")
        for name in attributes & self.members_of[paper].keys():
            dotted, statements = self.members_of[paper][name]
            if statements:
                self.add(dotted, statements, paper)
            else:
                self.settings.add(name)

    def members(self, module: str, name: str) -> Members:
        """The members of a class of ours by name, those of its bases included."""
        source = self.source(module, module)
        found: Members = {}
        for target in source.imports.get(name, []):
            home, _, there = target.rpartition(".")
            found |= self.members(home, there) if followed(home, self.root) and self.stamp(home) else {}
        for statement in source.named.get(name, []):
            for base in getattr(statement.node, "bases", []):
                if isinstance(base, ast.Name) and base.id != name:
                    found |= self.members(module, base.id)
            own: Members = {}
            for bound, member in statement.members():
                for inner in bound:
                    _, statements = own.setdefault(inner, (f"{module}.{name}.{inner}", []))
                    statements.extend([] if member.is_field else [member])
            found |= own
        return found

    def source(self, module: str, place: str) -> Source:
        """The parsed file of a followed module; its statements that define nothing are reached with it."""
        stamp = self.stamp(module)
        if stamp is None or stamp[0].suffix != ".py":
            raise UserError(f"{place}: there is no file of the module {module} under {self.root}")
        source = _source(module, stamp, self.root)
        if star := source.line_of("*"):
            raise UserError(f"{source.shown}:{star}: a star import hides what is used; import each name")
        if source.effects:
            self.add(module, source.effects)
        return source

    def stamp(self, module: str) -> Stamp | None:
        """The stamp of a module's file, looked up once."""
        if module not in self.stamps:
            self.stamps[module] = _stamp(module, self.root)
        return self.stamps[module]

    def has(self, module: str, name: str) -> bool:
        """Whether a module is a package with a module of that name."""
        return self.is_package(module) and self.stamp(f"{module}.{name}") is not None

    def is_package(self, module: str) -> bool:
        """Whether a module that is there has modules of its own."""
        stamp = self.stamp(module)
        return stamp is not None and (stamp[0].suffix != ".py" or stamp[0].name == "__init__.py")


def _paper(module: str) -> str:
    """The paper that a module belongs to, or nothing."""
    parts = module.split(".")
    return ".".join(parts[:3]) if parts[:2] == ["suite", "papers"] else ""

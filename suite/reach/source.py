"""A file of the suite as text and names: its statements, what each binds and uses, and the text that counts.

Scopes are found on the syntax tree: ``symtable`` joins the scopes of comprehensions to those around them from Python
3.12 on, so that its answers, and with them the keys, would depend on the version.
"""

from __future__ import annotations

import ast
import functools
import io
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from suite.errors import UserError

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
MEANT = ("ClassVar", "InitVar", "KW_ONLY")  # annotations of fields that mean something when the class is made

Place = tuple[int, int]  # line from 0, column in characters


# Scopes -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scope:
    """The names that a function, class or comprehension binds, declares global, or imports."""

    kind: str
    bound: frozenset[str]
    outer: frozenset[str]
    imports: dict[str, list[str]]


def _scope(kind: str, nodes: Iterable[ast.AST], package: str, parameters: Iterable[str] = ()) -> _Scope:
    inside = list(_own(nodes))
    outer = {name for node in inside if isinstance(node, ast.Global) for name in node.names}
    elsewhere = outer | {name for node in inside if isinstance(node, ast.Nonlocal) for name in node.names}
    bound = {*parameters, *(name for node in inside for name in _binds(node))} - elsewhere
    return _Scope(kind, frozenset(bound), frozenset(outer), _imports(inside, package))


def _function_scope(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, package: str) -> _Scope:
    given = node.args
    listed = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    body = [node.body] if isinstance(node, ast.Lambda) else node.body
    return _scope("function", body, package, (argument.arg for argument in listed if argument))


def _own(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of one scope, without those of the scopes inside it and of TYPE_CHECKING blocks."""
    for node in nodes:
        yield node
        if isinstance(node, COMPREHENSIONS):
            yield from _own(_pieces(node))
        elif _type_checking(node):
            yield from _own(node.orelse)
        elif not isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
            yield from _own(ast.iter_child_nodes(node))


def _pieces(node: Any) -> list[ast.expr]:
    """What a comprehension evaluates, its targets left out; the first piece belongs to the scope around it."""
    conditions = [piece for part in node.generators for piece in (part.iter, *part.ifs)]
    return [*conditions, *([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])]


def _binds(node: ast.AST) -> list[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [alias.asname or alias.name.partition(".")[0] for alias in names]
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return [name]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return [name]
        case ast.MatchMapping(rest=str(name)):
            return [name]
    return []


def _imports(nodes: Iterable[ast.AST], package: str) -> dict[str, list[str]]:
    """What imports among the nodes bind: the dotted names that each local name may stand for."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                local, target = (alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0],) * 2
                found.setdefault(local, []).append(target)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            for alias in node.names:
                target = ".".join([*parts, *([node.module] if node.module else []), alias.name])
                found.setdefault(alias.asname or alias.name, []).append(target)
    return found


def _type_checking(node: ast.AST) -> TypeGuard[ast.If]:
    test = node.test if isinstance(node, ast.If) else None
    return getattr(test, "id", getattr(test, "attr", "")) == "TYPE_CHECKING"


# Statements and files -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Use:
    """A name looked up beyond the scopes of a statement, or bound there by an import, and the attributes behind it."""

    name: str
    attributes: tuple[str, ...]
    line: int
    imported: tuple[str, ...] | None  # the dotted names of an import in a function; None: looked up in the module


class Uses:
    """Collects the uses of names in a statement, and the attributes of everything else."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.found: list[Use] = []
        self.attributes: set[str] = set()

    def visit(self, node: ast.AST, scopes: tuple[_Scope, ...]) -> None:
        """Walks through a node; annotations and TYPE_CHECKING blocks are not followed."""
        if isinstance(node, (*FUNCTIONS, ast.Lambda)):
            decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
            self._all([*decorators, *node.args.defaults, *filter(None, node.args.kw_defaults)], scopes)
            body = [node.body] if isinstance(node, ast.Lambda) else node.body
            self._all(body, (*scopes, _function_scope(node, self.package)))
        elif isinstance(node, ast.ClassDef):
            self._all([*node.decorator_list, *node.bases, *node.keywords], scopes)
            self._all(node.body, (*scopes, _scope("class", node.body, self.package)))
        elif isinstance(node, COMPREHENSIONS):
            first, *others = _pieces(node)
            targets = [part.target for part in node.generators]
            self.visit(first, scopes)
            self._all([*targets, *others], (*scopes, _scope("comprehension", targets, self.package)))
        elif isinstance(node, ast.AnnAssign):
            self._all(filter(None, [node.target, node.value]), scopes)
        elif isinstance(node, (ast.Name, ast.Attribute)):
            self._chain(node, scopes)
        else:
            self._all(node.orelse if _type_checking(node) else ast.iter_child_nodes(node), scopes)

    def _all(self, nodes: Iterable[ast.AST], scopes: tuple[_Scope, ...]) -> None:
        for node in nodes:
            self.visit(node, scopes)

    def _chain(self, node: ast.expr, scopes: tuple[_Scope, ...]) -> None:
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.insert(0, node.attr)
            node = node.value
        if isinstance(node, ast.Name):
            self._name(node, tuple(attributes), scopes)
        else:
            self.attributes.update(attributes)
            self.visit(node, scopes)

    def _name(self, node: ast.Name, attributes: tuple[str, ...], scopes: tuple[_Scope, ...]) -> None:
        for depth, scope in enumerate(reversed(scopes)):
            if node.id in scope.outer:
                break
            if node.id not in scope.bound or (scope.kind == "class" and depth):
                continue
            # What hangs on ``run`` itself (run.data, run.seed) is Run's, never a setting of the same name.
            self.attributes.update(attributes[1:] if node.id == "run" else attributes)
            if node.id in scope.imports:
                self.found.append(Use(node.id, attributes, node.lineno, tuple(scope.imports[node.id])))
            if scope.kind == "class" and isinstance(node.ctx, ast.Load):
                break  # a class body looks into the module for what it has not bound yet
            return
        if scopes or isinstance(node.ctx, ast.Load):
            self.found.append(Use(node.id, attributes, node.lineno, None))


class Statement:
    """A statement at the top level of a module or in the body of a class there."""

    def __init__(self, source: Source, node: ast.stmt, scopes: tuple[_Scope, ...] = ()) -> None:
        own = list(_own([node]))
        self.source, self.node, self.scopes = source, node, scopes
        self.names = frozenset(name for part in own for name in _binds(part))
        self.imports = _imports(own, source.package)
        self.first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        self.last = node.end_lineno or node.lineno

    @functools.cached_property
    def text(self) -> str:
        """Its lines without comments, docstrings, annotations of functions, blank lines and trailing blanks."""
        return "\n".join(line for line in self.source.lines[self.first - 1 : self.last] if line is not None)

    @functools.cached_property
    def uses(self) -> Uses:
        """The names and attributes that it uses."""
        uses = Uses(self.source.package)
        uses.visit(self.node, self.scopes)
        return uses

    @property
    def is_field(self) -> bool:
        """Whether it is a field in the body of a dataclass."""
        return isinstance(self.node, ast.AnnAssign) and "ClassVar" not in ast.unparse(self.node.annotation)

    def members(self) -> Iterator[tuple[list[str], Statement]]:
        """The statements in the body of a class, each with the names that it binds; nothing for other statements."""
        if isinstance(self.node, ast.ClassDef):
            scope = _scope("class", self.node.body, self.source.package)
            for node in self.node.body:
                member = Statement(self.source, node, (scope,))
                yield sorted(member.names), member


class Source:
    """A parsed file of the suite."""

    def __init__(self, module: str, path: Path, shown: str) -> None:
        self.module, self.shown = module, shown
        self.package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        try:
            text = _read(path)
            tree = ast.parse(text, shown)
        except (SyntaxError, ValueError) as error:
            raise UserError(f"{shown}:{getattr(error, 'lineno', None) or 1}: not readable as Python: {error}") from None
        self.lines = _normalised(text, tree)
        self.statements = [Statement(self, node) for node in _running(tree.body)]
        self.named: dict[str, list[Statement]] = {}
        self.imports: dict[str, list[str]] = {}
        for statement in self.statements:
            for name, targets in statement.imports.items():
                self.imports.setdefault(name, []).extend(targets)
            if not isinstance(statement.node, (ast.Import, ast.ImportFrom)):
                for name in statement.names:
                    self.named.setdefault(name, []).append(statement)
        self.effects = [statement for statement in self.statements if not _defines_only(statement.node)]

    def line_of(self, name: str) -> int | None:
        """The line of the first statement that imports a name (``*`` for a star import), if there is one."""
        return next((statement.first for statement in self.statements if name in statement.imports), None)

    def at(self, line: int) -> Iterator[list[str]]:
        """The names defined at a line below the module's; the empty list for a statement that defines nothing."""
        for statement in self.statements:
            if statement.first <= line <= statement.last:
                yield from ([name] for name in statement.names)
                if statement in self.effects:
                    yield []
                for names, member in statement.members():
                    if member.first <= line <= member.last:
                        yield from ([owner, name] for owner in statement.names for name in names)


def _running(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if _type_checking(node):
            yield from _running(node.orelse)
        else:
            yield node


def _defines_only(node: ast.stmt) -> bool:
    match node:
        case ast.Assign(targets=targets):
            return all(map(_plain_target, targets))
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            return isinstance(target, ast.Name)
        case ast.If():
            return all(map(_defines_only, _running([*node.body, *node.orelse])))
        case ast.Try():
            handled = [inner for handler in node.handlers for inner in handler.body]
            return all(map(_defines_only, _running([*node.body, *handled, *node.orelse, *node.finalbody])))
        case ast.Expr(value=value):
            return isinstance(value, ast.Constant)
    return isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Pass))


def _plain_target(target: ast.expr) -> bool:
    if isinstance(target, (ast.Tuple, ast.List)):
        return all(map(_plain_target, target.elts))
    return isinstance(target.value if isinstance(target, ast.Starred) else target, ast.Name)


# The text that counts ------------------------------------------------------------------------------------------------


def _read(path: Path) -> str:
    data = path.read_bytes()
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")


def _normalised(text: str, tree: ast.Module) -> list[str | None]:
    """The lines of a file without what does not count; None for a line that is left out.

    A line whose end lies in a string literal is kept as it is. What is cut from several lines joins their rests.
    """
    lines = text.split("\n")
    strings, comments = _tokens(text)
    cuts = [*comments, *_cuts(tree, lines)]
    in_string = {row for start, end in strings for row in range(start[0], end[0])}
    joined = {row for start, end in cuts for row in range(start[0], end[0])}
    by_row: dict[int, list[tuple[int, int]]] = {}
    for start, end in cuts:
        for row in range(start[0], end[0] + 1):
            right = end[1] if row == end[0] else len(lines[row])
            by_row.setdefault(row, []).append((start[1] if row == start[0] else 0, right))
    kept: list[str | None] = []
    rest = continued = ""
    for row, line in enumerate(lines):
        rest += "".join(c for i, c in enumerate(line) if not any(a <= i < b for a, b in by_row.get(row, ())))
        if row in joined:
            kept.append(None)
            continue
        found = rest if row in in_string else rest.rstrip()
        # An empty line behind a backslash ends its statement.
        kept.append(found if found or row in in_string or continued.endswith("\\") else None)
        rest, continued = "", found
    return kept


def _tokens(text: str) -> tuple[list[tuple[Place, Place]], list[tuple[Place, Place]]]:
    """Where the string literals and the comments of a text lie; an f-string is one literal in every version."""
    strings, comments, opened = [], [], []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = tokenize.tok_name[token.type]
        start, end = (token.start[0] - 1, token.start[1]), (token.end[0] - 1, token.end[1])
        if kind.endswith("STRING_START"):
            opened.append(start)
        elif kind.endswith("STRING_END"):
            start = opened.pop()
        if not opened and kind.endswith(("STRING", "STRING_END")):
            strings.append((start, end))
        elif not opened and kind == "COMMENT":
            comments.append((start, end))
    return strings, comments


def _cuts(tree: ast.Module, lines: list[str]) -> Iterator[tuple[Place, Place]]:
    """Where docstrings, annotations and TYPE_CHECKING blocks lie."""
    fields: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            fields.update(child for child in node.body if isinstance(child, ast.AnnAssign))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield _start(node, lines), _end(node, lines)
        elif _type_checking(node):
            yield _start(node, lines), _end(node.body[-1], lines)
        elif isinstance(node, ast.arg) and node.annotation:
            row, column = _start(node, lines)
            yield (row, column + len(node.arg)), _end(node.annotation, lines)
        elif isinstance(node, FUNCTIONS) and node.returns:
            row, column = _start(node.returns, lines)
            arrow = lines[row].rfind("->", 0, column)
            yield (row, column if arrow < 0 else len(lines[row][:arrow].rstrip())), _end(node.returns, lines)
        elif isinstance(node, ast.AnnAssign) and node not in fields:
            yield _end(node.target, lines), _end(node.annotation, lines)
        elif isinstance(node, ast.AnnAssign) and not any(word in ast.unparse(node.annotation) for word in MEANT):
            yield _start(node.annotation, lines), _end(node.annotation, lines)


def _start(node: ast.expr | ast.stmt | ast.arg, lines: list[str]) -> Place:
    return _place(node.lineno, node.col_offset, lines)


def _end(node: ast.expr | ast.stmt, lines: list[str]) -> Place:
    return _place(node.end_lineno or node.lineno, node.end_col_offset or 0, lines)


def _place(line: int, offset: int, lines: list[str]) -> Place:
    return line - 1, len(lines[line - 1].encode()[:offset].decode())

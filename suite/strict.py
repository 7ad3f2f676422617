"""Reads a YAML file of facts strictly into frozen dataclasses: every fault is named by file, line and remedy.

Knows nothing of papers. A reader of a value is a function ``(document, node, name)``; ``name`` is what messages call
the value. It notes each fault in the document and raises ``Broken``; so one pass reports all faults of a file.
"""

from __future__ import annotations

import dataclasses
import difflib
import keyword
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import yaml

from suite.errors import UserError
from suite.rows import label

T = TypeVar("T")
SHOWN = 25  # faults in one message
TEXT_OF_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
# What YAML 1.1 and 1.2 take for the same decimal number: no octal 010, 1_000, 1:30 or 0x10, no 1e3 (text to 1.1).
PLAIN_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]*([eE][-+][0-9]{1,3})?)?")
MEANT = {"bool": "true or false", "int": "a number", "float": "a number", "timestamp": "a date"}
YAML_REMEDIES = {
    "mapping values are not allowed": "quote a text that holds ': ', write an inner mapping as {key: value}",
    "but found another document": "keep one document a file",
    "alias": "write the facts out",
    "'\\t'": "indent with blanks, not tabs",
}


class Broken(Exception):
    """A node that cannot be read; its fault is already noted."""


class _Loader(yaml.SafeLoader):
    """Composes nodes only. Aliases are refused: they hide where a fact stands, and a few can stand for millions."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.MarkedYAMLError(problem=f"alias *{event.anchor} of another place", problem_mark=event.start_mark)
        return super().compose_node(parent, index)


class Document:
    """One file: its faults so far, and the readers of the fields of its dataclasses.

    ``readers`` are by field name, or by ``Class.field`` where a name means different things; ``advice`` says, by name,
    what to add where a field is missing.
    """

    def __init__(self, path: Path, data: bytes, readers: Mapping[str, Read], advice: Mapping[str, str]) -> None:
        self.path, self.shown, self.data = path, shown(path), data
        self.readers, self.advice = readers, advice
        self.faults: list[tuple[int, str]] = []

    def fault(self, place: yaml.Node | int, what: str, remedy: str) -> Broken:
        """Notes a fault at a node or line; returns what the reader raises when it cannot go on."""
        line = place if isinstance(place, int) else place.start_mark.line + 1
        self.faults.append((line, f"{self.shown}:{line}: {what}; {remedy}"))
        return Broken()

    def stop_at_faults(self) -> None:
        """Raises UserError with all faults noted so far, one a line, in the order of the file."""
        if self.faults:
            texts = [text for _, text in sorted(self.faults, key=lambda noted: noted[0])]
            more = [f"... and {len(texts) - SHOWN} more"] if len(texts) > SHOWN else []
            raise UserError("\n".join(texts[:SHOWN] + more))

    def root(self) -> yaml.Node:
        """The file as YAML nodes; UserError at the first place that is not YAML."""
        node: yaml.Node | None = None
        text = ""
        try:
            text = self.data.decode("utf-8")
            node = yaml.compose(text, Loader=_Loader)
            if node is None:
                self.fault(1, "the file holds nothing", "give it at least its required keys")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            self.fault(line, f"byte 0x{error.object[error.start]:02x} is not UTF-8", "save the file as UTF-8")
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            self.fault(line, f"the character U+{ord(text[error.position]):04X} is not allowed in YAML", "remove it")
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self.fault(mark.line + 1 if mark else 1, f"{error.problem}", _yaml_remedy(f"{error.problem}"))
        except RecursionError:
            self.fault(1, "the file is nested too deeply", "facts nest a few levels deep")
        self.stop_at_faults()
        assert node is not None
        return node

    def attempt(self, read: Read, node: yaml.Node, name: str) -> Any:
        """What a reader gives, or None after a fault."""
        try:
            return read(self, node, name)
        except Broken:
            return None

    def entry(self, node: yaml.Node, name: str, cls: type[T], /, **known: Any) -> T:
        """A dataclass from a mapping; ``known`` fields are not read, others without a default must be there."""
        wanted = {f.name: f for f in dataclasses.fields(cls) if f.name not in known}  # type: ignore[arg-type]
        before, values = len(self.faults), dict(known)
        nodes = self.mapping(node, name, wanted)
        for key, (_, value) in nodes.items():
            read = self.readers.get(f"{cls.__name__}.{key}") or self.readers[key]
            values[key] = self.attempt(read, value, f"{name}: {key}")
        for key, f in wanted.items():
            if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING and not has(node, key):
                self.fault(node, f"{name} has no {key}", f"add {self.advice.get(key, repr(key + ': ...'))}")
        if len(self.faults) > before:
            raise Broken
        return cls(**values)

    def mapping(
        self, node: yaml.Node, name: str, known: Collection[str] = ()
    ) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Key and value nodes by key; a doubled key is a fault, and with ``known`` so is any other key."""
        if not isinstance(node, yaml.MappingNode):
            raise self.fault(node, f"{name} is {show(node)}", "expected a mapping: 'key: value' lines or {key: value}")
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key_node, value in node.value:
            key = self.attempt(a_label, key_node, f"a key of {name}")
            if key in found:
                line = found[key][0].start_mark.line + 1
                self.fault(key_node, f"{name} has {key!r} twice, first in line {line}", "keep one of the two")
            elif known and key is not None and key not in known:
                self.fault(key_node, f"{name} has an unknown key {key!r}", suggest(key, known))
            elif key is not None:
                found[key] = key_node, value
        return found


Read = Callable[[Document, yaml.Node, str], Any]


def shown(path: Path) -> Path:
    """A path as messages show it: from the current folder where it lies below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def bytes_of(path: Path) -> bytes:
    """The bytes of a file; UserError with the reason when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{shown(path)}: cannot be read ({error.strerror}); put the file there") from None


def suggest(text: str, options: Iterable[str]) -> str:
    """The remedy for a name that is none of the options: the nearest one, and all of them."""
    options = list(options)
    close = difflib.get_close_matches(text, options, n=1)
    return (
        (f"did you mean {close[0]!r}? " if close else "")
        + "expected "
        + (f"one of {', '.join(options)}" if options else "none")
    )


def has(node: yaml.Node, key: str) -> bool:
    """Whether a mapping node has a key, readable or not."""
    return isinstance(node, yaml.MappingNode) and any(k.value == key for k, _ in node.value)


def value(node: yaml.Node, *path: str | int) -> yaml.Node:
    """The node at a path of keys and positions that is known to be there."""
    for step in path:
        node = node.value[step] if isinstance(step, int) else _item(node, step)[1]
    return node


def at(node: yaml.Node, *path: str | int) -> yaml.Node:
    """The key at the end of such a path: where a message points."""
    return _item(value(node, *path[:-1]), str(path[-1]))[0]


def _item(node: yaml.Node, key: str) -> tuple[yaml.Node, yaml.Node]:
    return next(
        (k, v) for k, v in node.value if isinstance(k, yaml.ScalarNode) and key in (label(k.value), k.value.lower())
    )


def show(node: yaml.Node) -> str:
    """A node as a message calls it."""
    if isinstance(node, yaml.ScalarNode):
        return f"the single value {node.value!r}" if node.value else "empty"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def _scalar(doc: Document, node: yaml.Node, name: str, wanted: str) -> tuple[str, str]:
    """The text of a scalar and what YAML 1.1 takes it for: str, int, float, bool, timestamp."""
    if not isinstance(node, yaml.ScalarNode):
        raise doc.fault(node, f"{name} is {show(node)}", f"expected {wanted}")
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if kind == "null":
        raise doc.fault(node, f"{name} is empty", f"give it {wanted} or remove the key")
    return node.value, kind


def a_text(doc: Document, node: yaml.Node, name: str) -> str:
    """Text that all YAML readers take for text; it may be empty when it is written so."""
    text, kind = _scalar(doc, node, name, "text")
    if kind != "str":
        raise doc.fault(
            node, f"{name} is {text}, which YAML takes for {MEANT.get(kind, kind)}", f'write it in quotes: "{text}"'
        )
    return text


def some_text(doc: Document, node: yaml.Node, name: str) -> str:
    """Text that is not blank."""
    text = a_text(doc, node, name)
    if not text.strip():
        raise doc.fault(node, f"{name} is blank", "say it in a few words or remove the key")
    return text


def a_label(doc: Document, node: yaml.Node, name: str) -> str:
    """The canonical text of a label. Plain numbers, true and false need no quotes: all YAML readers agree on them."""
    text, kind = _scalar(doc, node, name, "a label: text or a number")
    agreed = {"str": True, "int": PLAIN_NUMBER.fullmatch(text), "float": PLAIN_NUMBER.fullmatch(text)}
    if kind == "bool" and text.lower() in ("true", "false"):
        return text.lower()
    if not agreed.get(kind):
        raise doc.fault(
            node, f"{name} is {text}, which YAML takes for {MEANT.get(kind, kind)}", f'write it in quotes: "{text}"'
        )
    return label(text)


def number(doc: Document, node: yaml.Node, name: str) -> Decimal:
    """The exact decimal of a scalar that all YAML readers take for the same finite number."""
    text, kind = _scalar(doc, node, name, "a number")
    if kind == "str" and TEXT_OF_NUMBER.fullmatch(text) and getattr(node, "style", None):
        raise doc.fault(node, f'{name} is the text "{text}"', f"a number is meant: write {text} without quotes")
    if text.lower().lstrip("+-.") in ("nan", "inf", "infinity"):
        raise doc.fault(node, f"{name} is {text}", "expected a finite number: leave it out and say so in a note")
    if kind not in ("int", "float") or not PLAIN_NUMBER.fullmatch(text):
        remedy = "write a plain decimal such as 1000, 0.5 or 1.0e-4"
        raise doc.fault(node, f"{name} is {text!r}, no number that all YAML readers agree on", remedy)
    if not math.isfinite(float(text)):
        raise doc.fault(node, f"{name} is {text}", "too large: choose a larger unit")
    return Decimal(text)


def positive(doc: Document, node: yaml.Node, name: str) -> Decimal:
    """A number above 0."""
    value = number(doc, node, name)
    if value <= 0:
        raise doc.fault(node, f"{name} is {value}", "expected a number above 0")
    return value


def count(doc: Document, node: yaml.Node, name: str) -> int:
    """A whole number above 0."""
    value = positive(doc, node, name)
    if value != int(value):
        raise doc.fault(node, f"{name} is {value}", "expected a whole number")
    return int(value)


def name_of(doc: Document, node: yaml.Node, name: str) -> str:
    """A name of letters, digits and underscores, a letter first: it goes into expressions, files and functions."""
    text = some_text(doc, node, name)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", text):
        raise doc.fault(
            node, f"{name} is {text!r}, which is no name", "use letters, digits and underscores, a letter first"
        )
    return text


def function_name(doc: Document, node: yaml.Node, name: str) -> str:
    """A name that a function can have."""
    text = name_of(doc, node, name)
    if keyword.iskeyword(text):
        raise doc.fault(node, f"{name} is {text!r}, a word of Python", f"choose another, such as {text}_1")
    return text


def one_of(options: Collection[str]) -> Read:
    """A reader of one of these texts."""

    def read(doc: Document, node: yaml.Node, name: str) -> str:
        text = some_text(doc, node, name)
        if text not in options:
            raise doc.fault(node, f"{name} is {text!r}", suggest(text, options))
        return text

    return read


def tuple_of(read_item: Read, single: bool = False) -> Read:
    """A reader of a list that is not empty; with ``single``, one item may stand without brackets."""

    def read(doc: Document, node: yaml.Node, name: str) -> tuple[Any, ...]:
        if single and isinstance(node, yaml.ScalarNode):
            return (read_item(doc, node, name),)
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            what = "an empty list" if isinstance(node, yaml.SequenceNode) else show(node)
            raise doc.fault(
                node, f"{name} is {what}", "expected a list: '- item' lines or [item, item]; or remove the key"
            )
        before = len(doc.faults)
        found = tuple(doc.attempt(read_item, item, name) for item in node.value)
        if len(doc.faults) > before:
            raise Broken
        return found

    return read


def by_key(read_value: Read, named: bool = True) -> Read:
    """A reader of a mapping with free keys: names (axes, metrics) or, unless ``named``, labels."""

    def read(doc: Document, node: yaml.Node, name: str) -> dict[str, Any]:
        before = len(doc.faults)
        nodes = doc.mapping(node, name)
        if named:
            nodes = {doc.attempt(name_of, k, f"a key of {name}"): (k, v) for k, v in nodes.values()}
        found = {key: doc.attempt(read_value, v, f"{name}.{key}") for key, (_, v) in nodes.items()}
        if len(doc.faults) > before:
            raise Broken
        return found

    return read


def _yaml_remedy(problem: str) -> str:
    for said, remedy in YAML_REMEDIES.items():
        if said in problem:
            return remedy
    return "check the quotes, brackets and indentation of this line, and for a quote left open above"

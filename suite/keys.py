"""Keys: what a result depends on, as named digests; and the guards that make a unit use nothing else."""

from __future__ import annotations

import dataclasses
import enum
import functools
import inspect
import json
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import CodeType, FrameType, FunctionType, MappingProxyType, MethodType
from typing import Any, NoReturn

from suite.contract import Inputs, Recipe
from suite.errors import UserError
from suite.papers import Paper, part_id
from suite.reach import Reach, owners, reach, sha256

__all__ = [
    "Key",
    "Reach",
    "claim_text",
    "differences",
    "function_digest",
    "guard",
    "reach",
    "recipe_key",
    "settings_view",
    "unit_key",
]

STREAMS = [("suite.kernels.streams", "rng"), ("suite.kernels.streams", "generator")]
LOADERS = "suite.data.loaders"
NO_CHANGE: Mapping[str, str] = MappingProxyType({})  # every role is played by the set of its name
LONGEST = 200  # characters of a value that stands in a key as it is


@dataclass(frozen=True)
class Key:
    """The digest of all that a result depends on, and its named parts, each a digest or a short value."""

    digest: str
    parts: dict[str, str]


def unit_key(
    paper: Paper,
    settings: Any,
    unit: str,
    part: str | None,
    seed: int,
    root: Path,
    sets: Mapping[str, str] = NO_CHANGE,
) -> Key:
    """The key of a unit, or of one part of it, for one seed.

    ``sets`` says which set plays a role where it is not the set of that name. Recipes stand by their own keys, so their
    classes are not followed again. Raises UserError with file and line where the sources cannot be followed.
    """
    inputs: Inputs = paper.module.inputs(settings, unit, part)
    roots = [(paper.module.__name__, unit), *STREAMS, *_loaders(inputs.data, sets)]
    reached = reach(roots, root, [_class_name(recipe) for recipe in inputs.recipes])
    where = f"{paper.stem} {part_id(unit, part)}"
    parts = {"seed": str(seed)} | ({} if part is None else {"part": part})
    for name in sorted(reached.settings):
        parts[f"setting {name}"] = _shown(getattr(settings, name), f"{where}: setting {name}")
    parts |= _contents(inputs.data, sets)
    # The seed is a part of its own: the other parts are the same for all seeds of a unit.
    parts |= {f"recipe {recipe.name}": recipe_key(recipe, 0, root, sets).digest for recipe in inputs.recipes}
    return _key(parts, reached)


def recipe_key(recipe: Recipe, seed: int, root: Path, sets: Mapping[str, str] = NO_CHANGE) -> Key:
    """The key of a recipe's weights for one seed: its fields, its set, and the text that its class reaches.

    A field that is itself a recipe stands by its own key. Raises UserError as ``unit_key`` does.
    """
    roots = [(type(recipe).__module__, type(recipe).__qualname__), *STREAMS, *_loaders([recipe.data], sets)]
    parts = {"seed": str(seed)}
    for field in dataclasses.fields(recipe):  # type: ignore[arg-type]
        value = getattr(recipe, field.name)
        nested = dataclasses.is_dataclass(value) and hasattr(value, "name") and hasattr(value, "data")
        text = recipe_key(value, seed, root, sets).digest if nested else _shown(value, f"{recipe.name}: {field.name}")
        parts[f"field {field.name}"] = text
    return _key(parts | _contents([recipe.data], sets), reach(roots, root))


def function_digest(function: Callable[..., Any], root: Path) -> str:
    """The digest of all text that a module-level function reaches; UserError for any other callable."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if not module or not name.isidentifier():
        raise UserError(f"{function!r} has no name at the top level of a module, by which a key could follow it")
    if module.split(".")[0] != "suite":
        return sha256(f"{module}.{name}")
    return _joined(reach([(module, name)], root).texts)


def claim_text(paper: Paper, claim_id: str, root: Path) -> str:
    """The digest of all text that a claim's function reaches, for declarations."""
    return _joined(reach([(paper.module.__name__, claim_id)], root).texts)


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """What changed between the parts of two keys, a readable line each; no line when nothing did.

    >>> differences({"setting epochs": "3", "text a.f": "sha256:1"}, {"setting epochs": "4", "text a.g": "sha256:2"})
    ['setting epochs: 3 -> 4', 'text a.f no longer used', 'text a.g new']
    """
    lines = []
    for name in sorted(old.keys() | new.keys(), key=lambda name: (name.startswith("text "), name)):
        before, after = old.get(name), new.get(name)
        if after is None:
            lines.append(f"{name} no longer used")
        elif before is None:
            lines.append(f"{name} new")
        elif before != after:
            digests = before.startswith("sha256:") or after.startswith("sha256:")
            lines.append(f"{name} changed" if digests else f"{name}: {before} -> {after}")
    return lines


def _key(parts: Mapping[str, str], reached: Reach) -> Key:
    named = {**parts, **{f"text {name}": digest for name, digest in reached.texts.items()}}
    return Key(_joined(named), named)


def _joined(parts: Mapping[str, str]) -> str:
    return sha256(json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False))


def _loaders(roles: Iterable[str], sets: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(LOADERS, sets.get(role, role)) for role in roles]


def _contents(roles: Iterable[str], sets: Mapping[str, str]) -> dict[str, str]:
    from suite.data import sources

    return {f"data {role}": sources.content_id(sets.get(role, role)) for role in roles}


def _class_name(recipe: Recipe) -> str:
    return f"{type(recipe).__module__}.{type(recipe).__qualname__}"


def _shown(value: Any, what: str) -> str:
    """A value as canonical JSON, or its digest where that is long; the same on every Python version."""
    try:
        text = json.dumps(value, default=functools.partial(_plain, what=what), ensure_ascii=False)
    except TypeError as error:
        raise UserError(f"{what}: {error}") from None
    return text if len(text) <= LONGEST else sha256(text)


def _plain(value: Any, what: str) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {"": f"{type(value).__module__}.{type(value).__qualname__}", **fields}
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=lambda item: _shown(item, what))
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (Decimal, Path)):
        return str(value)
    raise UserError(f"{what} is a {type(value).__name__}, which cannot stand in a key; use numbers, text and tuples")


# The settings that a unit sees ---------------------------------------------------------------------------------------


def settings_view(settings: Any, fields: Collection[str], unit: str) -> Any:
    """Settings of which a unit sees exactly these fields, and properties and methods that use no other.

    Anything else, a comparison, ``asdict`` or printing of the whole included, is a UserError with unit and field.
    """
    return _View(settings, frozenset(fields), unit)


class _View:
    """A stand-in for settings; what hangs on all fields at once is refused."""

    __slots__ = ("_fields", "_settings", "_unit")

    def __init__(self, settings: Any, fields: frozenset[str], unit: str) -> None:
        for name, value in zip(self.__slots__, (fields, settings, unit), strict=True):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        if name in self._fields:
            return getattr(self._settings, name)
        kind = type(self._settings)
        found = inspect.getattr_static(kind, name, None)
        if name in getattr(kind, "__dataclass_fields__", ()):
            raise UserError(
                f"{self._unit} uses the setting {name!r}, which is not in its key, since no text that it reaches in "
                f"the paper's module names it; write run.settings.{name} there and hand the value on",
                code=1,
            )
        if isinstance(found, property) and found.fget:
            return found.fget(self)
        if isinstance(found, functools.cached_property):
            return found.func(self)
        if isinstance(found, FunctionType):
            return MethodType(found, self)
        if found is None and name.startswith("__"):
            raise AttributeError(name)  # a question which protocols it knows
        if name.startswith("__") or isinstance(found, classmethod):
            self._whole()
        if found is None:
            known = ", ".join(getattr(kind, "__dataclass_fields__", ()))
            raise UserError(f"{self._unit} uses the setting {name!r}, which does not exist (settings: {known})", code=1)
        return found.__func__ if isinstance(found, staticmethod) else found

    def _whole(self, *_: object) -> NoReturn:
        raise UserError(
            f"{self._unit} uses run.settings as a whole, so that no single field is in its key; "
            f"name each field where it is used, as in run.settings.{min(self._fields, default='epochs')}",
            code=1,
        )

    __eq__ = __ne__ = __lt__ = __hash__ = __repr__ = __str__ = __format__ = _whole
    __iter__ = __len__ = __getitem__ = __contains__ = __dir__ = __bool__ = _whole
    __copy__ = __deepcopy__ = __replace__ = __reduce_ex__ = __setattr__ = __delattr__ = _whole
    __dict__ = __dataclass_fields__ = property(_whole)


# The functions that run -----------------------------------------------------------------------------------------------


def guard(texts: Collection[str], root: Path) -> Guard:
    """A context in which every function of ours that runs must be among ``texts``, dotted names of a key's texts.

    Raises UserError with the names of the others when the context is left without another exception. What runs while
    a module is imported is not looked at, nor are threads started before and other processes.
    """
    return Guard(frozenset(texts), root.resolve())


class Guard:
    """The profile hook behind ``guard``; it looks at each function once, when it first runs."""

    def __init__(self, texts: frozenset[str], root: Path) -> None:
        self.texts, self.root = texts, root
        self.strangers: dict[str, None] = {}
        self._known: dict[int, CodeType] = {}  # by id: comparing code objects compares their contents
        self._entered: FrameType | None = None
        self._before: tuple[Any, Any] = (None, None)

    def __enter__(self) -> Guard:
        self._entered, self._before = sys._getframe(1), (sys.getprofile(), threading.getprofile())
        threading.setprofile(self._hook)
        sys.setprofile(self._hook)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        sys.setprofile(self._before[0])
        threading.setprofile(self._before[1])
        self._entered = None
        if self.strangers and kind is None:
            raise UserError(
                f"{', '.join(sorted(self.strangers))} ran outside the key, so that an edit of it would go unnoticed; "
                f"name it where it is used, instead of finding it in a registry, by getattr or among subclasses",
                code=1,
            )

    def _hook(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or id(code) in self._known:
            return
        if not self._allowed(code):
            if self._importing(frame):
                return
            self.strangers[f"{_module(frame)}.{_qualified(code)}"] = None
        self._known[id(code)] = code

    def _allowed(self, code: CodeType) -> bool:
        if not code.co_flags & inspect.CO_OPTIMIZED or _qualified(code) in ("__getattr__", "__dir__"):
            return True  # the body of a module or class, or a package that passes on its modules
        names = owners(_real(code.co_filename), code.co_firstlineno, self.root)
        return not names or bool(names & self.texts) or f"{LOADERS}.load" in names

    def _importing(self, frame: FrameType | None) -> bool:
        while frame and frame is not self._entered:
            if frame.f_code.co_name == "<module>":
                return True
            frame = frame.f_back
        return False


@functools.cache
def _real(filename: str) -> Path:
    return Path(filename).resolve()


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "?"))


def _qualified(code: CodeType) -> str:
    return getattr(code, "co_qualname", code.co_name)

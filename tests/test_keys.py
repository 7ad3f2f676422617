"""What a key depends on: edits of a toy suite and the units whose key they change, and the guards of a unit."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import importlib
import inspect
import io
import json
import os
import pickle
import subprocess
import sys
import tempfile
import textwrap
import threading
import tokenize
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite import keys
from suite.errors import UserError
from suite.keys import differences, reach
from suite.papers import Paper
from suite.reach import source as sources_of_names

HERE = Path(keys.__file__).parent
PAPER = "suite/papers/p99_toy.py"
UNITS = {"table1", "fig2", "fig4"}

TOY = {
    "suite/__init__.py": "",
    "suite/kernels/__init__.py": '''
        """Kernels."""
        import importlib

        def __getattr__(name):
            if name == "attack":
                return importlib.import_module("suite.kernels.uap").attack
            raise AttributeError(name)
        ''',
    "suite/kernels/streams.py": '''
        """Streams."""
        import random

        def stream(seed, *label):
            return hash(label) + seed

        def rng(seed, *label):
            return random.Random(stream(seed, *label))

        def generator(seed, *label):
            return rng(seed, "generator", *label)
        ''',
    "suite/kernels/uap.py": '''
        """Universal perturbations."""
        import math

        from suite.kernels import checks
        from suite.kernels.steps import step

        LIMIT = 7
        STEPS = 3
        SPARE = 1

        @checks.checked
        def attack(value, steps=STEPS):
            """Docstring of attack."""
            total = 0.0  # comment of attack
            for _ in range(steps):
                total += step(value)
            return min(LIMIT, math.floor(total))

        def hidden(value):
            return -value
        ''',
    "suite/kernels/steps.py": '''
        """Steps."""

        class Size:
            """How long a step is."""

            length = 2

            def of(self, value):
                return self.length * value

            def spare(self):
                return 11

        def step(value):
            return Size().of(value)
        ''',
    "suite/kernels/checks.py": '''
        """Decorators."""
        import functools

        def checked(function):
            @functools.wraps(function)
            def inner(*arguments):
                return function(*arguments)
            return inner
        ''',
    "suite/kernels/similarity.py": '''
        """Similarity."""

        from suite.kernels.distance import far, near

        def similar(a, b):
            from suite.kernels.other import attack
            return near(a, b) - far(a, b) - attack(a)
        ''',
    "suite/kernels/distance.py": '''
        """Distance."""

        def unit(value):
            return value

        UNITS = {}
        UNITS["near"] = unit(10)

        def near(a, b):
            return abs(a - b) / UNITS["near"]

        def far(a, b):
            return abs(a + b)
        ''',
    "suite/kernels/other.py": '''
        """Another attack."""

        def attack(value):
            return value / 2
        ''',
    "suite/kernels/penalty.py": '''
        """Penalties."""

        def penalty(weight):
            return weight ** 2
        ''',
    "suite/models/__init__.py": '"""Models."""\n',
    "suite/data/__init__.py": '"""Data."""\n',
    "suite/data/sources.py": '''
        """Sources."""
        CONTENTS = {"mnist": "sha256:aa", "digits": "sha256:bb"}

        def content_id(name):
            return CONTENTS[name]
        ''',
    "suite/data/loaders.py": '''
        """Loaders."""
        from suite.data import sources

        def load(name):
            return LOADERS[name](sources.content_id(name))

        def mnist(files):
            return [1, 2, 3]

        def digits(files):
            return [4, 5]

        LOADERS = {"mnist": mnist, "digits": digits}
        ''',
    "suite/train.py": '''
        """Training."""
        RATE = 0.1

        def sgd(model, epochs):
            return model + RATE * epochs
        ''',
    "suite/recipes.py": '''
        """Recipes."""
        from dataclasses import dataclass

        from suite.kernels import penalty
        from suite.train import sgd

        @dataclass(frozen=True)
        class LeNet:
            """A training."""

            data: str
            weight: float = 0.0
            epochs: int = 20
            batch: int = 100

            @property
            def name(self):
                return f"lenet-{self.data}-{self.weight}"

            def train(self, run):
                return sgd(penalty.penalty(self.weight), self.epochs)

        @dataclass(frozen=True)
        class Other:
            """Another training."""

            data: str
            base: object = None

            @property
            def name(self):
                return "other-" + self.data

            def train(self, run):
                return 12
        ''',
    "suite/pruning/__init__.py": '"""A family\'s room."""\n',
    "suite/pruning/masks.py": '''
        """Masks."""

        class Mask:
            share = 0.5

        def kept(items):
            return [item for item in items if item % 2]
        ''',
    "suite/papers/__init__.py": '"""Papers."""\n',
    PAPER: '''
        """A toy paper."""
        from __future__ import annotations

        import cmath as math
        import os
        from dataclasses import dataclass, field
        from typing import TYPE_CHECKING

        from suite.contract import Inputs, Run, Seen
        from suite.kernels import similarity
        from suite.kernels import uap as attacks
        from suite.recipes import LeNet
        from suite.pruning.masks import kept
        from suite.rows import Row

        if TYPE_CHECKING:
            from suite.pruning.masks import Mask

        UNUSED = 1
        FACTOR = 5
        OFFSET = 9
        MARK = """first  # no comment

        last"""

        @dataclass(frozen=True)
        class Settings:
            """Settings of the toy."""

            data: tuple[str, ...] = ("mnist",)
            epochs: int = 20
            base: float = 0.05
            eps: float = 0.2
            pairs: int = 4
            unnamed: int = 1
            batches: dict = field(default_factory=dict)

            @property
            def weight(self) -> float:
                """Twice the base."""
                return self.base * 2

            def spare(self) -> int:
                return self.unnamed

        SCALES = {"full": Settings(), "smoke": Settings(epochs=1)}
        SEEDS = {"full": 5, "smoke": 1}
        COST = {"full": {"table1": 25}}
        OUT = {"c9": "times of the authors"}

        def inputs(settings: Settings, unit: str, part: str | None) -> Inputs:
            """What a unit may use."""
            if unit == "table1":
                return Inputs(data=("mnist",), recipes=(LeNet("mnist", settings.weight, settings.epochs),))
            return Inputs(data=("digits",)) if unit == "fig4" else Inputs()

        def table1(run: Run):
            """A table."""
            s = run.settings
            model = run.recipe(LeNet("mnist", s.weight, s.epochs))
            yield Row("table1", {"images": len(run.data("mnist"))}, {"rate": attacks.attack(model)})

        def fig2(run: Run, mask: Mask | None = None) -> object:
            """A figure."""
            count: int = 2
            yield Row("fig2", {"mark": MARK}, {"rate": attacks.attack(run.settings.eps) + count * math.pi})

        def fig4(run: Run):
            """Another figure."""
            found = run.map("pairs", pair, kept(range(run.settings.pairs)))
            yield Row("fig4", {"set": "digits"}, {"mean": sum(found)})

        def pair(run: Run, item, factor=FACTOR):
            """One pair."""
            return similarity.similar(item, run.rng("pair").random()) * factor + OFFSET

        def c1(seen: Seen):
            """A claim."""
            return {"all": seen("table1", "rate") - OFFSET}
        ''',
}


class Toy:
    """A toy suite in a folder of its own."""

    def __init__(self, folder: Path, *edits: tuple[str, str, str]) -> None:
        self.root = folder
        files = {name: textwrap.dedent(text).lstrip("\n") for name, text in TOY.items()}
        for name in ("errors", "contract", "rows"):
            files[f"suite/{name}.py"] = (HERE / f"{name}.py").read_text("utf-8")
        for path, old, new in edits:
            if not old:
                files[path] = files.get(path, "") + new
                continue
            assert files[path].count(old) == 1, f"{path} holds {old!r} {files[path].count(old)} times"
            files[path] = files[path].replace(old, new)
        for path, text in files.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, "utf-8")

    @contextlib.contextmanager
    def imported(self) -> Iterator[ModuleType]:
        """The toy's paper, imported in place of the real suite."""
        real = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "suite"}
        for name in real:
            del sys.modules[name]
        sys.path.insert(0, str(self.root))
        importlib.invalidate_caches()
        try:
            yield importlib.import_module("suite.papers.p99_toy")
        finally:
            sys.path.remove(str(self.root))
            for name in [name for name in sys.modules if name.split(".")[0] == "suite"]:
                del sys.modules[name]
            sys.modules.update(real)

    def keys(self, seed: int = 0, sets: Mapping[str, str] | None = None, scale: str = "full") -> dict[str, keys.Key]:
        """The keys of all units."""
        with self.imported() as module:
            paper, chosen = Paper("p99_toy", module), module.SCALES[scale]
            units = UNITS | ({"fig5"} & vars(module).keys())
            return {u: keys.unit_key(paper, chosen, u, None, seed, self.root, sets or {}) for u in sorted(units)}

    def reach(self, unit: str) -> keys.Reach:
        """What a function of the paper reaches."""
        return reach([("suite.papers.p99_toy", unit)], self.root)

    def run(self, unit: str, guarded: bool = True) -> list[Any]:
        """The rows of a unit at smoke, with the view and the guard that a run sets up."""
        with self.imported() as module:
            paper, chosen = Paper("p99_toy", module), module.SCALES["smoke"]
            parts = keys.unit_key(paper, chosen, unit, None, 0, self.root).parts
            for recipe in module.inputs(chosen, unit, None).recipes:
                parts = keys.recipe_key(recipe, 0, self.root).parts | parts
            fields = {name.removeprefix("setting ") for name in parts if name.startswith("setting ")}
            texts = {name.removeprefix("text ") for name in parts if name.startswith("text ")}
            run = FakeRun(keys.settings_view(chosen, fields, unit))
            with keys.guard(texts, self.root) if guarded else contextlib.nullcontext():
                return list(getattr(module, unit)(run))


class FakeRun:
    """The part of a run that the toy uses."""

    seed = 0

    def __init__(self, view: Any) -> None:
        self.settings = view

    def recipe(self, recipe: Any) -> Any:
        return recipe.name and recipe.train(self)

    def data(self, name: str) -> Any:
        return importlib.import_module("suite.data.loaders").load(name)

    def map(self, label: str, function: Any, items: Any) -> list[Any]:
        return [function(self, item) for item in items]

    def rng(self, *label: object) -> Any:
        return importlib.import_module("suite.kernels.streams").rng(self.seed, *label)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, keys.Key]:
    """The keys of the toy as it is written."""
    return Toy(tmp_path_factory.mktemp("plain")).keys()


def changed(before: Mapping[str, keys.Key], after: Mapping[str, keys.Key]) -> set[str]:
    """The units whose key differs."""
    return {unit for unit in before if before[unit].digest != after[unit].digest}


# Edits and the units that they change ---------------------------------------------------------------------------------

SIMILAR, DISTANCE = "suite/kernels/similarity.py", "suite/kernels/distance.py"
UAP, STEPS, CHECKS = "suite/kernels/uap.py", "suite/kernels/steps.py", "suite/kernels/checks.py"
RECIPES, TRAIN, LOADERS = "suite/recipes.py", "suite/train.py", "suite/data/loaders.py"
ATTACKED = {"table1", "fig2"}

EDITS: dict[str, tuple[str, str, str, set[str]]] = {
    "a claim": (PAPER, '- OFFSET}', '* 2}', set()),
    "a new claim": (PAPER, "", '\n\ndef c2(seen):\n    return {"all": 1.0}\n', set()),
    "OUT": (PAPER, "times of the authors", "times of others", set()),
    "SEEDS": (PAPER, '"full": 5', '"full": 6', set()),
    "COST": (PAPER, '{"table1": 25}', '{"table1": 26}', set()),
    "another scale": (PAPER, "Settings(epochs=1)", "Settings(epochs=2, eps=0.3)", set()),
    "inputs, with the same result": (PAPER, '("digits",)) if', '("digits",), recipes=()) if', set()),
    "a comment in a function": (UAP, "# comment of attack", "# another", set()),
    "no comment": (UAP, "  # comment of attack", "", set()),
    "a comment line": (UAP, "    for _ in", "    # why\n# at the margin\n    for _ in", set()),
    "a module's docstring": (UAP, "Universal perturbations.", "Others.\n\n    # Several lines.\n", set()),
    "a function's docstring": (UAP, "Docstring of attack.", "Another\n\n    # one", set()),
    "no docstring": (UAP, '    """Docstring of attack."""\n', "", set()),
    "a class's docstring": (STEPS, "How long a step is.", "Another", set()),
    "blank lines": (UAP, "    for _ in", "\n   \n    for _ in", set()),
    "trailing blanks": (UAP, "total += step(value)", "total += step(value)  \t ", set()),
    "Windows' line ends": (STEPS, "return Size().of(value)\n", "return Size().of(value)\r\n", set()),
    "a hash in a string": (PAPER, "# no comment", "# no  comment", {"fig2"}),
    "trailing blanks in a string": (PAPER, "# no comment\n", "# no comment \n", {"fig2"}),
    "a blank line in a string": (PAPER, "# no comment\n", "# no comment\n\n", {"fig2"}),
    "another unit's body": (PAPER, "sum(found)", "sum(found) / 2", {"fig4"}),
    "a new unit": (PAPER, "", "\n\ndef fig5(run):\n    yield OFFSET\n", set()),
    "the helper given to map": (PAPER, "* factor + OFFSET", "* factor - OFFSET", {"fig4"}),
    "a field named through s": (PAPER, "epochs: int = 20", "epochs: int = 21", {"table1"}),
    "a field named in place": (PAPER, "eps: float = 0.2", "eps: float = 0.25", {"fig2"}),
    "a field named through a property": (PAPER, "base: float = 0.05", "base: float = 0.06", {"table1"}),
    "the type of a field's value": (PAPER, "pairs: int = 4", "pairs: int = 4.0", {"fig4"}),
    "a field that nothing names": (PAPER, "unnamed: int = 1", "unnamed: int = 2", set()),
    "a field named only as data of run": (PAPER, '("mnist",)\n', '("mnist", "digits")\n', set()),
    "a new field": (PAPER, "    unnamed: int = 1", "    unnamed: int = 1\n    newer: int = 3", set()),
    "a property": (PAPER, "self.base * 2", "self.base * 3", {"table1"}),
    "the docstring of a property": (PAPER, "Twice the base.", "The weight.", set()),
    "a method of Settings that nothing uses": (PAPER, "return self.unnamed", "return 0", set()),
    "a constant of the paper": (PAPER, "OFFSET = 9", "OFFSET = 8", {"fig4"}),
    "a default argument that is a constant": (PAPER, "FACTOR = 5", "FACTOR = 6", {"fig4"}),
    "a constant of a kernel": (UAP, "LIMIT = 7", "LIMIT = 8", ATTACKED),
    "a kernel's default argument": (UAP, "STEPS = 3", "STEPS = 4", ATTACKED),
    "an unused constant of the paper": (PAPER, "UNUSED = 1", "UNUSED = 2", set()),
    "an unused constant of a kernel": (UAP, "SPARE = 1", "SPARE = 2", set()),
    "a kernel beside the one that is used": (UAP, "return -value", "return value", set()),
    "an unused import": (PAPER, "import os\n", "import json\n", set()),
    "a kernel's body": (UAP, "total = 0.0", "total = 1.0", ATTACKED),
    "a kernel two calls away": (STEPS, "return Size().of(value)", "return Size().of(-value)", ATTACKED),
    "a kernel imported inside a function": ("suite/kernels/other.py", "/ 2", "/ 3", {"fig4"}),
    "the import inside a function": (SIMILAR, "suite.kernels.other import", "suite.kernels.uap import", {"fig4"}),
    "names exchanged by an import": (SIMILAR, "import far, near", "import far as near, near as far", {"fig4"}),
    "what the decorator calls": (CHECKS, "return function(*arguments)", "return -function(*arguments)", ATTACKED),
    "the decorator": (UAP, "@checks.checked\n", "", ATTACKED),
    "a decorator's own decorator": (CHECKS, "@functools.wraps(function)", "@functools.wraps(len)", ATTACKED),
    "a method of a class": (STEPS, "self.length * value", "self.length + value", ATTACKED),
    "a method that nothing calls": (STEPS, "return 11", "return 12", ATTACKED),
    "a class attribute": (STEPS, "length = 2", "length = 3", ATTACKED),
    "a family's room": ("suite/pruning/masks.py", "item % 2", "item % 3", {"fig4"}),
    "beside it in the room": ("suite/pruning/masks.py", "share = 0.5", "share = 0.6", set()),
    "a recipe's default field": (RECIPES, "batch: int = 100", "batch: int = 200", {"table1"}),
    "a recipe's body": (RECIPES, "self.epochs)\n", "self.epochs + 1)\n", {"table1"}),
    "the penalty that a recipe calls": ("suite/kernels/penalty.py", "weight ** 2", "weight ** 3", {"table1"}),
    "the training loop's constant": (TRAIN, "RATE = 0.1", "RATE = 0.2", {"table1"}),
    "another recipe": (RECIPES, "return 12", "return 13", set()),
    "another loader": (LOADERS, "[4, 5]", "[4, 6]", {"fig4"}),
    "the loader of a set": (LOADERS, "[1, 2, 3]", "[1, 2]", {"table1"}),
    "the content of a set": ("suite/data/sources.py", "sha256:bb", "sha256:cc", {"fig4"}),
    "an import under TYPE_CHECKING": (PAPER, "import Mask\n", "import Mask, kept as other\n", set()),
    "a name under TYPE_CHECKING": (PAPER, "import Mask\n", "import Mask\n    OFFSET = 1\n", set()),
    "a class that is only an annotation": ("suite/pruning/masks.py", "class Mask:", "class Mask(dict):", set()),
    "the annotation of a parameter": (PAPER, "run: Run, mask: Mask | None = None", "run, mask: int=None", {"fig2"}),
    "only the annotation of a parameter": (PAPER, "mask: Mask | None =", "mask: Mask | int =", set()),
    "the annotation of a result": (PAPER, ") -> object:", "):", set()),
    "the annotation of a variable": (PAPER, "count: int = 2", "count = 2", set()),
    "the annotation of a field": (RECIPES, "batch: int = 100", "batch: float = 100", set()),
    "an annotation that makes a field none": (RECIPES, "batch: int", "batch: 'ClassVar[int]'", {"table1"}),
    "another module under the same name": (PAPER, "import uap as attacks", "import other as attacks", ATTACKED),
    "another outside module under the same name": (PAPER, "import cmath as math", "import math", {"fig2"}),
    "another spelling of an import": (
        PAPER, "from suite.kernels import uap as attacks", "import suite.kernels.uap as attacks", set(),
    ),
    "a statement that defines nothing": (PAPER, "UNUSED = 1", "UNUSED = 1\nprint(end='')", UNITS),
    "the same in a kernel's module": (UAP, "SPARE = 1", "SPARE = 1\nassert SPARE", ATTACKED),
    "what such a statement calls": (DISTANCE, "return value", "return value + 1", {"fig4"}),
    "an item of a constant": (UAP, "SPARE = 1", "SPARE = {}\nSPARE[0] = 1", ATTACKED),
    "a streams' helper": ("suite/kernels/streams.py", "hash(label) + seed", "hash(label) - seed", UNITS),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_changes_the_keys_of_the_units_that_depend_on_it_and_no_other(name, plain, tmp_path):
    """Every edit of the list stales exactly the units named beside it."""
    path, old, new, units = EDITS[name]
    edited = Toy(tmp_path, (path, old, new))
    assert changed(plain, edited.keys()) == units


def test_the_cases_cover_every_unit(plain):
    """The toy's units differ in what they reach, so that an edit can change one without the others."""
    assert set(plain) == UNITS
    assert {unit for _, _, _, units in EDITS.values() for unit in units} == UNITS


# What a key says ------------------------------------------------------------------------------------------------------


def test_the_parts_name_what_the_result_depends_on(plain):
    """Parts are readable: seed, settings by value, data by content, recipes by name, texts by dotted name."""
    parts = plain["table1"].parts
    texts = {name.removeprefix("text suite.") for name in parts if name.startswith("text ")}
    others = {name: value for name, value in parts.items() if not name.startswith("text ")}
    recipe = others.pop("recipe lenet-mnist-0.1")
    assert others == {"seed": "0", "setting base": "0.05", "setting epochs": "20", "data mnist": "sha256:aa"}
    assert recipe.startswith("sha256:")
    assert texts == {
        "papers.p99_toy.table1", "papers.p99_toy.Settings.weight", "kernels.uap.attack", "kernels.uap.LIMIT",
        "kernels.uap.STEPS", "kernels.steps.step", "kernels.steps.Size", "kernels.checks.checked", "data.loaders.mnist",
        "kernels.streams.stream", "kernels.streams.rng", "kernels.streams.generator",
    }  # fmt: skip


def test_settings_of_a_scale_stand_in_the_key(plain, tmp_path):
    """Two scales of one paper differ where a field that the unit names differs, and there only."""
    smoke = Toy(tmp_path).keys(scale="smoke")
    assert changed(plain, smoke) == {"table1"}
    assert differences(plain["table1"].parts, smoke["table1"].parts)[1] == "setting epochs: 20 -> 1"


def test_a_seed_and_a_part_are_parts_of_the_key(plain, tmp_path):
    """Every seed, and every part of a unit, has a key of its own; the same one has the same key again."""
    toy = Toy(tmp_path)
    assert changed(plain, toy.keys(seed=1)) == UNITS
    assert changed(plain, toy.keys(seed=0)) == set()
    with toy.imported() as module:
        paper = Paper("p99_toy", module)
        of = [
            keys.unit_key(paper, module.SCALES["full"], "fig2", part, 0, tmp_path) for part in (None, "mnist", "kmnist")
        ]
    assert len({key.digest for key in of}) == 3
    assert [key.parts.get("part") for key in of] == [None, "mnist", "kmnist"]


def test_a_stand_in_changes_the_units_that_use_the_set(plain, tmp_path):
    """The content and the loader of the set that plays a role count, in the recipe too; the role keeps its name."""
    moved = Toy(tmp_path).keys(sets={"mnist": "digits"})
    assert changed(plain, moved) == {"table1"}
    assert differences(plain["table1"].parts, moved["table1"].parts) == [
        "data mnist changed",
        "recipe lenet-mnist-0.1 changed",
        "text suite.data.loaders.digits new",
        "text suite.data.loaders.mnist no longer used",
    ]


def test_a_recipe_has_a_key_of_its_own(tmp_path):
    """A recipe's key holds its fields, its set and the text of its class; one among its fields stands by its key."""
    with Toy(tmp_path).imported():
        recipes = importlib.import_module("suite.recipes")
        small, large = recipes.LeNet("mnist", epochs=1), recipes.LeNet("mnist", epochs=2)
        key = keys.recipe_key(small, 3, tmp_path)
        over = [keys.recipe_key(recipes.Other("digits", base), 3, tmp_path) for base in (small, large, None)]
    assert {name: value for name, value in key.parts.items() if not name.startswith("text ")} == {
        "seed": "3", "field data": '"mnist"', "field weight": "0.0", "field epochs": "1", "field batch": "100",
        "data mnist": "sha256:aa",
    }  # fmt: skip
    assert {"text suite.recipes.LeNet", "text suite.train.RATE", "text suite.kernels.penalty.penalty"} <= set(key.parts)
    assert over[0].parts["field base"] == key.digest
    assert len({found.digest for found in over}) == 3 and over[2].parts["field base"] == "null"


def test_a_recipe_that_a_unit_trains_itself_is_followed(tmp_path):
    """A recipe's class stands by the recipe's key only where ``inputs`` names it; elsewhere its text is the unit's."""
    toy = Toy(tmp_path, (PAPER, "count * math.pi", "count * math.pi + LeNet('mnist').train(run)"))
    named = set(toy.keys()["fig2"].parts)
    assert {"text suite.recipes.LeNet", "text suite.train.sgd"} <= named
    assert not any(name.startswith("recipe ") for name in named)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"), (1, "1"), (1.0, "1.0"), (True, "true"), (None, "null"), ("kept", '"kept"'),
        ((1, "a"), '[1, "a"]'), (frozenset(("b", "a")), '["a", "b"]'), (Decimal("0.20"), '"0.20"'),
        ({"b": 1, "a": 2}, '{"b": 1, "a": 2}'),
    ],
)  # fmt: skip
def test_values_stand_in_the_key_as_canonical_text(value, text, plain, tmp_path):
    """Numbers of other types are other values; sets have an order; a mapping keeps its own."""
    with Toy(tmp_path, (PAPER, "s.epochs))", "s.epochs, s.batches))")).imported() as module:
        chosen = dataclasses.replace(module.SCALES["full"], batches=value)
        key = keys.unit_key(Paper("p99_toy", module), chosen, "table1", None, 0, tmp_path)
    assert key.parts["setting batches"] == text


def test_a_long_value_stands_as_its_digest_and_a_strange_one_is_refused(tmp_path):
    """A setting of many values stays one line of the record; one that is no plain value is an error with its name."""
    with Toy(tmp_path, (PAPER, "s.epochs))", "s.epochs, s.batches))")).imported() as module:
        paper, full = Paper("p99_toy", module), module.SCALES["full"]
        for count in (1000, 1001):
            chosen = dataclasses.replace(full, batches=tuple(range(count)))
            parts = keys.unit_key(paper, chosen, "table1", None, 0, tmp_path).parts
            assert len(parts["setting batches"]) == len("sha256:") + 64
        for strange in (len, {(1, 2): 3}):
            with pytest.raises(UserError, match="p99_toy table1: setting batches"):
                keys.unit_key(paper, dataclasses.replace(full, batches=strange), "table1", None, 0, tmp_path)


def test_differences_are_readable_lines():
    """``suite why`` says what changed by name: values with both values, digests as changed, new and gone parts."""
    old = {"seed": "0", "setting epochs": "3", "text a.b": "sha256:1", "text a.c": "sha256:2", "data mnist": "sha256:3"}
    new = {"seed": "0", "setting epochs": "4", "text a.b": "sha256:9", "text a.d": "sha256:2", "data mnist": "sha256:4"}
    assert differences(old, new) == [
        "data mnist changed",
        "setting epochs: 3 -> 4",
        "text a.b changed",
        "text a.c no longer used",
        "text a.d new",
    ]
    assert differences(new, new) == []


def test_the_digest_of_a_function_is_that_of_what_it_reaches(tmp_path):
    """What ``Run.keep`` remembers is found again until the function, or something that it reaches, is edited."""
    toys = [
        Toy(tmp_path / "a"),
        Toy(tmp_path / "b", (STEPS, "length = 2", "length = 3")),
        Toy(tmp_path / "c", (UAP, "return -value", "return value"), (UAP, "    for _ in", "    # why\n    for _ in")),
    ]
    found = []
    for toy in toys:
        with toy.imported():
            attack = importlib.import_module("suite.kernels.uap").attack
            found.append(keys.function_digest(attack, toy.root))
            with pytest.raises(UserError, match="top level of a module"):
                keys.function_digest(lambda: 1, toy.root)
    assert found[0] == found[2] != found[1]
    assert keys.function_digest(textwrap.dedent, tmp_path) != keys.function_digest(textwrap.indent, tmp_path)


def test_the_text_of_a_claim_is_that_of_its_function(tmp_path):
    """A declaration changes with the claim and what it reaches, not with its docstring or other claims."""
    edits = [
        (PAPER, "", "\n"),
        (PAPER, "A claim.", "Another."),
        (PAPER, "", "def c2(seen): ...\n"),
        (PAPER, '"rate") -', '"rate") +'),
        (PAPER, "OFFSET = 9", "OFFSET = 10"),
    ]
    found = []
    for number, edit in enumerate(edits):
        toy = Toy(tmp_path / str(number), edit)
        with toy.imported() as module:
            found.append(keys.claim_text(Paper("p99_toy", module), "c1", toy.root))
    assert found[0] == found[1] == found[2]
    assert len(set(found[2:])) == 3


# Text -----------------------------------------------------------------------------------------------------------------

TRICKY = '''
"""Module."""
from __future__ import annotations
import os, sys as system
name = f"""{os.sep!r:>{10}}  # kept

  {system.path[0]:%Y}   """ + 'a\\
  # kept  '   # dropped
def tricky(a: dict[str, (int)]=None, *rest: "x # y", b: int = 3, **more: None) -> list[
    int
]:  # dropped
    \'\'\'Docstring
    # of tricky
    \'\'\'
    x: int = 1 + \\
        2 ; y = "é"  # dropped

    def inner(é: str = "->") -> str: return f"{é + 'ü'}" "#"
    if TYPE_CHECKING:
        import nothing
    return (a, [name for name in rest],
            # dropped
            lambda name=name: inner, b'#  ', x, y, more)
@system.intern   # dropped
class Kept(dict):
    """Docstring"""
    field: int = 3
    kind: ClassVar[int] = 4
    "a bare text"
'''


def _tricky(folder: Path, text: str = TRICKY) -> keys.Reach:
    place = folder / "suite" / "kernels" / "tricky.py"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(text.encode())
    return reach([("suite.kernels.tricky", "tricky"), ("suite.kernels.tricky", "Kept")], folder)


def test_the_text_that_counts_is_what_it_was(tmp_path):
    """Comments, docstrings, blanks and annotations go by position, what stands in a string stays."""
    _tricky(tmp_path)
    path = tmp_path / "suite" / "kernels" / "tricky.py"
    statements = sources_of_names.Source("suite.kernels.tricky", path, "tricky.py").statements
    assert [statement.text for statement in statements[3:]] == [
        'name = f"""{os.sep!r:>{10}}  # kept\n\n  {system.path[0]:%Y}   """ + \'a\\\n  # kept  \'',
        'def tricky(a=None, *rest, b = 3, **more):\n    x = 1 + \\\n        2 ; y = "é"\n'
        '    def inner(é = "->"): return f"{é + \'ü\'}" "#"\n    return (a, [name for name in rest],\n'
        "            lambda name=name: inner, b'#  ', x, y, more)",
        "@system.intern\nclass Kept(dict):\n    field:  = 3\n    kind: ClassVar[int] = 4",
    ]


def test_an_empty_line_that_ends_a_statement_counts(tmp_path):
    """Behind a backslash an empty line, or a comment alone, is no mere layout: without it the next line goes on."""
    texts = ["y = 1 + x \\\n    -3", "y = 1 + x \\\n\n    -3", "y = 1 + x \\\n # why\n    -3"]
    found = [
        _tricky(tmp_path / str(number), f"def tricky(x):\n    {text}\n    return y\nclass Kept: y = 1\n")
        for number, text in enumerate(texts)
    ]
    assert found[0] != found[1] == found[2]


def test_digests_are_the_same_on_every_python(tmp_path):
    """The digest of a file full of edge cases is the recorded one, whichever Python version computes it."""
    assert _tricky(tmp_path).texts == {
        "suite.kernels.tricky.Kept": "sha256:5b10056cef7424b771593a4f89b73d822f22291c55de5eb92fc4b10066bbac70",
        "suite.kernels.tricky.name": "sha256:f82ccd576e9cde3392ccfff589770b55714452755cd82f9c07bc7b1bc8d47a48",
        "suite.kernels.tricky.tricky": "sha256:ebd6fb221d2b7352b99ed765935e11d241d052ce0600424eee75626457177fde",
    }


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_digests_do_not_depend_on_the_hash_seed(hash_seed, plain, tmp_path):
    """No order of a set gets into a key."""
    toy = Toy(tmp_path)
    code = (
        "import json, sys; from pathlib import Path; from suite.reach import reach\n"
        "found = reach([('suite.papers.p99_toy', 'table1')], Path(sys.argv[1]))\n"
        "print(json.dumps([found.texts, sorted(found.settings)]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        cwd=HERE.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found = toy.reach("table1")
    assert json.loads(done.stdout) == [found.texts, sorted(found.settings)]


def _dedented(path: str) -> str:
    return textwrap.dedent(TOY[path]).lstrip("\n")


NOISE = st.sampled_from(["", "   ", "\t", "# a comment", "        # deep 'quote", '# """'])


@settings(max_examples=60)
@given(data=st.data())
def test_comments_and_blanks_never_change_a_digest(data):
    """Any number of comment lines, blank lines and trailing comments between the lines of a file changes nothing."""
    path = data.draw(st.sampled_from([UAP, STEPS, CHECKS, RECIPES, DISTANCE]))
    lines = []
    for line in _dedented(path).split("\n")[1:]:  # the first is the docstring
        lines += data.draw(st.lists(NOISE, max_size=2))
        lines.append(line + data.draw(st.sampled_from(["", "  ", " # trailing", "\t"])))
    module = path.removesuffix(".py").replace("/", ".")
    with tempfile.TemporaryDirectory() as name:
        before, after = Path(name, "before"), Path(name, "after")
        Toy(before)
        Toy(after)
        (after / path).write_text("\n".join(lines), "utf-8")
        roots = [(module, top) for top in sources_of_names.Source(module, before / path, path).named]
        assert reach(roots, before) == reach(roots, after)


@settings(max_examples=60)
@given(data=st.data())
def test_every_line_of_a_reached_function_counts(data):
    """A blank put behind any operator of a reached text, decorators and defaults included, gives another digest."""
    path = data.draw(st.sampled_from([UAP, STEPS, CHECKS]))
    with tempfile.TemporaryDirectory() as name:
        toy = Toy(Path(name))
        before = toy.reach("fig2").texts
        module = path.removesuffix(".py").replace("/", ".")
        named = sources_of_names.Source(module, toy.root / path, path).named
        reached = [s for top, statements in named.items() if f"{module}.{top}" in before for s in statements]
        lines = _dedented(path).split("\n")
        places = [
            token.end
            for token in tokenize.generate_tokens(io.StringIO("\n".join(lines)).readline)
            if token.type == tokenize.OP and token.end[1] < len(token.line.rstrip())
            if any(statement.first <= token.start[0] <= statement.last for statement in reached)
        ]
        row, column = data.draw(st.sampled_from(places))
        lines[row - 1] = f"{lines[row - 1][:column]} {lines[row - 1][column:]}"
        (toy.root / path).write_text("\n".join(lines), "utf-8")
        assert toy.reach("fig2").texts != before


# Names ----------------------------------------------------------------------------------------------------------------

SCOPES = {
    "a call": ("return g(x)", True),
    "a value": ("h = g; return h(x)", True),
    "a parameter of that name": ("return (lambda g: g)(x)", False),
    "a local of that name": ("g = x; return g", False),
    "a loop's variable of that name": ("for g in x: print(g)", False),
    "a comprehension's variable of that name": ("return [g for g in x]", False),
    "a comprehension inside whose iterable it stands": ("return [g for g in g(x)]", True),
    "a comprehension beside it": ("return [g for g in x] + [y for y in x if g(y)]", True),
    "an exception of that name": ("try: x()\n    except OSError as g: print(g)", False),
    "a context of that name": ("with x as g: print(g)", False),
    "a pattern of that name": ("match x:\n        case [g, *_]: return g", False),
    "a rest of that name": ("match x:\n        case {**g}: return g", False),
    "a class pattern": ("match x:\n        case g(): return x", True),
    "a walrus of that name": ("return (g := x) + g", False),
    "a walrus in a comprehension": ("return any((g := y) for y in x) and g", False),
    "a nested function of that name": ("def g(): return x\n    return g()", False),
    "a nested class of that name": ("class g: y = x\n    return g", False),
    "a deletion": ("del g", False),
    "a function inside": ("def inner(): return g(x)\n    return inner()", True),
    "a function inside, bound outside it": ("g = x\n    def inner(): return g\n    return inner()", False),
    "nonlocal": ("g = x\n    def inner():\n        nonlocal g\n        g = 1\n    return inner(), g", False),
    "global": ("global g\n    g = x", True),
    "a class's own name seen from its method": (
        "class A:\n        g = 1\n        def m(self): return g\n    return A",
        True,
    ),
    "a class's own name between": (
        "g = x\n    class A:\n        g = 1\n        def m(self): return g\n    return A",
        False,
    ),
    "a class that takes it as its own": ("class A:\n        g = g\n    return A", True),
    "a default inside": ("def inner(y=g): return y\n    return inner()", True),
    "a decorator inside": ("@g\n    def inner(): return x\n    return inner()", True),
    "a base inside": ("class A(g): y = x\n    return A", True),
    "a keyword of that name": ("return dict(g=x)", False),
    "an attribute of that name": ("return x.g", False),
    "a replacement field": ("return f'{x:{g(3)}}'", True),
    "a string": ("return 'g'", False),
    "an annotation": ("y: g = x\n    return y", False),
    "an annotation inside": ("def inner(y: g) -> g: return y\n    return inner(x)", False),
    "a module's attribute": ("import suite.kernels.scopes\n    return suite.kernels.scopes.g(x)", True),
    "an import of its own module": ("from suite.kernels import scopes as s\n    return s.g(x)", True),
    "a relative import": ("from . import scopes\n    return scopes.g(x)", True),
    "a relative import of the name": ("from .scopes import g as k\n    return k(x)", True),
    "an import seen by a function inside": ("from .scopes import g as k\n    return [lambda: k(x)]", True),
    "an import that nothing uses": ("from .scopes import g as k\n    return x", False),
    "an import under TYPE_CHECKING": ("if TYPE_CHECKING: from .scopes import g as k\n    return k(x)", False),
    "a condition that is not TYPE_CHECKING": ("if not TYPE_CHECKING: return g(x)", True),
    "the other side of TYPE_CHECKING": ("if TYPE_CHECKING: pass\n    else: return g(x)", True),
}


@pytest.mark.parametrize("name", SCOPES)
def test_a_name_means_what_python_means_by_it(name, tmp_path):
    """The module's g is reached where Python would look it up, and nowhere else."""
    body, reached = SCOPES[name]
    text = f"def f(x):\n    {body}\n\ndef g(x): return x\n"
    compile(text, "scopes.py", "exec")
    place = tmp_path / "suite" / "kernels" / "scopes.py"
    place.parent.mkdir(parents=True)
    place.write_text(text)
    assert ("suite.kernels.scopes.g" in reach([("suite.kernels.scopes", "f")], tmp_path).texts) == reached


DEFINITIONS = {  # what makes the name g, an edit of it, and whether it counts for the whole module
    "one of two definitions": ("if limit:\n    def g(): return 1\nelse:\n    def g(): return 2", "2", False),
    "a fallback": ("try:\n    import fast as g\nexcept ImportError:\n    g = 2", "2", False),
    "the import that may fail": ("try:\n    import fast2 as g\nexcept ImportError:\n    g = 1", "2", False),
    "a constant and what adds to it": ("g = 1\ng += 2", "2", False),
    "several names at once": ("first, (g, *rest) = 1, 2", "2", False),
    "an annotated constant": ("g: int = 2", "2", False),
    "an item that is set later": ("g = {}\ng[0] = 2", "2", True),
    "an attribute that is set later": ("g = object()\ng.x = 2", "2", True),
    "a loop": ("for g in (1, 2): pass", "2", True),
    "a context": ("with open('2') as g: pass", "2", True),
    "a condition that does something": ("if 1:\n    g = 2\n    print(g)", "2", True),
    "a handler that does something": ("try:\n    g = 1\nexcept OSError:\n    print(2)", "2", True),
    "a deletion": ("g = h2 = 1\ndel h2", "2 = 1", False),
    "an assertion": ("g = 1\nassert g < 2", "2", True),
    "a condition of TYPE_CHECKING": ("if TYPE_CHECKING:\n    print(1)\nelse:\n    g = 2", "2", False),
}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_statement_that_makes_a_name_counts(name, tmp_path):
    """All statements that bind a name are its text; those that do more count for the whole module."""
    text, old, whole = DEFINITIONS[name]
    assert text.count(old) == 1
    found = []
    for folder, edited in (("a", text), ("b", text.replace(old, f"5{old}"))):
        place = tmp_path / folder / "suite" / "kernels" / "made.py"
        place.parent.mkdir(parents=True)
        place.write_text(f"{edited}\n\ndef f(): return g\n\ndef other(): return 0\n")
        found.append([reach([("suite.kernels.made", root)], tmp_path / folder).texts for root in ("f", "other")])
    assert found[0][0] != found[1][0]
    assert (found[0][1] != found[1][1]) == whole


ERRORS = {
    "a lazy re-export": (PAPER, "import uap as attacks", "import attack", "attacks.attack(model)", "attack(model)",
                         r"p99_toy.py:\d+: attack is no module of suite.kernels"),
    "a package's name by dots": (PAPER, "from suite.kernels import uap as attacks",
                                 "from suite import kernels as attacks", "", "",
                                 r"p99_toy.py:\d+: attack is no module of suite.kernels"),
    "a star import": (PAPER, "from suite.kernels import uap as attacks", "from suite.kernels.uap import *", "", "",
                      r"p99_toy.py:11: a star import"),
    "a star import elsewhere": (UAP, "import math\n", "from math import *\n", "", "", r"uap.py:2: a star import"),
    "a module as a value": (PAPER, "attacks.attack(model)", "run.map('x', attacks, model)", "", "",
                            r"p99_toy.py:\d+: the module suite.kernels.uap is used as a value"),
    "getattr on a module": (PAPER, "attacks.attack(model)", "getattr(attacks, 'attack')(model)", "", "",
                            r"p99_toy.py:\d+: the module suite.kernels.uap is used as a value"),
    "a module under another name": (PAPER, "    model = run", "    local = attacks\n    model = run", "", "",
                                    r"p99_toy.py:\d+: the module suite.kernels.uap is used as a value"),
    "the suite as a value": (PAPER, "import os\n", "import suite\n", "attacks.attack(model)", "attacks.attack(suite)",
                             r"p99_toy.py:\d+: the module suite is used as a value"),
    "a name that is not there": (PAPER, "attacks.attack(model)", "attacks.defend(model)", "", "",
                                 r"p99_toy.py:\d+: suite.kernels.uap defines no 'defend'"),
    "a module that is not there": (PAPER, "import uap as attacks", "import upa as attacks", "", "",
                                   r"p99_toy.py:\d+: upa is no module of suite.kernels"),
    "a syntax error": (STEPS, "length = 2", "length = = 2", "", "", r"steps.py:6: not readable as Python"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_what_cannot_be_followed_is_an_error_with_its_place(name, tmp_path):
    """A key is never computed past a name whose meaning is not in the text; the error says file and line."""
    path, old, new, also, instead, message = ERRORS[name]
    edits = [(path, old, new)] + ([(path, also, instead)] if also else [])
    with pytest.raises(UserError, match="suite/.*" + message):
        Toy(tmp_path, *edits).reach("table1")


def test_what_a_unit_does_not_reach_may_hold_anything(tmp_path):
    """An unused import from a package, or a misuse in another unit, is nobody's error but that unit's."""
    toy = Toy(
        tmp_path, (PAPER, "import os\n", "from suite.kernels import attack\n"), (PAPER, "sum(found)", "str(attacks)")
    )
    assert toy.reach("table1").texts
    with pytest.raises(UserError, match="used as a value"):
        toy.reach("fig4")


def test_a_root_that_is_not_there_is_an_error(tmp_path):
    """A unit without a function, and a paper without a file, are named."""
    toy = Toy(tmp_path)
    with pytest.raises(UserError, match="suite.papers.p99_toy defines no 'table9'"):
        toy.reach("table9")
    with pytest.raises(UserError, match="there is no file of the module suite.papers.p98_none"):
        reach([("suite.papers.p98_none", "table1")], tmp_path)


def test_a_module_of_the_core_counts_by_its_name(plain, tmp_path):
    """What a unit takes from rows, contract or the data's sources is outside: its dotted name counts, not its text."""
    assert changed(plain, Toy(tmp_path / "a", ("suite/rows.py", "", "\nEDITED = 1\n")).keys()) == set()
    moved = ("suite/papers/p99_toy.py", "from suite.rows import Row", "from suite.contract import Row")
    assert changed(plain, Toy(tmp_path / "b", moved).keys()) == UNITS


def test_a_paper_may_be_a_package(tmp_path):
    """A paper that grew into a package is followed through its modules, settings included."""
    toy = Toy(tmp_path)
    folder = tmp_path / "suite" / "papers" / "p99_toy"
    folder.mkdir()
    (tmp_path / PAPER).rename(folder / "__init__.py")
    (folder / "drawn.py").write_text("def drawn(s):\n    return s.pairs * s.weight\n")
    text = (
        (folder / "__init__.py")
        .read_text()
        .replace('yield Row("fig2"', 'drawn.drawn(run.settings)\n    yield Row("fig2"')
    )
    (folder / "__init__.py").write_text(text.replace("import os\n", "from suite.papers.p99_toy import drawn\n"))
    found = toy.reach("fig2")
    assert found.settings == {"eps", "pairs", "base"}
    assert {"suite.papers.p99_toy.drawn.drawn", "suite.papers.p99_toy.Settings.weight"} <= set(found.texts)


def test_settings_may_come_from_a_family(tmp_path):
    """Fields and properties that Settings takes from a class of its family count as its own."""
    base = (
        "suite/pruning/masks.py",
        "",
        "\nclass Shared:\n    rounds: int = 3\n    KIND: ClassVar[str] = 'a'\n\n    @property\n"
        "    def twice(self):\n        return 2 * self.rounds\n",
    )
    use = (PAPER, "run.settings.eps)", "run.settings.twice) + run.settings.KIND")
    toy = Toy(
        tmp_path,
        base,
        use,
        (PAPER, "class Settings:", "class Settings(Shared):"),
        (PAPER, "import kept", "import Shared, kept"),
    )
    found = toy.reach("fig2")
    assert found.settings == {"rounds"}
    assert {"suite.pruning.masks.Shared.twice", "suite.pruning.masks.Shared.KIND"} <= set(found.texts)


def test_an_edit_is_seen_at_once_and_a_file_is_parsed_once(tmp_path, monkeypatch):
    """Keys of many seeds parse each file once; an edit of the same size, or a new file, is seen by the next key."""
    parsed = []
    first = sources_of_names.Source.__init__
    monkeypatch.setattr(sources_of_names.Source, "__init__", lambda self, *a: (parsed.append(a[0]), first(self, *a))[1])
    toy = Toy(tmp_path)
    with toy.imported() as module:
        paper, chosen = Paper("p99_toy", module), module.SCALES["full"]
        found = {
            keys.unit_key(paper, chosen, unit, None, seed, tmp_path).digest for unit in UNITS for seed in range(10)
        }
    assert len(found) == 30
    assert len(parsed) == len(set(parsed))
    before = toy.reach("fig2")
    assert toy.reach("fig2") is before
    place = tmp_path / STEPS
    place.write_text(place.read_text().replace("length = 2", "length = 3"))
    os.utime(place, ns=(0, 0))
    assert toy.reach("fig2").texts != before.texts
    (tmp_path / "suite" / "kernels" / "uap").mkdir()
    (tmp_path / "suite" / "kernels" / "uap" / "__init__.py").write_text("def attack(value): return value\n")
    with pytest.raises(UserError, match="attack is no module of suite.kernels.uap"):
        toy.reach("fig2")


# The settings that a unit sees ----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Choices:
    """Settings with everything that may hang on them."""

    epochs: int = 3
    base: float = 0.5
    hidden: int = 9
    KIND = "toy"

    @property
    def weight(self) -> float:
        return self.base * 2

    @property
    def secret(self) -> int:
        return self.hidden

    def times(self, factor: int) -> int:
        return factor * self.epochs

    def stolen(self) -> int:
        return self.hidden

    @staticmethod
    def half(value: float) -> float:
        return value / 2

    @classmethod
    def fresh(cls) -> Choices:
        return cls()


VIEW = keys.settings_view(Choices(), {"epochs", "base"}, "table1")


def test_a_unit_sees_the_fields_of_its_key():
    """Fields of the key have their values; properties and methods of Settings work on them."""
    assert (VIEW.epochs, VIEW.base, VIEW.weight, VIEW.times(4), VIEW.half(3), VIEW.KIND) == (
        3,
        0.5,
        1.0,
        12,
        1.5,
        "toy",
    )


@pytest.mark.parametrize(
    ("use", "field"),
    [(lambda s: s.hidden, "hidden"), (lambda s: s.secret, "hidden"), (lambda s: s.stolen(), "hidden"),
     (lambda s: getattr(s, "hidden", 0), "hidden"),
     (lambda s: s.epoch, "epoch")],
)  # fmt: skip
def test_a_unit_sees_no_other_field(use, field):
    """A field outside the key, reached in whatever way, is an error with unit and field, never a default."""
    with pytest.raises(UserError, match=f"table1 uses the setting '{field}'") as error:
        use(VIEW)
    assert error.value.code == 1


WHOLE = {
    "asdict": dataclasses.asdict, "astuple": dataclasses.astuple, "fields": dataclasses.fields,
    "replace": lambda s: dataclasses.replace(s, epochs=1), "vars": vars, "==": lambda s: s == Choices(),
    "== from the right": lambda s: Choices() == s, "!=": lambda s: s != s, "hash": hash, "repr": repr, "str": str,
    "format": lambda s: f"{s}", "iteration": list, "pickle": pickle.dumps, "copy": copy.copy, "deepcopy": copy.deepcopy,
    "a class method": lambda s: s.fresh(), "assignment": lambda s: setattr(s, "epochs", 1), "dir": dir,
    "json": json.dumps, "a condition": bool, "getmembers": inspect.getmembers,
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_settings_are_never_used_whole(name):
    """What would depend on all fields at once is an error with the unit and the way out."""
    if name == "json":
        with pytest.raises(TypeError, match="not JSON serializable"):
            WHOLE[name](VIEW)
        return
    with pytest.raises(UserError, match=r"table1 uses run.settings as a whole.*run.settings.base"):
        WHOLE[name](VIEW)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("attacks.attack(run.settings.eps)", "attacks.attack(run.settings)", "fig2 uses the setting 'eps'"),
        ("run.settings.eps", "len(dataclasses.asdict(run.settings))", "fig2 uses run.settings as a whole"),
        ("run.settings.eps", "(run.settings == 1)", "fig2 uses run.settings as a whole"),
        ("run.settings.eps", "getattr(run.settings, 'ep' + 's')", "fig2 uses the setting 'eps'"),
        ("run.settings.eps", "(lambda t: t.eps)(run.settings)", None),
        ("run.settings.eps", "run.settings.weight", None),
    ],
)
def test_settings_handed_on_whole_fail_at_smoke(old, new, message, tmp_path):
    """A unit of a paper runs with the fields that its own module names; handed on to a kernel, settings are refused."""
    toy = Toy(
        tmp_path,
        (PAPER, old, new),
        (PAPER, "import os\n", "import dataclasses\n"),
        (STEPS, "Size().of(value)", "Size().of(value if isinstance(value, (int, float)) else value.eps)"),
    )
    if message is None:
        assert len(toy.run("fig2")) == 1
        return
    with pytest.raises(UserError, match=message):
        toy.run("fig2")


# The functions that run -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_a_unit_runs_under_its_guard(unit, tmp_path):
    """What the static follower reaches is all that runs: properties, decorators, recipes, loaders, streams."""
    before = sys.getprofile()
    found = [[(row.at, row.values) for row in Toy(tmp_path).run(unit, guarded)] for guarded in (True, False)]
    assert found[0] == found[1] != []
    assert sys.getprofile() is before


REGISTRY = (
    "suite/kernels/registry.py",
    "",
    "FOUND = {}\n\ndef register(function):\n    FOUND[function.__name__] = function\n    return function\n"
    "\nclass Base:\n    pass\n",
)
HIDDEN = (
    "suite/kernels/hidden.py",
    "",
    "from suite.kernels import registry\n\n@registry.register\ndef secret(value):\n    return helper(value)\n"
    "\ndef helper(value):\n    return [one for one in map(lambda x: x, [value])][0]\n"
    "\nclass Sub(registry.Base):\n    def method(self, value):\n        return value\n"
    "\nLAMBDA = lambda value: value\nregistry.FOUND['lambda'] = LAMBDA\n",
)
RUNS = {
    "a registry": ("registry.FOUND['secret'](2)", ["suite.kernels.hidden.secret", "suite.kernels.hidden.helper"]),
    "subclasses": ("registry.Base.__subclasses__()[0]().method(2)", ["suite.kernels.hidden.Sub.method"]),
    "a lambda of the module": ("registry.FOUND['lambda'](2)", ["suite.kernels.hidden"]),
    "a thread": ("threaded(registry.FOUND['secret'])", ["suite.kernels.hidden.secret"]),
    "a property by getattr": ("getattr(run.settings, 'spa' + 're')", ["suite.papers.p99_toy.Settings.spare"]),
    "another unit by globals": ("list(globals()['ta' + 'ble9'](run)) or 2", ["suite.papers.p99_toy.table9"]),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_function_that_runs_outside_the_key_is_an_error(name, tmp_path):
    """A function of ours that only a run finds is named by the guard, with module and class."""
    expression, strangers = RUNS[name]
    calls = "()" if "spa" in expression else ""
    toy = Toy(
        tmp_path, REGISTRY, HIDDEN,
        (PAPER, "import os\n", "import threading\nfrom suite.kernels import hidden, registry\n"),
        (PAPER, "run.settings.eps)", f"{expression})" if not calls else f"{expression} and 2)"),
        (PAPER, "def c1", "def table9(run):\n    yield from ()\n\n"
                "def threaded(function):\n    thread = threading.Thread(target=function, args=(2,))\n"
                "    thread.start()\n    thread.join()\n    return 2\n\ndef c1"),
    )  # fmt: skip
    if name == "a property by getattr":
        toy = Toy(
            tmp_path, (PAPER, "run.settings.eps)", "getattr(run.settings, 'spa' + 're')() + run.settings.unnamed)")
        )
    with pytest.raises(UserError, match="ran outside the key") as error:
        toy.run("fig2")
    assert all(stranger in str(error.value) for stranger in strangers)
    assert "suite.kernels.uap" not in str(error.value) and "registry" not in str(error.value).partition(" ran ")[0]


def test_what_an_import_runs_is_no_stranger(tmp_path):
    """A module that a unit imports while it runs may build its constants with functions that nothing reaches."""
    late = (
        "suite/kernels/late.py",
        "",
        "def build():\n    return {}\n\nTABLE = build()\n\nclass Kind:\n    items = [build() for _ in range(2)]\n"
        "\ndef used(value):\n    return value\n",
    )
    use = (PAPER, "    count: int = 2\n", "    count: int = 2\n    from suite.kernels import late\n    late.used(2)\n")
    toy = Toy(tmp_path, late, use)
    assert "suite.kernels.late.build" not in toy.reach("fig2").texts
    assert len(toy.run("fig2")) == 1


def test_the_guard_lets_the_units_own_error_pass(tmp_path):
    """A unit that fails tells its own error, strangers or not, and the guard is gone afterwards."""
    toy = Toy(tmp_path, (PAPER, "run.settings.eps)", "globals()['c' + '1']({}) + 1)"))
    with pytest.raises(TypeError, match="not callable"):
        toy.run("fig2")
    assert sys.getprofile() is None and threading.getprofile() is None


def test_guards_nest(tmp_path):
    """An inner guard hands back to the outer one."""
    outer, inner = keys.guard((), tmp_path), keys.guard((), tmp_path)
    with outer:
        hook = sys.getprofile()
        with inner:
            assert sys.getprofile() != hook
        assert sys.getprofile() == hook
    assert sys.getprofile() is None

"""Who may import whom, how long files and functions may grow, and what no tracked file may hold."""

from __future__ import annotations

import ast
import graphlib
import importlib
import importlib.metadata
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "suite").rglob("*.py"))
}
TREES = {module: ast.parse(path.read_text("utf-8")) for module, path in FILES.items()}

SEEN_BY_PAPERS = {"rows", "contract", "kernels", "models", "data.loaders", "train", "recipes"}
PRINTED = {"published", "facts"}
RUNNING = {"papers", "contract", "rows", *PRINTED, "data", "recipes", "keys", "store", "kernels.streams"}
RUNNERS = {"machine", "offline", "plan", "weights", "run", "execute"}
JUDGING = {"rows", "contract", *PRINTED}
ABOVE = {
    *RUNNING,
    *RUNNERS,
    *JUDGING,
    "kernels",
    "models",
    "train",
    "pipeline",
    "statistics",
    "verdict",
    "audit",
    "report",
}
# What each room may import of the suite besides itself and, kernels and models apart, errors and project.
TABLE: dict[str, set[str]] = {
    "errors": set(),
    "project": set(),
    "rows": set(),
    "contract": {"rows"},
    "offline": set(),
    "strict": {"rows"},
    "kernels": set(),
    "models": set(),
    "data": {"kernels.streams", "offline", "strict"},
    "train": {"kernels", "models", "data"},
    "recipes": {"contract", "kernels", "models", "data", "train", "family"},
    "family": {"kernels", "models", "data", "train"},
    "papers": set(),
    "paper": SEEN_BY_PAPERS | {"family"},
    "facts": {"rows"},
    "published": {"rows", "strict", "facts"},
    "reach": {"papers", "contract", "data", "recipes"},
    "keys": {"papers", "contract", "data", "recipes", "reach"},
    "store": {"rows"},
    "machine": {"data", "offline"},
    "plan": RUNNING,
    "weights": RUNNING | {"machine", "plan"},
    "run": RUNNING | {"machine", "offline", "plan", "weights"},
    "execute": RUNNING | {"machine", "offline", "plan", "weights", "run"},
    "confirm": RUNNING | RUNNERS,
    "loading": {"papers"},
    "pipeline": RUNNING | {"loading", "plan", "execute"},
    "summary": RUNNING | {"loading", "plan", "pipeline"},
    "sharing": RUNNING | RUNNERS | {"loading", "pipeline"},
    "importable": {"rows", "run", "store"},
    "importing": RUNNING | RUNNERS | {"importable", "loading", "sharing"},
    "exact": JUDGING,
    "statistics": JUDGING | {"exact"},
    "trends": JUDGING | {"statistics"},
    "pooling": JUDGING | {"statistics"},
    "kinds": JUDGING | {"statistics", "trends", "pooling", "exact"},
    "verdict": JUDGING | {"statistics", "kinds", "exact"},
    "simulation": JUDGING | {"statistics", "trends", "pooling", "kinds", "equivalence"},
    "rulebook": JUDGING | {"statistics", "verdict", "agreement", "simulation"},
    "equivalence": JUDGING | {"statistics"},
    "agreement": JUDGING | {"statistics", "equivalence", "exact"},
    "audit": JUDGING,
    "report": {
        "rows",
        "contract",
        "papers",
        *PRINTED,
        "store",
        "statistics",
        "verdict",
        "agreement",
        "audit",
        "keys",
        "recipes",
    },
    "new": {"papers"},
    "arguments": {"papers"},
    "compare": ABOVE,
    "nightly": ABOVE | {"compare"},
    "doctor": ABOVE,
    "export": ABOVE,
    "command": ABOVE | {"sharing"},
    "cli": ABOVE
    | {"loading", "summary", "sharing", "importing"}
    | {"arguments", "command", "confirm", "new", "compare", "nightly", "doctor", "export"},
    "__main__": {"cli"},
    "suite": set(),
}
ANYWHERE = {"errors", "project"}
STANDARD_ONLY = ("errors", "project", "rows", "contract")
HEAVY = {"torch", "torchvision", "scipy", "sklearn", "matplotlib", "mlxtend", "pandas", "dvc"}


def imports(module: str) -> Iterator[str]:
    """The dotted names that a module imports anywhere in its text, lazily or only for types included."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _from(module, node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (a.value for a in node.args[:1] if isinstance(a, ast.Constant))


def _from(module: str, node: ast.ImportFrom) -> Iterator[str]:
    start = node.module or ""
    if node.level:
        package = module.split(".") if FILES[module].name == "__init__.py" else module.split(".")[:-1]
        start = ".".join([*package[: len(package) - node.level + 1], *([start] if start else [])])
    for alias in node.names:
        yield f"{start}.{alias.name}" if f"{start}.{alias.name}" in FILES else start


def ours(module: str) -> set[str]:
    """The modules of the suite that a module imports."""
    return {name for name in imports(module) if name.split(".")[0] == "suite"} - {module}


def room(module: str) -> str:
    """The row of the table that a module falls under: a package that the table does not name is a family's room."""
    parts = module.split(".")
    if parts[:2] == ["suite", "papers"] and len(parts) > 2:
        return "paper"
    name = parts[1] if len(parts) > 1 else "suite"
    return "family" if name not in TABLE and (ROOT / "suite" / name).is_dir() else name


def allowed(module: str, target: str) -> bool:
    """Whether the table lets a module import another one."""
    start, end = room(module), room(target)
    if start == end:
        depth = 3 if start == "paper" else 2
        return module.split(".")[:depth] == target.split(".")[:depth] or start == "suite"
    if start not in ("kernels", "models") and end in ANYWHERE:
        return True
    may = TABLE[start]
    return end in may or target.removeprefix("suite.") in may


def outside(module: str) -> set[str]:
    """The top-level names of other people's packages that a module imports."""
    return {name.split(".")[0] for name in imports(module)} - {"suite"} - sys.stdlib_module_names


def functions() -> Iterator[tuple[str, int]]:
    """Every function of the suite, nested ones too, with its length in lines, docstring included."""
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield f"{module}.{node.name}", node.end_lineno - node.lineno + 1  # type: ignore[operator]


def loaded_after(statement: str) -> set[str]:
    """The modules that a fresh interpreter holds after a statement."""
    code = f"{statement}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", FILES)
def test_a_module_imports_only_what_its_room_may(module):
    """Lower rooms never import higher ones, kernels and models nothing of ours, and no paper another paper."""
    assert room(module) in TABLE, f"suite/{room(module)}.py has no row in TABLE; say here what it may import"
    forbidden = sorted(target for target in ours(module) if not allowed(module, target))
    assert not forbidden, f"{room(module)} may import {sorted(TABLE[room(module)])}"


def test_the_table_itself_is_strict():
    """The judge of imports refuses what the design forbids, whatever the sources happen to do today."""
    for module, target in [
        ("suite.kernels.streams", "suite.errors"),
        ("suite.models.lenet", "suite.kernels"),
        ("suite.papers.p01_a", "suite.papers.p02_b"),
        ("suite.papers.p01_a", "suite.run"),
        ("suite.papers.p01_a", "suite.data.sources"),
        ("suite.verdict", "suite.store"),
        ("suite.run", "suite.cli"),
        ("suite.rows", "suite.contract"),
    ]:
        assert not allowed(module, target), f"{module} -> {target}"
    assert allowed("suite.papers.p01_a", "suite.data.loaders")
    assert allowed("suite.papers.p01_a.figures", "suite.papers.p01_a.models")


def test_no_import_cycle():
    """No module of the suite reaches itself through imports, lazy ones included."""
    try:
        graphlib.TopologicalSorter({module: ours(module) for module in FILES}).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_pages_compute_no_key():
    """Pages follow from tracked files: of ``suite.keys`` the report uses the words for differences and nothing else."""
    used = {
        node.attr
        for module in FILES
        if room(module) == "report"
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "keys"
    }
    assert used <= {"differences"}


def test_nothing_imports_the_command_line():
    """What the command line does is decided below it."""
    above = {module for module in FILES if room(module) in ("cli", "__main__")}
    assert [m for m in FILES if m not in above and any(room(target) == "cli" for target in ours(m))] == []


def test_no_import_hides_in_a_string():
    """Only the finder of papers and the lazy packages import by name; elsewhere an import would escape this file."""
    users = {module for module, path in FILES.items() if "import_module" in path.read_text("utf-8")}
    assert users <= {"suite", "suite.kernels", "suite.models", "suite.papers"}


@pytest.mark.parametrize("name", STANDARD_ONLY)
def test_the_lowest_rooms_need_the_standard_library_only(name):
    """What a paper sees of the suite can be read and imported without any package."""
    assert outside(f"suite.{name}") == set()


def test_kernels_and_models_need_numbers_only():
    """A kernel uses numpy and torch, a model torch and torchvision."""
    for module in FILES:
        if room(module) in ("kernels", "models"):
            assert outside(module) <= {"numpy", "torch", "torchvision"}, module


def test_every_package_that_is_imported_is_declared():
    """What the suite imports is a dependency in pyproject.toml, under the name of its distribution; DVC never is."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {re.match(r"[\w.-]+", text).group().lower() for text in project["dependencies"]}  # type: ignore[union-attr]
    owners = importlib.metadata.packages_distributions()
    used = {(module, name) for module in FILES for name in outside(module)}
    missing = sorted(f"{m}: {n}" for m, n in used if not {d.lower() for d in owners.get(n, [n])} & declared)
    assert missing == []
    assert "dvc" not in declared


def test_help_loads_nothing_heavy():
    """The command line starts without torch, scipy, matplotlib, scikit-learn or DVC: its help is there at once."""
    assert loaded_after("import suite.cli") & HEAVY == set()


def test_one_kernel_imports_one_kernel():
    """A practitioner who takes one function loads its family and no other; the package alone does not load torch."""
    assert loaded_after("import suite, suite.kernels, suite.models") & HEAVY == set()
    after = loaded_after("from suite.kernels import evasion_rate")
    assert {name for name in after if name.startswith("suite.kernels.")} == {"suite.kernels.uap"}


@pytest.mark.parametrize("package", ["suite", "suite.kernels", "suite.models"])
def test_lazy_names_are_real(package):
    """Each name that a lazy package offers comes from where it says; an unknown one is an AttributeError."""
    module = importlib.import_module(package)
    for name in dir(module):
        assert getattr(module, name) is not None
    for name, home in module.HOME.items():
        assert getattr(module, name).__module__.split(".")[-1] == home.split(".")[-1]
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = module.no_such_name


@pytest.mark.parametrize("package", ["suite.kernels", "suite.models"])
def test_every_family_is_offered(package):
    """A new kernel or model file appears in its package's list, and no name stands in two families."""
    module = importlib.import_module(package)
    files = {name.split(".")[2] for name in FILES if name.startswith(f"{package}.")}
    assert set(module.FAMILIES) == files
    assert len(module.HOME) == sum(len(names) for names in module.FAMILIES.values())


def test_files_stay_short():
    """No file of the suite has more than 400 lines."""
    lengths = {module: len(path.read_text("utf-8").splitlines()) for module, path in FILES.items()}
    assert {module: lines for module, lines in lengths.items() if lines > 400} == {}


def test_functions_stay_short(record_property):
    """No function has more than 60 lines, and half of them have at most 15."""
    lengths = dict(functions())
    assert {name: lines for name, lines in lengths.items() if lines > 60} == {}
    record_property("median_function_lines", statistics.median(lengths.values()))
    assert statistics.median(lengths.values()) <= 15


def test_no_file_names_a_place_on_one_machine():
    """No text file that git tracks or would track holds an absolute path of somebody's machine."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout, so there is no list of tracked files")
    places = re.compile(r"(?<![\w.-])/(?:" + "|".join(["root", "work", r"home/\w+", r"Users/\w+"]) + r")/")
    found = []
    for name in filter(None, done.stdout.split("\0")):
        try:
            text = (ROOT / name).read_text("utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        found += [f"{name}:{n}" for n, line in enumerate(text.splitlines(), 1) if places.search(line)]
    assert found == []

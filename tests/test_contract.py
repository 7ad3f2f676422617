"""The contract test: what every paper promises, checked the moment its file exists."""

from __future__ import annotations

import ast
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from suite import execute, papers, plan, project, published, store
from suite.contract import Missing, Seen

STEMS = papers.names()


@pytest.fixture(scope="module", params=STEMS)
def paper(request) -> papers.Paper:
    """Every paper of the project."""
    return papers.load(request.param)


@pytest.fixture(scope="module")
def smoke(paper, tmp_path_factory) -> Iterator[list[plan.Task]]:
    """The tasks of the paper's smoke scale, measured just now in a place of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUITE_HOME", str(tmp_path_factory.mktemp(paper.stem)))
        tasks = [step.task for step in plan.plan(paper.stem, "smoke", fresh=True)]
        outcomes = execute.run_all(tasks, "the contract test", jobs=1)
        assert [o.message for o in outcomes if o.state != "done"] == []
        yield tasks


def test_every_printed_id_has_a_function_or_a_reason_and_every_function_its_id(paper) -> None:
    """Tables, figures, our tables and claims on one side, functions and OUT on the other."""
    facts = published.read(paper.stem)
    ids = {*facts.units, *facts.claims}
    timings = {name for name in paper.functions if name.startswith("timing_")}
    functions = ({*paper.functions} - timings) | {*paper.claims}
    assert ids - functions - {*paper.out} == set(), "these ids have neither a function nor an entry in OUT"
    assert functions - ids == set(), "these functions have no id in published.yaml"
    assert {*paper.out} - ids == set(), "OUT names what published.yaml does not have"
    assert functions & {*paper.out} == set(), "OUT names what has a function"
    assert {name.removeprefix("timing_") for name in timings} <= {*facts.tables}
    assert all(reason.strip() for reason in paper.out.values())


def test_its_module_baseline_and_number_carry_one_stem(paper) -> None:
    """The stem names the module, the baseline folder and the published id."""
    folder = project.root() / "baselines" / paper.stem
    assert published.read(paper.stem).stem == paper.stem
    assert (folder / "card.md").is_file()


def test_its_plan_names_units_that_exist_at_scales_that_exist(paper) -> None:
    """SEEDS, COST, SPLIT and AXES name functions, scales and settings of the paper; smoke plans something."""
    module = paper.module
    assert paper.units("smoke"), "smoke must plan at least one unit"
    assert set(getattr(module, "SEEDS", {})) <= set(paper.scales)
    for scale, units in {**getattr(module, "COST", {})}.items():
        assert scale in paper.scales
        assert set(units) <= set(paper.functions)
    for planned in module.SEEDS.values():
        assert isinstance(planned, int) or set(planned) <= set(paper.functions)
    for unit, field in getattr(module, "SPLIT", {}).items():
        assert unit in paper.functions
        assert all(hasattr(paper.settings(scale), field) for scale in paper.scales)
    assert set(getattr(module, "AXES", {})) <= set(published.read(paper.stem).figures)


def test_at_smoke_every_unit_yields_finite_rows_and_a_second_pass_executes_nothing(smoke) -> None:
    """Records exist under the present keys, hold finite rows, and nothing is left to do."""
    for task in smoke:
        record = store.read_record(task.record)
        assert record is not None
        rows = record.parts[task.ident].rows
        assert rows
        assert all(math.isfinite(value) for row in rows for value in row.values.values())
    again = execute.run_all(smoke, "the contract test", jobs=1)
    assert {outcome.state for outcome in again} == {"reused"}


def test_claims_give_values_or_say_what_they_miss(paper, smoke) -> None:
    """Every claim function gives named parts, each a finite number or a missing row."""
    rows = [row for task in smoke for row in store.read_record(task.record).parts[task.ident].rows]
    for name, claim in paper.claims.items():
        parts = claim(Seen(rows))
        assert parts, f"{name} gives no part"
        for part, value in parts.items():
            assert isinstance(part, str)
            assert isinstance(value, Missing) or math.isfinite(value), f"{name} {part}"
        exact = published.read(paper.stem).claims[name].decidable == "exact"
        assert not exact or not any(isinstance(v, Missing) for v in parts.values()), f"{name} must be decided at smoke"


def test_the_module_imports_no_kernel_that_it_does_not_use(paper) -> None:
    """Each name imported from suite stands somewhere in the file's code; what a package passes on is its own."""
    path, own = Path(paper.module.__file__), paper.module.__name__
    for file in path.parent.glob("*.py") if path.name == "__init__.py" else [path]:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        imported = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("suite")
            for alias in node.names
            if not (file.name == "__init__.py" and (node.module or "").startswith(own))
        }
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert imported - used == set(), file.name


def test_finding_papers_imports_none_of_them() -> None:
    """Listing names needs neither torch nor any paper's module."""
    code = "import sys; from suite import papers; papers.names(); papers.resolve('17'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=project.root())
    assert done.stdout.strip() == "False"

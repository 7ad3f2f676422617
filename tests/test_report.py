"""The pages, figures and terminal views on constructed records."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from suite import store
from suite.contract import Missing
from suite.errors import UserError
from suite.facts import Metric
from suite.papers import Paper
from suite.report import claims, curves, figures, gather, markdown, model, show, source, terminal
from suite.report.entries import CellEntry, Measured, Page, Scoreboard, TableEntry
from suite.rows import Row

ROOT = Path(__file__).resolve().parents[1]
STEM = "p91_shrunk"
MODULE = """
from dataclasses import dataclass
from suite.contract import Inputs

@dataclass(frozen=True)
class Settings:
    data: tuple = ("mnist", "fashion_mnist")
    epochs: int = 20

@dataclass(frozen=True)
class Weights:
    name: str
    data: str

SCALES = {"full": Settings(), "reduced": Settings(epochs=3), "smoke": Settings(data=("mnist",), epochs=1)}
SPLIT = {"table1": "data", "fig1": "data"}
SEEDS = {"full": {"table1": 5}, "reduced": {"table1": 5, "fig1": 5}, "smoke": {"table1": 1, "ours_bounds": 1}}
COST = {"full": {"table1": 90}, "reduced": {"table1": 4, "fig1": 2}}
OUT = {"c6": "times of the authors' machine"}

def inputs(settings, unit, part):
    return Inputs() if part is None else Inputs((part,), (Weights("net-" + part, part),))

def table1(run): ...
def fig1(run): ...
def ours_bounds(run): ...

def _fall(seen, metric, than, method):
    at = [(d, seen("table1", metric, dataset=d, method=than), seen("table1", metric, dataset=d, method=method)) for d in
          ("mnist", "fashion_mnist")]
    return {d: a - b for d, a, b in at}

def c1(seen): return _fall(seen, "rate", "plain", "shrunk")
def c2(seen): return {d: -v for d, v in _fall(seen, "error", "plain", "shrunk").items()}
def c3(seen):
    plain, shrunk = (seen("table1", "rate", dataset="mnist", method=m) for m in ("plain", "shrunk"))
    return {"mnist": plain / shrunk}
def c4(seen): return {"random": seen("ours_bounds", "violations", matrices="random")}
def c5(seen): return {}
def c8(seen): return _fall(seen, "rate", "plain", "rival")
"""
PUBLISHED = """
id: shrunk
number: 91
title: Shrinking networks | and nothing else
authors: [A. Author, B. Author]
year: 2020
venue: "Journal of Tests"
family: theory
tables:
  - id: table1
    where: "Table 1"
    about: error and rate
    runs: 1
    metrics:
      error: {unit: "%", better: lower, cap: 1, says: clean error}
      rate: {unit: "%", better: lower, cap: 5, says: attack rate}
    rows:
      - {at: {dataset: mnist, method: plain}, role: own, values: {error: 0.92, rate: 85.88}}
      - {at: {dataset: mnist, method: rival}, role: rerun, values: {error: 1.81, rate: 27.49}}
      - {at: {dataset: mnist, method: shrunk}, role: own, values: {error: 0.90, rate: 20.47}}
      - {at: {dataset: fashion_mnist, method: plain}, role: own, values: {error: 9.16, rate: 86.63}}
      - at: {dataset: fashion_mnist, method: shrunk}
        role: own
        values: {error: 9.15, rate: 29.96}
        spread: {rate: 0.4}
    spread_is: sd
figures:
  - id: fig1
    where: "Fig. 1"
    about: histograms of a similarity
    metrics: {median: {unit: cosine, says: median similarity}}
numbers:
  - id: median_plain
    where: "Fig. 1"
    says: median, plain
    value: 0.58
    unit: cosine
    role: own
    of: {table: fig1, metric: median, at: {dataset: mnist, method: plain}}
  - {id: weight, where: "Sect. 2", says: penalty weight, value: 0.05, unit: "1", role: setting}
  - {id: loose, where: "Sect. 4", says: a result of no row, value: 12, unit: "%", role: own}
claims:
  - {id: c1, where: "Table 1", says: shrinking lowers the rate, test: "rate[plain] > rate[shrunk]", decidable: reduced,
     kind: ordering, margin: 5, unit: points, effect: up to 65 points}
  - {id: c2, where: "Table 1", says: it costs no error, test: "loss < 0.5", decidable: full-cpu, kind: no_loss,
     margin: 0.5}
  - {id: c3, where: Abstract, says: a factor of four, test: "rate ratio > 4", decidable: full-cpu, kind: ratio,
     size: {mnist: [4, 4.5]}, unit: times}
  - {id: c4, where: "Eq. 1", says: the bound holds, test: "violations == 0", decidable: exact, kind: exact}
  - {id: c5, where: "Sect. 5", says: users like it, test: "share > 50", decidable: private, kind: threshold, value: 50,
     side: above}
  - {id: c6, where: "Table 9", says: it is fast, test: "seconds < 1", decidable: reduced, kind: threshold, value: 1,
     side: below}
  - {id: c7, where: "Sect. 6", says: it is elegant, test: "elegance > 0", decidable: reduced, kind: ordering, margin: 1}
  - {id: c8, where: "Sect. 7", says: the rival lowers it too, test: "rate[plain] > rate[rival]", decidable: reduced,
     kind: ordering, margin: 1}
identities:
  - {id: i1, over: table1, says: an identity, formula: "a = b", holds: "yes", check: "1 == 1", basis: arithmetic}
ours:
  - {id: ours_bounds, about: bounds of ours, metrics: {violations: {unit: "1", says: how many}}, axes: [matrices]}
"""
MEANS = {("mnist", "plain"): (1.2, 62.0), ("mnist", "shrunk"): (1.4, 3.0), ("fashion_mnist", "plain"): (10.0, 80.0)}
MEANS[("fashion_mnist", "shrunk")] = (10.9, 9.0)


def paper(root: Path) -> Paper:
    """The paper whose module the tests made up."""
    path = root / f"{STEM}.py"
    store.write_if_changed(path, MODULE)
    spec = importlib.util.spec_from_file_location("suite_test_shrunk", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return Paper(STEM, module)


class Project:
    """A project in a temporary folder, with one paper whose records the tests make up."""

    def __init__(self, root: Path) -> None:
        self.root, self.folder, self.keys = root, root / "reports" / STEM, dict[str, dict[str, Any]]()
        os.environ["SUITE_HOME"] = str(root / ".suite")
        store.write(root / "baselines" / STEM / "published.yaml", PUBLISHED)

    def add(
        self, scale: str, seed: int, part: str, rows: Iterable[Row], device: str = "cpu", figures: dict | None = None,
        folder: Path | None = None, **measured: Any,
    ) -> None:  # fmt: skip
        """Records a part; the key files follow with ``write_keys``."""
        role = part.partition("@")[2]
        facts = {
            "parts": {"seed": str(seed), "setting epochs": "3", "text suite.kernels.shrink": "sha256:old"},
            "seconds": 60.0, "command": "suite run 91", "device": device, "cpu": "Vendor AVX2", "threads": 1,
            "versions": {"torch": "2.15.0"}, "declaration": {"c1": "d1"},
            "weights": {f"net-{role}": "sha256:" + "ab" * 32} if role else {},
            "data": {role: {"set": role, "content": "sha256:" + "cd" * 32}} if role else {}, **measured,
        }  # fmt: skip
        key = f"sha256:{store.sha256(f'{scale} {part} {seed}'.encode())[7:]}"
        path = store.record_path(folder or self.folder / "runs" / scale, seed, device.partition(":")[0])
        head = {"paper": STEM, "scale": scale, "seed": seed}
        store.merge(path, head, part, store.pack_result(key, list(rows), figures or {}), facts, figures)
        unit = self.keys.setdefault(scale, {}).setdefault(part, {"parts": {}, "seeds": {}})
        unit["parts"] = {name: value for name, value in facts["parts"].items() if name != "seed"}
        unit["seeds"][str(seed)] = key

    def table1(
        self, scale: str, seeds: Iterable[int] = range(5), sets: Iterable[str] = ("mnist", "fashion_mnist"), **more: Any
    ) -> None:
        """Records Table 1: every seed a little off the mean, full 2 points above reduced."""
        for seed in seeds:
            for name in sets:
                rows = [
                    Row(
                        "table1",
                        {"dataset": d, "method": m},
                        {"error": e + seed / 100, "rate": r + seed + 2 * (scale == "full") * (m == "plain")},
                    )
                    for (d, m), (e, r) in MEANS.items()
                    if d == name
                ]
                self.add(scale, seed, f"table1@{name}", rows, **more)

    def bounds(self, violations: int = 0) -> None:
        """Records the exact table at smoke."""
        self.add("smoke", 0, "ours_bounds", [Row("ours_bounds", {"matrices": "random"}, {"violations": violations})])

    def fig1(self, label: str = "histogram plain") -> None:
        """Records Fig. 1 with an image and a histogram."""
        for seed in range(5):
            arrays = (
                {"plain untargeted": np.outer(np.arange(-3, 4), np.ones(6)) / 15, label: np.arange(100)}
                if seed == 0
                else {}
            )
            rows = [Row("fig1", {"dataset": "mnist", "method": "plain"}, {"median": 0.5 + seed / 100})]
            self.add("reduced", seed, "fig1@mnist", rows, figures=arrays)

    def write_keys(self, declarations: dict[str, str] | None = None) -> None:
        """Writes the key files, by which everything recorded is current."""
        for scale, units in self.keys.items():
            content = {"format": 1, "paper": STEM, "scale": scale, "units": units}
            content |= {} if declarations is None else {"declarations": declarations}
            store.write(self.folder / f"keys-{scale}.json", json.dumps(content))

    def page(self) -> Page:
        """The facts of the paper's page."""
        return model.page(STEM, self.root, paper(self.root))

    def source(self) -> source.Source:
        """What the page is made from."""
        return source.open_source(STEM, self.root, paper(self.root), None)

    def write(self, check: bool = False) -> list[Path]:
        """Writes page, figures and scoreboard."""
        page = self.page()
        board = Scoreboard((page,))
        return markdown.write_page(page, self.root, check) + markdown.write_scoreboard(board, self.root, check)

    def text(self) -> str:
        """The paper's page."""
        found = self.page()
        return markdown.paper(found, figures.drawings(found, self.root), self.root)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project without records."""
    monkeypatch.setenv("SUITE_HOME", str(tmp_path / ".suite"))
    return Project(tmp_path)


@pytest.fixture
def full(project: Project) -> Project:
    """A project with records of every kind, all current."""
    project.table1("reduced")
    project.table1("full")
    project.fig1()
    project.bounds()
    project.write_keys()
    return project


def claim(page: Page, ident: str) -> Any:
    """A claim of a page."""
    return next(found for found in page.claims if found.id == ident)


def cell(page: Page, metric: str, **at: str) -> Any:
    """A cell of a page."""
    tables = (*page.tables, *page.ours)
    return next(c for table in tables for c in table.cells if c.metric == metric and c.at == dict(sorted(at.items())))


def printed(page: Page, **options: Any) -> str:
    """What ``suite show`` prints into a pipe."""
    out = Console(file=StringIO(), width=100, highlight=False, markup=False, emoji=False)
    terminal.show(page, console=out, **options)
    return out.file.getvalue()  # type: ignore[attr-defined]


# Verdicts and cells -------------------------------------------------------------------------------------------------


def test_without_records_everything_is_there_with_its_reason(project):
    """A paper that nobody ran has a page: each claim and cell says why it has no result and which command gives one."""
    page = project.page()
    assert (page.standing, page.scale) == ("no records", "")
    assert {c.id: c.word for c in page.claims} == {
        **dict.fromkeys(("c1", "c2", "c3", "c4", "c6", "c8"), "not run"), "c5": "private data", "c7": "open",
    }  # fmt: skip
    assert (
        claim(page, "c1").reason
        == "no seed was run at reduced, about 20 min on one core for all seeds: suite run 91.table1"
    )
    assert claim(page, "c6").reason == "times of the authors' machine"
    assert "no function" in claim(page, "c7").reason
    assert all(c.reason for c in page.claims) and all(c.reason for t in page.tables for c in t.cells)
    assert cell(page, "rate", dataset="mnist", method="plain").reason == "table1 has no record yet"
    assert "suite run 91.table1 --scale full" in project.text()


def test_a_claim_is_judged_at_its_scale_with_both_sides_of_each_part(project):
    """A decided claim shows the measured means behind its difference, and what the printed rows give for it."""
    project.table1("reduced")
    project.write_keys()
    page = project.page()
    at = claim(page, "c1").shown
    assert (claim(page, "c1").word, at.scale, at.verdict.n, at.standing) == ("holds", "reduced", 5, "current")
    assert [side.measured.mean for side in at.sides["mnist"]] == [64.0, 5.0]
    assert at.printed["mnist"] == pytest.approx(85.88 - 20.47)
    assert show.sides(claim(page, "c1"), "mnist") == "plain 64.0; shrunk 5.0"
    assert "plain 64.0; shrunk 5.0" in project.text() and "mnist 59 (65.41)" in project.text()


def test_a_claim_below_its_scale_is_a_trend(project):
    """What full decides is a trend at reduced, under its own word and never counted as decided."""
    project.table1("reduced")
    page = project.page()
    assert claim(page, "c2").word == "trend: against"
    assert page.claim_counts["trend"] == 2 and page.claim_counts["holds"] == 1


def test_the_exact_claim_comes_from_smoke(project):
    """An exact fact is judged from the smoke rows of a table of ours; nothing else is judged there."""
    project.bounds()
    project.table1("smoke", seeds=[0], sets=["mnist"], data={"mnist": {"set": "digits28", "content": "sha256:1"}})
    assert {c.id: c.word for c in project.page().claims if c.id in ("c1", "c3", "c4")} == {
        "c1": "not run", "c3": "not run", "c4": "exact",
    }  # fmt: skip
    project.bounds(violations=3)
    assert claim(project.page(), "c4").word == "contradicts"


def test_reduced_and_full_stand_side_by_side_and_never_mix(full):
    """Both scales have their own means; the word is the larger scale's, and the page shows the other beside it."""
    page = full.page()
    found = cell(page, "rate", dataset="mnist", method="plain").measured
    assert [(m.scale, m.mean, m.n) for m in found] == [("full", 66.0, 5), ("reduced", 64.0, 5)]
    assert [at.scale for at in claim(page, "c1").at] == ["full", "reduced"]
    assert claim(page, "c1").shown.scale == page.scale == "full"
    assert "Beside it, at reduced (n = 5): holds" in full.text()


def test_the_larger_scale_decides_where_the_two_differ(full):
    """What full reverses is reversed, whatever reduced says; the page shows both."""
    for seed in range(10):
        for name in ("mnist", "fashion_mnist"):
            rates = {"plain": 10.0 + seed, "shrunk": 30.0}
            rows = [Row("table1", {"dataset": name, "method": m}, {"rate": r}) for m, r in rates.items()]
            full.add("full", seed, f"table1@{name}", rows)
    found = claim(full.page(), "c1")
    assert found.word == "reversed" and [at.verdict.word for at in found.at] == ["reversed", "holds"]


def test_a_scale_says_how_it_departs_from_full(full):
    """Beside the results of a scale stand the settings that are others than the paper's own, with both values."""
    states = {state.scale: state for state in full.page().states}
    assert states["smoke"].differs == {"data": ("mnist", "mnist, fashion_mnist"), "epochs": ("1", "20")}
    assert states["full"].differs == {} and states["reduced"].differs == {"epochs": ("3", "20")}
    assert "epochs 3 (full: 20)" in full.text() and "the paper's own" in full.text()
    assert "epochs 3 (full: 20)" in printed(full.page(), root=full.root)


def test_numbers_have_no_verdict_below_full(full):
    """R15: a printed number that was measured at reduced alone shows the value and says why it is not judged."""
    page = full.page()
    found = cell(page, "median", dataset="mnist", method="plain")
    assert (found.word, found.measured[0].scale) == ("no verdict below full", "reduced")
    assert cell(page, "rate", dataset="mnist", method="plain").word != "no verdict below full"
    assert {n.id: n.word for n in page.numbers} == {
        "median_plain": "no verdict below full",
        "weight": "setting",
        "loose": "open",
    }
    assert cell(page, "rate", dataset="mnist", method="rival").reason == "table1 has no such row at full"


def test_the_interval_of_a_cell_is_the_t_interval_over_seeds(full):
    """Five seeds 0 to 4 above 62: mean 64, half-width 2.776 times the standard error; one seed has no interval."""
    found = cell(full.page(), "rate", dataset="mnist", method="plain").measured[1]
    assert (found.low, found.high) == pytest.approx(
        (64 - 2.7764 * 2.5**0.5 / 5**0.5, 64 + 2.7764 * 2.5**0.5 / 5**0.5), rel=1e-4
    )
    bound = cell(full.page(), "violations", matrices="random").measured[0]
    assert (bound.low, bound.n, bound.scale) == (None, 1, "smoke")


def test_a_missing_part_stops_its_claims_only(project):
    """Where a data set is absent the claim over both is open and names the missing row; the other part is shown."""
    project.table1("reduced", sets=["mnist"])
    page = project.page()
    assert (claim(page, "c1").word, claim(page, "c3").word) == ("open", "trend: for")
    assert "table1[dataset=fashion_mnist method=plain] rate" in claim(page, "c1").reason
    assert [part.n for part in claim(page, "c1").shown.verdict.parts] == [5, 0]
    assert any(
        n.reason == "5 of 10 results are missing" and n.minutes == pytest.approx(5 * 1.0 / 2, rel=1)
        for n in page.not_run
    )


def test_a_seed_without_a_record_is_a_hole(project):
    """A seed whose run failed is never skipped over: the claim waits for it."""
    project.table1("reduced", seeds=[0, 2, 3, 4, 5])
    assert claim(project.page(), "c1").word == "open" and "seed 1" in claim(project.page(), "c1").reason


def test_device_classes_never_meet_in_a_cell(project):
    """With two seeds on one class and five on another, a cell and a claim come from the five and say so."""
    project.table1("reduced", seeds=range(2))
    project.table1("reduced", seeds=range(5), device="cuda: H")
    page = project.page()
    found = cell(page, "rate", dataset="mnist", method="plain").measured
    assert [(m.device, m.n) for m in found] == [("cuda", 5)]
    assert (claim(page, "c1").shown.device, claim(page, "c1").word) == ("cuda", "holds")
    assert "n = 5 (cuda)" in project.text()


def test_a_quotient_by_zero_is_missing(project):
    """A rate that fell to 0 gives no factor: the claim says so instead of failing, and nothing is infinite."""
    rows = [
        Row("table1", {"dataset": "mnist", "method": m}, {"rate": r}) for m, r in (("plain", 60.0), ("shrunk", 0.0))
    ]
    project.add("reduced", 0, "table1@mnist", rows)
    found = claim(project.page(), "c3")
    (below,) = found.at
    assert (below.scale, below.verdict.word) == ("reduced", "open") and "table1 rate is 0" in below.verdict.reason
    assert found.word == "not run", "full decides it, and has no rows"


def test_traced_values_compute_like_floats():
    """Tracing changes no value, keeps the cells in order, and lets what is missing through."""
    cells = [gather.Cell("t", (("m", name),), "x") for name in "ab"]
    a, b = gather.Traced(3.0, (cells[0],)), gather.Traced(2.0, (cells[1],))
    for value, want in [
        (a - b, 1.0),
        (1 - b, -1.0),
        (a / b, 1.5),
        (6 / b, 3.0),
        (-a, -3.0),
        (abs(-a), 3.0),
        (2 * a + b, 8.0),
    ]:
        assert value == want and isinstance(value, gather.Traced)
    assert (a - b).cells == (cells[0], cells[1]) and sum([a, b, a]).cells == (cells[0], cells[1])
    assert (
        isinstance(a - Missing("row"), Missing)
        and isinstance(Missing("row") / a, Missing)
        and isinstance(sum([a, Missing("r")]), Missing)
    )
    assert isinstance(1 / gather.Traced(0.0, (cells[0],)), Missing) and isinstance(a / 0, Missing)


# Stale, post hoc, private -------------------------------------------------------------------------------------------


def test_a_stale_result_keeps_its_verdict_and_says_what_changed(full):
    """After a change of code the page marks the cells, the claim and the provenance, and names the changed text."""
    assert full.page().standing == "current"
    unit = full.keys["reduced"]["table1@mnist"]
    unit["parts"] = {**unit["parts"], "text suite.kernels.shrink": "sha256:new", "setting epochs": "4"}
    unit["seeds"] = {seed: "sha256:other" for seed in unit["seeds"]}
    full.write_keys()
    page, text = full.page(), full.text()
    assert page.standing == "stale" and claim(page, "c3").at[-1].changed == (
        "setting epochs: 3 -> 4", "text suite.kernels.shrink changed",
    )  # fmt: skip
    assert claim(page, "c1").word == "holds" and claim(page, "c1").shown.standing == "current"
    assert [m.standing for m in cell(page, "rate", dataset="mnist", method="plain").measured] == ["current", "stale"]
    assert cell(page, "rate", dataset="fashion_mnist", method="plain").measured[1].standing == "current"
    assert "n = 5 (stale)" in text and "stale: setting epochs: 3 -> 4" in text


def test_without_a_key_file_nobody_says_current(project):
    """Results whose present keys are unknown are unchecked, and the page says what writes them."""
    project.table1("reduced")
    assert project.page().standing == "unchecked" and "suite pipeline" in project.text()


def test_a_claim_whose_cells_are_hidden_is_as_stale_as_all_that_it_asks_for(full):
    """A logarithm hides which cells a value is from; then every part of the tables that were asked for counts."""
    asked = gather.Asked({0: {"a": 1.0, "b": Missing("row")}}, {"a": (), "b": ()}, ("table1",))
    view, both = full.source().views["reduced"][0], ["table1@mnist", "table1@fashion_mnist"]
    assert claims._used(asked, view, both) == set(both)
    rate = gather.Cell("table1", (("dataset", "mnist"), ("method", "plain")), "rate")
    asked = gather.Asked({0: {"a": 1.0}}, {"a": (rate,)}, ("table1",))
    assert claims._used(asked, view, both) == {"table1@mnist"}
    later = gather.ask(paper(full.root).claims["c3"], {0: [], 1: view.rows(1)})
    assert isinstance(later.by_seed[0]["mnist"], Missing) and rate in later.behind["mnist"]


def test_the_worst_standing_counts():
    """Stale outweighs unchecked, unchecked outweighs current, and only the lines of the worst are kept, once each."""
    stale, open_ = gather.Standing("stale", ("a", "b")), gather.Standing("unchecked", ("c",))
    assert gather.joined([gather.Standing(), open_, stale, stale]) == stale
    assert gather.joined([gather.Standing(), open_]) == open_
    assert gather.joined([]) == gather.joined([gather.Standing()]) == gather.Standing("current", ())


def test_a_seed_beyond_the_planned_ones_is_compared_by_the_parts_of_its_key(full):
    """More seeds than planned are current as long as what they depend on is unchanged."""
    for part in full.keys["reduced"].values():
        del part["seeds"]["4"]
    full.write_keys()
    assert full.page().standing == "current"
    full.keys["reduced"]["table1@mnist"]["parts"]["setting epochs"] = "9"
    full.write_keys()
    assert full.page().standing == "stale"


def test_a_result_under_another_key_is_stale_even_where_no_part_tells_why(full):
    """The digest of the key decides; the parts only explain."""
    full.keys["reduced"]["fig1@mnist"]["seeds"]["2"] = "sha256:other"
    full.write_keys()
    assert full.page().standing == "stale" and "stale: its key differs" in full.text()


def test_a_unit_that_is_no_longer_planned_is_stale(full):
    """What the key file does not name any more cannot be current."""
    del full.keys["reduced"]["fig1@mnist"]
    full.write_keys()
    assert full.page().standing == "stale" and "fig1@mnist is no longer planned at reduced" in full.text()


def test_a_damaged_key_file_is_named(full):
    """A key file that is none stops with its path and the command that mends it."""
    store.write(full.folder / "keys-reduced.json", "[]")
    with pytest.raises(UserError, match=r"keys-reduced\.json is not a key file.*suite pipeline"):
        full.page()


def test_a_verdict_under_another_declaration_is_post_hoc(full):
    """R0: a rule that was changed after the run marks the verdict; without declarations nothing is marked."""
    assert not claim(full.page(), "c1").shown.verdict.post_hoc
    full.write_keys({"c1": "d1"})
    assert not claim(full.page(), "c1").shown.verdict.post_hoc
    full.write_keys({"c1": "d2"})
    assert claim(full.page(), "c1").shown.verdict.post_hoc and "post hoc" in full.text()


def test_a_private_run_on_a_stand_in_never_reaches_a_tracked_page(full):
    """It changes no tracked byte; ``--mine`` shows it under the stand-in's name, without the printed number."""
    full.write()
    before = {path: path.read_bytes() for path in sorted(full.folder.rglob("*")) if path.is_file()}
    folder = full.root / ".suite" / "runs" / "abc123-fresh" / STEM / "reduced"
    played = {"mnist": {"set": "mnist_5k", "content": "sha256:1"}}
    full.table1("reduced", seeds=[0], sets=["mnist"], folder=folder, data=played, command="suite run 91 --fresh")
    assert full.write() == []
    assert before == {path: path.read_bytes() for path in sorted(full.folder.rglob("*")) if path.is_file()}
    own = model.page(STEM, full.root, paper(full.root), runs={"reduced": folder})
    assert cell(own, "rate", dataset="mnist", method="plain").measured[0].played == {"mnist": "mnist_5k"}
    rows = terminal._beside(full.page(), own)
    assert rows[2][:3] == ["table1", "mnist plain", "rate"] and "mnist_5k for mnist" in rows[2][3]
    assert rows[2][4:] == ["64.0 [62.0, 66.0], n = 5", "-"]


def test_a_stand_in_among_committed_records_never_meets_a_printed_number(project):
    """Rows of embedded data are counted as a run of the code and left out of the table of the print."""
    project.table1("smoke", seeds=[0], sets=["mnist"], data={"mnist": {"set": "digits28", "content": "sha256:1"}})
    arrays = {"plain untargeted": np.zeros((3, 3))}
    project.add(
        "smoke", 0, "fig1@mnist", [], figures=arrays, data={"mnist": {"set": "digits28", "content": "sha256:1"}}
    )
    page = project.page()
    assert all(not c.measured for t in page.tables for c in t.cells) and page.arrays == ()
    assert cell(page, "rate", dataset="mnist", method="plain").reason.startswith("measured at smoke alone")
    assert page.provenance[0].data["mnist"]["set"] == "digits28" and "digits28 as mnist" in project.text()


# Costs and counts ---------------------------------------------------------------------------------------------------


def test_measured_minutes_replace_the_guess(project):
    """Mean measured seconds of parts and trainings; in what is left, a training that has a record costs nothing."""
    project.table1("reduced", seeds=range(2))
    store.write(project.root / "reports/recipes/net-mnist/s0.json", json.dumps({"measured": {"seconds": 600.0}}))
    reason = claim(project.page(), "c1").reason
    assert "about 36 min" in reason  # three seeds: two parts of a minute and one training of ten
    state = next(s for s in project.page().states if s.scale == "reduced")
    assert (state.done, state.planned) == (4, 20) and state.words == "4 of 20 results measured"
    # Three seeds of Table 1 as measured, five of Fig. 1 as guessed, one training for each of the seeds 1 to 4.
    assert state.minutes == 3 * 2 + 5 * 2 + 4 * 10
    not_run = {n.id: n.minutes for n in project.page().not_run if n.scale == "reduced"}
    assert not_run == {"table1": 3 * 2 + 3 * 10, "fig1": 5 * 2 + 4 * 10}


def test_the_scoreboard_counts_every_claim_once(full):
    """The counts of a page sum to its claims, and those of the board to all of them."""
    page = full.page()
    board = Scoreboard((page, page))
    assert sum(page.claim_counts.values()) == len(page.claims) and sum(board.claim_counts.values()) == 2 * len(
        page.claims
    )
    assert sum(page.number_counts.values()) == 12  # ten cells of Table 1, one of Fig. 1 and one loose number
    assert model.scoreboard("vision", full.root, [page]).pages == () and model.scoreboard(
        "theory", full.root, [page]
    ).pages == (page,)


# Pages --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("records", ["none", "all"])
def test_no_cell_is_empty_and_no_number_is_not_one(project, records):
    """Every cell of every table holds something, rows are as long as their heads; NaN, infinity, None never show."""
    if records == "all":
        project.table1("reduced", seeds=range(5))
        project.table1("full", seeds=range(3))
        project.fig1()
        project.bounds()
    project.write()
    for path in (project.folder / "README.md", project.root / "reports" / "README.md"):
        text = path.read_text(encoding="utf-8")
        lines = [line for line in text.split("\n") if line.startswith("|")]
        tables = re.findall(r"(?:^\|.*\n)+", text, re.M)
        assert lines and all(len({len(re.split(r"(?<!\\)\|", line)) for line in t.splitlines()}) == 1 for t in tables)
        assert all(part.strip() for line in lines for part in re.split(r"(?<!\\)\|", line)[1:-1])
        assert not re.search(r"\b(nan|inf|None)\b", text)
    json.dumps(terminal.as_json(project.page()), allow_nan=False)
    json.dumps(terminal.as_json(Scoreboard((project.page(),))), allow_nan=False)


def test_a_second_write_changes_nothing_and_check_writes_nothing(full):
    """Pages are written once; ``check`` names what is old and leaves it; a figure that is no longer drawn goes."""
    assert full.write(check=True) and not (full.folder / "README.md").exists()
    first = full.write()
    assert {path.name for path in first} == {
        "README.md",
        "c1-effect.svg",
        "c2-effect.svg",
        "c3-effect.svg",
        "fig1-images.svg",
        "fig1-histograms.svg",
    }
    assert full.write() == [] and full.write(check=True) == []
    (full.folder / "figures" / "c99-effect.svg").write_text("old")
    assert [path.name for path in full.write(check=True)] == ["c99-effect.svg"]
    assert [path.name for path in full.write()] == ["c99-effect.svg"] and not (
        full.folder / "figures/c99-effect.svg"
    ).exists()
    full.add("reduced", 0, "table1@mnist", [Row("table1", {"dataset": "mnist", "method": "plain"}, {"rate": 90.0})])
    assert {path.name for path in full.write(check=True)} >= {"README.md", "c1-effect.svg"}


def build(root: Path, backwards: bool) -> None:
    """Writes a project's records, seeds and parts in either order, and its pages."""
    project = Project(root)
    seeds = range(4, -1, -1) if backwards else range(5)
    sets = ("fashion_mnist", "mnist") if backwards else ("mnist", "fashion_mnist")
    if not backwards:
        project.bounds()
    project.table1("reduced", seeds, sets)
    project.fig1()
    if backwards:
        project.bounds()
    project.write_keys()
    project.write()


def test_pages_follow_from_tracked_files_alone(tmp_path):
    """Clock, time zone, locale, hash seed, age and order of the files change no byte of pages and figures."""
    found = []
    for name, options in (
        ("one", {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": "1"}),
        ("two", {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo", "LC_ALL": "de_DE.UTF-8", "COLUMNS": "40"}),
    ):
        root = tmp_path / name
        call = f"build(Path({str(root)!r}), {name == 'two'})"
        code = f"from pathlib import Path; from tests.test_report import build; {call}"
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ | options, check=True)
        pages = {p.relative_to(root): p.read_bytes() for p in sorted(root.rglob("*")) if p.suffix in (".md", ".svg")}
        found.append(pages)
    assert found[0] == found[1] and len(found[0]) == 7


def test_the_excerpt_goes_between_the_markers(full):
    """README.md keeps all but the lines between the markers; a lost marker is an error that names both."""
    readme = full.root / "README.md"
    readme.write_text(f"# Suite\n\n{markdown.BEGIN}\nold\n{markdown.END}\n\nend\n")
    full.write()
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("# Suite\n\n") and text.endswith("\n\nend\n") and "\nold\n" not in text
    assert "shrinking lowers the rate" in text and "mnist 61 [61, 61] (65.41)" in text
    assert full.write() == []
    with pytest.raises(UserError, match="once each"):
        markdown.with_excerpt(f"{markdown.END} {markdown.BEGIN}", "")
    assert "c1" not in markdown.excerpt(Scoreboard(()))


def test_links_and_images_of_a_page_lead_somewhere(full):
    """Every relative link and image of the pages is a file of the project."""
    full.write()
    for path in (full.folder / "README.md", full.root / "reports" / "README.md"):
        for target in re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).is_file(), target


# Figures ------------------------------------------------------------------------------------------------------------


def test_figures_are_small_and_equal_when_redrawn(full):
    """Drawing twice gives the same bytes, below 150 kB, without a date, with text as paths and a white background."""
    for drawing in figures.drawings(full.page(), full.root):
        content = figures.svg(drawing)
        assert content == figures.svg(drawing) and len(content) < 150_000
        text = content.decode()
        assert drawing.inputs in text and "<text" not in text and "dc:date" not in text and "fill: #ffffff" in text
        assert figures.png(drawing, 40).startswith(b"\x89PNG")


def test_a_figure_with_the_same_inputs_is_left_alone(full):
    """Another matplotlib may draw other bytes from the same facts: that is no change; other facts are."""
    full.write()
    path = full.folder / "figures" / "c1-effect.svg"
    path.write_text(path.read_text(encoding="utf-8").replace("</svg>", "<!-- drawn elsewhere --></svg>"))
    assert full.write() == []
    full.table1("full", seeds=[5])
    assert path in full.write() and "drawn elsewhere" not in path.read_text(encoding="utf-8")


def test_a_changed_array_is_an_error(full):
    """A figure is never drawn from an array that is not the recorded one."""
    array = next(full.folder.rglob("*histogram-plain.npy"))
    np.save(array, np.zeros(100))
    with pytest.raises(UserError, match="not the recorded array"):
        full.write()


def test_the_effect_figure_shows_seeds_mean_interval_margin_and_print(full):
    """One panel a part, with zero line, margin, every seed, the mean with its interval, and the printed effect."""
    drawing = next(d for d in figures.drawings(full.page(), full.root) if d.name == "c1-effect")
    figure = drawing.draw()
    assert [axes.get_ylabel() for axes in figure.axes] == ["mnist", "fashion mnist"]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["no effect", "margin 5", "one seed", "95 % interval of the mean", "mean", "printed"]
    seeds = next(line for line in figure.axes[0].lines if line.get_label() == "one seed")
    assert list(seeds.get_xdata()) == [61.0] * 5
    assert "mnist: 61" in drawing.alt and "holds" in figure.get_suptitle()


def test_histograms_carry_measured_and_printed_medians(project):
    """A histogram covers what its label says, and marks the row that carries its name: solid ours, dashed printed."""
    project.fig1("histogram plain from 0 to 2")
    drawing = next(d for d in figures.drawings(project.page(), project.root) if d.name == "fig1-histograms")
    axes = drawing.draw().axes[0]
    assert [round(line.get_xdata()[0], 3) for line in axes.lines] == [0.52, 0.58]
    assert [line.get_linestyle() for line in axes.lines] == ["-", "--"]
    assert axes.patches[0].get_data().edges[[0, -1]].tolist() == [0.0, 2.0]
    assert "median 0.520" in drawing.alt and "printed 0.58" in drawing.alt


def test_images_of_a_data_set_share_one_symmetric_scale(project):
    """The colour of zero is the middle of the map, whatever the extremes of an image."""
    project.fig1()
    drawing = next(d for d in figures.drawings(project.page(), project.root) if d.name == "fig1-images")
    image = drawing.draw().axes[0].images[0]
    assert image.get_clim() == pytest.approx((-0.2, 0.2))


# The terminal -------------------------------------------------------------------------------------------------------


def test_show_fits_a_hundred_columns_and_tells_of_failures(full):
    """Plain output stays within 100 columns and names failed units and trainings of this paper, which no page does."""
    home = full.root / ".suite"
    store.set_state(
        home,
        f"{STEM}/reduced/x/s0.table1@mnist",
        "failed",
        task=f"{STEM} reduced seed 0 table1@mnist",
        message="loss is nan at step 12",
    )
    store.set_state(
        home, "recipes/reduced/net-mnist.s3", "failed", task="train net-mnist seed 3", message="out of memory"
    )
    store.set_state(home, "recipes/reduced/other.s3", "failed", task="train other seed 3", message="not of this paper")
    store.set_state(home, "p17_jacobian_uap/reduced/x/s0.table1", "failed", task="another paper", message="elsewhere")
    text = printed(full.page(), root=full.root)
    assert max(map(len, text.splitlines())) <= 100
    assert (
        "loss is nan at step 12" in text
        and "out of memory" in text
        and "not of this paper" not in text
        and "elsewhere" not in text
    )
    assert "61" in text and "holds" in text and "printed" in text and "times of the authors' machine" in text
    assert "out of memory" not in full.text()


def test_mine_says_when_there_is_no_private_run(full):
    """``--mine`` without private runs says how to make one."""
    assert "no private run of 91: suite run 91 --fresh" in printed(full.page(), mine=True, root=full.root)


def test_lists_are_filtered_by_word(full):
    """``suite verdicts`` keeps the verdicts that begin with the word, and names the words when none does."""
    out = Console(file=StringIO(), width=100)
    terminal.verdicts([full.page()], "hold", out)
    terminal.scoreboard(Scoreboard((full.page(),)), out)
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert "91 c1" in text and "91 c2" not in text and "Shrinking networks" in text
    empty = Console(file=StringIO(), width=100)
    terminal.verdicts([full.page()], "tied", empty)
    assert "the words are holds, reversed" in empty.file.getvalue()  # type: ignore[attr-defined]


def test_the_terminal_view_has_colours_where_there_is_a_terminal(full):
    """On a terminal words are coloured and the table still fits."""
    out = Console(file=StringIO(), width=100, force_terminal=True, color_system="standard", legacy_windows=False)
    terminal.show(full.page(), console=out, root=full.root)
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[1;32mholds" in text
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in text.splitlines()) <= 100


# Numbers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mean", "low", "high", "print_", "want"),
    [
        (52.314, 50.44, 54.19, None, "52.3 [50.4, 54.2]"),
        (52.314, 50.44, 54.19, Decimal("85.88"), "52.3 [50.4, 54.2]"),
        (0.9234, 0.9229, 0.9239, Decimal("0.92"), "0.923 [0.923, 0.924]"),
        (0.9234, 0.9229, 0.9239, None, "0.92340 [0.92290, 0.92390]"),
        (1234.5, 1000.0, 1469.0, None, "1234 [1000, 1469]"),
        (0.2, 0.2 - 1e-17, 0.2 + 1e-17, None, "0.2 [0.2, 0.2]"),
        (94.04, None, None, Decimal("94.0"), "94.0"),
        (-0.0, None, None, Decimal("0.00"), "0.00"),
        (61706.0, None, None, None, "61706"),
        (0.68377, None, None, None, "0.6838"),
        (0.5, 0.5, 0.5, None, "0.5 [0.5, 0.5]"),
    ],
)
def test_digits_follow_the_interval(mean, low, high, print_, want):
    """Two significant digits of the half-width, at most one decimal more than printed; alone as printed."""
    assert show.interval(mean, low, high, print_) == want


def test_a_copy_of_the_records_elsewhere_gives_the_same_page(full, tmp_path_factory):
    """No absolute path of the machine reaches a page or its figures."""
    full.write()
    other = tmp_path_factory.mktemp("other") / "clone"
    shutil.copytree(full.root, other, ignore=shutil.ignore_patterns(".suite"))
    page = model.page(STEM, other, paper(other))
    assert markdown.write_page(page, other, check=True) == []
    assert str(full.root) not in (full.folder / "README.md").read_text(encoding="utf-8")


# Curves -------------------------------------------------------------------------------------------------------------


def sweep(*axes: str, levels: tuple[str, ...] = ("0.1", "0.2", "0.3"), kind: str = "figure") -> TableEntry:
    """A figure with one cell for each label of its axes, the last one numeric."""
    names = [*([("a", "b")] * (len(axes) - 1)), levels]
    cells = [
        CellEntry("fig2", dict(zip(axes, at, strict=True)), "uer", None, None, "drawn", (measured_at(place),), "", "")
        for place, at in enumerate(itertools.product(*names))
    ]
    metric = Metric("uer", "%", "a rate")
    return TableEntry("fig2", kind, "Fig. 2", "", {"uer": metric}, axes, tuple(cells), {})


def measured_at(value: float, scale: str = "full") -> Measured:
    """Two seeds around a value."""
    values = {0: value - 1.0, 1: value + 1.0}
    return Measured(scale, "cpu", values, value, value - 2, value + 2, "current", (), {})


def test_a_sweep_is_drawn_as_a_line_for_each_label_along_its_numeric_axis():
    """Panels by the first axis, lines by the second, points in numeric order whatever the order of the rows."""
    table = sweep("dataset", "method", "eps", levels=("0.3", "0.1", "0.2"))
    found = curves.drawing(table)
    assert found.name == "fig2-curves" and found.alt == "Fig. 2 at full: uer against eps"
    figure = found.draw()
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a uer", "b uer"]
    lines = {line.get_label(): line for line in figure.axes[1].get_lines()}
    assert list(lines) == ["method a", "method b"]
    assert list(lines["method b"].get_xdata()) == [0.1, 0.2, 0.3]
    assert list(lines["method b"].get_ydata()) == [10, 11, 9]  # the twelve cells hold 0 to 11; the last three are these


@pytest.mark.parametrize(
    "table",
    [
        sweep("dataset", "eps", levels=("0.1", "0.2")),
        sweep("dataset", "eps", levels=("0.1", "high", "0.3")),
        sweep("dataset", "rate", "method", "eps"),
        sweep("dataset", "eps", kind="table"),
    ],
    ids=["two levels", "words", "too many axes", "a printed table"],
)
def test_what_is_no_curve_is_not_drawn(table):
    """Fewer than three levels, labels that are no numbers, more axes than lines and panels can show, printed tables."""
    assert curves.drawing(table) is None

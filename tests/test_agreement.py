"""Verdicts on printed numbers: every word with its reason, what is declared beforehand, and how a page shows them."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from suite import equivalence, published, store
from suite.agreement import NO_MARGIN, WORDS, Agreement, Printed, judge_number
from suite.errors import UserError
from suite.facts import Metric, SRef, number_declarations
from suite.report import figures, page, terminal
from suite.report.entries import Scoreboard
from suite.rows import Row
from tests import test_report, trees

RATE = Metric("rate", "%", "attack rate", "lower", gap=Decimal(8), cap=Decimal(5), n_test=10_000)
PRINT = Printed(Decimal("20.5"))
NEAR = [20.1, 20.6, 20.3, 20.9, 20.4]


def judge(values, printed=PRINT, metric=RATE, others=(), **more) -> Agreement:
    """The verdict on values of the seeds 0, 1, 2 and so on."""
    return judge_number(printed, metric, dict(enumerate(values)), [dict(enumerate(o)) for o in others], **more)


def shifted(by: float, values=NEAR) -> list[float]:
    """The near values, moved."""
    return [value + by for value in values]


# The words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "word", "better"),
    [
        (NEAR, "reproduced", False),
        (shifted(12), "refuted", False),
        (shifted(-12), "refuted", True),
        (shifted(4), "deviates", False),
        (shifted(-4), "deviates", True),
        ([20.0, 25.0, 18.0, 22.0, 15.0], "inconclusive", False),
        (NEAR[:4], "inconclusive", False),
        ([], "inconclusive", False),
    ],
)
def test_each_word(values, word, better):
    """A rate of 20.5 with a margin of 4 points: near, far, off by the margin, spread widely, too few seeds."""
    found = judge(values)
    assert (found.word, found.better, found.rule, found.n) == (word, better, "R3", len(values))
    assert (found.margin, found.margin_is) == (4.0, "half the gap") and found.reason
    assert (found.look is None) == (len(values) < 5)


def test_the_numbers_of_a_verdict_are_those_of_the_rule():
    """Difference, interval, spread and the smallest refuted difference, each from the rule's own formula."""
    found = judge(NEAR)
    spread = equivalence.spread(NEAR, floor=equivalence.noise_floor(20.5, 10_000))
    by_rule = equivalence.against_value(NEAR, 20.5, spread, 1, 0.1)
    assert found.difference == pytest.approx(-0.04) and found.difference == float(by_rule.value)
    assert found.high - found.difference == pytest.approx(float(by_rule.half(equivalence.LEVEL)))
    assert found.refuted_beyond == pytest.approx(4 + float(by_rule.half(equivalence.LEVEL / 2)))
    assert (found.spread, found.spread_is) == (float(spread.value), "floor")
    beyond = judge(shifted(0.04 + found.refuted_beyond + 1e-6))
    assert beyond.word == "refuted" and judge(shifted(0.04 + found.refuted_beyond - 1e-6)).word == "deviates"


def test_only_the_seeds_of_a_look_judge():
    """Seven seeds are judged as the first five; ten as ten; seed 5 and 6 are shown in n alone."""
    seven, ten = judge([*NEAR, 90.0, 90.0]), judge([*NEAR, *NEAR])
    assert (seven.look, seven.n, seven.word, seven.low) == (5, 7, "reproduced", judge(NEAR).low)
    assert (ten.look, ten.n) == (10, 10) and ten.high < seven.high


def test_a_hole_is_not_skipped():
    """Seeds count up to the first that is missing, and the reason names it."""
    found = judge_number(PRINT, RATE, {0: 20.0, 1: 20.1, 3: 20.2, 4: 20.1, 5: 20.3})
    assert (found.word, found.n, found.look) == ("inconclusive", 2, None)
    assert found.reason.startswith("too few seeds: 2 of the 5") and found.reason.endswith("no rows for seed 2")
    later = judge_number(PRINT, RATE, {**dict(enumerate(NEAR)), 6: 99.0})
    assert later.word == "reproduced" and "no rows" not in later.reason


def test_the_spread_is_pooled_over_the_other_rows():
    """A calm row beside wild ones is judged with the pooled spread; a wild one with its own."""
    wild = [[0.0, 10.0, 20.0, 5.0, 15.0], [0.0, 12.0]]
    calm = judge(NEAR, others=wild)
    assert calm.spread_is == "pooled" and calm.spread == pytest.approx(equivalence.spread(NEAR, [NEAR, *wild]).pooled)
    assert calm.word == "inconclusive" and judge(NEAR).word == "reproduced"
    assert judge(wild[0], others=[NEAR]).spread_is == "own"
    assert judge(NEAR, others=[[1.0]]).spread == judge(NEAR).spread


def test_a_metric_without_bounds_has_no_margin():
    """No gap, cap or reference spread: open, with the way out; a share that is none is told as well."""
    bare = replace(RATE, gap=None, cap=None)
    found = judge(NEAR, metric=bare)
    assert (found.word, found.reason, found.margin) == ("open", NO_MARGIN, None)
    declared = replace(bare, s_ref=SRef(Decimal("0.5"), ("sha256:1",)))
    assert judge(NEAR, metric=declared).margin == pytest.approx(2.0)
    none = judge(NEAR, Printed(Decimal(120)))
    assert none.word == "open" and "120.0 is no share" in none.reason


def test_the_noise_floor_follows_the_unit():
    """Percent and fractions of one test set have one floor; without n_test there is none."""
    fraction = replace(RATE, unit="1", gap=Decimal("0.08"))
    found = judge([v / 100 for v in [20.5] * 5], Printed(Decimal("0.205")), fraction)
    assert (found.spread, found.spread_is) == (pytest.approx(judge([20.5] * 5).spread / 100), "floor")
    assert judge([20.5] * 5, metric=replace(RATE, n_test=None)).spread == 0


# R16 ----------------------------------------------------------------------------------------------------------------

NOISY = [20.0, 22.0, 18.0, 24.0, 19.0]


def test_too_few_seeds_say_how_many_are_missing_and_what_they_cost():
    """Three of five: the next look, two seeds, their minutes."""
    found = judge(NEAR[:3], minutes=30.0)
    assert (found.next_look, found.seeds_needed, found.minutes) == (5, 2, 60.0)
    assert found.reason == (
        "too few seeds: 3 of the 5 of the first look; next look at n = 5 (seeds needed: 2, about 60 min)"
    )


def test_a_spread_that_more_seeds_may_settle_names_the_next_look():
    """A print of three runs: ten seeds, then twenty, then no look is left; costs only where they are known."""
    wide = [20.0, 26.0, 14.0, 23.0, 17.0]
    printed = Printed(Decimal("20.5"), runs=9)
    metric = replace(RATE, gap=Decimal(10))
    found = judge(wide, printed, metric, minutes=2.0)
    assert (found.word, found.next_look, found.seeds_needed, found.minutes) == ("inconclusive", 10, 5, 10.0)
    assert found.reason.startswith("the spread over seeds is too wide for 5 seeds: difference -0.5 (95 % interval")
    assert (
        "own spread 4.74" in found.reason
        and "about 10 min" in found.reason
        and "would have been refuted" in found.reason
    )
    last = judge([*wide * 3, 40.0, 4.0, 38.0, 2.0, 30.0], replace(printed, runs=50), metric)
    assert (last.word, last.next_look) == ("inconclusive", None) and "no further look is planned" in last.reason
    assert "min)" not in judge(wide, printed, metric).reason


def test_a_print_of_one_run_that_no_number_of_seeds_can_decide():
    """1.96 s* / sqrt(m) above the margin: no next look, and the smallest difference that would have been refuted."""
    found = judge(NOISY, minutes=2.0)
    assert (found.word, found.next_look, found.seeds_needed, found.minutes) == ("inconclusive", None, None, None)
    assert found.reason.startswith("the print has no spread and one run, so that no number of seeds can decide")
    assert f"a difference beyond {found.refuted_beyond:.3g} would have been refuted" in found.reason
    assert 1.96 * found.spread > found.margin > 1.5 * found.spread
    three = judge([20.0, 26.0, 14.0, 23.0, 17.0], Printed(PRINT.value, runs=3))
    assert "no spread and 3 runs" in three.reason


def test_a_print_of_one_run_may_still_be_shown_to_be_off():
    """Where the difference is beyond the print's own noise, more seeds can show it, never that it is none."""
    found = judge(shifted(6.5, NOISY))
    assert found.word == "inconclusive" and found.next_look == 10
    assert "no number of seeds can reproduce it, more can show a difference" in found.reason
    assert judge(shifted(6.5, NOISY * 4)).word == "deviates"


# R1, R4 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "printed", "word", "better"),
    [
        ([61706.0] * 2, "61706", "reproduced", False),
        ([0.25] * 5, "0.2", "reproduced", False),
        ([0.25] * 5, "0.3", "reproduced", False),
        ([61707.0] * 5, "61706", "refuted", False),
        ([61700.0] * 5, "61706", "refuted", True),
        ([61706.0], "61706", "inconclusive", False),
        ([61706.0, 61707.0], "61706", "inconclusive", False),
    ],
)
def test_a_metric_without_noise_is_equal_after_rounding_or_not(values, printed, word, better):
    """R1: half-up and half-even both count; two equal seeds are needed, and seeds that differ contradict the claim."""
    exact = Metric("params", "count", "parameters", "lower", noise="none")
    found = judge(values, Printed(Decimal(printed)), exact)
    assert (found.word, found.better) == (word, better)
    assert judge([5.0] * 5, Printed(Decimal(5)), replace(exact, noise="seeds")).word == "open"


def test_a_printed_spread_takes_the_place_of_ours():
    """R4: ten printed runs that spread by 3 leave open what a single run without a spread was taken to say."""
    printed = Printed(Decimal("20.5"), 10, Decimal("3.0"), "sd")
    found = judge(NEAR, printed)
    assert (found.rule, found.word) == ("R4", "reproduced")
    assert (
        found.high - found.low > judge(NEAR, Printed(PRINT.value, 10)).high - judge(NEAR, Printed(PRINT.value, 10)).low
    )
    wide = judge(NEAR, replace(printed, spread_is="se"))
    assert wide.word == "inconclusive"
    assert wide.reason.startswith("the print's own standard error is 3, so that no number of seeds can decide")


@pytest.mark.parametrize("means", [None, "unclear"])
def test_an_unclear_spread_gives_the_weakest_verdict(means):
    """Reproduced as sd, inconclusive as standard error: inconclusive; where all readings agree, that word."""
    printed = Printed(Decimal("20.5"), 10, Decimal("3.0"), means)
    words = {r: judge(NEAR, replace(printed, spread_is=r)).word for r in equivalence.READINGS}
    assert set(words.values()) == {"reproduced", "inconclusive"} and words["sd"] == "reproduced"
    found = judge(NEAR, printed)
    assert found.word == "inconclusive" and "weakest of 4 readings of the printed spread" in found.reason
    assert judge(NEAR, replace(printed, spread=Decimal("0.3"))).word == "reproduced"
    assert judge(shifted(12), replace(printed, spread=Decimal("0.3"))).word == "refuted"


@pytest.mark.parametrize("runs", [None, 1])
def test_a_spread_that_is_not_over_runs_is_not_used(runs):
    """Without the number of runs, or over one, it is judged as one run, and the reason says so."""
    found = judge(NEAR, Printed(Decimal("20.5"), runs, Decimal("3.0"), "sd"))
    assert (found.rule, found.low) == ("R3", judge(NEAR).low) and "the printed spread is not used" in found.reason


# Properties ---------------------------------------------------------------------------------------------------------

VALUES = st.lists(st.integers(0, 1000).map(lambda k: k / 10), min_size=5, max_size=5)


@given(VALUES, st.permutations(range(5)), st.sampled_from(["higher", "lower", "none"]))
def test_seed_order_and_direction_change_nothing_but_the_note(values, order, better):
    """Relabelled seeds give the same word; the metric's direction only says whether a difference is a good one."""
    first, other = judge(values), judge([values[i] for i in order], metric=replace(RATE, better=better))
    assert other.word == first.word and other.difference == pytest.approx(first.difference, abs=1e-9)
    good = {"higher": first.difference > 0, "lower": first.difference < 0, "none": False}[better]
    assert other.better == (good and first.word in ("deviates", "refuted"))


@given(VALUES)
def test_fractions_and_points_give_one_word(values):
    """All inputs in another unit, the same verdict."""
    fraction = replace(RATE, unit="1", gap=Decimal("0.08"), cap=Decimal("0.05"))
    assert judge([v / 100 for v in values], Printed(Decimal("0.205")), fraction).word == judge(values).word


@given(VALUES, st.floats(1, 30))
def test_wider_seeds_never_make_a_number_reproduced(values, factor):
    """Spread out about the same mean, seeds lose words and win none."""
    middle = sum(values) / len(values)
    narrow, wide = judge(values), judge([middle + factor * (v - middle) for v in values])
    assert narrow.word != "inconclusive" or wide.word == "inconclusive"
    assert wide.word != "reproduced" or narrow.word == "reproduced"


@given(VALUES)
def test_every_verdict_has_a_word_and_a_reason(values):
    """Nothing is said without a reason, and what is inconclusive says what would settle it or that nothing can."""
    found = judge(values)
    assert found.word in WORDS and found.reason
    if found.word == "inconclusive":
        assert "next look" in found.reason or "no number of seeds can decide" in found.reason


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_no_number_is_made_of_what_is_none(broken):
    """NaN or infinity in the cell or beside it is an error."""
    with pytest.raises(ValueError, match="finite"):
        judge([*NEAR, broken])
    with pytest.raises(ValueError, match="finite"):
        judge(NEAR, others=[[broken]])


# Declared beforehand ------------------------------------------------------------------------------------------------


def declared(tmp_path: Path, text: str) -> dict[str, str]:
    """The declarations of numbers in a file."""
    path = tmp_path / "published.yaml"
    path.write_text(text, encoding="utf-8")
    return number_declarations(published.load(path))


TEXT = test_report.PUBLISHED
RATES, ERRORS = "numbers table1.rate", "numbers table1.error"


@pytest.mark.parametrize(
    ("old", "new", "moved"),
    [
        ("cap: 5,", "cap: 6,", {RATES}),
        ("cap: 5,", "gap: 5,", {RATES}),
        ("cap: 5,", "cap: 5, n_test: 100,", {RATES}),
        ("cap: 5,", "cap: 5, noise: none,", {RATES}),
        ("cap: 5,", "cap: 5, s_ref: {value: 1, records: [a]},", {RATES}),
        ("runs: 1\n", "runs: 3\n", {RATES, ERRORS}),
        ("spread_is: sd", "spread_is: se", {RATES, ERRORS}),
        ("better: lower, cap: 1,", "better: higher, cap: 1,", {ERRORS}),
        ("cap: 5,", "cap:   5.00,", set()),
        ("cap: 5,", "cap: 5, noise: seeds,", set()),
        ("says: attack rate", "says: the attack's rate", set()),
        ("rate: 85.88", "rate: 85.80", set()),
        ("runs: 1\n", "# a comment\n    runs: 1\n", set()),
        ("    runs: 1\n", "", set()),
    ],
)
def test_a_declaration_holds_what_the_margin_is_made_from(tmp_path, old, new, moved):
    """It moves with gap, cap, n_test, s_ref, noise, runs, direction and reading of a spread, and with nothing else."""
    assert TEXT.count(old) == 1
    before, after = declared(tmp_path, TEXT), declared(tmp_path, TEXT.replace(old, new))
    assert set(before) == set(after) == {RATES, ERRORS, "numbers fig1.median"}
    assert {name for name in before if before[name] != after[name]} == moved


def test_noise_is_a_known_word(tmp_path):
    """A misspelt word for it is refused with the line."""
    with pytest.raises(UserError, match=r"published.yaml:\d+: .*noise is 'no'"):
        declared(tmp_path, TEXT.replace("cap: 5,", 'cap: 5, noise: "no",'))


# Pages --------------------------------------------------------------------------------------------------------------

project = test_report.project


@pytest.fixture
def full(project):
    """A project with five seeds at full: errors reproduced or off, rates far off the print or too noisy."""
    project.table1("full", declaration={RATES: "d1", ERRORS: "d1"})
    project.write_keys({RATES: "d1", ERRORS: "d1"})
    return project


def words(project) -> dict[str, str]:
    """The word of each judged cell by metric and labels."""
    tables = project.page().tables
    cells = [c for table in tables for c in table.cells if c.agreement]
    return {f"{c.metric} {' '.join(c.at.values())}": c.word for c in cells}


def test_a_page_judges_numbers_at_full(full):
    """Each printed cell with full records has its word, also in the counts, on the page and in the terminal."""
    assert words(full) == {
        "error mnist plain": "reproduced",
        "error mnist shrunk": "reproduced",
        "error fashion_mnist plain": "reproduced",
        "error fashion_mnist shrunk": "refuted",
        "rate mnist plain": "refuted",
        "rate mnist shrunk": "refuted",
        "rate fashion_mnist plain": "inconclusive",
        "rate fashion_mnist shrunk": "refuted",
    }
    found = full.page()
    assert found.number_counts["refuted"] == 4 and found.number_counts["reproduced"] == 3
    text = page.paper(found, figures.drawings(found, full.root), full.root)
    assert "**refuted** (better than printed)" in text and "margin 5, n = 5" in text
    assert (
        "- rate [dataset fashion_mnist, method plain] inconclusive: the spread over seeds is too wide for 5 seeds"
        in text
    )
    shown = test_report.printed(found, root=full.root)
    assert "refuted" in shown and "better than" in shown and "half the gap" not in shown and "(the cap)" in shown
    out = Console(file=StringIO(), width=100)
    terminal.scoreboard(Scoreboard((found,)), out)
    assert "refuted 4" in out.file.getvalue()  # type: ignore[attr-defined]
    assert json.loads(json.dumps(terminal.as_json(found)))["tables"][0]["cells"][0]["agreement"]["word"] == "reproduced"


def test_a_margin_that_was_changed_after_the_run_is_post_hoc(full):
    """R0: the other metric keeps its verdict unmarked; records without any declaration are marked too."""
    full.write_keys({RATES: "d2", ERRORS: "d1"})
    marks = {c.metric: c.agreement.post_hoc for c in full.page().tables[0].cells if c.agreement}
    assert marks == {"rate": True, "error": False} and "post hoc" in full.text()
    full.write_keys({RATES: "d1", ERRORS: "d1"})
    assert "refuted (better than printed, post hoc)" not in full.text().replace("*", "")


def test_the_spread_is_pooled_within_a_test_set_and_device_class(full):
    """A wild row of the other data set, or of another device class, changes nothing; one of the same set does."""
    before = words(full)
    for seed in range(5):
        for name in ("mnist", "fashion_mnist"):
            rival = [Row("table1", {"dataset": name, "method": "rival"}, {"rate": 30.0 + 40 * (-1) ** seed})]
            full.add("full", seed, f"table1@{name}", rival, device="cuda: H", declaration={})
    after = words(full)
    assert {name: word for name, word in after.items() if "rival" not in name} == before
    for seed in range(5):
        rows = [Row("table1", {"dataset": "mnist", "method": m}, {"rate": v + 40 * seed * (m == "rival")})
                for m, v in (("plain", 66.0), ("shrunk", 3.0), ("rival", 30.0))]  # fmt: skip
        full.add("full", seed, "table1@mnist", rows, declaration={})
    mixed = {c.at["method"]: c.agreement for c in full.page().tables[0].cells if c.agreement and c.metric == "rate"
             and c.at["dataset"] == "mnist"}  # fmt: skip
    assert mixed["plain"].spread_is == mixed["shrunk"].spread_is == "pooled" and mixed["rival"].spread_is == "own"
    assert words(full)["rate fashion_mnist shrunk"] == before["rate fashion_mnist shrunk"]


def test_a_number_of_the_prose_takes_the_same_way(full):
    """A median printed in a caption is judged as the cell that it is, and open while no margin is declared."""
    path = full.root / "baselines" / test_report.STEM / "published.yaml"
    for seed in range(5):
        rows = [Row("fig1", {"dataset": "mnist", "method": "plain"}, {"median": 0.58 + seed / 1000})]
        full.add("full", seed, "fig1@mnist", rows)
    by_id = {number.id: number for number in full.page().numbers}
    assert (by_id["median_plain"].word, by_id["median_plain"].reason) == ("open", NO_MARGIN)
    trees.edit(path, "unit: cosine, says: median similarity", "unit: cosine, cap: 0.05, says: median similarity")
    found = {number.id: number for number in full.page().numbers}["median_plain"]
    assert found.word == "reproduced" and "0.05 (the cap)" in found.reason


def test_five_seeds_at_full_in_a_copy_of_the_project(tmp_path):
    """A toy run at full: its records declare the numbers, those at reduced do not; all commands show the words."""
    tree = trees.copy(tmp_path, "toy")
    module, facts = tree / "suite/papers/p90_toy.py", tree / "baselines/p90_toy/published.yaml"
    trees.edit(module, '"reduced": Settings(), ', '"full": Settings(count=40), "reduced": Settings(), ')
    trees.edit(
        module, '"reduced": {"table1": 3, "ours_sum": 2}, "smoke"', '"full": 5, "reduced": {"table1": 3}, "smoke"'
    )
    trees.edit(facts, "cap: 1}", "cap: 6}")
    trees.edit(facts, "{mean: 0.0}", "{mean: 30.0}")
    trees.suite(tree, "run", "90", "--scale", "full", "--jobs", "1", "--quiet")
    record = store.read_record(tree / "reports/p90_toy/runs/full/s4.json")
    assert set(record.parts["table1"].measured["declaration"]) == {"c1", "numbers table1.mean"}
    trees.suite(tree, "pipeline")
    keys = {s: json.loads((tree / f"reports/p90_toy/keys-{s}.json").read_text()) for s in ("full", "reduced", "smoke")}
    assert keys["full"]["declarations"] == record.parts["table1"].measured["declaration"]
    assert set(keys["reduced"]["declarations"]) == set(keys["smoke"]["declarations"]) == {"c1"}
    shown = trees.suite(tree, "show", "90").stdout
    assert "mean [arm b] refuted: difference -3" in shown and "mean [arm a] reproduced: " in shown
    assert "post hoc" not in shown and "printed numbers: reproduced 1, refuted 1" in shown

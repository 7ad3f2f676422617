"""The statistics of a mean beside a printed number, against closed forms, libraries, symmetries and their promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from suite import equivalence
from suite.equivalence import LEVEL, LOOKS, READINGS, Difference, Spread

NUMBERS = st.floats(-100, 100, allow_subnormal=False).map(lambda x: round(x, 6))
SEEDS = st.lists(NUMBERS, min_size=5, max_size=20).filter(lambda x: len(set(x)) > 1)


def alone(values: list[float], floor: float = 0.0) -> Spread:
    """The spread of a row that has no company."""
    return equivalence.spread(values, floor=floor)


# R1, R2 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "items", "whole", "want"),
    [(94, 10_000, 100, 0.1732), (99, 10_000, 100, 0.0707), (76, 50_000, 100, 0.1549), (0.94, 10_000, 1, 0.001732),
     (100, 10_000, 100, 0), (0, 10_000, 100, 0), (85.88, 10_000, 100, 0.2657)],
)  # fmt: skip
def test_the_floor_of_a_share(value, items, whole, want):
    """R1's own examples, in both units; a share of all or of nothing has no floor."""
    assert equivalence.noise_floor(value, items, whole) == pytest.approx(want, abs=5e-5)


@given(st.floats(0, 100), st.integers(1, 10**6))
def test_the_floor_never_exceeds_what_independent_items_can_spread(value, items):
    """An accuracy and its error have one floor, at most the binomial sqrt(e (1 - e) / N); sqrt(e / 2N) would not."""
    floor = equivalence.noise_floor(value, items)
    assert floor == pytest.approx(equivalence.noise_floor(100 - value, items), abs=1e-6)
    assert floor <= 100 * math.sqrt(value / 100 * (1 - value / 100) / items) + 1e-9


def test_the_floor_of_a_calibrated_classifier_is_its_spread():
    """Runs that say class 1 as often as it is true (10 or 90 %) spread by sqrt(e / 2N); drawn, not computed."""
    rng = np.random.default_rng(0)
    chance = np.where(np.arange(2_000) % 2, 0.1, 0.9)
    truth = rng.random(2_000) < chance
    accuracy = 100 * ((rng.random((4_000, 2_000)) < chance) == truth).mean(axis=1)
    assert accuracy.std() == pytest.approx(equivalence.noise_floor(accuracy.mean(), 2_000), rel=0.05)


@pytest.mark.parametrize(("value", "items"), [(101, 10), (-1, 10), (50, 0)])
def test_a_floor_of_what_is_no_share_is_refused(value, items):
    """A value outside 0 to 100 and a test set without items are errors."""
    with pytest.raises(ValueError, match="expected"):
        equivalence.noise_floor(value, items)


@pytest.mark.parametrize(
    ("gap", "cap", "s_ref", "floor", "step", "want"),
    [
        (4.14, 5, None, 0.27, 0.01, (2.07, "half the gap")),
        (12, 5, None, 0.27, 0.01, (5, "the cap")),
        (12, 5, 1.0, 0.27, 0.01, (4.0, "4 reference spreads")),
        (12, 5, 0.1, 0.27, 0.01, (1.08, "4 reference spreads")),
        (0.89, 0.3, None, 0.214, 0.01, (0.433, "the noise floor")),
        (None, 0.3, None, 0.0, 1.0, (0.5, "the noise floor")),
        (None, None, None, 0.2, 0.01, (math.nan, "")),
    ],
)
def test_the_margin_is_the_smallest_bound_above_the_noise(gap, cap, s_ref, floor, step, want):
    """R2: half the gap, the cap or 4 s_ref (never below 4 f), never below r/2 + 2 f; without any there is none."""
    found = equivalence.margin(gap, cap, s_ref, floor, step)
    assert found[0] == pytest.approx(want[0], nan_ok=True) and found[1] == want[1]


# The spread ---------------------------------------------------------------------------------------------------------


def test_the_largest_of_the_three_spreads_counts():
    """Own, pooled and floor, each as it is the largest; a floor keeps the degrees of freedom of the larger estimate."""
    calm, wild = [1.0, 2.0, 3.0, 4.0, 5.0], [0.0, 10.0, 20.0]
    own, pooled = equivalence.spread(wild, [wild, calm]), equivalence.spread(calm, [calm, wild])
    assert (own.value, own.nu) == (10.0, 2) and (pooled.value, pooled.nu) == (math.sqrt((10 + 200) / 6), 6)
    floored = equivalence.spread(calm, [calm, wild], floor=7.0)
    assert (floored.value, floored.nu, floored.pooled) == (7.0, 6, pooled.value)


def test_the_pooled_spread_is_that_of_an_analysis_of_variance():
    """Pooled over rows of unequal length it is the root of scipy's within-group mean square."""
    rng = np.random.default_rng(4)
    rows = [rng.normal(size=n) for n in (5, 7, 10)]
    grand = np.concatenate(rows)
    between = sum(len(r) * (r.mean() - grand.mean()) ** 2 for r in rows) / 2
    within = between / stats.f_oneway(*rows).statistic
    assert float(equivalence.spread(rows[0], rows).pooled) == pytest.approx(math.sqrt(within))


def test_one_seed_has_no_spread():
    """A row of one value is refused, as is a value that is not finite."""
    with pytest.raises(ValueError, match="two seeds"):
        equivalence.spread([1.0])
    with pytest.raises(ValueError, match="finite"):
        equivalence.spread([1.0, math.nan])


# R3, R4 -------------------------------------------------------------------------------------------------------------


@given(SEEDS, NUMBERS, st.integers(1, 9))
def test_a_number_without_a_spread_meets_the_closed_form(values, printed, runs):
    """d / u is Student's t of the mean when the print's variance is 0, scaled by sqrt(1 + n/m) when it has m runs."""
    found = equivalence.against_value(values, printed, alone(values), runs)
    t, n = stats.ttest_1samp(values, printed).statistic, len(values)
    assert float(found.value / found.error) == pytest.approx(t / math.sqrt(1 + n / runs), rel=1e-9, abs=1e-9)
    low, high = stats.t.interval(0.95, n - 1, found.value, found.error)
    assert (high - low) / 2 == pytest.approx(float(found.half(0.025)), rel=1e-9)


@given(SEEDS, SEEDS)
def test_a_number_with_a_spread_meets_welch(ours, theirs):
    """Where the print's own error is the larger, t and its degrees of freedom are those of scipy's Welch."""
    error = float(np.std(theirs, ddof=1)) / math.sqrt(len(theirs))
    spread = alone(ours)
    found = equivalence.against_mean(ours, np.mean(theirs), spread, error, len(theirs))
    if error < float(spread.value) / math.sqrt(len(theirs)):
        assert found.error >= math.sqrt(float(spread.value) ** 2 / len(ours) + error**2)
        return
    want = stats.ttest_ind(ours, theirs, equal_var=False)
    assert float(found.nu) == pytest.approx(want.df, rel=1e-6)
    assert float(found.value / found.error) == pytest.approx(want.statistic, rel=1e-6, abs=1e-9)


@given(SEEDS, SEEDS, st.floats(0.1, 100))
def test_reproduced_is_two_one_sided_tests(ours, theirs, margin):
    """An interval inside the margin is scipy's Welch test, one-sided, rejecting both edges of the margin."""
    error = float(np.std(theirs, ddof=1)) / math.sqrt(len(theirs))
    assume(error >= float(np.std(ours, ddof=1)) / math.sqrt(len(theirs)))
    found = equivalence.against_mean(ours, np.mean(theirs), alone(ours), error, len(theirs))
    edges = [
        stats.ttest_ind(np.array(ours) + shift, theirs, equal_var=False, alternative=side).pvalue
        for shift, side in ((margin, "greater"), (-margin, "less"))
    ]
    assume(abs(max(edges) - LEVEL) > 1e-9)
    assert bool(equivalence.decide(found, margin)[0]) == (max(edges) < LEVEL)


def test_rounding_adds_its_variance():
    """A print to whole numbers is off by up to half a unit: step^2 / 12, also where no seed differs."""
    same = [3.0] * 5
    found = equivalence.against_value(same, 3.0, alone(same), step=1.0)
    assert float(found.error) == pytest.approx(math.sqrt(1 / 12)) and float(found.value) == 0
    assert float(equivalence.against_mean(same, 3.0, alone(same), 0.0, 5).nu) == 4


@pytest.mark.parametrize(("runs", "want"), [(2, 1.12838), (3, 1.69257), (5, 2.32593), (10, 3.07751)])
def test_the_mean_range_of_normal_numbers(runs, want):
    """The constants d2 of quality control."""
    assert equivalence.mean_range(runs) == pytest.approx(want, abs=1e-4)


def test_what_a_printed_spread_can_mean():
    """Four readings of +- 1 over four runs; anything else, and a spread of one run, is refused."""
    found = {reading: equivalence.standard_error(1.0, reading, 4) for reading in READINGS}
    assert found == pytest.approx({"sd": 0.5, "se": 1.0, "ci95": 1 / 1.959964, "range": 1 / 2.05875}, rel=1e-4)
    for reading, runs in (("unclear", 4), ("sd", 1)):
        with pytest.raises(ValueError, match="expected"):
            equivalence.standard_error(1.0, reading, runs)
    with pytest.raises(ValueError, match="expected 2"):
        equivalence.against_mean([1.0, 2.0], 1.0, alone([1.0, 2.0]), 0.1, 1)


def words(found: Difference, margin: float) -> tuple[bool, ...]:
    """The three flags as truth values."""
    return tuple(bool(flag) for flag in equivalence.decide(found, margin))


@pytest.mark.parametrize(
    ("difference", "error", "want"),
    [(0.0, 0.1, 0), (0.5, 0.1, 0), (0.9, 0.1, 2), (3.0, 0.1, 1), (-3.0, 0.1, 1), (0.0, 2.0, None), (1.2, 0.1, 2)],
)
def test_a_table_of_words(difference, error, want):
    """A margin of 1 at 24 degrees of freedom: inside, beyond, off zero but neither, and nothing."""
    found = Difference(*(np.asarray(x) for x in (difference, error, 24.0)))
    assert words(found, 1.0) == tuple(place == want for place in range(3))


@given(NUMBERS, st.floats(1e-3, 50), st.floats(1, 20), st.floats(1, 200), st.floats(1e-2, 100))
def test_a_wider_interval_decides_nothing_new(difference, error, wider, nu, margin):
    """What was open stays open under a larger error; at most one word is ever said."""
    narrow = words(Difference(*(np.asarray(x) for x in (difference, error, nu))), margin)
    wide = words(Difference(*(np.asarray(x) for x in (difference, error * wider, nu))), margin)
    assert sum(narrow) <= 1 and sum(wide) <= 1
    assert any(narrow) or not any(wide)
    assert not (wide[0] and not narrow[0]) and not (wide[1] and not narrow[1])


@given(SEEDS, st.floats(0, 50), st.floats(0, 50))
def test_a_higher_floor_never_narrows_an_interval(values, low, more):
    """Knowing more of the noise cannot make the seeds say more."""
    halves = [equivalence.against_value(values, 0.0, alone(values, f)).half(LEVEL) for f in (low, low + more)]
    assert halves[0] <= halves[1]


@given(SEEDS, NUMBERS, st.floats(0.1, 50), st.sampled_from([0.01, 100.0]), st.randoms(use_true_random=False))
def test_units_and_the_order_of_seeds_change_nothing(values, printed, margin, unit, random):
    """In fractions or points, and with the seeds relabelled, the same word is said."""
    found = equivalence.against_value(values, printed, alone(values, 0.3), 1, 0.1)
    ends = [abs(float(found.value)) + k * float(found.half(a)) for k in (-1, 1) for a in (LEVEL, LEVEL / 2)]
    assume(min(abs(end - edge) for end in ends for edge in (0.0, margin)) > 1e-6)
    other = [value * unit for value in random.sample(values, len(values))]
    scaled = equivalence.against_value(other, printed * unit, alone(other, 0.3 * unit), 1, 0.1 * unit)
    assert words(scaled, margin * unit) == words(found, margin)


# What the rules attain ----------------------------------------------------------------------------------------------


def excess(draws: int) -> dict[tuple[str, str, int], float]:
    """By how much each promised rate is exceeded."""
    rates = equivalence.attained_rates(draws)
    return {(r.rule, r.what, r.look): r.attained - r.nominal for r in rates if r.nominal is not None}


def test_no_false_verdict_is_more_frequent_than_promised():
    """In 20,000 draws no false word of R3 or R4 exceeds its level by a point, at a look or over all three."""
    found = excess(20_000)
    assert len(found) == 4 * (6 + 3) * (1 + len(LOOKS))
    assert {what: over for what, over in found.items() if over > 0.01} == {}


def test_rates_are_attained_and_not_merely_bounded():
    """The level is spent where the judged row spreads most; with 4 spreads of margin most true numbers are found."""
    rates = {(r.what, r.look): r.attained for r in equivalence.attained_rates(4_000)}
    assert rates["false reproduced at the margin, the judged row three times, 1 printed run", 5] > 0.018
    assert rates["false reproduced at the margin, the judged row three times, 1 printed run", 0] > 0.035
    assert rates["false difference at no shift, the judged row three times, 3 printed runs", 0] > 0.04
    assert rates["reproduced at no shift, margin 4 spreads, equal spreads, 3 printed runs", 5] > 0.9


def test_the_rates_of_a_seed_are_the_same_each_time():
    """Simulated rates are a function of draws and seed."""
    assert equivalence.attained_rates(200, seed=4) == equivalence.attained_rates(200, seed=4)
    assert equivalence.attained_rates(200, seed=4) != equivalence.attained_rates(200, seed=5)


def test_ninety_per_cent_at_each_look_would_be_too_often_reproduced(monkeypatch):
    """Why the levels are halved: at 0.05 a look, a row that spreads most is falsely reproduced in over 7 %."""
    rng = np.random.default_rng(2)
    values, printed = 3 * rng.standard_normal((20_000, 20)) + 24, 3 * rng.standard_normal(20_000)
    seen = [equivalence.against_value(values[:, :n], printed, equivalence.spread(values[:, :n])) for n in LOOKS]
    rates = [np.any([equivalence.decide(d, 24.0, level)[0] for d in seen], axis=0).mean() for level in (0.05, LEVEL)]
    assert rates[0] > 0.07 and rates[1] < 0.06


def test_degrees_of_freedom_of_the_pool_beside_the_own_spread_would_be_too_few_doubts():
    """Why nu is that of the larger spread: with the pool's beside the own one the noisy row is reproduced too often."""
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((6, 20_000, 5)) * np.array([3, 1, 1, 1, 1, 1])[:, None, None]
    found = equivalence.spread(rows[0], rows)
    pool = Spread(found.value, np.full(20_000, 24.0), found.own, found.pooled, 0.0)
    printed = 3 * rng.standard_normal(20_000) - 24
    said = [equivalence.decide(equivalence.against_value(rows[0], printed, s), 24.0)[0].mean() for s in (found, pool)]
    assert said[0] < 0.03 and said[1] > 0.045


def test_welch_alone_would_see_differences_that_are_not_there():
    """Why the print's error is at least our spread's: three printed runs lie close by chance."""
    rng = np.random.default_rng(5)
    ours, theirs = rng.standard_normal((20_000, 20)), rng.standard_normal((20_000, 3))
    spread, error = equivalence.spread(ours), theirs.std(axis=1, ddof=1) / math.sqrt(3)
    kept = equivalence.against_mean(ours, theirs.mean(axis=1), spread, error, 3)
    welch = stats.ttest_ind(ours, theirs, axis=1, equal_var=False).pvalue < LEVEL
    assert welch.mean() > 0.04 and (np.abs(kept.value) > kept.half(LEVEL / 2)).mean() < 0.02

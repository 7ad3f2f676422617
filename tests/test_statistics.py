"""The statistics of the verdicts against their definitions, against scipy, at their edges, and their error rates."""

from __future__ import annotations

import doctest
import itertools
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from suite import exact, pooling, statistics, trends
from suite.statistics import ALPHA, Evidence

STEPS = st.integers(-50, 50).map(lambda k: k / 10)  # a coarse grid: ties, zeros and equal values come by themselves


def several(least: int = 2, most: int = 12) -> st.SearchStrategy[list[float]]:
    """The values of one part over some seeds."""
    return st.lists(STEPS, min_size=least, max_size=most)


def sign_flips_by_the_book(values) -> float:
    """The share of all sign patterns whose sum is at least the observed one, written out in exact fractions."""
    exact = [Fraction(str(value)) for value in values]
    sums = [
        sum(s * abs(v) for s, v in zip(p, exact, strict=True)) for p in itertools.product((1, -1), repeat=len(exact))
    ]
    return sum(total >= sum(exact) for total in sums) / len(sums)


def test_examples_in_the_docstrings_run():
    """Every example in a docstring gives what it shows."""
    results = [doctest.testmod(module) for module in (statistics, exact, trends, pooling)]
    assert [result.failed for result in results] == [0, 0, 0, 0]
    assert all(result.attempted > 0 for result in results)


@given(several(1, 9))
def test_sign_flips_equal_the_definition(values):
    """The exact sign-flip p is the share of sign patterns by the book, zeros and ties included."""
    assert statistics.sign_flip_p(values) == sign_flips_by_the_book(values)


@pytest.mark.parametrize("n", [2, 5, 8])
def test_sign_flips_equal_scipy_on_ten_thousand_inputs(n):
    """Random inputs, half of them full of ties, have the p of scipy's exact permutation test.

    All are multiples of 2^-20, so that sums are exact: scipy does not see a tie behind the rounding of a sum near 0.
    """
    rng = np.random.default_rng(n)
    values = np.concatenate(
        [np.round(2**20 * rng.standard_normal((5_000, n))) / 2**20, rng.integers(-3, 4, (5_000, n))]
    )
    theirs = stats.permutation_test(
        (values,), np.sum, permutation_type="samples", alternative="greater", n_resamples=np.inf, axis=-1
    )
    np.testing.assert_array_equal(statistics.sign_flip_p(values), theirs.pvalue)


@pytest.mark.parametrize(("n", "wins"), [(13, 9), (20, 15), (29, 20), (30, 11)])
def test_sign_flips_of_equal_steps_are_the_binomial_test(n, wins):
    """Where all differences have one size, flipping signs is the sign test, exactly, up to thirty seeds."""
    values = np.full(n, 0.3)
    values[wins:] = -0.3
    want = stats.binomtest(wins, n, alternative="greater").pvalue
    assert float(statistics.sign_flip_p(values)) == pytest.approx(want, rel=1e-12)


def test_sign_flips_above_thirty_seeds_are_drawn_alike_for_every_order():
    """With fifty seeds p is close to the exact one and does not depend on the order of the seeds or on the unit."""
    values = np.where(np.arange(50) < 31, 1.0, -1.0)
    want = stats.binomtest(31, 50, alternative="greater").pvalue
    p = statistics.sign_flip_p(values)
    assert float(p) == pytest.approx(want, abs=0.004)
    shuffled = np.random.default_rng(3).permutation(values)
    assert float(statistics.sign_flip_p(8 * shuffled)) == float(p)
    assert float(statistics.sign_flip_p(np.abs(values))) == 2.0**-50


def test_rounding_noise_makes_no_difference_of_sums():
    """0.1 + 0.2 - 0.3 is nothing: a p value sees the tie that the decimal numbers have."""
    assert statistics.sign_flip_p([0.1, 0.2, -0.3]) == statistics.sign_flip_p([1, 2, -3]) == 5 / 8


def test_t_test_and_interval_equal_scipy_on_ten_thousand_inputs():
    """The t test's p and the t interval are scipy's, for many inputs at once."""
    values = np.random.default_rng(1).standard_normal((10_000, 6)) + 0.4
    theirs = stats.ttest_1samp(values, 0, axis=-1, alternative="greater")
    np.testing.assert_allclose(statistics.t_p(values), theirs.pvalue, rtol=1e-9)
    for level in (0.9, 0.95, 1 - 2 * ALPHA[20]):
        interval = stats.ttest_1samp(values, 0, axis=-1).confidence_interval(level)
        np.testing.assert_allclose(statistics.t_interval(values, level), interval, rtol=1e-9, atol=1e-12)


@given(several(2, 8), st.sampled_from([0.03, 0.2, 1.0]))
def test_a_parts_p_is_the_larger_of_both_tests(values, level):
    """Neither test alone decides; a shortened p agrees with the full one on everything up to its level."""
    full = max(float(statistics.sign_flip_p(values)), float(statistics.t_p(values)))
    assert float(statistics.part_p(values)) == full
    short = float(statistics.part_p(values, level))
    assert short == full if full <= level else level < short <= full


@given(st.lists(several(6, 6), min_size=1, max_size=5), st.sampled_from([None, 0.5, 3.0]))
def test_many_cases_at_once_are_each_case_alone(cases, margin):
    """The simulated verdicts take the same way as a single one."""
    together = statistics.ordering(cases, margin, 0.03)
    for i, case in enumerate(cases):
        alone = statistics.ordering(case, margin, 0.03)
        assert (alone.p, alone.p_reversed) == (together.p[i], together.p_reversed[i])
        assert alone.tied == together.tied[i]


@pytest.mark.parametrize(
    ("values", "flip", "t", "interval"),
    [
        ([2.0] * 5, 1 / 32, 0.0, (2.0, 2.0)),
        ([-2.0] * 5, 1.0, 1.0, (-2.0, -2.0)),
        ([0.0] * 5, 1.0, 1.0, (0.0, 0.0)),
        ([0.1] * 7, 1 / 128, 0.0, (0.1, 0.1)),
        ([1.0, -1.0], 0.75, 0.5, (-12.706, 12.706)),
        ([0.0, 0.0, 0.0, 0.0, 1.0], 0.5, 0.187, (-0.355, 0.755)),
    ],
)
def test_edges_of_one_part(values, flip, t, interval):
    """Equal values have no spread and count as certain, zeros support nothing, ties have their share."""
    assert float(statistics.sign_flip_p(values)) == flip
    assert float(statistics.t_p(values)) == pytest.approx(t, abs=5e-4)
    assert statistics.t_interval(values) == pytest.approx(interval, abs=5e-4)


@pytest.mark.parametrize("unit", [1e-300, 1e-9, 1e9, 1e300])
def test_no_unit_is_too_small_or_too_large(unit):
    """Squares that would overflow or vanish do neither."""
    values = np.array([1.0, 2.0, 4.0, 3.0, 2.5])
    assert float(statistics.part_p(unit * values)) == float(statistics.part_p(values))
    assert np.array(statistics.t_interval(unit * values)) / unit == pytest.approx(statistics.t_interval(values))
    assert statistics.mean(unit * values) / unit == pytest.approx(2.5)
    assert statistics.side_of(unit * values, 0.0, np.inf) == "for"


def test_a_mean_does_not_overflow():
    """The mean of the largest floats is one of them."""
    assert statistics.mean([1.7e308] * 3) == 1.7e308


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("function", [statistics.t_p, statistics.sign_flip_p, statistics.share_above, statistics.mean])
def test_what_is_not_finite_is_refused(function, bad):
    """NaN and infinity are faults, and the message says which value it is."""
    with pytest.raises(ValueError, match=f"{bad} is not a finite number"):
        function([1.0, bad])


def test_nothing_and_one_value():
    """No values are refused everywhere, one value where a spread is needed; signs and the mean need no spread."""
    with pytest.raises(ValueError, match="at least one seed"):
        statistics.sign_flip_p([])
    for function in (statistics.t_p, statistics.t_interval):
        with pytest.raises(ValueError, match="two seeds or more"):
            function([3.0])
    assert statistics.sign_flip_p([3.0]) == 0.5
    assert statistics.mean([3.0]) == 3.0
    assert statistics.side_of([3.0], 0.0, np.inf) == "flat"


@pytest.mark.parametrize(
    ("look", "looks", "alpha"),
    [(5, (5, 10, 20), 1 / 32), (10, (5, 10, 20), 0.01), (20, (20,), 0.00875), (10, (5, 10), 0.01), (50, (50,), 0.05)],
)
def test_levels_of_the_looks(look, looks, alpha):
    """Each look has its level; one look of more than twenty seeds has five per cent to itself."""
    assert statistics.alpha_at(look, looks) == alpha


@pytest.mark.parametrize(("look", "looks"), [(8, (8,)), (5, (10, 20)), (50, (5, 50)), (7, (5, 10, 20))])
def test_other_looks_are_refused(look, looks):
    """Looks whose joint error nobody has computed have no level."""
    with pytest.raises(ValueError, match="expected some of"):
        statistics.alpha_at(look, looks)


@given(st.lists(st.integers(1, 40).map(lambda k: k / 40), min_size=1, max_size=6), st.data())
def test_partial_conjunction_equals_the_definition(p, data):
    """The joined p of "at least u of k" is the worst Bonferroni p of k - u + 1 parts: u - 1 may be given away."""
    u = data.draw(st.integers(1, len(p)))
    rest = [min(1.0, (len(p) - u + 1) * min(kept)) for kept in itertools.combinations(p, len(p) - u + 1)]
    assert float(statistics.partial_conjunction_p(p, u)) == max(rest)


@pytest.mark.parametrize("u", [0, 4])
def test_more_parts_than_there_are_cannot_be_asked_for(u):
    """At least 0 or 4 of 3 parts is no claim."""
    with pytest.raises(ValueError, match="of 3 parts"):
        statistics.partial_conjunction_p([0.1, 0.2, 0.3], u)


@given(st.lists(several(5, 5), min_size=1, max_size=4), st.data())
def test_joined_parts_are_mirrored_by_negation(cases, data):
    """What holds for at least u parts is reversed for at least k - u + 1 negated ones; no claim is two things."""
    k = len(cases)
    u = data.draw(st.integers(1, k))
    here = [bool(x) for x in statistics.decide(statistics.ordering(cases, 1.0, ALPHA[5]), u, ALPHA[5])]
    mirror = statistics.decide(statistics.ordering(-np.array(cases), 1.0, ALPHA[5]), k - u + 1, ALPHA[5])
    assert [bool(x) for x in mirror] == [here[1], here[0], here[2]]
    assert sum(here) <= 1


def test_five_seeds_decide_several_parts_only_in_one_direction():
    """With five seeds a claim on two parts can hold only as all of them and be reversed only as some."""
    sure = Evidence(np.full(2, 1 / 32), np.ones(2), np.zeros(2, dtype=bool))
    gone = Evidence(sure.p_reversed, sure.p, sure.tied)
    assert [bool(statistics.decide(sure, u, ALPHA[5])[0]) for u in (1, 2)] == [False, True]
    assert [bool(statistics.decide(gone, u, ALPHA[5])[1]) for u in (1, 2)] == [True, False]
    assert [statistics.reachable(n, 2, ALPHA[n]) for n in ALPHA] == [False, True, True]
    assert [statistics.reachable(10, factor, ALPHA[10]) for factor in (10, 11)] == [True, False]


@given(several(2, 12))
def test_share_above_counts_wins_and_half_the_ties(values):
    """P(A > B) is the mean of 1 for a win and one half for a tie, lies in its interval, and mirrors."""
    share, mirror = statistics.share_above(values), statistics.share_above([-v for v in values])
    assert share.estimate == pytest.approx(sum(1.0 if v > 0 else 0.5 if v == 0 else 0.0 for v in values) / len(values))
    wins, ties = sum(v > 0 for v in values), sum(v == 0 for v in values)
    ends = [stats.binomtest(k, len(values)).proportion_ci(method="exact") for k in (wins, wins + ties)]
    assert (share.low, share.high) == pytest.approx((ends[0].low, ends[1].high), abs=1e-9)
    assert 0 <= share.low <= share.estimate <= share.high <= 1
    assert (mirror.estimate, mirror.low, mirror.high) == pytest.approx(
        (1 - share.estimate, 1 - share.high, 1 - share.low)
    )
    assert {"better": "worse", "worse": "better", "": ""}[share.practically] == mirror.practically


@pytest.mark.parametrize(
    ("wins", "n", "word"),
    [(5, 5, ""), (6, 6, "better"), (9, 10, "better"), (15, 20, "better"), (37, 50, ""), (2, 20, "worse")],
)
def test_practically_better_needs_estimate_and_interval(wins, n, word):
    """Five wins of five are too few for the interval, 74 per cent of fifty too few for the estimate."""
    assert statistics.share_above([1.0] * wins + [-1.0] * (n - wins)).practically == word


@pytest.mark.parametrize(
    ("values", "low", "high", "want"),
    [
        ([1.0, 2.0], 0.0, np.inf, "for"),
        ([1.0, 3.0], 1.0, np.inf, "flat"),  # one standard error exactly is not more than one
        ([-1.0, -2.0], 0.0, np.inf, "against"),
        ([-1.0, 2.0], 0.0, np.inf, "flat"),
        ([5.0, 5.0], 0.0, np.inf, "for"),
        ([0.0, 0.0], 0.0, np.inf, "flat"),
        ([5.0, 5.0], 4.0, 6.0, "for"),
        ([7.0, 7.1], 4.0, 6.0, "against"),
        ([3.0, 3.1], 4.0, 6.0, "against"),
        ([5.9, 6.3], 4.0, 6.0, "flat"),
    ],
)
def test_side_of_a_region(values, low, high, want):
    """A direction is told by more than one standard error, on either side of a region."""
    assert statistics.side_of(values, low, high) == want


@pytest.mark.parametrize(
    ("values", "want"),
    [
        ([3.0, 3.1, 2.9, 3.0, 3.05], "as claimed"),
        ([0.5, 0.6, 0.4, 0.5, 0.55], "smaller"),
        ([5.0, 5.2, 4.9, 5.1, 5.0], "larger"),
        ([1.0, 3.0, 5.0, 2.0, 4.0], "inconclusive"),
        ([3.0] * 5, "as claimed"),
        ([2.0] * 5, "inconclusive"),  # on the edge of the band: neither inside nor outside is shown
    ],
)
def test_size_in_a_band(values, want):
    """A claimed size of two to four is met when the mean is shown inside, refuted when it is shown outside."""
    assert statistics.size_word(values, 2.0, 4.0, ALPHA[5]) == want


def test_a_size_is_refuted_by_the_evidence_for_all_sizes_together():
    """What refutes a single size is not enough to refute one of ten."""
    values = [1.2, 1.8, 1.4, 1.6, 0.9]
    assert statistics.size_word(values, 2.0, 4.0, ALPHA[5], sizes=1) == "smaller"
    assert statistics.size_word(values, 2.0, 4.0, ALPHA[5], sizes=10) == "inconclusive"


@given(st.decimals("-1000", "1000", places=3), st.integers(0, 2))
def test_roundings_are_those_of_decimal(value, places):
    """Half-up and half-even are what the decimal module means by them, below zero too."""
    unit = Decimal(1).scaleb(-places)
    for name, mode in (("half-up", ROUND_HALF_UP), ("half-even", ROUND_HALF_EVEN)):
        rounded = value.quantize(unit, rounding=mode)
        assert name in statistics.roundings(value, rounded)
        assert name not in statistics.roundings(value, rounded + unit)
        low, high = statistics.printed_interval(rounded)
        assert low <= value <= high


@pytest.mark.parametrize(
    ("value", "printed", "want"),
    [
        (2.5, "2", ("half-even",)),
        (2.5, "3", ("half-up",)),
        (2.675, "2.68", ("half-up", "half-even")),
        (np.float64(0.125), "0.12", ("half-even",)),
        (61_706, "61706", ("half-up", "half-even")),
        (61_706, "61707", ()),
        (61_706, "6.2E+4", ("half-up", "half-even")),
        (Fraction(2, 3), "0.67", ("half-up", "half-even")),
        (Fraction(2, 3), "0.66", ()),
        (10**30 + 1, "1000000000000000000000000000001", ("half-up", "half-even")),
        (10**30 + 1, "1000000000000000000000000000000", ()),
        (-0.5, "-1", ("half-up",)),
    ],
)
def test_roundings_table(value, printed, want):
    """Ties go two ways, counts are exact at any size, a float is the decimal number that it is written as."""
    assert statistics.roundings(value, Decimal(printed)) == want


@given(st.integers(1, 60), st.integers(0, 1100).map(lambda k: Decimal(k) / 10), st.sampled_from([1, 100]))
def test_possible_counts_are_all_that_can_be_printed_so(n, printed, whole):
    """The counts are found by trying each of them."""
    by_trial = [k for k in range(n + 1) if statistics.roundings(Fraction(whole * k, n), printed)]
    assert list(statistics.possible_counts(printed, n, whole)) == by_trial


def test_counts_need_items_and_digits():
    """No items, and a printed NaN, are errors."""
    with pytest.raises(ValueError, match="0 items"):
        statistics.possible_counts(Decimal("50.0"), 0)
    with pytest.raises(ValueError, match="NaN is not a printed number"):
        statistics.printed_interval(Decimal("NaN"))


@given(several(5, 8), st.sampled_from([1.5, 2.0, 10.0]))
@settings(max_examples=300)
def test_a_wider_spread_never_helps(values, factor):
    """The same mean with a wider spread has no smaller p and is tied at most where the narrower one was."""
    mean = Fraction(sum(Fraction(str(v)) for v in values), len(values))
    assume(mean > 0)
    wider = [float(mean + Fraction(factor) * (Fraction(str(v)) - mean)) for v in values]
    narrow, wide = (statistics.ordering(v, 1.0, 0.03) for v in (values, wider))
    assert wide.p >= narrow.p - 1e-12
    assert not wide.tied or narrow.tied


@given(several(2, 12), st.sampled_from([0.3, 1.0, 2.5]))
def test_no_loss_equals_two_one_sided_t_tests(values, margin):
    """R8's p is scipy's one-sided t test against the margin, its mirror the other side's."""
    assume(np.ptp(values) > 0)
    shown = statistics.no_loss(values, margin)
    for p, side in ((shown.p, "less"), (shown.p_reversed, "greater")):
        assert float(p) == pytest.approx(stats.ttest_1samp(values, margin, alternative=side).pvalue, rel=1e-9)
    assert not shown.tied


def test_no_loss_is_the_one_sided_bound_of_the_rule():
    """In 10,000 inputs p is at most alpha exactly where mean + t(1 - alpha) s / sqrt(n) is at most the margin."""
    values = np.random.default_rng(5).standard_normal((10_000, 5)) + 0.3
    bound = values.mean(axis=-1) + stats.t.ppf(1 - ALPHA[5], 4) * values.std(axis=-1, ddof=1) / np.sqrt(5)
    np.testing.assert_array_equal(statistics.no_loss(values, 1.0).p <= ALPHA[5], bound <= 1.0)


def test_no_loss_of_pairs_equals_scipy():
    """The loss of paired seeds is judged as scipy's paired t test judges base against pruned plus the margin."""
    rng = np.random.default_rng(6)
    base, pruned = rng.standard_normal((2, 1_000, 6))
    theirs = stats.ttest_rel(base, pruned + 0.5, axis=-1, alternative="less")
    np.testing.assert_allclose(statistics.no_loss(base - pruned, 0.5).p, theirs.pvalue, rtol=1e-9)


def test_a_band_equals_the_two_one_sided_tests_of_scipy():
    """Equivalence is the larger p of scipy's two t tests, outside twice the smaller p of the mirrored two."""
    values = np.random.default_rng(7).standard_normal((10_000, 7)) * 0.5
    shown = statistics.within(values, -0.4, 0.9)
    low, high = (
        [stats.ttest_1samp(values, end, axis=-1, alternative=side).pvalue for side in ("greater", "less")]
        for end in (-0.4, 0.9)
    )
    np.testing.assert_allclose(shown.p, np.maximum(low[0], high[1]), rtol=1e-9)
    np.testing.assert_allclose(shown.p_reversed, np.minimum(1, 2 * np.minimum(low[1], high[0])), rtol=1e-9)
    three = statistics.within(values, -0.4, 0.9, sizes=3).p_reversed
    np.testing.assert_allclose(three, np.minimum(1, 3 * 2 * np.minimum(low[1], high[0])), rtol=1e-9)


def test_a_band_equals_statsmodels_on_pairs():
    """Equivalence of paired seeds is statsmodels' ttost_paired."""
    weightstats = pytest.importorskip("statsmodels.stats.weightstats", reason="statsmodels is not installed")
    rng = np.random.default_rng(8)
    for first, second in rng.standard_normal((500, 2, 6)):
        theirs = weightstats.ttost_paired(first, second, -0.7, 1.1)[0]
        assert float(statistics.within(first - second, -0.7, 1.1).p) == pytest.approx(theirs, rel=1e-9)


@given(several(2, 12), st.sampled_from([0.01, ALPHA[5], 0.05]))
def test_a_band_is_met_where_the_interval_lies_inside(values, alpha):
    """The p of a band and the interval of TOST say the same."""
    p = float(statistics.within(values, -1.0, 1.0).p)
    assume(abs(p - alpha) > 1e-9)
    assert (p <= alpha) == bool(statistics.inside(values, -1.0, 1.0, alpha))


@given(st.lists(st.integers(0, 1000).map(lambda k: k / 10), min_size=1, max_size=8))
def test_logits_are_mirrored_and_finite(values):
    """A share and its complement have opposite logits, 0 and 100 included, and the order of shares is kept."""
    logits = statistics.logit(values)
    np.testing.assert_allclose(statistics.logit([100 - v for v in values]), -logits, rtol=1e-6, atol=1e-9)
    assert np.isfinite(logits).all()
    assert np.array_equal(np.argsort(logits, kind="stable"), np.argsort(values, kind="stable"))


@pytest.mark.parametrize("bad", [-0.1, 100.1])
def test_what_is_no_percentage_has_no_logit(bad):
    """A value outside 0 to 100 is a fault."""
    with pytest.raises(ValueError, match=f"{bad} is not a percentage"):
        statistics.logit([50.0, bad])

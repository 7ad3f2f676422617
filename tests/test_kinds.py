"""Trends, pooled statistics and the other kinds of claims: against definitions, against scipy, and word by word."""

from __future__ import annotations

import itertools
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from suite import pooling, trends
from suite.errors import UserError
from tests.test_verdict import DOWN, GONE, MIXED, UP, WIDE, judge, words

STEPS = st.integers(-20, 20).map(lambda k: k / 8)
LOSS = {"kind": "no_loss", "margin": Decimal("0.5")}
BAND = {"kind": "within", "low": Decimal(1), "high": Decimal(3), "margin": None}
ABOVE = {"kind": "threshold", "value": Decimal(80), "side": "above", "unit": "%", "margin": None}
RATIO = {"kind": "ratio", "margin": None}
TREND = {"kind": "trend", "levels": ("0", "0.5", "1"), "margin": None}
POOLED = {"kind": "pooled", "statistic": "median", "value": Decimal(1), "side": "above", "looks": (20,), "margin": None}
FOUR = {"a": (Decimal(4), Decimal("4.5"))}


def matrices(k: int, n: int) -> st.SearchStrategy[list[list[float]]]:
    """Values of k levels over n seeds, ties among them."""
    return st.lists(st.lists(STEPS, min_size=n, max_size=n), min_size=k, max_size=k)


def curve(*levels: float, around: list[float] = UP) -> dict[str, list[float]]:
    """A group of a trend: each level by so much above the same values."""
    names = TREND["levels"]
    return {f"mnist/{name}": [v + by for v in around] for name, by in zip(names, levels, strict=True)}


# Page's test --------------------------------------------------------------------------------------------------------


def page_by_the_book(values) -> float:
    """The share of all orders of each seed's ranks whose L is at least the observed one."""
    seeds = [stats.rankdata(seed) for seed in np.transpose(values)]
    places = np.arange(1, len(values) + 1)
    observed = sum(places @ ranks for ranks in seeds)
    orders = itertools.product(*(list(itertools.permutations(ranks)) for ranks in seeds))
    found = [sum(places @ np.array(ranks) for ranks in order) >= observed - 1e-9 for order in orders]
    return sum(found) / len(found)


@given(st.sampled_from([(2, 5), (3, 3), (4, 2)]).flatmap(lambda shape: matrices(*shape)))
@settings(max_examples=60)
def test_pages_p_equals_the_definition_with_ties(values):
    """The exact p counts every order of the ranks within the seeds, ties kept."""
    assert float(trends.page_p(values)) == pytest.approx(page_by_the_book(values), rel=1e-9)


@pytest.mark.parametrize(
    ("k", "n", "method"), [(3, 5, "exact"), (5, 10, "exact"), (8, 4, "exact"), (10, 20, "asymptotic")]
)
def test_pages_p_equals_scipy_without_ties(k, n, method):
    """On random values, L and p are those of scipy's page_trend_test, exact or by its normal approximation."""
    rng = np.random.default_rng(k)
    for slope in (0.0, 0.0, 0.1, 0.3, -0.2):
        values = rng.standard_normal((k, n)) + slope * np.arange(k)[:, None]
        theirs = stats.page_trend_test(values.T, method=method)
        assert float(trends.page_p(values)) == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-12)
        assert trends.page_scores(values).sum() / 4 + n * k * (k + 1) ** 2 / 4 == theirs.statistic


def test_many_trends_at_once_are_each_alone():
    """Cases with and without ties take the same way together as one by one."""
    rng = np.random.default_rng(4)
    cases = np.concatenate([rng.standard_normal((20, 4, 5)), rng.integers(0, 3, (20, 4, 5))])
    together = trends.trend(cases)
    for i, case in enumerate(cases):
        alone = trends.trend(case)
        assert (alone.p, alone.p_reversed) == (together.p[i], together.p_reversed[i])


@given(matrices(4, 5))
def test_the_mirrored_order_is_the_reverse(values):
    """Levels in the other order swap the two p, and so does the negative of all values."""
    here, there = trends.trend(values), trends.trend(values[::-1])
    assert (here.p, here.p_reversed) == pytest.approx((there.p_reversed, there.p))
    negative = trends.trend(-np.array(values))
    assert (here.p, here.p_reversed) == pytest.approx((negative.p_reversed, negative.p))


@given(matrices(4, 5), st.permutations(range(5)), st.sampled_from([0.25, 8.0]))
def test_ranks_know_neither_seeds_nor_units(values, order, unit):
    """The order of the seeds, the unit, and a shift of each seed by itself change no p."""
    here = trends.trend(values)
    other = trends.trend(unit * np.array(values)[:, order] + np.arange(5))
    assert (here.p, here.p_reversed) == pytest.approx((other.p, other.p_reversed))


def test_tau_and_falls():
    """Tau of the means is scipy's and 0 where nothing changes; a fall is told from its margin on."""
    values = np.array([[1.0, 1.0], [3.0, 3.0], [2.0, 2.0], [2.5, 2.5]])
    assert trends.tau_of_means(values) == pytest.approx(stats.kendalltau([0, 1, 2, 3], values.mean(axis=1)).statistic)
    assert trends.tau_of_means(np.ones((3, 2))) == 0.0
    assert trends.falls(values, 0.9) == [(1, -1.0)]
    assert trends.falls(values, 1.0) == []
    with pytest.raises(ValueError, match="1 level has no order"):
        trends.page_p([[1.0, 2.0]])


# Pooled statistics --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [5, 20, 23])
@pytest.mark.parametrize(
    ("name", "theirs"),
    [("mean", np.mean), ("median", np.median), ("interquartile mean", lambda x, axis: stats.trim_mean(x, 0.25, axis))],
)
def test_statistics_and_bca_equal_scipy(name, theirs, n):
    """Each statistic and its BCa interval are scipy's, for the same resamples.

    Values are multiples of 2^-20, so that sums are exact: scipy misses a tie behind the rounding of a mean.
    """
    for seed in range(3):
        values = np.sort(np.round(2**20 * np.random.default_rng(seed).standard_gamma(2, n))) / 2**20
        assert float(pooling.statistic(name, values)) == pytest.approx(float(theirs(values, axis=-1)))
        interval = stats.bootstrap(
            (values,),
            theirs,
            n_resamples=pooling.RESAMPLES,
            confidence_level=0.9,
            method="BCa",
            rng=np.random.default_rng(0),
        ).confidence_interval
        assert pooling.bca_interval(name, values, 0.9) == pytest.approx((interval.low, interval.high), rel=1e-6)


@pytest.mark.parametrize("name", pooling.STATISTICS)
@pytest.mark.parametrize("level", [0.9, 1 - 2 * 0.00875])
def test_the_p_of_a_pooled_statistic_is_the_level_of_its_interval(name, level):
    """Just inside the interval the constant is not excluded at its level, just outside it is."""
    values = np.random.default_rng(11).standard_normal(24) + 0.3
    low, high = pooling.pooled_interval(name, values, level)
    alpha = (1 - level) / 2
    inner, outer = (high - low) / 20, (high - low) / 20
    assert pooling.pooled_p(name, values, low - outer) < alpha < pooling.pooled_p(name, values, low + inner)
    assert pooling.pooled_p(name, -values, -high - outer) < alpha < pooling.pooled_p(name, -values, -high + inner)


@given(st.lists(STEPS, min_size=20, max_size=20), st.randoms(use_true_random=False), st.sampled_from([0.25, 1024.0]))
@settings(max_examples=15)
def test_pooled_statistics_know_neither_order_nor_unit(values, random, unit):
    """The order of the seeds and the unit change no p; above and below are mirror images."""
    shuffled = random.sample([unit * v for v in values], len(values))
    here, there = pooling.pooled("median", values, 0.5), pooling.pooled("median", shuffled, 0.5 * unit)
    mirror = pooling.pooled("median", [-v for v in values], -0.5)
    assert (here.p, here.p_reversed) == (there.p, there.p_reversed) == (mirror.p_reversed, mirror.p)


def test_edges_of_pooled_statistics():
    """Equal values count as certain, also next to a constant that they only equal; one value is refused."""
    assert pooling.pooled_p("mean", [0.1] * 20, 0.1) > 0.99
    assert pooling.pooled_p("mean", [0.3] * 20, 0.1) < 0.00875
    assert pooling.side_of_constant("median", [0.3], 0.1) == "flat"
    with pytest.raises(ValueError, match="two seeds or more"):
        pooling.pooled_p("mean", [0.3], 0.1)
    with pytest.raises(ValueError, match="'mode' is unknown; there are mean, median"):
        pooling.statistic("mode", [0.3, 0.4])


# Word by word -------------------------------------------------------------------------------------------------------

TOP = [99.9, 100.0, 99.8, 100.0, 99.95]
MANY = [v + 0.1 * i for i in range(4) for v in UP]


@pytest.mark.parametrize(
    ("fields", "parts", "word"),
    [
        (LOSS, {"a": [0.1, 0.2, 0.1, 0.0, 0.15]}, "holds"),
        (LOSS, {"a": DOWN}, "holds"),  # a gain is no loss
        (LOSS, {"a": UP}, "reversed"),
        (LOSS, {"a": [0.4, 0.6, 0.5, 0.45, 0.55]}, "inconclusive"),
        (LOSS, {"a": [0.1, 1.2, 0.1, 0.0, 0.15]}, "inconclusive"),
        (LOSS, {"a": [0.4] * 5}, "holds"),
        (LOSS, {"a": [0.5] * 5}, "inconclusive"),  # the margin itself is neither
        (BAND, {"a": [1.9, 2.0, 2.1, 2.0, 2.05]}, "holds"),
        (BAND, {"a": [0.4, 0.5, 0.6, 0.5, 0.45]}, "reversed"),
        (BAND, {"a": [3.4, 3.5, 3.6, 3.5, 3.45]}, "reversed"),
        (BAND, {"a": [0.9, 1.1, 1.0, 0.95, 1.05]}, "inconclusive"),
        (BAND, {"a": [0.0, 4.0, 2.0, 1.0, 3.0]}, "inconclusive"),
        (ABOVE, {"a": [85.0, 88.0, 84.0, 86.0, 91.0]}, "holds"),
        (ABOVE, {"a": [75.0, 78.0, 74.0, 76.0, 71.0]}, "reversed"),
        (ABOVE, {"a": [75.0, 88.0, 84.0, 76.0, 91.0]}, "inconclusive"),
        (ABOVE, {"a": TOP}, "holds"),
        (ABOVE | {"side": "below"}, {"a": TOP}, "reversed"),
        (ABOVE | {"side": "below"}, {"a": [0.0, 0.0, 1.0, 2.0, 0.0]}, "holds"),
        (ABOVE | {"value": Decimal(0)}, {"a": [0.0, 0.1, 0.2, 0.1, 0.15]}, "inconclusive"),
        (ABOVE | {"value": Decimal(0)}, {"a": [0.2, 0.1, 0.2, 0.1, 0.15]}, "holds"),
        (ABOVE | {"value": Decimal("0.9"), "unit": "1"}, {"a": [0.95, 0.97, 0.94, 0.96, 0.95]}, "holds"),
        (ABOVE | {"margin": Decimal(2)}, {"a": [80.5, 79.5, 80.0, 80.2, 79.9]}, "tied"),
        (ABOVE | {"margin": Decimal(2)}, {"a": [85.0, 75.0, 80.0, 82.0, 79.0]}, "inconclusive"),
        (RATIO | {"size": FOUR}, {"a": [4.4, 4.3, 4.6, 4.2, 4.5]}, "holds"),
        (RATIO | {"size": FOUR}, {"a": [3.4, 3.3, 3.6, 3.2, 3.5]}, "reversed"),
        (RATIO | {"size": FOUR}, {"a": [4.4, 3.3, 4.6, 3.9, 4.5]}, "inconclusive"),
        (TREND, curve(0, 1, 2), "holds"),
        (TREND, curve(2, 1, 0), "reversed"),
        (TREND, curve(0, 0, 0), "inconclusive"),
        (TREND, curve(0, 1, 0), "inconclusive"),
        (POOLED, {"a": MANY}, "holds"),
        (POOLED, {"a": [v - 1 for v in MANY]}, "reversed"),
        (POOLED, {"a": [v - 0.25 for v in MANY]}, "inconclusive"),
        (POOLED | {"side": "below"}, {"a": [v - 1 for v in MANY]}, "holds"),
        (POOLED, {"a": MANY[:19]}, "inconclusive"),
    ],
)
def test_each_word_of_each_kind(fields, parts, word):
    """Constructed values lead to each word that a kind has."""
    verdict = judge(parts, **fields)
    assert verdict.word == word
    if word == "inconclusive" and fields["kind"] != "pooled":
        assert verdict.reason.endswith("next look at n = 10 (seeds needed: 5)")


@pytest.mark.parametrize(
    ("fields", "parts", "want"),
    [
        (LOSS, {"a": UP}, "mean 1.1 (95 % interval 0.904 to 1.3) against the margin 0.5 at n = 5, p = 0.000529, level"),
        (BAND, {"a": UP}, "against 1 to 3 at n = 5"),
        (
            ABOVE,
            {"a": TOP},
            "mean 99.9 (95 % interval 99.8 to 100) against 80 at n = 5, p = 0.0312, level 0.0312; approx",
        ),
        (
            RATIO | {"size": FOUR},
            {"a": [4.0, 4.0, 4.0, 4.0, 16.0]},
            "geometric mean 5.28 (95 % interval 2.44 to 11.4) against 4",
        ),
        (TREND, curve(0, 1, 2), "Page's L 70, Kendall's tau of the means 1 at n = 5, p = 0.000129, level 0.0312"),
        (TREND, curve(0, 2, 1), "tau of the means 0.33 at n = 5"),
        (TREND, curve(0, 2, 1), "; the mean falls from 0.5 to 1 (-1)"),
        (
            TREND | {"margin": Decimal("0.5")},
            curve(0, 2, 1),
            "; the mean falls by more than the margin 0.5 from 0.5 to 1",
        ),
        (POOLED, {"a": MANY}, "median 1.25 (95 % bootstrap interval 1.1 to 1.4) against 1 at n = 20, p = 0.0009"),
        (POOLED, {"a": MANY[:5]}, "5 of the 20 seeds of the first look; direction so far: a for; next look at n = 20"),
    ],
)
def test_reasons_name_what_was_tested(fields, parts, want):
    """The estimate on the scale of the test, the bound beside it, n, p, level, and notes."""
    assert want in judge(parts, **fields).reason


def test_a_trend_has_a_verdict_for_each_group():
    """Groups are joined by R7; each level shows its own numbers and the word of its group."""
    other = {name.replace("mnist", "fashion"): values for name, values in curve(2, 1, 0, around=MIXED).items()}
    verdict = judge(curve(0, 1, 2) | other, **TREND)
    assert (verdict.word, verdict.rule) == ("reversed", "R9, R7")
    assert "at least 1 of 2 groups go the other way" in verdict.reason
    assert "fashion: the mean falls from 0 to 0.5 (-1), 0.5 to 1 (-1)" in verdict.reason
    assert [part.word for part in verdict.parts] == ["holds"] * 3 + ["reversed"] * 3
    assert verdict.parts[1].mean == pytest.approx(2.1)
    assert judge(curve(0, 1, 2) | other, **TREND, over="some").word == "holds"  # Page's p at n = 5 is small enough
    flat = {name: UP for name in other}
    assert "one by one, 1 of 2 groups hold and 0 are reversed, 2 are" in judge(curve(0, 1, 2) | flat, **TREND).reason


def test_a_trend_that_holds_lists_its_falls():
    """A fall by more than the margin stands in the reason, one by less does not."""
    parts = {f"mnist/{i}": [v + by for v in UP] for i, by in enumerate((0, 2, 1.7, 3, 4, 3))}
    fields = TREND | {"levels": tuple("012345"), "margin": Decimal("0.5")}
    verdict = judge(parts, **fields)
    assert verdict.word == "holds"
    assert verdict.reason.endswith("; the mean falls by more than the margin 0.5 from 4 to 5 (-1)")


def test_a_shared_note_is_said_once():
    """What is true of every part is not repeated."""
    verdict = judge({"a": TOP, "b": TOP}, **ABOVE)
    assert verdict.reason == (
        "at least 2 of 2 parts are as claimed (p = 0.0312, level 0.0312, n = 5); "
        "approximate: sign flips need symmetric values"
    )


@pytest.mark.parametrize(("levels", "word"), [((0, 1, 2), "for"), ((2, 1, 0), "against"), ((0, 1, 0), "flat")])
def test_a_trend_below_its_scale(levels, word):
    """The direction of a trend is the side of its seeds' own L; it counts once a group."""
    verdict = judge(curve(*levels), "smoke", **TREND)
    assert (verdict.word, verdict.parts[2].direction) == (f"trend: {word}", word)
    assert "of 1, against it" in verdict.reason


@pytest.mark.parametrize(("shift", "word"), [(1.0, "for"), (-1.0, "against"), (0.0, "flat")])
def test_a_pooled_statistic_below_its_scale(shift, word):
    """Its direction is told by its bootstrap standard error."""
    values = {"a": [1 + shift + v / 10 for v in MIXED]}
    assert judge(values, "smoke", **POOLED).word == f"trend: {word}"


def test_a_level_that_is_missing_opens_its_group_alone():
    """A hole in one level stops the claim; the other group is judged by itself."""
    other = {name.replace("mnist", "fashion"): list(values) for name, values in curve(0, 1, 2).items()}
    other["fashion/0.5"][1] = GONE
    verdict = judge(curve(0, 1, 2) | other, **TREND)
    assert (verdict.word, verdict.reason.split(" (")[0]) == ("open", "no rows for table1[method=uat] uer")
    assert [part.word for part in verdict.parts] == ["holds"] * 3 + ["inconclusive"] * 3
    assert verdict.parts[4].n == 4


def test_labels_of_levels_are_canonical():
    """0.50 is the level 0.5, and levels stand in the claimed order, not in that of the parts."""
    parts = {"mnist/1.0": [v + 2 for v in UP], "mnist/0.50": [v + 1 for v in UP], "mnist/0": UP}
    verdict = judge(parts, **TREND)
    assert (verdict.word, [part.name for part in verdict.parts]) == ("holds", ["mnist/0", "mnist/0.50", "mnist/1.0"])


@pytest.mark.parametrize(
    ("fields", "parts", "fault", "want"),
    [
        (RATIO | {"size": FOUR}, {"a": [4.0, 0.0]}, ValueError, "claim c1, part a, seed 1: 0.0 is not a factor"),
        (RATIO | {"size": FOUR}, {"a": [4.0, -1.0]}, ValueError, "part a, seed 1: -1.0 is not a factor"),
        (ABOVE, {"a": [50.0, 100.5]}, ValueError, "part a, seed 1: 100.5 is not a percentage"),
        (RATIO | {"size": FOUR}, {"a": UP, "b": UP}, UserError, "the part 'b' has no size"),
        (LOSS | {"margin": None}, {"a": UP}, UserError, "claim c1: kind no_loss needs margin"),
        (BAND | {"high": None}, {"a": UP}, UserError, "kind within needs high"),
        (TREND, {"mnist/0": UP, "mnist/1": UP}, UserError, "the group 'mnist' has no level 0.5"),
        (TREND, {"mnist/2": UP}, UserError, "the part 'mnist/2' is no level of a trend; expected group/level"),
        (TREND, {"mnist": UP}, UserError, "the part 'mnist' is no level"),
        (POOLED | {"statistic": "mode"}, {"a": MANY}, UserError, "no statistic 'mode'; expected mean, median, inter"),
    ],
)
def test_what_cannot_be_judged_is_named(fields, parts, fault, want):
    """Errors say which claim, part, seed and value, and what was expected."""
    with pytest.raises(fault, match=want):
        judge(parts, **fields)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([4.2, 4.25, 4.3, 4.2, 4.25], "as claimed"),
        ([6.0, 6.2, 6.1, 5.9, 6.3], "larger"),
        ([2.0, 2.2, 2.1, 1.9, 2.3], "smaller"),
        ([4.0, 4.6, 4.3, 4.4, 3.9], "inconclusive"),
    ],
)
def test_sizes_of_factors_are_judged_on_their_logarithms(values, word):
    """R11: the geometric mean against the claimed size, apart from the direction."""
    verdict = judge({"a": values}, "full", **RATIO, size=FOUR)
    assert verdict.parts[0].size_word == word
    far = judge({"a": [4.1, 4.1, 4.1, 4.1, 5.0]}, "full", **RATIO, size={"a": (Decimal(4), Decimal("4.26"))})
    assert far.parts[0].size_word == "inconclusive"


# Properties ---------------------------------------------------------------------------------------------------------

FIVE = st.lists(STEPS, min_size=5, max_size=5)
KINDS = [LOSS, BAND, ABOVE | {"unit": "1", "value": Decimal(1)}, RATIO | {"size": {"a": (Decimal(1), Decimal(3))}}]


def as_values(fields, values):
    """Values that the kind can have: factors are powers of two."""
    return [2.0**v for v in values] if fields["kind"] == "ratio" else values


@pytest.mark.parametrize("fields", KINDS, ids=lambda fields: fields["kind"])
@given(values=FIVE, factor=st.sampled_from([1.5, 2, 8]))
def test_a_wider_interval_never_settles_anything(fields, values, factor):
    """A wider spread about the same mean (a ratio: on logarithms) never turns inconclusive into more."""
    assume(judge({"a": as_values(fields, values)}, **fields).word == "inconclusive")
    mean = Fraction(sum(map(Fraction, values)), 5)
    wider = [float(mean + Fraction(factor) * (Fraction(v) - mean)) for v in values]
    assert judge({"a": as_values(fields, wider)}, **fields).word == "inconclusive"


@pytest.mark.parametrize("fields", [*KINDS, TREND], ids=lambda fields: fields["kind"])
@given(values=st.lists(FIVE, min_size=3, max_size=3), order=st.permutations(range(5)))
def test_the_order_of_seeds_changes_nothing(fields, values, order):
    """At a look every permutation of the seeds gives the same words."""
    names = [f"g/{level}" for level in TREND["levels"]] if fields["kind"] == "trend" else ["a"]
    parts = {name: as_values(fields, v) for name, v in zip(names, values, strict=False)}
    shuffled = {name: [v[i] for i in order] for name, v in parts.items()}
    here, there = judge(parts, "full", **fields), judge(shuffled, "full", **fields)
    assert words(here) == words(there)
    assert (here.p, here.p_reversed) == pytest.approx((there.p, there.p_reversed), rel=1e-6)


@pytest.mark.parametrize("power", [-20, 3])
@pytest.mark.parametrize(
    "fields", [LOSS, BAND, ABOVE | {"unit": "1"}, POOLED | {"looks": (20,)}], ids=lambda f: f["kind"]
)
@given(values=FIVE)
@settings(max_examples=20)
def test_no_unit_matters(fields, power, values):
    """Values, margin, band and constant in another unit give the same words; logits alone are not promised to."""
    values, unit = (values * 4 if fields["kind"] == "pooled" else values), Decimal(2) ** power
    scaled = {key: v * unit if isinstance(v, Decimal) else v for key, v in fields.items()}
    there = judge({"a": [v * 2.0**power for v in values]}, **scaled)
    assert words(judge({"a": values}, **fields)) == words(there)


@given(FIVE.map(lambda values: [50 + 20 * v for v in values]), st.integers(1, 99))
def test_a_share_and_its_complement_have_one_verdict(values, constant):
    """Above 80 % correct is below 20 % wrong, on the logits too."""
    assume(all(0 <= v <= 100 for v in values))
    here = judge({"a": values}, **ABOVE | {"value": Decimal(constant)})
    there = judge({"a": [100 - v for v in values]}, **ABOVE | {"value": Decimal(100 - constant), "side": "below"})
    assert (here.word, here.p, here.p_reversed) == (there.word, pytest.approx(there.p), pytest.approx(there.p_reversed))


@given(FIVE, FIVE)
def test_a_factor_and_its_inverse_are_mirrored(first, second):
    """A / B at least f is B / A at most 1 / f: the p of one side are those of the other."""
    factors = [2.0 ** (a - b) for a, b in zip(first, second, strict=True)]
    here = judge({"a": factors}, **RATIO, size={"a": (Decimal(2), Decimal(4))})
    there = judge({"a": [1 / f for f in factors]}, **RATIO, size={"a": (Decimal("0.5"), Decimal(1))})
    assert (here.p, here.p_reversed) == pytest.approx((there.p_reversed, there.p))


def test_wide_values_of_every_kind_wait_for_more_seeds():
    """No kind decides on values that spread over everything."""
    for fields in KINDS[:3]:
        assert judge({"a": WIDE}, **fields).word == "inconclusive"

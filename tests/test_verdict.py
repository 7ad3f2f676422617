"""Claims are judged as the rule book says: a table of cases, invariances as properties, and every reason in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from suite.contract import Missing
from suite.errors import UserError
from suite.facts import Claim
from suite.verdict import RULES, TESTS, ClaimVerdict, judge_claim, judge_exact, judge_share

UP = [1.0, 1.2, 0.9, 1.1, 1.3]
DOWN = [-value for value in UP]
FLAT = [0.01, -0.02, 0.0, 0.02, -0.01]
WIDE = [0.1, 5.0, 0.2, 9.0, 0.05]
MIXED = [2.0, -1.0, 1.0, -0.5, 0.4]


def claim(**fields: Any) -> Claim:
    """An ordering with the margin 0.5, decided at reduced, but for the given fields."""
    facts = {"id": "c1", "where": "Sect. 1", "says": "A beats B", "test": "a > b", "decidable": "reduced"}
    return Claim(**{**facts, "kind": "ordering", "margin": Decimal("0.5"), **fields})


def seeds(parts: Mapping[str, Sequence[Any]], first: int = 0) -> dict[int, dict[str, Any]]:
    """What a claim's function gives, by seed, from the values of its parts."""
    n = max(map(len, parts.values()))
    return {first + i: {name: values[i] for name, values in parts.items() if i < len(values)} for i in range(n)}


def judge(parts: Mapping[str, Sequence[Any]], scale: str = "reduced", **fields: Any) -> ClaimVerdict:
    """The verdict on the values of each part by seed."""
    return judge_claim(claim(**fields), seeds(parts), scale)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (UP, "holds"),
        (DOWN, "reversed"),
        (FLAT, "tied"),
        (MIXED, "inconclusive"),
        (WIDE, "inconclusive"),  # every seed is positive, but the t bound is not
        ([1.0, 1.1, 0.9, 1.05, -0.01], "inconclusive"),  # the t bound is positive, but not every seed
        ([1.0, 1.1, 0.9, 1.05, 0.0], "inconclusive"),
        ([0.1] * 5, "holds"),  # real and within the margin
        ([0.0] * 5, "tied"),
        ([0.5] * 2 + [0.0] + [-0.5] * 2, "inconclusive"),
        (UP[:4], "inconclusive"),
        (UP[:1], "inconclusive"),
        ([*UP, -9.0, -9.0], "holds"),  # seeds between looks are shown, not tested
        (UP + [-9.0] * 5, "inconclusive"),
        (UP * 2, "holds"),
        (WIDE * 2, "inconclusive"),
        (UP * 4, "holds"),
        (DOWN * 5, "reversed"),
        ([3.0, 2.0, -0.5, 4.0, 2.5, 3.5, 1.0, 2.0, 3.0, 1.5], "holds"),  # one seed of ten against it
        ([3.0, 2.0, -2.5, 4.0, 2.5, 3.5, 1.0, 2.0, -1.0, 1.5], "inconclusive"),
        ([0.3, -0.3] * 5, "tied"),
    ],
)
def test_one_part(values, word):
    """An ordering of one part holds, is reversed, is tied or is inconclusive."""
    assert judge({"mnist": values}).word == word


@pytest.mark.parametrize(
    ("over", "parts", "word"),
    [
        ("all", [UP, UP], "holds"),
        ("all", [UP, FLAT], "inconclusive"),
        ("all", [UP, WIDE], "inconclusive"),
        ("all", [UP, DOWN], "inconclusive"),
        ("all", [UP * 2, DOWN * 2], "reversed"),
        ("all", [DOWN, DOWN], "inconclusive"),  # five seeds cannot reverse "all" of two parts
        ("all", [DOWN * 2, DOWN * 2], "reversed"),
        ("all", [FLAT, FLAT], "tied"),
        ("all", [FLAT, MIXED], "inconclusive"),
        ("some", [UP, UP], "inconclusive"),  # five seeds cannot show "some" of two parts
        ("some", [UP * 2, DOWN * 2], "holds"),
        ("some", [DOWN, DOWN], "reversed"),
        ("some", [DOWN, FLAT], "inconclusive"),
        ("some", [FLAT, [0.1] * 5], "tied"),  # one is real, both lie within the margin
        (2, [UP * 2, UP * 2, DOWN * 2], "holds"),
        (2, [UP * 2, DOWN * 2, DOWN * 2], "reversed"),
        (2, [UP * 2, FLAT * 2, DOWN * 2], "inconclusive"),
        (2, [UP, UP, UP], "inconclusive"),
        (3, [UP, UP, UP], "holds"),
        (1, [UP], "holds"),
        ("some", [DOWN], "reversed"),
    ],
)
def test_joined_parts(over, parts, word):
    """Parts are joined as all, some or at least u of them; the reverse is the mirror image."""
    verdict = judge({f"part{i}": values for i, values in enumerate(parts)}, over=over)
    assert verdict.word == word
    assert verdict.rule == ("R6" if len(parts) == 1 else "R6, R7")


def test_a_verdict_holds_all_that_a_page_shows():
    """Values by seed, n, mean, interval, range, p, P(A > B) and word of each part; look and level of the claim."""
    verdict = judge({"mnist": [*UP, 7.0], "fashion": [*FLAT, 7.0]})
    assert (verdict.claim, verdict.scale, verdict.n, verdict.look, verdict.alpha) == ("c1", "reduced", 6, 5, 1 / 32)
    assert (verdict.next_look, verdict.seeds_needed, verdict.minutes) == (10, 4, None)
    part = verdict.parts[0]
    assert part.name == "mnist"
    assert part.values == dict(enumerate([*UP, 7.0]))
    assert (part.word, part.n, part.p, part.p_reversed, part.tied) == ("holds", 5, 1 / 32, 1.0, False)
    assert (part.mean, part.least, part.most) == (pytest.approx(1.1), 0.9, 1.3)
    assert (part.low, part.high) == pytest.approx((0.904, 1.296), abs=1e-3)
    assert part.share is not None
    assert (part.share.estimate, part.share.practically) == (1.0, "")
    assert [p.direction for p in verdict.parts] == ["for", "flat"]
    assert verdict.p == verdict.parts[1].p == pytest.approx(0.625)
    assert not verdict.post_hoc


def test_the_joined_p_counts_parts():
    """The p of "some" is the smallest part p times the number of parts, its mirror the largest reversed one."""
    verdict = judge({"a": UP * 2, "b": FLAT * 2, "c": MIXED * 2}, over="some")
    assert verdict.p == pytest.approx(3 * min(part.p for part in verdict.parts))
    assert verdict.p_reversed == pytest.approx(max(part.p_reversed for part in verdict.parts))


@pytest.mark.parametrize("word", ["holds", "inconclusive"])
def test_a_changed_declaration_is_marked_and_decides_nothing(word):
    """A verdict under another declaration is marked post hoc; its word is the same."""
    by_seed = seeds({"mnist": UP if word == "holds" else MIXED})
    verdict = judge_claim(claim(), by_seed, "reduced", post_hoc=True)
    assert verdict == replace(judge_claim(claim(), by_seed, "reduced"), post_hoc=True)
    assert verdict.word == word


def test_margin_and_looks_are_read_from_the_claim():
    """A wider margin, no margin and other looks change the verdict; nothing is chosen elsewhere."""
    values = {"mnist": [0.3, -0.1, 0.2, -0.2, 0.1]}
    assert judge(values).word == "tied"
    assert judge(values, margin=Decimal("0.2")).word == "inconclusive"
    assert judge({"mnist": FLAT}, margin=None).word == "inconclusive"
    assert judge({"mnist": UP * 2}, looks=(20,)).word == "inconclusive"
    one_look = judge({"mnist": [*UP * 4, -1.0, -1.0]}, looks=(22,))
    assert (one_look.word, one_look.look, one_look.alpha) == ("holds", 22, 0.05)
    with pytest.raises(ValueError, match="looks"):
        judge({"mnist": UP * 2}, looks=(8,))


def test_seeds_are_taken_in_their_order_whatever_the_order_of_the_mapping():
    """The first five seeds by number are tested, not those that happen to come first."""
    by_seed = seeds({"mnist": [*UP, -9.0, -9.0]})
    backwards = dict(reversed(by_seed.items()))
    assert judge_claim(claim(), backwards, "reduced") == judge_claim(claim(), by_seed, "reduced")


@pytest.mark.parametrize(
    ("n", "want"),
    [
        (1, "1 of the 5 seeds of the first look; next look at n = 5 (seeds needed: 4, about 48 min)"),
        (4, "4 of the 5 seeds of the first look; next look at n = 5 (seeds needed: 1, about 12 min)"),
        (5, "next look at n = 10 (seeds needed: 5, about 60 min)"),
        (7, "next look at n = 10 (seeds needed: 3, about 36 min)"),
        (10, "next look at n = 20 (seeds needed: 10, about 120 min)"),
        (20, "no further look is planned"),
        (25, "no further look is planned"),
    ],
)
def test_inconclusive_says_what_would_settle_it(n, want):
    """The reason ends with the next look, the seeds that it needs and their minutes."""
    verdict = judge_claim(claim(), seeds({"mnist": (MIXED * 5)[:n]}), "reduced", minutes=12)
    assert verdict.word == "inconclusive"
    assert verdict.reason.endswith(want)
    assert (verdict.next_look is None) == (n >= 20)
    if verdict.seeds_needed:
        assert verdict.minutes == 12 * verdict.seeds_needed


@pytest.mark.parametrize(
    ("over", "parts", "n", "want"),
    [
        (
            "all",
            [UP, FLAT],
            1,
            "one by one, 1 of 2 parts hold and 0 are reversed, 2 are needed (level 0.0312, n = 5); next",
        ),
        ("all", [DOWN, DOWN], 1, "5 seeds cannot show this claim on 2 parts to be reversed, n = 10 is the first look"),
        (
            "some",
            [MIXED, UP],
            1,
            "5 seeds cannot show this claim on 2 parts to hold, n = 10 is the first look that can",
        ),
        ("some", [MIXED] * 11, 2, "10 seeds cannot show this claim on 11 parts to hold, n = 20 is the first look that"),
        ("all", [UP, UP], 1, "at least 2 of 2 parts are as claimed (p = 0.0312, level 0.0312, n = 5)"),
        ("some", [DOWN, DOWN], 1, "at least 2 of 2 parts go the other way (p = 0.0312, level 0.0312, n = 5)"),
        ("all", [FLAT, FLAT], 1, "in all 2 parts the difference lies within the margin 0.5 (n = 5)"),
        (
            "all",
            [FLAT],
            1,
            "mean 0 (95 % interval -0.0196 to 0.0196) at n = 5, p = 0.625, level 0.0312; shown to lie within",
        ),
        ("all", [MIXED], 1, "p = 0.312, level 0.0312; not shown to lie within the margin 0.5; next look at n = 10"),
        ("all", [DOWN], 1, "mean -1.1 (95 % interval -1.3 to -0.904) at n = 5, p = 0.0312, level 0.0312"),
        ("all", [[0.1] * 5], 1, "p = 0.0312, level 0.0312; shown to lie within the margin 0.5"),
    ],
)
def test_reasons_are_sentences(over, parts, n, want):
    """Every verdict says why, in one sentence with the numbers that decided it."""
    verdict = judge({f"p{i}": values * n for i, values in enumerate(parts)}, over=over)
    assert want in verdict.reason


def test_numbers_in_reasons_are_short_and_plain():
    """A large mean is written without exponent, a tiny one with."""
    assert "mean 110000 " in judge({"a": [1e5 * v for v in UP]}).reason
    assert "mean 1.1e-09 " in judge({"a": [1e-9 * v for v in UP]}).reason


SMALL = {
    "reduced": ["smoke"],
    "full-cpu": ["smoke", "reduced"],
    "full-cuda": ["smoke", "reduced"],
    "smoke": [],
    "exact": [],
}


@pytest.mark.parametrize("scale", ["smoke", "reduced", "full"])
@pytest.mark.parametrize("decidable", SMALL)
def test_scales(decidable, scale):
    """A claim is judged at its scale and above; below it shows a trend, which names where it is judged."""
    verdict = judge({"mnist": UP}, scale, decidable=decidable)
    if scale in SMALL[decidable]:
        assert (verdict.word, verdict.rule, verdict.look, verdict.p) == ("trend: for", "R15", None, None)
        assert verdict.reason.endswith(f"judged at {decidable}")
    else:
        assert verdict.word == "holds"


def test_an_unknown_scale_is_refused():
    """A scale that does not exist is a fault of the caller."""
    with pytest.raises(ValueError, match="'huge': expected one of smoke, reduced, full"):
        judge({"mnist": UP}, "huge")


@pytest.mark.parametrize(
    ("over", "parts", "word"),
    [
        ("all", [UP], "for"),
        ("all", [DOWN], "against"),
        ("all", [FLAT], "flat"),
        ("all", [[1.0]], "flat"),
        ("all", [[1.0, 1.1]], "for"),
        ("all", [[2.0, 2.0]], "for"),
        ("all", [UP, FLAT], "flat"),
        ("all", [UP, DOWN], "against"),
        ("some", [UP, DOWN], "for"),
        ("some", [FLAT, DOWN], "flat"),
        ("some", [DOWN, DOWN], "against"),
        (2, [UP, UP, DOWN], "for"),
        (2, [UP, DOWN, DOWN], "against"),
        (2, [UP, FLAT, DOWN], "flat"),
    ],
)
def test_trends_below_the_scale(over, parts, word):
    """A trend needs a mean more than one standard error from 0; parts join by counting; one seed is flat."""
    verdict = judge({f"part{i}": values for i, values in enumerate(parts)}, "smoke", over=over)
    assert verdict.word == f"trend: {word}"
    assert all(part.word == f"trend: {part.direction}" for part in verdict.parts)


def test_one_seed_says_so():
    """One seed has a sign but no standard error: flat, with the reason."""
    verdict = judge({"mnist": [3.0]}, "smoke")
    assert verdict.reason == "one seed cannot tell a direction from chance; judged at reduced"
    assert (verdict.parts[0].mean, verdict.parts[0].low, verdict.parts[0].most) == (3.0, None, 3.0)


@pytest.mark.parametrize(
    ("fields", "values", "word"),
    [
        ({"kind": "no_loss"}, [0.1, 0.2, 0.15], "for"),  # a loss that is real and below the margin 0.5
        ({"kind": "no_loss"}, [0.7, 0.8, 0.75], "against"),
        ({"kind": "no_loss"}, [0.2, 0.8, 0.5], "flat"),
        ({"kind": "threshold", "value": Decimal(80), "side": "above"}, [82.0, 85.0], "for"),
        ({"kind": "threshold", "value": Decimal(80), "side": "below"}, [82.0, 85.0], "against"),
        ({"kind": "threshold", "value": Decimal(80), "side": "above"}, [79.0, 82.0], "flat"),
        ({"kind": "within", "low": Decimal(2), "high": Decimal(4)}, [2.9, 3.1], "for"),
        ({"kind": "within", "low": Decimal(2), "high": Decimal(4)}, [4.5, 4.6], "against"),
        ({"kind": "within", "low": Decimal(2), "high": Decimal(4)}, [3.5, 4.5], "flat"),
        ({"kind": "ratio", "size": {"a": (Decimal("1.8"), Decimal("2.2"))}}, [2.0, 2.1], "for"),
        ({"kind": "ratio", "size": {"a": (Decimal("1.8"), Decimal("2.2"))}}, [0.9, 1.1], "against"),
        ({"kind": "ratio", "size": {"a": (Decimal(2), Decimal(3))}}, [1.0, 4.0], "flat"),
    ],
)
def test_trends_of_other_kinds(fields, values, word):
    """The value of each kind alone tells on which side of what is claimed the mean lies."""
    verdict = judge({"a": values}, "smoke", **fields)
    assert (verdict.word, verdict.parts[0].share) == (f"trend: {word}", None)


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        ({"kind": "curve"}, UP),
        ({"kind": "ratio"}, UP),
        ({"kind": "no_loss", "margin": None}, UP),
    ],
)
def test_no_trend_is_made_up(fields, values):
    """Where the value of a part has no direction by itself, the claim stays open below its scale."""
    verdict = judge({"a": values}, "smoke", **fields)
    assert (verdict.word, verdict.parts[0].direction) == ("open", "")
    assert "has no direction by itself; judged at reduced" in verdict.reason


@pytest.mark.parametrize("kind", sorted(set(RULES) - set(TESTS) - {"exact"}))
def test_a_rule_that_is_not_built_is_open(kind):
    """At its scale a kind without a rule is open and says which rule is missing; its values are shown."""
    verdict = judge({"a": UP}, kind=kind)
    assert (verdict.word, verdict.reason) == ("open", f"rule {RULES[kind]} is not built yet")
    assert verdict.parts[0].mean == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("over", "parts", "word"),
    [
        ("all", [[0.0]], "exact"),
        ("all", [[0.0, 0.0]], "exact"),
        ("all", [[0.0, 1e-12]], "contradicts"),
        ("all", [[1.0, -1.0]], "contradicts"),
        ("all", [[0.0], [2.0]], "contradicts"),
        ("some", [[0.0], [2.0]], "exact"),
        (2, [[0.0], [2.0], [1.0]], "contradicts"),
        (2, [[0.0], [2.0], [0.0]], "exact"),
    ],
)
def test_exact_facts(over, parts, word):
    """A part that is 0 holds exactly, anything else contradicts; one seed is enough."""
    verdict = judge({f"p{i}": v for i, v in enumerate(parts)}, "smoke", kind="exact", decidable="exact", over=over)
    assert (verdict.word, verdict.rule) == (word, "R12")


def test_an_exact_fact_says_by_how_much_it_is_missed():
    """The reason counts the parts and names the largest differences."""
    verdict = judge({"lenet": [0.0], "vgg": [12.0, -30.0]}, "smoke", kind="exact", decidable="exact")
    assert verdict.reason == "parts met exactly: 1 of 2; vgg is off by -30"
    assert [part.word for part in verdict.parts] == ["exact", "contradicts"]


@pytest.mark.parametrize(("value", "word"), [(0.0, "trend: for"), (3.0, "trend: against")])
def test_an_exact_fact_below_its_scale_is_a_trend(value, word):
    """What is decidable at full only is not decided by the smoke rows."""
    assert judge({"a": [value]}, "smoke", kind="exact", decidable="full-cpu").word == word


GONE = Missing("table1[method=uat] uer")


@pytest.mark.parametrize(
    ("scale", "kind"), [("smoke", "ordering"), ("reduced", "ordering"), ("reduced", "exact"), ("full", "curve")]
)
def test_a_claim_with_a_missing_part_is_not_judged_but_its_other_parts_are_shown(scale, kind):
    """No rows for one part: the claim is open at every scale, and the other part keeps its numbers."""
    verdict = judge({"mnist": UP, "fashion": [GONE] * 5}, scale, kind=kind, decidable="reduced")
    assert (verdict.word, verdict.reason.split(";")[0]) == ("open", "no rows for table1[method=uat] uer")
    assert verdict.parts[0].mean == pytest.approx(1.1)
    assert (verdict.parts[1].word, verdict.parts[1].mean, verdict.parts[1].n) == ("open", None, 0)


def test_the_other_parts_of_an_open_claim_are_judged_by_themselves():
    """What is there is tested on its own first seeds."""
    verdict = judge({"mnist": DOWN, "iris": UP[:3], "fashion": [GONE] * 5})
    assert [part.word for part in verdict.parts] == ["reversed", "inconclusive", "open"]
    assert verdict.parts[1].reason == "3 of 5 seeds"


@pytest.mark.parametrize(
    ("values", "word", "n"),
    [
        ([1.0, GONE, 0.9, 1.1, 1.3, 1.2], "open", 1),
        ([1.0, 1.2, 0.9, 1.1, 1.3, GONE, *UP], "holds", 5),
        ([1.0, 1.2, GONE], "open", 2),
    ],
)
def test_a_seed_with_a_hole_is_never_skipped(values, word, n):
    """A failed seed among the first ones stops the claim instead of making room for a luckier one."""
    verdict = judge({"mnist": values})
    assert (verdict.word, verdict.n) == (word, n)
    if word == "open":
        assert verdict.reason == f"no rows for table1[method=uat] uer (seed {n})"


def test_a_part_that_a_seed_does_not_name_is_missing_there():
    """Parts are the union over the seeds; a part without rows at seeds 3 and 4 is a hole there."""
    verdict = judge({"mnist": UP, "fashion": UP[:3]})
    assert (verdict.word, verdict.reason) == ("open", "no rows for part fashion (seed 3, 4)")


@pytest.mark.parametrize("by_seed", [{}, {0: {}}])
def test_nothing_measured_is_open(by_seed):
    """Without any value there is no verdict, no zero and no empty cell."""
    verdict = judge_claim(claim(), by_seed, "reduced")
    assert (verdict.word, verdict.reason, verdict.parts) == ("open", "nothing was measured at reduced", ())


@pytest.mark.parametrize("parts", [{}, {"a": UP}])
def test_private_data(parts):
    """A claim on data that is not public says so at every scale; what was measured on other data is shown."""
    verdict = judge_claim(claim(decidable="private"), seeds(parts) if parts else {}, "full")
    assert (verdict.word, len(verdict.parts)) == ("private data", len(parts))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_refused_by_name(bad):
    """The error names claim, part, seed and value, at every scale."""
    for scale in ("smoke", "reduced"):
        with pytest.raises(ValueError, match=f"claim c1, part mnist, seed 1: {bad} is not a finite number"):
            judge({"mnist": [1.0, bad]}, scale)


def test_a_claim_that_asks_for_parts_that_are_not_there():
    """More parts than there are, and a size for an unknown part, are the user's to mend."""
    with pytest.raises(UserError, match="at_least: 3 of 2 parts"):
        judge({"a": UP, "b": UP}, over=3)
    with pytest.raises(UserError, match="size names the part 'c'; its parts are a, b"):
        judge({"a": UP, "b": UP}, size={"c": (Decimal(1), Decimal(2))})


@pytest.mark.parametrize(
    ("a", "b", "word", "parts"),
    [
        ((0.5, 2), (0.5, 2), "as claimed", ["as claimed", "as claimed"]),
        ((2, 3), (0.5, 2), "not as claimed", ["smaller", "as claimed"]),
        ((0.1, 0.4), (1, 1.5), "not as claimed", ["larger", "inconclusive"]),
        ((1, 1.5), (0.5, 2), "inconclusive", ["inconclusive", "as claimed"]),
    ],
)
def test_sizes_at_full(a, b, word, parts):
    """Direction and size are judged apart: the claim holds while its size is met, missed or not settled."""
    size = {name: tuple(Decimal(str(end)) for end in band) for name, band in (("a", a), ("b", b))}
    verdict = judge({"a": UP, "b": UP, "c": UP}, "full", size=size)
    assert (verdict.word, verdict.size_word) == ("holds", word)
    assert [part.size_word for part in verdict.parts] == [*parts, ""]
    assert verdict.size_reason == f"a: {parts[0]}, b: {parts[1]} (n = 5)"


@pytest.mark.parametrize(
    ("scale", "values", "kind", "word"),
    [
        ("reduced", UP, "ordering", "judged at full"),
        ("smoke", UP, "ordering", "judged at full"),
        ("full", UP[:3], "ordering", "inconclusive"),
        ("full", UP, "curve", "open"),
        ("full", [GONE] * 5, "ordering", "open"),
    ],
)
def test_sizes_elsewhere(scale, values, kind, word):
    """Below full a size is not judged; without a tested part it is not settled or open."""
    verdict = judge({"a": values}, scale, kind=kind, size={"a": (Decimal(1), Decimal(2))})
    assert (verdict.size_word, verdict.size_reason) == (word, "")


@pytest.mark.parametrize(
    ("printed", "computed", "word", "low", "high"),
    [
        ("61706", 61_706, "exact", "61705.5", "61706.5"),
        ("61706", 61_708, "contradicts", "61705.5", "61706.5"),
        ("0.13", Fraction(1, 8), "exact", "0.125", "0.135"),
        ("0.12", Fraction(1, 8), "exact", "0.115", "0.125"),
        ("0.11", 0.125, "contradicts", "0.105", "0.115"),
    ],
)
def test_a_printed_number_beside_an_exact_one(printed, computed, word, low, high):
    """Equal after rounding either way is exact; the interval that the digits stand for is given."""
    verdict = judge_exact(Decimal(printed), computed)
    assert (verdict.word, verdict.low, verdict.high) == (word, Decimal(low), Decimal(high))
    assert verdict.reason == f"computed {computed}; the printed {printed} stands for {low} to {high}"
    assert bool(verdict.roundings) == (word == "exact")


@pytest.mark.parametrize(
    ("printed", "n", "word", "reason"),
    [
        ("94.0", 10_000, "exact", "9395 to 9405 of 10000 items can be printed as 94.0"),
        ("33.3", 3, "exact", "1 of 3 items can be printed as 33.3"),
        ("33.4", 3, "contradicts", "no count of 3 items can be printed as 33.4"),
        ("100.1", 50, "contradicts", "no count of 50 items can be printed as 100.1"),
    ],
)
def test_a_printed_share_must_be_a_count_of_items(printed, n, word, reason):
    """A percentage on n items exists or it does not."""
    verdict = judge_share(Decimal(printed), n)
    assert (verdict.word, verdict.reason) == (word, reason)
    assert verdict.low < Decimal(printed) < verdict.high


STEPS = st.integers(-20, 20).map(lambda k: k / 8)
OVER = st.sampled_from(["all", "some", 1, 2])
SCALE = st.sampled_from(["smoke", "reduced", "full"])


def parts_of(n: int | None = None) -> st.SearchStrategy[dict[str, list[float]]]:
    """Two or three parts over n seeds, or over one to twelve."""
    each = st.integers(1, 12) if n is None else st.just(n)
    return each.flatmap(
        lambda k: st.integers(2, 3).flatmap(
            lambda m: st.fixed_dictionaries({f"p{i}": st.lists(STEPS, min_size=k, max_size=k) for i in range(m)})
        )
    )


def words(verdict: ClaimVerdict) -> tuple[Any, ...]:
    """What a verdict says, without the numbers that carry a unit."""
    parts = {part.name: (part.word, part.direction, part.tied, part.n, part.size_word) for part in verdict.parts}
    return (verdict.word, verdict.size_word, verdict.look, verdict.seeds_needed, parts)


SIZE = {"p0": (Decimal("0.5"), Decimal(2))}


@given(parts_of(), OVER, SCALE, st.integers(-60, 60))
def test_no_unit_matters(parts, over, scale, power):
    """Values, margin and sizes in another unit give the same verdict."""
    unit = Decimal(2) ** power
    scaled = {name: [value * 2.0**power for value in values] for name, values in parts.items()}
    size = {"p0": (SIZE["p0"][0] * unit, SIZE["p0"][1] * unit)}
    here = judge(parts, scale, over=over, size=SIZE)
    there = judge(scaled, scale, over=over, margin=Decimal("0.5") * unit, size=size)
    assert words(here) == words(there)


@pytest.mark.parametrize("unit", ["0.01", "100", "1e-12", "1e12"])
@pytest.mark.parametrize("values", [UP, DOWN, FLAT, MIXED, WIDE * 2, UP * 4], ids=str)
def test_points_and_fractions_agree(values, unit):
    """Percentage points and fractions give the same verdict and the same p."""
    here = judge({"a": values})
    there = judge({"a": [value * float(unit) for value in values]}, margin=Decimal("0.5") * Decimal(unit))
    assert words(here) == words(there)
    assert (there.p, there.p_reversed) == pytest.approx((here.p, here.p_reversed))


@given(parts_of(), OVER, SCALE, st.lists(st.integers(0, 10**6), min_size=12, max_size=12, unique=True))
def test_seed_numbers_do_not_matter(parts, over, scale, numbers):
    """Other numbers in the same order: the same verdict, word for word, but for the numbers themselves."""
    by_seed = seeds(parts)
    renamed = dict(zip(sorted(numbers), by_seed.values(), strict=False))
    here, there = judge_claim(claim(over=over), by_seed, scale), judge_claim(claim(over=over), renamed, scale)
    assert replace(here, parts=()) == replace(there, parts=())
    assert words(here) == words(there)


@given(st.sampled_from([5, 10]).flatmap(parts_of), OVER, SCALE, st.randoms(use_true_random=False))
def test_the_order_of_seeds_does_not_matter_at_a_look(parts, over, scale, random):
    """At a look every permutation of the seeds gives the same verdict."""
    by_seed = seeds(parts)
    shuffled = dict(enumerate(random.sample(list(by_seed.values()), len(by_seed))))
    assert words(judge_claim(claim(over=over), by_seed, scale)) == words(judge_claim(claim(over=over), shuffled, scale))


@given(st.sampled_from([5, 10]).flatmap(parts_of), st.integers(1, 2), SCALE)
def test_negated_differences_give_the_mirror_image(parts, u, scale):
    """The claim that B beats A in at least k - u + 1 parts holds where A beats B in at least u is reversed."""
    mirror = {"holds": "reversed", "reversed": "holds", "trend: for": "trend: against", "trend: against": "trend: for"}
    here = judge(parts, scale, over=u)
    there = judge({n: [-v for v in values] for n, values in parts.items()}, scale, over=len(parts) - u + 1)
    assert there.word == mirror.get(here.word, here.word)
    assert [part.word for part in there.parts] == [mirror.get(part.word, part.word) for part in here.parts]
    assert (there.p, there.p_reversed) == (here.p_reversed, here.p)


@given(st.sampled_from([5, 10]).flatmap(parts_of), OVER, st.sampled_from([1.5, 2, 8]))
def test_a_wider_spread_never_settles_anything(parts, over, factor):
    """Wider spreads about the same means never turn inconclusive into holds, reversed or tied."""
    here = judge(parts, over=over)
    assume(here.word == "inconclusive")
    means = {name: Fraction(sum(map(Fraction, values)), len(values)) for name, values in parts.items()}
    wider = {n: [float(means[n] + Fraction(factor) * (Fraction(v) - means[n])) for v in parts[n]] for n in parts}
    assert judge(wider, over=over).word == "inconclusive"


@given(parts_of(), OVER, SCALE, st.randoms(use_true_random=False))
def test_the_order_of_parts_does_not_matter(parts, over, scale, random):
    """Parts in another order: the same claim."""
    shuffled = {name: parts[name] for name in random.sample(sorted(parts), len(parts))}
    assert words(judge(parts, scale, over=over, size=SIZE)) == words(judge(shuffled, scale, over=over, size=SIZE))


@given(st.integers(5, 12).flatmap(parts_of), OVER)
def test_seeds_between_looks_change_nothing_that_is_tested(parts, over):
    """Six to nine seeds say what the first five say, eleven and twelve what the first ten say."""
    look = 10 if len(parts["p0"]) >= 10 else 5
    here, there = judge(parts, over=over), judge({n: v[:look] for n, v in parts.items()}, over=over)
    assert (here.word, here.p, here.look) == (there.word, there.p, look)
    assert [part.mean for part in here.parts] == [part.mean for part in there.parts]


@given(parts_of(), OVER, SCALE)
def test_every_verdict_has_a_word_and_a_reason(parts, over, scale):
    """No verdict is silent, and only an inconclusive one promises more seeds."""
    verdict = judge(parts, scale, over=over)
    assert verdict.word in {"holds", "reversed", "tied", "inconclusive", "trend: for", "trend: against", "trend: flat"}
    assert len(verdict.reason) > 10
    assert (verdict.seeds_needed is not None) == (verdict.word == "inconclusive")

"""The error rates that the rules for claims attain on simulated draws, by look and over the three looks together.

What is simulated is what a verdict calls: the test of ``suite.kinds`` and the joining of parts (R7), on normal draws in
units of their standard deviation, with equal spreads and with three times the spread in every third seed or in one
level. The null is the worst that a claim allows: the edge of its margin, band or constant. That a claim is falsely
reversed needs no draws of its own where the mirror image of a rule is that rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import partial

import numpy as np

from suite import equivalence, kinds, pooling, statistics
from suite.facts import Claim
from suite.statistics import ALPHA, ALPHA_ONE_LOOK, Flags, Floats, Rate, decide, inside, ordering
from suite.trends import page_p

Answer = Callable[[Floats, float], Flags]  # of values (draws, parts, n) at a level
LAST = max(ALPHA)
SPREADS = {"equal": 1.0, "unequal": 3.0}
LEVELS = ("a", "b", "c", "d", "e")


def attained_rates(draws: int = 20_000, seed: int = 0, rules: Sequence[str] = ()) -> list[Rate]:
    """The rates of the rules for claims and of those for printed numbers; of all in ``RULES``, or of those named.

    A function of draws and seed.
    """
    return [rate for rule in rules or RULES for rate in RULES[rule](draws, seed)]


def _r6_and_r7(draws: int, seed: int) -> Iterable[Rate]:
    """The null of a joined claim: as many parts as it allows hold beyond doubt, the others have no effect."""
    rng = np.random.default_rng([seed, 0])
    shared, own = rng.standard_normal((draws, 1, LAST)), rng.standard_normal((draws, 4, LAST))
    for name, scale in _spreads():
        yield from _rates("R6", f"false holds, {name} spreads", shared * scale, _holds(1))
        for margin in (0.5, 1.0, 4.0):
            what = f"false tied, {name} spreads, margin {margin:g} sd"
            yield from _rates("R6", what, shared * scale + margin, partial(_tied, margin=margin))
        for parts, drawn in {"independent": own, "correlated": 0.6 * own + 0.8 * shared}.items():
            for over, u in {"all": 4, "at least 2": 2, "some": 1}.items():
                certain = np.where(np.arange(4) < u - 1, 100.0, 0.0)[:, None]
                what = f"false holds, {name} spreads, {over} of 4 {parts} parts"
                yield from _rates("R7", what, drawn * scale + certain, _holds(u))
    for shift in (0.5, 1.0, 1.5):
        yield from _rates("R6", f"power, shift {shift:g} sd", shared + shift, _holds(1), promised=False)


def _r8(draws: int, seed: int) -> Iterable[Rate]:
    """A loss of exactly the margin, in one part and in four; what skewed losses do, of which nothing is promised."""
    rng = np.random.default_rng([seed, 1])
    drawn, claim = rng.standard_normal((draws, 4, LAST)), _claim("no_loss", margin=Decimal(1))
    for name, scale in _spreads():
        edge = 1 + drawn * scale
        for word in ("holds", "reversed"):
            yield from _rates("R8", f"false {word}, {name} spreads", edge[:, :1], _says(claim, word))
        some = _claim("no_loss", margin=Decimal(1), over="some")
        yield from _rates("R8", f"false holds, {name} spreads, some of 4 independent parts", edge, _says(some, "holds"))
    for margin in (1.0, 1.5, 2.0):
        what = f"power, no loss and a margin of {margin:g} sd"
        yield from _rates("R8", what, drawn[:, :1] + 1 - margin, _says(claim, "holds"), promised=False)
    skewed = rng.standard_exponential((draws, 1, LAST))
    what = "false holds, exponential losses (skewed, not promised)"
    yield from _rates("R8", what, skewed, _says(claim, "holds"), promised=False)


def _r9(draws: int, seed: int) -> Iterable[Rate]:
    """Five levels without a trend: alike, one of them spread widely, or each like its neighbour in every seed."""
    rng = np.random.default_rng([seed, 2])
    drawn, claim = rng.standard_normal((draws, len(LEVELS), LAST)), _claim("trend", levels=LEVELS)
    first, both = (np.array(scale)[:, None] for scale in ([3.0, 1, 1, 1, 1], [3.0, 1, 1, 1, 3]))
    nulls = {f"{name} spreads of the seeds": drawn * scale for name, scale in _spreads()}
    nulls |= {"the first level three times the spread": drawn * first, "the outer levels": drawn * both}
    nulls |= {"neighbouring levels alike (a random walk)": drawn.cumsum(axis=1)}
    for name, values in nulls.items():
        yield from _rates("R9", f"false holds, {name}", values, _says(claim, "holds"))
    alone = "Page's p alone, neighbouring levels alike (not promised)"
    yield from _rates("R9", alone, drawn.cumsum(axis=1), lambda x, alpha: page_p(x) <= alpha, promised=False)
    for slope in (0.25, 0.5):
        rising = drawn + slope * np.arange(len(LEVELS))[:, None]
        yield from _rates("R9", f"power, {slope:g} sd a level", rising, _says(claim, "holds"), promised=False)
    bent = drawn + np.array([0.0, 2, 4, 3, 5])[:, None]
    what = "holds, 2 sd a level but one fall of 1 sd (listed in the reason, not promised)"
    yield from _rates("R9", what, bent, _says(claim, "holds"), promised=False)


def _r11(draws: int, seed: int) -> Iterable[Rate]:
    """Factors with log-normal noise of 10 % at the low end of the claimed size, and sizes at either edge."""
    rng = np.random.default_rng([seed, 3])
    drawn = 0.1 * rng.standard_normal((draws, 1, LAST))
    claim = _claim("ratio", size={"part": (Decimal(4), Decimal(5))})
    for name, scale in _spreads():
        what = f"false holds of a factor of 4, {name} spreads"
        yield from _rates("R11", what, 4 * np.exp(drawn * scale), _says(claim, "holds"))
        for width in (1.0, 4.0):
            band = (-0.05 * width, 0.05 * width)
            outside = partial(_outside, band=band)
            for end, shift in (("low", band[0]), ("high", band[1])):
                what = f"at the {end} end of a size {width:g} sd wide, {name} spreads"
                edge = drawn * scale + shift
                yield from _rates("R11", f"false as claimed, {what}", edge, partial(_inside, band=band))
                yield from _rates("R11", f"false smaller or larger, {what}", edge, outside)
    for factor in (4.2, 4.4):
        what = f"power, a factor of {factor:g} for one of 4"
        yield from _rates("R11", what, factor * np.exp(drawn), _says(claim, "holds"), promised=False)


def _threshold(draws: int, seed: int) -> Iterable[Rate]:
    """Rates at a constant of 80 %, near the ceiling, where items are few and 100 % occurs, and skewed ones."""
    rng = np.random.default_rng([seed, 4])
    drawn = rng.standard_normal((draws, 1, LAST))
    percent = {side: _claim("threshold", value=Decimal(80), side=side, unit="%") for side in ("above", "below")}
    number = _claim("threshold", value=Decimal("0.9"), side="above", unit="1")
    for name, scale in _spreads():
        logits = 100 / (1 + np.exp(-(np.log(4.0) + 0.3 * drawn * scale)))
        for side, claim in percent.items():
            yield from _rates("R19", f"threshold, false {side} 80 %, {name} spreads", logits, _says(claim, "holds"))
        plain = np.clip(80 + 3 * drawn * scale, 0, 100)
        what = f"threshold, false above 80 %, {name} spreads of 3 points"
        yield from _rates("R19", what, plain, _says(percent["above"], "holds"))
        what = f"threshold, false above 0.9, {name} spreads"
        yield from _rates("R19", what, 0.9 + 0.05 * drawn * scale, _says(number, "holds"))
    for items, value in ((10_000, "99.8"), (1_000, "99.8"), (100, "99")):
        counted = rng.binomial(items, float(value) / 100, (draws, 1, LAST)) * 100 / items
        claim = _claim("threshold", value=Decimal(value), side="above", unit="%")
        what = f"above {value} %, {items:,} items a seed"
        yield from _rates("R19", f"threshold, false {what}", counted, _says(claim, "holds"))
    logits = statistics.logit(counted) - statistics.logit([99.0])
    yield from _rates("R19", f"logits alone, {what} (not promised)", logits, _holds(1), promised=False)
    skewed = 1.9 - rng.standard_exponential((draws, 1, LAST))
    what = "threshold, false above 0.9, exponential values (skewed, not promised)"
    yield from _rates("R19", what, skewed, _says(number, "holds"), promised=False)


def _within(draws: int, seed: int) -> Iterable[Rate]:
    """A mean at the edge of the band, which counts as either."""
    rng = np.random.default_rng([seed, 5])
    drawn = rng.standard_normal((draws, 1, LAST))
    for name, scale in _spreads():
        for width in (0.5, 4.0):
            claim = _claim("within", low=Decimal(0), high=Decimal(str(width)))
            for word in ("holds", "reversed"):
                what = f"within, false {word}, a band of {width:g} sd, {name} spreads"
                yield from _rates("R19", what, drawn * scale, _says(claim, word))
    claim = _claim("within", low=Decimal(0), high=Decimal(4))
    yield from _rates("R19", "within, power, the middle of 4 sd", drawn + 2, _says(claim, "holds"), promised=False)


def _pooled(draws: int, seed: int) -> Iterable[Rate]:
    """Each statistic at its constant, at the look n = 20 and at one planned n above it."""
    rng = np.random.default_rng([seed, 6])
    drawn = rng.standard_normal((draws, 50))
    for name in pooling.STATISTICS:
        for spreads, scale in _spreads(50):
            what = f"pooled, false holds of the {name}, {spreads} spreads"
            for n in (LAST, 21, 50):
                alpha = ALPHA.get(n, ALPHA_ONE_LOOK)
                p = pooling.pooled_p(name, (drawn * scale)[..., :n], 0.0)
                yield Rate("R19", what, n, alpha, float((p <= alpha).mean()))


def _claim(kind: str, **fields: object) -> Claim:
    return Claim(id="c1", where="", says="", test="", decidable="reduced", kind=kind, **fields)  # type: ignore[arg-type]


def _spreads(n: int = LAST) -> list[tuple[str, Floats]]:
    """Scales of the seeds: all alike, and every third with three times the spread."""
    return [(name, np.where(np.arange(n) % 3 == 0, spread, 1.0)) for name, spread in SPREADS.items()]


def _says(claim: Claim, word: str) -> Answer:
    """Whether a claim gets a word, by the test of its kind and R7."""

    def answer(seen: Floats, alpha: float) -> Flags:
        names = ["part"] if claim.kind == "ratio" else [f"part{i}" for i in range(seen.shape[-2])]
        groups = {"group": list(claim.levels)} if claim.levels else {name: [name] for name in names}
        evidence = kinds.TESTS[claim.kind].test(claim, groups, seen, alpha, False)
        decided = decide(evidence, claim.needed(len(groups)), alpha)
        return decided[("holds", "reversed", "tied").index(word)]

    return answer


def _holds(u: int) -> Answer:
    """An ordering in at least u parts."""
    return lambda seen, alpha: decide(ordering(seen, None, alpha, complete=False), u, alpha)[0]


def _tied(seen: Floats, alpha: float, margin: float) -> Flags:
    """Tied by the interval alone: what holds as well is counted too."""
    return np.asarray(inside(seen, -margin, margin, alpha).all(axis=-1))


def _inside(seen: Floats, alpha: float, band: tuple[float, float]) -> Flags:
    """A size as claimed."""
    return inside(seen, *band, alpha)[..., 0]


def _outside(seen: Floats, alpha: float, band: tuple[float, float]) -> Flags:
    """The only size of a claim refuted."""
    return np.asarray(statistics.within(seen, *band).p_reversed <= alpha)[..., 0]


def _rates(rule: str, what: str, values: Floats, answer: Answer, promised: bool = True) -> list[Rate]:
    """How often a rule gives an answer for values (draws, parts, 20), at each look's level and over all at 0.05."""
    found = {look: answer(values[..., :look], alpha) for look, alpha in ALPHA.items()}
    found[0] = np.any(list(found.values()), axis=0)
    levels = ALPHA | {0: ALPHA_ONE_LOOK}
    return [
        Rate(rule, what, look, levels[look] if promised else None, float(flags.mean())) for look, flags in found.items()
    ]


RULES: dict[str, Callable[[int, int], Iterable[Rate]]] = {
    "R3, R4": equivalence.attained_rates,
    "R6, R7": _r6_and_r7,
    "R8": _r8,
    "R9": _r9,
    "R11": _r11,
    "R19 threshold": _threshold,
    "R19 within": _within,
    "R19 pooled": _pooled,
}

"""How each kind of claim is tested, part by part: the test, its side below the deciding scale, its words for a reason.

Values are ``(..., parts, n)``, the seeds last, so one verdict and twenty thousand simulated ones take the same way.
What is tested by itself is a group: one part, but for a trend all levels of ``group/level``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, inf, log

import numpy as np

from suite import pooling, statistics, trends
from suite.errors import UserError
from suite.exact import show
from suite.facts import Claim
from suite.rows import label
from suite.statistics import Evidence, Floats

Groups = Mapping[str, Sequence[str]]  # the names of the parts of each group, those of a trend in the order of levels
Test = Callable[[Claim, Groups, Floats, float, bool], Evidence]  # as statistics.ordering, of each group


@dataclass(frozen=True)
class Kind:
    """How a kind is tested and told.

    ``tell`` gives the estimate of a group from its values ``(parts, n)`` and a note, both for a reason; ``flips`` says
    that p is at least that of n sign flips, 2^-n.
    """

    test: Test
    tell: Callable[[Claim, str, Floats], tuple[str, str]]
    flips: bool = False


def groups(claim: Claim, names: Sequence[str]) -> dict[str, list[str]]:
    """What is tested by itself; UserError when the parts of a trend are not all of its levels in each group."""
    if claim.kind != "trend":
        return {name: [name] for name in names}
    found: dict[str, dict[str, str]] = {}
    for name in names:
        group, _, level = name.rpartition("/")
        if not group or label(level) not in claim.levels:
            expected = f"expected group/level with a level of {', '.join(claim.levels)}"
            raise UserError(f"claim {claim.id}: the part {name!r} is no level of a trend; {expected}")
        found.setdefault(group, {})[label(level)] = name
    for group, levels in found.items():
        if absent := [level for level in claim.levels if level not in levels]:
            raise UserError(f"claim {claim.id}: the group {group!r} has no level {', '.join(absent)}; give it a part")
    return {group: [levels[level] for level in claim.levels] for group, levels in found.items()}


def fault(claim: Claim, value: float) -> str:
    """Why this cannot be a value of a part of the claim; empty when it can."""
    if not np.isfinite(value):
        return "is not a finite number"
    if claim.kind == "ratio" and value <= 0:
        return "is not a factor; expected a number above 0"
    if claim.kind == "threshold" and claim.unit == "%" and not 0 <= value <= 100:
        return "is not a percentage; expected 0 to 100, or another unit than % for the claim"
    return ""


def side(claim: Claim, group: str, values: Floats) -> str:
    """On which side of the claimed region the mean of the seeds is (R15); empty where there is no such region.

    ``values`` are ``(parts, n)`` of one group, of the seeds that have all of its parts.
    """
    low, high, numbers = -inf, inf, values[0]
    match claim.kind:
        case "ordering":
            low = 0.0
        case "no_loss" if claim.margin is not None:
            high = float(claim.margin)
        case "threshold" if claim.value is not None:
            low, high = (float(claim.value), inf) if claim.side == "above" else (-inf, float(claim.value))
        case "within" if claim.low is not None and claim.high is not None:
            low, high = float(claim.low), float(claim.high)
        case "ratio" if group in claim.size:
            low, numbers = log(claim.size[group][0]), np.log(numbers)
        case "trend":
            low, numbers = 0.0, trends.page_scores(values)
        case "pooled" if claim.value is not None:
            sign = 1.0 if claim.side == "above" else -1.0
            return pooling.side_of_constant(_statistic(claim), sign * numbers, sign * float(claim.value))
        case _:
            return ""
    return statistics.side_of(numbers, low, high)


def size_word(claim: Claim, part: str, values: Floats, alpha: float) -> str:
    """The word for a part's claimed size: as claimed, smaller, larger, inconclusive; a ratio on the log scale (R11)."""
    low, high = map(float, claim.size[part])
    if claim.kind == "ratio":
        low, high, values = log(low), log(high), np.log(values)
    return statistics.size_word(values, low, high, alpha, len(claim.size))


def needed(claim: Claim, key: str) -> float:
    """A number of the claim's rule; UserError where it is not there."""
    value = getattr(claim, key)
    if value is None:
        raise UserError(f"claim {claim.id}: kind {claim.kind} needs {key}; add it to the claim")
    return float(value)


# The tests ----------------------------------------------------------------------------------------------------------


def _ordering(claim: Claim, _: Groups, values: Floats, alpha: float, complete: bool) -> Evidence:
    return statistics.ordering(values, _margin(claim), alpha, complete)


def _no_loss(claim: Claim, _: Groups, values: Floats, alpha: float, complete: bool) -> Evidence:
    return statistics.no_loss(values, needed(claim, "margin"))


def _within(claim: Claim, _: Groups, values: Floats, alpha: float, complete: bool) -> Evidence:
    return statistics.within(values, needed(claim, "low"), needed(claim, "high"))


def _ratio(claim: Claim, parts: Groups, values: Floats, alpha: float, complete: bool) -> Evidence:
    if absent := next((name for name in parts if name not in claim.size), ""):
        raise UserError(f"claim {claim.id}: the part {absent!r} has no size; add it to size as [low, high]")
    low = np.array([[float(claim.size[name][0])] for name in parts])
    return statistics.ordering(np.log(values / low), None, alpha, complete)


def _threshold(claim: Claim, _: Groups, values: Floats, alpha: float, complete: bool) -> Evidence:
    """R6 on value minus constant; for percentages p is the larger of that and of R6 on the logits.

    The logits alone will not do: near 0 or 100 % the mean of the logits lies beyond the logit of the mean, and where a
    seed reaches 100 % of 100 items the claim "above 99 %" held falsely in half of the draws (simulated). Tied, where
    there is a margin, is in the unit of the values.
    """
    constant, sign = needed(claim, "value"), 1.0 if claim.side == "above" else -1.0
    shown = statistics.ordering(sign * (values - constant), _margin(claim), alpha, complete)
    if claim.unit != "%" or not 0 < constant < 100:
        return shown
    gaps = statistics.logit(values) - statistics.logit([constant])
    logits = statistics.ordering(sign * gaps, None, alpha, complete)
    p, p_reversed = np.maximum(shown.p, logits.p), np.maximum(shown.p_reversed, logits.p_reversed)
    return Evidence(p, p_reversed, shown.tied)


def _trend(claim: Claim, parts: Groups, values: Floats, alpha: float, complete: bool) -> Evidence:
    return trends.trend(values.reshape(*values.shape[:-2], len(parts), len(claim.levels), values.shape[-1]))


def _pooled(claim: Claim, _: Groups, values: Floats, alpha: float, complete: bool) -> Evidence:
    constant, sign = needed(claim, "value"), 1.0 if claim.side == "above" else -1.0
    return pooling.pooled(_statistic(claim), sign * values, sign * constant)


def _margin(claim: Claim) -> float | None:
    return None if claim.margin is None else float(claim.margin)


def _statistic(claim: Claim) -> str:
    name = claim.statistic or ""
    if name not in pooling.STATISTICS:
        raise UserError(f"claim {claim.id}: no statistic {name!r}; expected {', '.join(pooling.STATISTICS)}")
    return name


# The words ----------------------------------------------------------------------------------------------------------

APPROXIMATE = "approximate: sign flips need symmetric values"


def _tell_mean(claim: Claim, _: str, values: Floats) -> tuple[str, str]:
    low, high = map(float, statistics.t_interval(values[0]))
    mean = f"mean {show(statistics.mean(values[0]))} (95 % interval {show(low)} to {show(high)})"
    against = {"no_loss": f" against the margin {claim.margin}", "within": f" against {claim.low} to {claim.high}"}
    return mean + against.get(claim.kind, ""), ""


def _tell_ratio(claim: Claim, group: str, values: Floats) -> tuple[str, str]:
    logs = np.log(values[0])
    middle, (low, high) = exp(statistics.mean(logs)), (exp(end) for end in statistics.t_interval(logs))
    interval = f"(95 % interval {show(low)} to {show(high)})"
    return f"geometric mean {show(middle)} {interval} against {claim.size[group][0]}", ""


def _tell_threshold(claim: Claim, group: str, values: Floats) -> tuple[str, str]:
    return f"{_tell_mean(claim, group, values)[0]} against {claim.value}", APPROXIMATE


def _tell_trend(claim: Claim, group: str, values: Floats) -> tuple[str, str]:
    margin = float(claim.margin or 0)
    steps = [f"{claim.levels[i]} to {claim.levels[i + 1]} ({show(by)})" for i, by in trends.falls(values, margin)]
    beyond = f" by more than the margin {claim.margin}" if claim.margin is not None else ""
    k, n = values.shape
    total = float(trends.page_scores(values).sum()) / 4 + n * k * (k + 1) ** 2 / 4
    note = f"the mean falls{beyond} from {', '.join(steps)}" if steps else ""
    return f"Page's L {show(total, 6)}, Kendall's tau of the means {show(trends.tau_of_means(values), 2)}", note


def _tell_pooled(claim: Claim, _: str, values: Floats) -> tuple[str, str]:
    name = _statistic(claim)
    low, high = pooling.pooled_interval(name, values[0])
    estimate = show(float(pooling.statistic(name, values[0])))
    return f"{name} {estimate} (95 % bootstrap interval {show(low)} to {show(high)}) against {claim.value}", ""


# A kind whose parts are tested one by one and joined by R7 needs its row here and nothing else.
TESTS: dict[str, Kind] = {
    "ordering": Kind(_ordering, _tell_mean, flips=True),
    "no_loss": Kind(_no_loss, _tell_mean),
    "trend": Kind(_trend, _tell_trend),
    "ratio": Kind(_ratio, _tell_ratio, flips=True),
    "threshold": Kind(_threshold, _tell_threshold, flips=True),
    "within": Kind(_within, _tell_mean),
    "pooled": Kind(_pooled, _tell_pooled),
}

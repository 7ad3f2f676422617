"""Judges printed numbers by the rules R1 to R4, R14 and R16: what the seeds of one cell say of the print, and why.

A verdict is a pure function of the cell, of what is declared for its metric (R0), and of those rows of its table that
share metric and test set, whose spread is pooled. The words:

- reproduced: the 95 % interval of the difference lies inside the margin; refuted: the 97.5 % one lies outside it;
- deviates: the 97.5 % one excludes 0, but neither of these; a deterministic metric is reproduced or refuted (R1);
- inconclusive: none of these, with the reason and what would settle it (R16);
- open: no margin is declared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from scipy import stats

from suite import equivalence, statistics
from suite.equivalence import LEVEL, READINGS, Difference, Spread
from suite.exact import show
from suite.facts import LOOKS, Metric

WORDS = ("reproduced", "refuted", "deviates", "inconclusive", "open")
WEAKEST = ("inconclusive", "deviates", "refuted", "reproduced")
NO_MARGIN = "no margin declared: give its metric a gap, a cap or s_ref in published.yaml, before the run (R2)"
Values = Mapping[int, float]  # by seed


@dataclass(frozen=True)
class Printed:
    """A printed number. ``runs`` is None where the paper is silent; ``spread_is`` says what a printed +- means."""

    value: Decimal
    runs: int | None = None
    spread: Decimal | None = None
    spread_is: str | None = None

    @property
    def step(self) -> float:
        """One unit of the last printed digit."""
        low, high = statistics.printed_interval(self.value)
        return float(high - low)


@dataclass(frozen=True)
class Agreement:
    """The verdict on a printed number, with all that a page shows of it.

    ``n`` counts the seeds from 0 on without a hole; the first ``look`` of them were tested. ``difference`` is our mean
    minus the print, ``low`` to ``high`` its 95 % interval. ``margin_is`` and ``spread_is`` name the bound that became
    the margin and the spread that was the largest (own, pooled, floor). ``refuted_beyond`` is the smallest difference
    that these seeds would have refuted. ``better``: off the print in the metric's good direction. ``next_look``,
    ``seeds_needed`` and ``minutes`` say what may settle an inconclusive one. ``post_hoc``: declared after the run (R0).
    """

    word: str
    reason: str
    rule: str
    n: int = 0
    look: int | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    margin_is: str = ""
    spread: float | None = None
    spread_is: str = ""
    refuted_beyond: float | None = None
    better: bool = False
    next_look: int | None = None
    seeds_needed: int | None = None
    minutes: float | None = None
    post_hoc: bool = False


@dataclass(frozen=True)
class _Case:
    """A printed number with its declarations, the values of its leading seeds, and the minutes of one more seed."""

    printed: Printed
    metric: Metric
    values: Sequence[float]
    others: Sequence[Sequence[float]]
    floor: float
    minutes: float | None

    @property
    def look(self) -> int | None:
        return max((look for look in LOOKS if look <= len(self.values)), default=None)

    @property
    def compared(self) -> list[str]:
        """The readings of the printed spread; none where there is no spread over runs."""
        spread, runs, means = self.printed.spread, self.printed.runs or 1, self.printed.spread_is
        if spread is None or runs < 2:
            return []
        return list(READINGS) if means in (None, "unclear") else [means]


def judge_number(
    printed: Printed,
    metric: Metric,
    values: Values,
    others: Sequence[Values] = (),
    *,
    minutes: float | None = None,
    post_hoc: bool = False,
) -> Agreement:
    """The verdict on a printed number from the values of its cell by seed, measured at full.

    ``others`` are the other rows of the table that share metric and test set, of the same scale and device class.
    ``minutes`` is the cost of one more seed, where it is known. Seeds count from 0 on, up to the first hole: what made
    a run fail may have to do with the number. ValueError for a value that is not finite.
    """
    try:
        floor = _floor(printed, metric)
    except ValueError as error:
        return Agreement("open", f"n_test says that it is a share, but {error}", "R1", post_hoc=post_hoc)
    for seeds in (values, *others):
        if seeds:
            statistics.finite(list(seeds.values()))
    case = _Case(printed, metric, leading(values), [leading(other) for other in others], floor, minutes)
    verdict = _exact(case) if metric.noise == "none" else _judged(case)
    verdict = replace(verdict, n=len(case.values), post_hoc=post_hoc)
    return replace(verdict, reason=f"{verdict.reason}{_hole(values, verdict)}")


def leading(values: Values) -> list[float]:
    """The values of the seeds from 0 on, up to the first that is missing."""
    found: list[float] = []
    while len(found) in values:
        found.append(float(values[len(found)]))
    return found


def _floor(printed: Printed, metric: Metric) -> float:
    if metric.n_test is None or metric.noise == "none":
        return 0.0
    return equivalence.noise_floor(float(printed.value), metric.n_test, 100.0 if metric.unit == "%" else 1.0)


def _hole(values: Values, verdict: Agreement) -> str:
    """The first missing seed, where later ones are there and the verdict waits for more."""
    n = verdict.n
    return f"; no rows for seed {n}" if verdict.word == "inconclusive" and max(values, default=-1) > n else ""


def _exact(case: _Case) -> Agreement:
    """R1 and R12: a deterministic result is equal after rounding, or it is not; two equal seeds show that it is one."""
    printed, found = case.printed.value, sorted(set(case.values))
    if len(found) > 1:
        told = f"declared without noise, but the seeds give {show(found[0])} to {show(found[-1])}"
        return Agreement("inconclusive", f"{told}; declare a margin instead (noise, R2)", "R1")
    if len(case.values) < 2:
        missing = 2 - len(case.values)
        return _with_next(
            case, Agreement("inconclusive", "a deterministic result takes two equal seeds", "R1"), missing
        )
    low, high = statistics.printed_interval(printed)
    equal = bool(statistics.roundings(found[0], printed))
    difference = found[0] - float(printed)
    reason = f"all {len(case.values)} seeds give {found[0]:.10g}; the printed {printed} stands for {low} to {high}"
    word = "reproduced" if equal else "refuted"
    better = not equal and _is_better(case.metric, difference)
    return Agreement(word, reason, "R1, R12", difference=difference, better=better)


def _judged(case: _Case) -> Agreement:
    metric = case.metric
    gap, cap, s_ref = (None if v is None else float(v) for v in (metric.gap, metric.cap, _reference(metric)))
    margin, margin_is = equivalence.margin(gap, cap, s_ref, case.floor, case.printed.step)
    if math.isnan(margin):
        return Agreement("open", NO_MARGIN, "R2")
    verdict = Agreement("inconclusive", "", "R3", margin=margin, margin_is=margin_is)
    if case.look is None:
        few = f"too few seeds: {len(case.values)} of the {LOOKS[0]} of the first look"
        return _with_next(case, replace(verdict, reason=few), LOOKS[0] - len(case.values), LOOKS[0])
    return _at_look(case, replace(verdict, look=case.look))


def _reference(metric: Metric) -> Decimal | None:
    return metric.s_ref.value if metric.s_ref else None


def _at_look(case: _Case, verdict: Agreement) -> Agreement:
    """R3, or R4 under each reading of the printed spread, of which the weakest verdict counts."""
    own = case.values[: verdict.look]
    rows = [own, *(cut for other in case.others if len(cut := other[: verdict.look]) > 1)]
    spread = equivalence.spread(own, rows, case.floor)
    margin, value, runs = verdict.margin or 0.0, float(case.printed.value), case.printed.runs or 1
    found: list[tuple[str, float, Difference]] = []
    for reading in case.compared:
        error = equivalence.standard_error(float(case.printed.spread or 0), reading, runs)
        difference = equivalence.against_mean(own, value, spread, error, runs, case.printed.step)
        found.append((_word(difference, margin), max(error, float(spread.value) / math.sqrt(runs)), difference))
    if not found:
        difference = equivalence.against_value(own, value, spread, runs, case.printed.step)
        found.append((_word(difference, margin), float(spread.value) / math.sqrt(runs), difference))
    word, error, difference = min(found, key=lambda f: (WEAKEST.index(f[0]), -float(f[2].half(LEVEL))))
    middle, half = float(difference.value), float(difference.half(LEVEL))
    verdict = replace(
        verdict,
        word=word,
        rule="R4" if case.compared else "R3",
        difference=middle,
        low=middle - half,
        high=middle + half,
        spread=float(spread.value),
        spread_is=_largest(spread),
        refuted_beyond=margin + float(difference.half(LEVEL / 2)),
        better=word in ("deviates", "refuted") and _is_better(case.metric, middle),
    )
    if word == "inconclusive":
        return _undecided(case, verdict, error)
    wide = float(difference.half(LEVEL / 2))
    told = {
        "reproduced": f"its 95 % interval lies inside the margin {_margin(verdict)}",
        "refuted": f"its 97.5 % interval {_range(middle, wide)} lies outside the margin {_margin(verdict)}",
        "deviates": f"its 97.5 % interval {_range(middle, wide)} excludes 0, neither inside nor outside the margin "
        f"{_margin(verdict)} as a whole",
    }
    return replace(verdict, reason=f"{_told(case, verdict)}; {told[word]}{_unused(case)}")


def _word(difference: Difference, margin: float) -> str:
    decided = equivalence.decide(difference, margin)
    return next((w for w, yes in zip(WORDS, decided, strict=False) if yes), "inconclusive")


def _undecided(case: _Case, verdict: Agreement, error: float) -> Agreement:
    """R16: why, and the next look; or that no number of seeds can decide, ``error`` being the print's own."""
    margin, difference = verdict.margin or 0.0, abs(verdict.difference or 0.0)
    beyond = f"a difference beyond {show(verdict.refuted_beyond)} would have been refuted"
    told = f"{_told(case, verdict)}; margin {_margin(verdict)}; {beyond}{_unused(case)}"
    hopeless = float(stats.norm.ppf(1 - LEVEL)) * error >= margin
    if not hopeless:
        why = "the noise floor of the test set" if verdict.spread_is == "floor" else "the spread over seeds"
        return _with_next(case, replace(verdict, reason=f"{why} is too wide for {verdict.look} seeds: {told}"))
    runs = case.printed.runs or 1
    why = "the print has no spread and " + ("one run" if runs == 1 else f"{runs} runs")
    if case.compared:
        why = f"the print's own standard error is {show(error)}"
    if difference > float(stats.norm.ppf(1 - LEVEL / 2)) * error:
        why += "; no number of seeds can reproduce it, more can show a difference"
        return _with_next(case, replace(verdict, reason=f"{why}: {told}"))
    return replace(verdict, reason=f"{why}, so that no number of seeds can decide: {told}")


def _with_next(case: _Case, verdict: Agreement, more: int | None = None, look: int | None = None) -> Agreement:
    """The reason with the next look, the seeds that it needs and their minutes."""
    if more is None:
        look = min((ahead for ahead in LOOKS if ahead > (verdict.look or 0)), default=None)
        if look is None:
            return replace(verdict, reason=f"{verdict.reason}; no further look is planned")
        more = look - len(case.values)
    minutes = None if case.minutes is None else more * case.minutes
    cost = "" if minutes is None else f", about {show(minutes, 2)} min"
    when = f"next look at n = {look} " if look else ""
    reason = f"{verdict.reason}; {when}(seeds needed: {more}{cost})"
    return replace(verdict, reason=reason, next_look=look, seeds_needed=more, minutes=minutes)


def _told(case: _Case, verdict: Agreement) -> str:
    spread = {"own": "own spread", "pooled": "pooled spread", "floor": "noise floor"}[verdict.spread_is]
    interval = f"95 % interval {show(verdict.low)} to {show(verdict.high)}"
    told = f"difference {show(verdict.difference)} ({interval}) at n = {verdict.look}, {spread} {show(verdict.spread)}"
    readings = case.compared
    return told + (f", weakest of {len(readings)} readings of the printed spread" if len(readings) > 1 else "")


def _unused(case: _Case) -> str:
    if case.printed.spread is None or case.compared:
        return ""
    return "; the printed spread is not used, as it is not said to be over two runs or more"


def _largest(spread: Spread) -> str:
    if spread.floor > max(float(spread.own), float(spread.pooled)):
        return "floor"
    return "own" if spread.own >= spread.pooled else "pooled"


def _is_better(metric: Metric, difference: float) -> bool:
    return (metric.better == "higher" and difference > 0) or (metric.better == "lower" and difference < 0)


def _margin(verdict: Agreement) -> str:
    return f"{show(verdict.margin)} ({verdict.margin_is})"


def _range(middle: float, half: float) -> str:
    return f"{show(middle - half)} to {show(middle + half)}"

"""The statistics of a measured mean beside a printed number (R1 to R4): pure functions on arrays.

Arrays are ``(..., n)``: the last axis holds the values of one row over its n seeds, axes before it are independent
cases, so one verdict and twenty thousand simulated ones take the same way. Printed values, margins and spreads are in
the unit of the values, and nothing depends on the unit. A value that is not finite is a ValueError, never a number.

A mean is *reproduced* when its interval lies inside the margin around the print, *refuted* when a wider one lies
outside it, and *deviates* when the wider one excludes a difference of 0 but neither holds. Else nothing is decided.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike
from scipy import integrate, stats

from suite.facts import LOOKS
from suite.statistics import Flags, Floats, Rate, finite

# One-sided level of "reproduced" at each look, so that 1 - 2 LEVEL is the coverage of its interval; "refuted" and
# "deviates" take half of it on either side. With 0.05 at each of three looks false verdicts come to 8 to 11 % where the
# row's own spread is the larger one (see attained_rates); with 0.025 they stay near 5 %.
LEVEL = 0.025
READINGS = ("sd", "se", "ci95", "range")  # what a printed +- can mean


@dataclass(frozen=True)
class Spread:
    """The seed spread that a mean is judged with: the largest of own, pooled and floor, and its degrees of freedom.

    A floor bounds the spread from below without estimating it: where it is the largest, the degrees of freedom are
    those of the larger estimate, so that a higher floor never narrows an interval.
    """

    value: Floats
    nu: Floats
    own: Floats
    pooled: Floats
    floor: float


@dataclass(frozen=True)
class Difference:
    """Our mean minus the printed one, the standard error of that, and its degrees of freedom."""

    value: Floats
    error: Floats
    nu: Floats

    def half(self, level: float) -> Floats:
        """Half the width of the interval that leaves ``level`` on either side."""
        values, places = np.unique(self.nu, return_inverse=True)  # in simulations few differ, and ppf is slow
        return np.asarray(stats.t.ppf(1 - level, values)[places].reshape(np.shape(self.nu)) * self.error)


def noise_floor(value: float, items: int, whole: float = 100.0) -> float:
    """The least spread that a share of this many test items has between seeds (R1), in the unit of the value.

    sqrt(e / (2 N)) for an error e of 1 or less, the share of ``whole`` (100: percent) that is the smaller of the value
    and its complement: an accuracy of 94 % and an error of 6 % have one floor, and it never exceeds the spread
    sqrt(e (1 - e) / N) of N items that flip independently, as sqrt(e / (2 N)) with e = 86 % would. ValueError for a
    value outside 0 to ``whole``.

    >>> round(noise_floor(94.0, 10_000), 2), round(noise_floor(99.0, 10_000), 2), round(noise_floor(76.0, 50_000), 2)
    (0.17, 0.07, 0.15)
    """
    if items < 1:
        raise ValueError(f"{items} test items: expected at least 1")
    if not 0 <= value <= whole:
        raise ValueError(f"{value} is no share: expected 0 to {whole:g}")
    error = min(value, whole - value) / whole
    return math.sqrt(error / (2 * items)) * whole


def margin(gap: float | None, cap: float | None, s_ref: float | None, floor: float, step: float) -> tuple[float, str]:
    """The difference that counts as none (R2), and which of its bounds it is; (nan, "") where none is declared.

    The smallest of half the ``gap`` on which a conclusion rests, the metric's ``cap`` and four reference spreads (each
    at least the ``floor``); but never below half a ``step`` of the last printed digit plus two floors.

    >>> margin(gap=4.14, cap=5, s_ref=None, floor=0.27, step=0.01)
    (2.07, 'half the gap')
    """
    bounds = {
        "half the gap": None if gap is None else gap / 2,
        "the cap": cap,
        "4 reference spreads": None if s_ref is None else 4 * max(floor, s_ref),
    }
    declared = {name: bound for name, bound in bounds.items() if bound is not None}
    if not declared:
        return math.nan, ""
    name = min(declared, key=lambda name: declared[name])
    least = step / 2 + 2 * floor
    return (least, "the noise floor") if declared[name] < least else (declared[name], name)


def spread(own: ArrayLike, rows: Sequence[ArrayLike] | Floats = (), floor: float = 0.0) -> Spread:
    """The largest of the row's own standard deviation, that pooled over ``rows`` (itself among them) and the floor.

    Rows may have different numbers of seeds. ValueError where one has fewer than two.

    >>> found = spread([1.0, 2.0, 3.0], [[1.0, 2.0, 3.0], [0.0, 4.0]])
    >>> round(float(found.own), 3), round(float(found.pooled), 3), float(found.value) == float(found.pooled)
    (1.0, 1.826, True)
    """
    alone = _deviation(own)
    arrays = [finite(row) for row in (rows if len(rows) else [own])]
    dof = [array.shape[-1] - 1 for array in arrays]
    squares = [_deviation(array) ** 2 * nu for array, nu in zip(arrays, dof, strict=True)]
    joined = np.sqrt(np.sum(squares, axis=0) / sum(dof))
    nu = np.where(alone >= joined, np.shape(own)[-1] - 1.0, float(sum(dof)))
    return Spread(np.maximum(np.maximum(alone, joined), floor), nu, alone, joined, floor)


def against_value(values: ArrayLike, printed: ArrayLike, found: Spread, runs: int = 1, step: float = 0.0) -> Difference:
    """R3: a mean of seeds beside a printed mean of ``runs`` runs without a spread, rounded to a ``step``.

    The print is taken to spread as our seeds do, and rounding adds the variance step^2 / 12.
    """
    array = finite(values)
    variance = found.value**2 * (1 / array.shape[-1] + 1 / runs) + step**2 / 12
    return Difference(array.mean(axis=-1) - np.asarray(printed), np.sqrt(variance), found.nu)


def against_mean(
    values: ArrayLike, printed: ArrayLike, found: Spread, error: ArrayLike, runs: int, step: float = 0.0
) -> Difference:
    """R4: a mean of seeds beside a printed mean of ``runs`` >= 2 runs with a standard error of its own, after Welch.

    The print's error counts at least as much as our spread would give it: two or three runs often lie close together by
    chance, and Welch's test alone then sees a difference in 7 to 11 % of draws without one (simulated).
    """
    if runs < 2:
        raise ValueError(f"{runs} runs have no spread: expected 2 or more")
    array = finite(values)
    ours = found.value**2 / array.shape[-1]
    theirs = np.maximum(np.asarray(error, dtype=np.float64) ** 2, found.value**2 / runs)
    both = ours + theirs
    with np.errstate(invalid="ignore"):
        nu = both**2 / (ours**2 / found.nu + theirs**2 / (runs - 1))
    nu = np.where(both == 0, found.nu, nu)
    return Difference(array.mean(axis=-1) - np.asarray(printed), np.sqrt(both + step**2 / 12), nu)


def standard_error(printed: float, reading: str, runs: int) -> float:
    """The standard error of a printed mean of ``runs`` runs whose +- is an ``sd``, ``se``, ``ci95`` or ``range``.

    A 95 % half-width is divided by the normal 1.96, which gives the larger error where the paper used Student's t. A
    range is taken as half the distance from the least to the largest run of a normal sample.

    >>> round(standard_error(1.0, "sd", 4), 3), round(standard_error(1.0, "range", 2), 3)
    (0.5, 1.253)
    """
    if reading not in READINGS:
        raise ValueError(f"{reading!r} is no reading of a spread: expected one of {', '.join(READINGS)}")
    if runs < 2:
        raise ValueError(f"{runs} runs have no spread: expected 2 or more")
    match reading:
        case "sd":
            return printed / math.sqrt(runs)
        case "ci95":
            return printed / float(stats.norm.ppf(0.975))
        case "range":
            return 2 * printed / mean_range(runs) / math.sqrt(runs)
    return printed


def mean_range(runs: int) -> float:
    """The expected range of this many standard normal numbers (1.128 for 2, 1.693 for 3)."""
    within = integrate.quad(lambda x: 1 - stats.norm.cdf(x) ** runs - stats.norm.sf(x) ** runs, -12, 12)
    return float(within[0])


def decide(found: Difference, margin: ArrayLike, level: float = LEVEL) -> tuple[Flags, Flags, Flags]:
    """Whether a difference is reproduced, refuted, or deviates; at most one is true.

    A wider interval never decides what a narrower one left open.
    """
    bound = np.asarray(margin, dtype=np.float64)
    near, far = np.abs(found.value) + found.half(level), np.abs(found.value) - found.half(level / 2)
    reproduced, refuted = near < bound, far > bound
    return reproduced, refuted, (far > 0) & ~reproduced & ~refuted


# What the rules attain ----------------------------------------------------------------------------------------------


PROMISED = {  # over all looks together; None: a power, of which nothing is promised
    "false reproduced at the margin": 0.05,
    "false refuted at the margin": 0.025,
    "false difference at no shift": 0.05,
    "false refuted at no shift": 0.025,
    "reproduced at no shift, margin 4 spreads": None,
}


def attained_rates(draws: int = 20_000, seed: int = 0) -> list[Rate]:
    """The false verdicts of R3 and R4 on normal draws, at each look and at any of them.

    A table of six rows, one of them judged, with equal spreads or three times the spread in that row or in another one.
    False "reproduced" and "refuted" are counted where the true shift is the margin, the one where it is most frequent;
    a difference seen (deviates or refuted) where there is none. The margin is eight spreads of the judged row, so that
    only its near edge counts; beside it what is said where there is no shift and a margin of four.
    """
    rng = np.random.default_rng(seed)
    rows, noise = rng.standard_normal((6, draws, max(LOOKS))), rng.standard_normal(draws)
    tables = {"equal spreads": (1, 1), "the judged row three times": (3, 1), "another row three times": (1, 3)}
    rates = []
    for (name, (own, other)), runs in product(tables.items(), (1, 3)):
        scaled = rows * np.array([own, other, 1, 1, 1, 1])[:, None, None]
        what = f"{name}, {runs} printed run{'s' * (runs > 1)}"
        printed = noise * own / math.sqrt(runs)
        rates += _rates("R3", what, [_seen(scaled[:, :, :n], printed, own, runs) for n in LOOKS], own)
    for runs in (2, 3, 5):
        theirs = rng.standard_normal((draws, runs))
        printed, errors = theirs.mean(axis=-1), theirs.std(axis=-1, ddof=1) / math.sqrt(runs)
        seen = [_seen(rows[:, :, :n], printed, 1.0, runs, errors) for n in LOOKS]
        rates += _rates("R4", f"equal spreads, {runs} printed runs with their spread", seen, 1.0)
    return rates


def _seen(rows: Floats, printed: Floats, own: float, runs: int, errors: Floats | None = None) -> Difference:
    """The difference of the first row where none is true, for all draws."""
    found = spread(rows[0], rows)
    if errors is None:
        return against_value(rows[0], printed, found, runs)
    return against_mean(rows[0], printed, found, errors, runs)


def _rates(rule: str, what: str, looks: Sequence[Difference], own: float) -> list[Rate]:
    """How often each word is said, by look and over all of them (look 0), of differences without a shift."""
    said: dict[str, list[Flags]] = {word: [] for word in PROMISED}
    for found in looks:
        edge = Difference(found.value + 8 * own, found.error, found.nu)
        at_edge, at_zero = decide(edge, 8 * own), decide(found, 4 * own)
        seen = np.abs(found.value) > found.half(LEVEL / 2)
        for word, flags in zip(PROMISED, (*at_edge[:2], seen, at_zero[1], at_zero[0]), strict=True):
            said[word].append(flags)
    rates = []
    for word, promised in PROMISED.items():
        for look, flags in zip((0, *LOOKS), [np.any(said[word], axis=0), *said[word]], strict=True):
            at_look = promised if promised is None or not look else promised / 2
            rates.append(Rate(rule, f"{word}, {what}", look, at_look, float(flags.mean())))
    return rates


def _deviation(values: ArrayLike) -> Floats:
    array = finite(values)
    if array.shape[-1] < 2:
        raise ValueError("one value has no spread: expected two seeds or more")
    return np.asarray(array.std(axis=-1, ddof=1))

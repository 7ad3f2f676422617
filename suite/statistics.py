"""The statistics behind the verdicts: pure functions on arrays, without any knowledge of papers or files.

Arrays are ``(..., n)``: the last axis holds the values of one part over its n seeds, axes before it are independent
cases, so one verdict and twenty thousand simulated ones take the same way. Where parts are joined, evidence is
``(..., k)``: k parts on the last axis. Values are in the printed unit and positive as claimed; nothing depends on the
unit: values and bounds in another one give the same answer. A value that is not finite is a ValueError, never a number.
"R6" and the like name the rules that ``suite.verdict`` applies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import betaincinv

from suite.exact import possible_counts as possible_counts
from suite.exact import printed_interval as printed_interval
from suite.exact import roundings as roundings

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ALPHA = {5: 1 / 32, 10: 0.01, 20: 0.00875}  # R14: together below 5 % under the null, see suite.simulation
ALPHA_ONE_LOOK = 0.05
EXACT_UP_TO = 30  # seeds; beyond it half of all sign patterns is too many, and DRAWN of them are drawn
DRAWN = 99_999
LEAST_PERCENTAGE = 0.005
TIE = 1e-9  # of the largest value: sums nearer than this are equal but for rounding


@dataclass(frozen=True)
class Evidence:
    """What the seeds say of each part: ``p`` against "it does not hold", ``p_reversed`` of its mirror, ``tied``."""

    p: Floats
    p_reversed: Floats
    tied: Flags


@dataclass(frozen=True)
class Share:
    """How often A beats B over the seeds, a tie counting half, with its exact 95 % interval."""

    estimate: float
    low: float
    high: float

    @property
    def practically(self) -> str:
        """Better: the estimate is 0.75 or more and the interval above 0.5; worse: mirrored; else empty."""
        if self.estimate >= 0.75 and self.low > 0.5:
            return "better"
        return "worse" if self.estimate <= 0.25 and self.high < 0.5 else ""


@dataclass(frozen=True)
class Rate:
    """A simulated rate: what was counted, at which look (0: at any of them), the promised and the attained rate.

    ``nominal`` is None where the rate is a power, of which nothing is promised.
    """

    rule: str
    what: str
    look: int
    nominal: float | None
    attained: float


def alpha_at(look: int, looks: Sequence[int]) -> float:
    """The one-sided level of a look (R14): 1/32, 0.01, 0.00875 at 5, 10, 20 seeds; 0.05 at the one look above 20.

    ValueError for looks whose joint size nobody has computed.
    """
    if set(looks) <= set(ALPHA) and look in looks:
        return ALPHA[look]
    if tuple(looks) == (look,) and look > max(ALPHA):
        return ALPHA_ONE_LOOK
    raise ValueError(f"looks {tuple(looks)}, look {look}: expected some of {tuple(ALPHA)}, or one planned n above 20")


def finite(values: ArrayLike) -> Floats:
    """The values as float64; ValueError where one is NaN or infinite, or where there is none."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError("no values: expected at least one seed on the last axis")
    if not np.isfinite(array).all():
        raise ValueError(f"{array[~np.isfinite(array)][0]} is not a finite number")
    return array


def mean(values: ArrayLike) -> float:
    """The mean of one part's values, also where their sum would overflow."""
    array = finite(values)
    unit = float(unit_of(array)[0])
    return float((array / unit).mean()) * unit


def unit_of(array: Floats) -> Floats:
    """The largest magnitude of each case, 1 where all are 0: divided by it, no square overflows and none vanishes."""
    largest = np.abs(array).max(axis=-1, keepdims=True)
    return np.where(largest == 0, 1.0, largest)


def t_interval(values: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """The two-sided t interval of the mean. Equal values give an interval of width 0; ValueError for one value.

    >>> low, high = t_interval([1.0, 2.0, 3.0])
    >>> round(float(low), 3), round(float(high), 3)
    (-0.484, 4.484)
    """
    unit, middle, error = _moments(values)
    half = stats.t.ppf((1 + level) / 2, np.shape(values)[-1] - 1) * error
    return (middle - half) * unit, (middle + half) * unit


def t_p(values: ArrayLike) -> Floats:
    """One-sided p of the t test for a mean above 0; equal values: 0 when positive, else 1. ValueError for one value."""
    _, middle, error = _moments(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where((error == 0) & (middle == 0), -np.inf, middle / error)
    return np.asarray(stats.t.sf(t, np.shape(values)[-1] - 1))


def sign_flip_p(values: ArrayLike) -> Floats:
    """Exact one-sided p of the sign-flip test: the share of the 2^n sign patterns whose sum is at least as large.

    A zero supports neither sign; where all values are positive it is 2^-n. Above 30 seeds 99,999 patterns are drawn,
    always the same ones for the same set of values, so that the order of the seeds does not matter.

    >>> float(sign_flip_p([1.0, 2.0, 3.0, 4.0, 5.0]))
    0.03125
    """
    array = finite(values)
    n = array.shape[-1]
    count = _sign_flip_exact if n <= EXACT_UP_TO else _sign_flip_drawn
    scaled = array / unit_of(array)
    p = np.full(array.shape[:-1], 2.0**-n)
    mixed = (scaled <= TIE).any(axis=-1)
    rows, at_once = scaled[mixed], max(1, 2**20 >> n // 2)
    p[mixed] = [share for i in range(0, len(rows), at_once) for share in count(rows[i : i + at_once])]
    return p


def part_p(values: ArrayLike, level: float = 1.0) -> Floats:
    """A part's one-sided p: the larger of its sign-flip p and its t p (R6, R7).

    A t p above ``level`` is returned as it is, since the larger of both is above it too.
    """
    array = finite(values)
    p = t_p(array)
    low = p <= level
    p[low] = np.maximum(p[low], sign_flip_p(array[low]))
    return p


def inside(values: ArrayLike, low: float, high: float, alpha: float) -> Flags:
    """Whether the mean is shown to lie between the bounds: its 1 - 2 alpha interval does (one-sided alpha at each)."""
    lower, upper = t_interval(values, 1 - 2 * alpha)
    return (lower > low) & (upper < high)


def ordering(values: ArrayLike, margin: float | None, alpha: float, complete: bool = True) -> Evidence:
    """R6 for the differences A - B of n >= 2 seeds, at a look's one-sided level; without a margin nothing is ever tied.

    Tied takes the look's level too, hence the 90 % interval at 0.05 only: with 90 % at each of the three looks a
    difference as large as the margin was called tied in up to 9 % of draws (simulated). Unless ``complete``, a p above
    alpha is only a lower bound.
    """
    array = finite(values)
    tied = inside(array, -margin, margin, alpha) if margin is not None else np.zeros(array.shape[:-1], dtype=bool)
    needed = 1.0 if complete else alpha
    return Evidence(part_p(array, needed), part_p(-array, needed), tied)


def no_loss(values: ArrayLike, margin: float) -> Evidence:
    """R8 for the losses of n >= 2 seeds: the t test's p against "the mean is the margin or more", and its mirror.

    No sign flips: for symmetric losses the t test keeps its level (simulated), flips cost eight points of power at five
    seeds, and where losses are skewed neither of the two keeps it. Nothing is tied.
    """
    array = finite(values)
    p = t_p(margin - array)
    return Evidence(p, t_p(array - margin), np.zeros(p.shape, dtype=bool))


def within(values: ArrayLike, low: float, high: float, sizes: int = 1) -> Evidence:
    """Equivalence to a band (R19, R11): p against "outside" by two one-sided t tests, p_reversed against "inside".

    Outside has two sides and counts as often as there are ``sizes`` in a claim, of which one refutes them all.
    """
    array = finite(values)
    p = np.maximum(t_p(array - low), t_p(high - array))
    outside = np.minimum(t_p(low - array), t_p(array - high))
    return Evidence(p, np.minimum(1.0, 2 * sizes * outside), np.zeros(p.shape, dtype=bool))


def logit(percentages: ArrayLike) -> Floats:
    """Percentages on the logit scale; 0 and 100 are taken as 0.005 and 99.995, half of one in 10,000 items.

    ValueError outside 0 to 100.

    >>> logit([50.0, 100.0]).round(2).tolist()
    [0.0, 9.9]
    """
    array = finite(percentages)
    if ((array < 0) | (array > 100)).any():
        raise ValueError(f"{array[(array < 0) | (array > 100)][0]} is not a percentage from 0 to 100")
    inner = np.clip(array, LEAST_PERCENTAGE, 100 - LEAST_PERCENTAGE)
    return np.asarray(np.log(inner / (100 - inner)))


def size_word(values: ArrayLike, low: float, high: float, alpha: float, sizes: int = 1) -> str:
    """Whether one part's mean is "as claimed" in a band, "smaller", "larger", or "inconclusive".

    As claimed: shown to lie inside. Outside is two-sided and counts as often as there are ``sizes`` in the claim, since
    one part outside refutes them all.
    """
    array = finite(values)
    shown = within(array, low, high, sizes)
    if shown.p_reversed <= alpha:
        return "smaller" if mean(array) < low else "larger"
    return "as claimed" if inside(array, low, high, alpha) else "inconclusive"


def partial_conjunction_p(p: ArrayLike, u: int) -> Floats:
    """p of "at least u of k parts hold" from the parts' p on the last axis: (k - u + 1) p_(u), at most 1 (R7).

    Valid whatever the dependence between parts. ValueError unless 1 <= u <= k.

    >>> float(partial_conjunction_p([0.001, 0.2, 0.01], 2))
    0.02
    """
    array = finite(p)
    k = array.shape[-1]
    if not 1 <= u <= k:
        raise ValueError(f"at least {u} of {k} parts: expected a number from 1 to {k}")
    return np.minimum(1.0, (k - u + 1) * np.sort(array, axis=-1)[..., u - 1])


def decide(evidence: Evidence, u: int, alpha: float) -> tuple[Flags, Flags, Flags]:
    """R7 for the evidence of k parts on the last axis: whether "at least u parts" holds, is reversed, is tied.

    Reversed is the mirror image: at least k - u + 1 parts are, so that fewer than u can hold. At most one is true.
    """
    k = evidence.p.shape[-1]
    holds = partial_conjunction_p(evidence.p, u) <= alpha
    mirrored = partial_conjunction_p(evidence.p_reversed, k - u + 1) <= alpha
    return holds, mirrored, evidence.tied.all(axis=-1) & ~holds & ~mirrored


def reachable(n: int, factor: int, alpha: float) -> bool:
    """Whether n sign flips can reach a level at all when the part's p counts ``factor`` times (k - u + 1 of R7)."""
    return factor * 2.0**-n <= alpha


def share_above(values: ArrayLike) -> Share:
    """P(A > B) from the differences of one part; its interval (Clopper and Pearson) counts ties against either side.

    >>> share_above([1.0, 2.0, 0.0, -1.0]).estimate
    0.625
    """
    array = finite(values)
    n, wins, losses = array.size, int((array > 0).sum()), int((array < 0).sum())
    low = betaincinv(wins, n - wins + 1, 0.025) if wins else 0.0
    high = betaincinv(n - losses + 1, losses, 0.975) if losses else 1.0
    return Share((n + wins - losses) / (2 * n), float(low), float(high))


def side_of(values: ArrayLike, low: float, high: float) -> str:
    """R15: ``for`` when the mean is more than one standard error inside the bounds, ``against`` outside, else ``flat``.

    One value has no standard error and is always flat; equal values have the standard error 0.
    """
    array = finite(values)
    if array.size < 2:
        return "flat"
    unit, middle, error = (float(x) for x in _moments(array))
    below, above = (middle - error) * unit, (middle + error) * unit
    if below > low and above < high:
        return "for"
    return "against" if above < low or below > high else "flat"


def _moments(values: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Unit, mean and standard error of the mean, the last two in that unit."""
    array = finite(values)
    n = array.shape[-1]
    if n < 2:
        raise ValueError("one value has no spread: expected two seeds or more")
    unit = unit_of(array)
    scaled = array / unit
    return unit[..., 0], scaled.mean(axis=-1), scaled.std(axis=-1, ddof=1) / math.sqrt(n)


def _sign_flip_exact(rows: Floats) -> list[float]:
    """A flip keeps the sum as large when the flipped values' own sum is not positive; two halves meet in the middle."""
    n = rows.shape[-1]
    left, right = _subset_sums(rows[:, : n // 2]), np.sort(_subset_sums(rows[:, n // 2 :]), axis=-1)
    counts = [np.searchsorted(b, TIE - a, side="right").sum() for a, b in zip(left, right, strict=True)]
    return [float(count / 2.0**n) for count in counts]


def _subset_sums(rows: Floats) -> Floats:
    sums = np.zeros((len(rows), 1))
    for column in rows.T:
        sums = np.concatenate([sums, sums + column[:, None]], axis=1)
    return sums


def _sign_flip_drawn(rows: Floats) -> list[float]:
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(DRAWN, rows.shape[-1]))
    ordered = [row[np.lexsort((row, np.abs(row)))] for row in rows]
    return [float((1 + (signs @ row >= row.sum() - TIE).sum()) / (1 + DRAWN)) for row in ordered]

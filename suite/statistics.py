"""The statistics behind the verdicts: pure functions on arrays, without any knowledge of papers or files.

Arrays are ``(..., n)``: the last axis holds the values of one part over its n seeds, axes before it are independent
cases, so one verdict and twenty thousand simulated ones take the same way. Where parts are joined, evidence is
``(..., k)``: k parts on the last axis. Values are in the printed unit and positive as claimed; nothing depends on the
unit: values and bounds in another one give the same answer. A value that is not finite is a ValueError, never a number.
"R6" and the like name the rules that ``suite.verdict`` applies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import betaincinv

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ALPHA = {5: 1 / 32, 10: 0.01, 20: 0.00875}  # R14: together below 5 % under the null, see attained_rates
ALPHA_ONE_LOOK = 0.05
EXACT_UP_TO = 30  # seeds; beyond it half of all sign patterns is too many, and DRAWN of them are drawn
DRAWN = 99_999
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
    unit = float(_unit(array)[0])
    return float((array / unit).mean()) * unit


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
    scaled = array / _unit(array)
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


def size_word(values: ArrayLike, low: float, high: float, alpha: float, sizes: int = 1) -> str:
    """Whether one part's mean is "as claimed" in a band, "smaller", "larger", or "inconclusive".

    As claimed: shown to lie inside. Outside is two-sided and counts as often as there are ``sizes`` in the claim, since
    one part outside refutes them all.
    """
    array = finite(values)
    below, above = (2 * sizes * t_p(gap) <= alpha for gap in (low - array, array - high))
    if below or above:
        return "smaller" if below else "larger"
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


def printed_interval(printed: Decimal) -> tuple[Decimal, Decimal]:
    """All that the printed digits can stand for: half a unit of the last digit either way.

    >>> printed_interval(Decimal("94.0"))
    (Decimal('93.95'), Decimal('94.05'))
    """
    half = Decimal((0, (5,), _exponent(printed) - 1))
    return printed - half, printed + half


def roundings(value: int | float | Fraction | Decimal, printed: Decimal) -> tuple[str, ...]:
    """Which of "half-up" (away from zero) and "half-even" round an exact value to the printed digits (R12).

    A float counts as the decimal number that it is written as, so 2.675 lies half-way between 2.67 and 2.68.

    >>> roundings(2.675, Decimal("2.68")), roundings(Fraction(5, 2), Decimal("3")), roundings(7, Decimal("8"))
    (('half-up', 'half-even'), ('half-up',), ())
    """
    exact = Fraction(repr(float(value))) if isinstance(value, float) else Fraction(value)
    units = exact / Fraction(10) ** _exponent(printed)
    half_up = math.floor(abs(units) + Fraction(1, 2)) * (-1 if units < 0 else 1)
    want = Fraction(printed) / Fraction(10) ** _exponent(printed)
    rounded = {"half-up": half_up, "half-even": round(units)}
    return tuple(name for name, got in rounded.items() if got == want)


def possible_counts(printed: Decimal, n: int, whole: int = 100) -> range:
    """The k for which k of n items round to the printed share of ``whole`` (100: percent, 1: a fraction); GRIM.

    >>> possible_counts(Decimal("33.3"), 3), possible_counts(Decimal("33.4"), 3)
    (range(1, 2), range(0, 0))
    """
    if n < 1:
        raise ValueError(f"{n} items: expected at least 1")
    low, high = (Fraction(end) * n / whole for end in printed_interval(printed))
    first, last = max(0, math.ceil(low)), min(n, math.floor(high))
    while first <= last and not roundings(Fraction(first * whole, n), printed):
        first += 1
    while last >= first and not roundings(Fraction(last * whole, n), printed):
        last -= 1
    return range(first, last + 1) if first <= last else range(0)


def attained_rates(draws: int = 20_000, seed: int = 0) -> list[Rate]:
    """The error rates that R6, R7 and R14 attain on normal draws, and R6's power, by look and over the three together.

    Each false rate is drawn with equal spreads and with three times the spread in every third seed. The null of a
    joined claim is its worst case: as many parts as it allows hold beyond doubt, the others have no effect. That a
    claim is falsely reversed needs no draws: by the mirror it is that "at least k - u + 1" falsely holds.
    """
    rng = np.random.default_rng(seed)
    shared, own = rng.standard_normal((draws, 1, max(ALPHA))), rng.standard_normal((draws, 4, max(ALPHA)))
    rates = []
    for name, spread in {"equal": 1.0, "unequal": 3.0}.items():
        scale = np.where(np.arange(max(ALPHA)) % 3 == 0, spread, 1.0)
        rates += _rates("R6", f"false holds, {name} spreads", shared * scale, _holds(1))
        for margin in (0.5, 1.0, 4.0):
            what = f"false tied, {name} spreads, margin {margin:g} sd"
            rates += _rates("R6", what, shared * scale + margin, partial(_tied, margin=margin))
        for parts, drawn in {"independent": own, "correlated": 0.6 * own + 0.8 * shared}.items():
            for over, u in {"all": 4, "at least 2": 2, "some": 1}.items():
                certain = np.where(np.arange(4) < u - 1, 100.0, 0.0)[:, None]
                what = f"false holds, {name} spreads, {over} of 4 {parts} parts"
                rates += _rates("R7", what, drawn * scale + certain, _holds(u))
    for shift in (0.5, 1.0, 1.5):
        rates += _rates("R6", f"power, shift {shift:g} sd", shared + shift, _holds(1), promised=False)
    return rates


Answer = Callable[[Floats, float], Flags]


def _holds(u: int) -> Answer:
    """The core as the verdict calls it, for "at least u parts"."""
    return lambda seen, alpha: decide(ordering(seen, None, alpha, complete=False), u, alpha)[0]


def _tied(seen: Floats, alpha: float, margin: float) -> Flags:
    """Tied by the interval alone: what holds as well is counted too."""
    return np.asarray(inside(seen, -margin, margin, alpha).all(axis=-1))


def _rates(rule: str, what: str, values: Floats, answer: Answer, promised: bool = True) -> list[Rate]:
    """How often a rule gives an answer for values (draws, parts, 20), at each look's level and over all at 0.05."""
    found = {look: answer(values[..., :look], alpha) for look, alpha in ALPHA.items()}
    found[0] = np.any(list(found.values()), axis=0)
    levels = ALPHA | {0: ALPHA_ONE_LOOK}
    return [
        Rate(rule, what, look, levels[look] if promised else None, float(flags.mean())) for look, flags in found.items()
    ]


def _unit(array: Floats) -> Floats:
    """The largest magnitude of each case, 1 where all are 0: divided by it, no square overflows and none vanishes."""
    largest = np.abs(array).max(axis=-1, keepdims=True)
    return np.where(largest == 0, 1.0, largest)


def _moments(values: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Unit, mean and standard error of the mean, the last two in that unit."""
    array = finite(values)
    n = array.shape[-1]
    if n < 2:
        raise ValueError("one value has no spread: expected two seeds or more")
    unit = _unit(array)
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


def _exponent(printed: Decimal) -> int:
    exponent = printed.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"{printed} is not a printed number")
    return exponent

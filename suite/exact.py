"""Printed numbers beside exact ones (R12): what printed digits can stand for, roundings, counts, numbers as words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction


@dataclass(frozen=True)
class ExactVerdict:
    """A printed number beside an exact one (R12): ``low`` to ``high`` is what the printed digits can stand for.

    ``roundings`` are those that give the printed digits, ``counts`` the k of n that can.
    """

    word: str
    reason: str
    low: Decimal
    high: Decimal
    roundings: tuple[str, ...] = ()
    counts: Sequence[int] = ()


def judge_exact(printed: Decimal, computed: int | float | Fraction | Decimal) -> ExactVerdict:
    """Exact when the computed value, rounded half-up or half-even, gives the printed digits; else contradicts (R12)."""
    low, high = printed_interval(printed)
    found = roundings(computed, printed)
    reason = f"computed {computed}; the printed {printed} stands for {low} to {high}"
    return ExactVerdict("exact" if found else "contradicts", reason, low, high, found)


def judge_share(printed: Decimal, n: int, whole: int = 100) -> ExactVerdict:
    """Exact when some k of n items give the printed share of ``whole`` (100: percent), else contradicts (GRIM, R12)."""
    counts = possible_counts(printed, n, whole)
    shown = " to ".join(dict.fromkeys(str(k) for k in (counts[0], counts[-1]))) if counts else "no count"
    reason = f"{shown} of {n} items can be printed as {printed}"
    interval = printed_interval(printed)
    return ExactVerdict("exact" if counts else "contradicts", reason, *interval, counts=counts)


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


def show(value: float | Decimal | None, digits: int = 3) -> str:
    """A number for a sentence: significant digits, no exponent unless it is very large or small."""
    text = "unknown" if value is None else f"{value:.{digits}g}"
    return f"{Decimal(text):f}" if "e+0" in text else text


def _exponent(printed: Decimal) -> int:
    exponent = printed.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"{printed} is not a printed number")
    return exponent

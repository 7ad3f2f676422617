"""Page's test of a trend over ordered levels (R9): ranks within each seed, exact p values, ties by their own null.

Arrays are ``(..., k, n)``: the values of k levels, in the order in which they are claimed to grow, over n seeds. Ranks
do not depend on the unit, nor on how far the seeds lie apart.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from suite.statistics import Evidence, Floats, finite, t_p

Counts = NDArray[np.int64]

EXACT_LEVELS = 8  # 8! = 40,320 orders of a seed's ranks; beyond it the normal approximation of their sum


def page_scores(values: ArrayLike) -> Floats:
    """Of each seed, by how much its L exceeds what chance gives: 4 (L - k (k + 1)^2 / 4), a whole number; ``(..., n)``.

    L is the sum over the levels of place times rank, with average ranks for ties; at most k (k^2 - 1) / 3 is reached,
    by values that grow from each level to the next. The levels in the mirrored order give the negative.

    >>> page_scores([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]]).tolist()
    [8.0, -8.0]
    """
    return np.asarray((_centred_ranks(values) * _places(np.shape(values)[-2])[:, None]).sum(axis=-2), dtype=np.float64)


def page_p(values: ArrayLike) -> Floats:
    """One-sided p of Page's L against "no order": the share of all orders of the ranks within seeds with L as large.

    Exact up to eight levels, above them the normal approximation. Tied values keep their tie in every order, so p is
    exact with ties too (scipy's ``page_trend_test`` counts them as if there were none). ValueError below two levels.
    """
    ranks = _centred_ranks(values)
    k = ranks.shape[-2]
    if k < 2:
        raise ValueError(f"{k} level has no order: expected two or more")
    total = (ranks * _places(k)[:, None]).sum(axis=(-2, -1))
    if k > EXACT_LEVELS:
        variance = (_places(k) ** 2).sum() * (ranks**2).sum(axis=(-2, -1)) / (k - 1)
        return np.asarray(stats.norm.sf(total / np.sqrt(np.maximum(variance, 1))))
    patterns = np.sort(ranks, axis=-2)
    untied = np.all(patterns == _places(k)[:, None], axis=(-2, -1))
    p = np.empty(total.shape)
    p[untied] = _tail((tuple(_places(k)),) * ranks.shape[-1])[total[untied]]
    for case in np.argwhere(~untied):
        seeds = sorted(tuple(int(rank) for rank in seed) for seed in patterns[tuple(case)].T)
        p[tuple(case)] = _tail(tuple(seeds))[total[tuple(case)]]
    return p


def trend(values: ArrayLike) -> Evidence:
    """R9: the larger of Page's p and of the t test's for the seeds' own L; ``p_reversed`` takes the mirrored order.

    Page's p alone takes all orders within a seed for equally likely where there is no trend. They are not where one
    level is spread more widely than the others, or where neighbouring levels of a seed resemble each other: it then
    says "holds" in 13 % instead of 5, of eight levels in 22 % (simulated). The seeds' own L still have the mean 0.
    Nothing is tied.
    """
    array = finite(values)
    scores, mirrored = page_scores(array), array[..., ::-1, :]
    p, p_reversed = np.maximum(page_p(array), t_p(scores)), np.maximum(page_p(mirrored), t_p(-scores))
    return Evidence(p, p_reversed, np.zeros(p.shape, dtype=bool))


def tau_of_means(values: ArrayLike) -> float:
    """Kendall's tau-b of the levels' means with the claimed order: 1 where they grow at every step, 0 where all tie."""
    means = finite(values).mean(axis=-1)
    return float(stats.kendalltau(np.arange(len(means)), means).statistic) if np.ptp(means) > 0 else 0.0


def falls(values: ArrayLike, margin: float) -> list[tuple[int, float]]:
    """The steps from a level to the next at which the mean falls by more than the margin, with the (negative) change.

    >>> falls([[1.0, 1.0], [3.0, 3.0], [2.0, 2.0]], 0.5)
    [(1, -1.0)]
    """
    steps = np.diff(finite(values).mean(axis=-1))
    return [(i, float(step)) for i, step in enumerate(steps) if step < -margin]


def _places(k: int) -> Counts:
    """The levels' places about their mean, in halves, so that they are whole numbers."""
    return 2 * np.arange(1, k + 1) - k - 1


def _centred_ranks(values: ArrayLike) -> Counts:
    """Ranks within each seed about their mean, in halves."""
    array = finite(values)
    ranks = stats.rankdata(array, axis=-2)
    return np.rint(2 * ranks).astype(np.int64) - array.shape[-2] - 1


@lru_cache(maxsize=1024)
def _tail(patterns: Sequence[tuple[int, ...]]) -> Floats:
    """P(sum of scores >= s) at [s] for seeds with these sorted ranks; a negative s counts from the end."""
    share = np.ones(1)
    for pattern in patterns:
        share = np.convolve(share, _one_seed(pattern))
    tail = np.minimum(1.0, np.cumsum(share[::-1])[::-1])
    return np.roll(tail, -(len(tail) // 2))


@lru_cache(maxsize=1024)
def _one_seed(pattern: tuple[int, ...]) -> Floats:
    """The distribution of one seed's score over all orders of its ranks, from the smallest possible to the largest."""
    k = len(pattern)
    scores = np.array(pattern)[_orders(k)] @ _places(k)
    most = int((_places(k) ** 2).sum())
    return np.bincount(scores + most, minlength=2 * most + 1) / len(scores)


@lru_cache(maxsize=EXACT_LEVELS)
def _orders(k: int) -> Counts:
    return np.array(list(itertools.permutations(range(k))))

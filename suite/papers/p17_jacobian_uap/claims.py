"""The claims of paper 17: the parts of each for one seed, in the printed unit."""

from __future__ import annotations

from itertools import product

from scipy import stats

from suite.contract import Seen, Value, carry
from suite.papers.p17_jacobian_uap.arms import EPS

WEIGHTS, BUDGETS = ("0", "0.05", "0.1", "0.5", "1"), ("0.1", "0.15", "0.2", "0.25", "0.3")


def _lower(seen: Seen, metric: str, method: str, than: str) -> dict[str, Value]:
    return {
        d: seen("table1", metric, dataset=d, method=than) - seen("table1", metric, dataset=d, method=method)
        for d in EPS
    }


def c1(seen: Seen) -> dict[str, Value]:
    """Regularisation lowers the untargeted rate on both data sets."""
    return _lower(seen, "uer", "jr", than="standard")


def c2(seen: Seen) -> dict[str, Value]:
    """Regularisation lowers the targeted rate on both data sets."""
    return _lower(seen, "tsr", "jr", than="standard")


def c3(seen: Seen) -> dict[str, Value]:
    """The reduction of an attack rate reaches a factor of four."""
    return {
        f"{d} {metric}": seen("table1", metric, dataset=d, method="standard")
        / seen("table1", metric, dataset=d, method="jr")
        for d, metric in product(EPS, ("uer", "tsr"))
    }


def c4(seen: Seen) -> dict[str, Value]:
    """Regularisation does not raise the clean error: the rise in points."""
    return {d: -value for d, value in _lower(seen, "test_error", "jr", than="standard").items()}


def c5(seen: Seen) -> dict[str, Value]:
    """Universal adversarial training doubles the clean error."""
    return {
        d: seen("table1", "test_error", dataset=d, method="uat")
        / seen("table1", "test_error", dataset=d, method="standard")
        for d in EPS
    }


def c6(seen: Seen) -> dict[str, Value]:
    """Regularisation is more robust than universal adversarial training."""
    return {f"{d} {m}": v for m in ("uer", "tsr") for d, v in _lower(seen, m, "jr", than="uat").items()}


def _over_weights(seen: Seen, metric: str) -> dict[str, Value]:
    """The accuracy, or what else Fig. 1 shows, by data set and level of the weight."""
    return {
        f"{d}/{w}": seen("fig1", metric, dataset=d, weight=w) for d in EPS for w in ("1", "0.5", "0.1", "0.05", "0")
    }


def c7(seen: Seen) -> dict[str, Value]:
    """Clean accuracy falls as the weight grows."""
    return _over_weights(seen, "accuracy")


def c7b(seen: Seen) -> dict[str, Value]:
    """Up to weight 0.1 the fall of clean accuracy is negligible: the fall in points."""
    found = _over_weights(seen, "accuracy")
    return {d: found[f"{d}/0"] - found[f"{d}/0.1"] for d in EPS}


def _rate(seen: Seen, data: str, weight: str, eps: str) -> Value:
    return seen("fig2", "uer", dataset=data, weight=weight, eps=eps)


def c8(seen: Seen) -> dict[str, Value]:
    """Without the penalty the evasion rate exceeds 80 % from eps 0.2 on."""
    return {f"{d} {eps}": _rate(seen, d, "0", eps) for d in EPS for eps in ("0.2", "0.25", "0.3")}


def c9(seen: Seen) -> dict[str, Value]:
    """On MNIST the regularised rate rises more from eps 0.2 to 0.25 than from 0.15 to 0.2."""
    low, middle, high = (_rate(seen, "mnist", "0.05", eps) for eps in ("0.15", "0.2", "0.25"))
    return {"mnist": (high - middle) - (middle - low)}


def c10(seen: Seen) -> dict[str, Value]:
    """On Fashion-MNIST weight 0.05 protects up to eps 0.15: the rate less half of the unprotected one."""
    fashion = "fashion_mnist"
    return {eps: _rate(seen, fashion, "0.05", eps) - 0.5 * _rate(seen, fashion, "0", eps) for eps in ("0.1", "0.15")}


def c11(seen: Seen) -> dict[str, Value]:
    """Targeted rates follow the trend of untargeted ones: Spearman's rho over weights and budgets."""
    return {
        d: carry(
            _spearman,
            *(_rate(seen, d, w, eps) for w, eps in product(WEIGHTS, BUDGETS)),
            *(seen("fig3", "tsr", dataset=d, weight=w, eps=eps) for w, eps in product(WEIGHTS, BUDGETS)),
        )
        for d in EPS
    }


def _spearman(*values: float) -> float:
    """Spearman's rho of the first half of the values and the second."""
    half = len(values) // 2
    return float(stats.spearmanr(values[:half], values[half:]).statistic)


def c12(seen: Seen) -> dict[str, Value]:
    """Regularisation lowers the median similarity by about 0.35."""
    return {
        d: seen("fig4", "median", dataset=d, method="standard") - seen("fig4", "median", dataset=d, method="jr")
        for d in EPS
    }


def c13(seen: Seen) -> dict[str, Value]:
    """The median similarity is highly correlated with the evasion rate: Spearman's rho over the weights."""
    return {d: seen("ours_correlation", "spearman", dataset=d, measure="median") for d in EPS}


def c14(seen: Seen) -> dict[str, Value]:
    """Eq. 9 bounds the stack of any matrices: the number of random stacks that break it."""
    return {"random": seen("ours_bounds", "violations", matrices="random")}


def c15(seen: Seen) -> dict[str, Value]:
    """Eq. 9 is attained by identical Jacobians: what is missing from equality, relative to the bound."""
    at = {"matrices": "identical"}
    return {"identical": 1 - seen("ours_bounds", "stack_squared", **at) / seen("ours_bounds", "bound_squared", **at)}


def c16(seen: Seen) -> dict[str, Value]:
    """Shared singular vectors make the similarity one: what is missing from one where the spectra differ."""
    return {"shared vectors": 1 - seen("ours_bounds", "cosine", matrices="shared_vectors")}


def c17(seen: Seen) -> dict[str, Value]:
    """Universal adversarial training is more robust than standard training."""
    return {f"{d} {m}": v for m in ("uer", "tsr") for d, v in _lower(seen, m, "uat", than="standard").items()}


def c18(seen: Seen) -> dict[str, Value]:
    """Fashion-MNIST models are less robust than MNIST models, at every weight and budget."""
    return {
        f"{w} {eps}": _rate(seen, "fashion_mnist", w, eps) - _rate(seen, "mnist", w, eps)
        for w, eps in product(WEIGHTS, BUDGETS)
    }

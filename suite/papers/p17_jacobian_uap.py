"""Jacobian regularisation against universal perturbations (Co et al., ICANN 2021).

Choices and departures: baselines/p17_jacobian_uap/card.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from suite.contract import Inputs, Run, Seen, Value
from suite.kernels import jacobian, uap
from suite.recipes import LeNet
from suite.rows import Row
from suite.train import pixels

AXES = {"fig4": ("dataset", "method")}


@dataclass(frozen=True)
class Settings:
    """What the paper prints or leaves open; the card numbers each choice."""

    data: tuple[str, ...] = ("mnist", "fashion_mnist")  # Sect. 4.1
    epochs: int = 20  # open: card, choice 11
    weight: float = 0.05  # Table 1
    iterations: int = 100  # Sect. 4.1
    batch: int = 200  # Sect. 4.1
    step: float = 0.8  # of eps; open: card, choice 5
    targets: tuple[int, ...] = tuple(range(10))  # Sect. 4.1
    images: int = 1000  # Sect. 4.3
    validation: int = 5000  # training images held out in ours_choice; open
    rates: tuple[float, ...] = (0.1, 0.02)  # candidates of ours_choice; open
    dropouts: tuple[float, ...] = (0.5, 0.0)
    schedules: tuple[str, ...] = ("step", "constant")


SCALES = {
    "full": Settings(),
    "reduced": Settings(epochs=3, targets=(0, 3, 7), images=300),
    "smoke": Settings(
        data=("mnist",), epochs=4, targets=(0, 3), iterations=20, images=50, validation=300, dropouts=(0.0,),
        schedules=("step",),
    ),
}  # fmt: skip
SPLIT = {"table1": "data", "fig4": "data", "ours_choice": "data"}
SEEDS = {
    "full": {"table1": 5, "fig4": 5},
    "reduced": {"ours_choice": 1, "table1": 5, "fig4": 5},
    "smoke": {"ours_bounds": 1, "ours_choice": 1, "table1": 1, "fig4": 1},
}
COST = {
    "full": {"table1": 35, "fig4": 2},
    "reduced": {"ours_choice": 25, "table1": 5, "fig4": 1},
    "smoke": {"ours_bounds": 0.1, "ours_choice": 0.2, "table1": 0.2, "fig4": 0.1},
}
SWEEP = "not run yet: the sweep over weights and eps at full, about {} core-hours"
OUT = {
    "fig1": SWEEP.format(10),
    "fig2": SWEEP.format(11),
    "fig3": SWEEP.format(14),
    "c7": SWEEP.format(10),
    "c7b": SWEEP.format(10),
    "c8": SWEEP.format(11),
    "c9": SWEEP.format(11),
    "c10": SWEEP.format(11),
    "c11": SWEEP.format(14),
    "c13": SWEEP.format(10),
    "c18": SWEEP.format(11),
}

EPS = {"mnist": 0.2, "fashion_mnist": 0.15}  # Table 1
METHODS = ("standard", "jr")
# Lowest validation error of each arm in ours_choice at reduced, fixed before any attack was run (card, choice 12).
CHOSEN: dict[tuple[str, str], dict[str, Any]] = {
    ("mnist", "standard"): {"rate": 0.1, "dropout": 0.0, "schedule": "step"},
    ("mnist", "jr"): {"rate": 0.1, "dropout": 0.0, "schedule": "step"},
    ("fashion_mnist", "standard"): {"rate": 0.1, "dropout": 0.0, "schedule": "step"},
    ("fashion_mnist", "jr"): {"rate": 0.1, "dropout": 0.0, "schedule": "step"},
}


def inputs(settings: Settings, unit: str, part: str | None) -> Inputs:
    """The data sets and recipes that a unit may use."""
    if unit == "ours_bounds" or part is None:
        return Inputs()
    if unit == "ours_choice":
        return Inputs(data=(part,))
    return Inputs(data=(part,), recipes=tuple(arm(settings, part, method) for method in METHODS))


def arm(settings: Settings, data: str, method: str) -> LeNet:
    """The training of one arm: regularised or not, with the settings chosen for it."""
    return LeNet(data, weight=weight(settings, method), epochs=settings.epochs, **CHOSEN[data, method])


def weight(settings: Settings, method: str) -> float:
    """The regularisation weight of a method."""
    return settings.weight if method == "jr" else 0.0


# Settings that the paper leaves open --------------------------------------------------------------------------------


def ours_choice(run: Run) -> Iterator[Row]:
    """Validation error in % of every candidate of rate, dropout and schedule, for each arm alike."""
    candidates = product(METHODS, run.settings.rates, run.settings.dropouts, run.settings.schedules)
    items = [dict(zip(("method", "rate", "dropout", "schedule"), c, strict=True)) for c in candidates]
    for item, error in zip(items, run.map("candidates", validation_error, items), strict=True):
        yield Row("ours_choice", {"dataset": run.part, **item}, {"validation_error": error})


def validation_error(run: Run, item: dict[str, Any]) -> float:
    """The error in % on held-out training images of one candidate; a training that diverges counts as 100 %."""
    images = run.data(run.part)
    order = torch.from_numpy(run.rng("validation", run.part).permutation(len(images.train_images)))
    kept, held = order[run.settings.validation :], order[: run.settings.validation]
    chosen = {name: item[name] for name in ("rate", "dropout", "schedule")}
    recipe = LeNet(run.part, weight=weight(run.settings, item["method"]), epochs=run.settings.epochs, **chosen)
    try:
        model = recipe.fit(run, images.train_images[kept].to(run.device), images.train_labels[kept].to(run.device))
    except FloatingPointError:
        return 100.0
    labels = images.train_labels[held].to(run.device)
    return uap.evasion_rate(model, pixels(images.train_images[held].to(run.device)), labels)


# Table 1 ------------------------------------------------------------------------------------------------------------


def table1(run: Run) -> Iterator[Row]:
    """Clean error, untargeted evasion rate and mean targeted success rate of each arm, at the eps of its data set."""
    images, labels = _test_set(run)
    for method in METHODS:
        model = run.recipe(arm(run.settings, run.part, method))
        items = [{"method": method, "target": target} for target in (None, *run.settings.targets)]
        untargeted, *targeted = run.map("attacks", attack_rate, items)
        values = {
            "test_error": uap.evasion_rate(model, images, labels),
            "uer": untargeted,
            "tsr": sum(targeted) / len(targeted),
        }
        for item in items[:2]:
            name = f"{method} {'untargeted' if item['target'] is None else item['target']}"
            run.figure(name, perturbation(run, item).squeeze(0))
        yield Row("table1", {"dataset": run.part, "method": method, "eps": EPS[run.part]}, values)


def attack_rate(run: Run, item: dict[str, Any]) -> float:
    """The rate in % that an attack reaches on the test images: evasion, or success where a target is given."""
    images, labels = _test_set(run)
    model = run.recipe(arm(run.settings, run.part, item["method"]))
    delta = perturbation(run, item).to(run.device)
    if item["target"] is None:
        return uap.evasion_rate(model, images, labels, delta)
    return uap.target_rate(model, images, item["target"], delta)


def perturbation(run: Run, item: dict[str, Any]) -> Tensor:
    """The universal perturbation of an attack, crafted on the test images (card, choice 9)."""
    images, labels = _test_set(run)
    model = run.recipe(arm(run.settings, run.part, item["method"]))
    options = {"eps": EPS[run.part], "step": run.settings.step * EPS[run.part]}
    options |= {"iterations": run.settings.iterations, "batch": run.settings.batch, "target": item["target"]}
    draw = run.generator("attack", run.part, item["target"])
    return run.keep("perturbation", craft, model, images, labels, options, draw)


def craft(model: nn.Module, images: Tensor, labels: Tensor, options: dict[str, Any], draw: torch.Generator) -> Tensor:
    """One attack, in the form that ``Run.keep`` remembers."""
    return uap.attack(model, images, labels, generator=draw, **options)


def _test_set(run: Run) -> tuple[Tensor, Tensor]:
    """Test images as floats in [0, 1], and labels, on the run's device."""
    images = run.data(run.part)
    return pixels(images.test_images.to(run.device)), images.test_labels.to(run.device)


# Figure 4 -----------------------------------------------------------------------------------------------------------


def fig4(run: Run) -> Iterator[Row]:
    """The median cosine similarity of the Jacobians of pairs of test images (Eq. 10), as many images of each class."""
    images, labels = _test_set(run)
    chosen = balanced(run, labels.cpu(), run.settings.images)
    for method in METHODS:
        model = run.recipe(arm(run.settings, run.part, method))
        cosines = jacobian.similarity(jacobian.jacobians(model, images[chosen]))
        above = torch.triu_indices(len(cosines), len(cosines), offset=1)
        counts = torch.histc(cosines.cpu()[above[0], above[1]], bins=100, min=-1, max=1)
        run.figure(f"histogram {method}", counts.int())
        yield Row("fig4", {"dataset": run.part, "method": method}, {"median": jacobian.pair_median(cosines).item()})


def balanced(run: Run, labels: Tensor, count: int) -> Tensor:
    """Indices of ``count`` images, drawn without replacement, the same number of each of the ten classes."""
    order = torch.from_numpy(run.rng("similarity", run.part).permutation(len(labels)))
    return torch.cat([order[labels[order] == c][: count // 10] for c in range(10)])


# The algebra of Sect. 3 ---------------------------------------------------------------------------------------------


def ours_bounds(run: Run) -> Iterator[Row]:
    """Both sides of Eq. 9 and the cosine of Eq. 10 on matrices for which the paper says what they must be."""
    rng = run.rng("matrices")
    drawn = torch.from_numpy(rng.standard_normal((100, 5, 10, 20)))
    sides = [jacobian.stacked_bound(matrices) for matrices in drawn]
    yield bounds("random", sum(bool(stack > bound) for stack, bound in sides), drawn[0])
    same = drawn[0, :1].expand(5, -1, -1)
    stack, bound = jacobian.stacked_bound(same)
    yield bounds("identical", int(stack > bound), same)
    left, _, right = torch.linalg.svd(drawn[0, 0], full_matrices=False)
    spectra = torch.eye(10, dtype=drawn.dtype)[:1], torch.ones(1, 10, dtype=drawn.dtype)
    shared = torch.cat([(left * values) @ right[None] for values in spectra])
    stack, bound = jacobian.stacked_bound(shared)
    yield bounds("shared_vectors", int(stack > bound), shared)


def bounds(name: str, violations: int, matrices: Tensor) -> Row:
    """A row of ours_bounds: how often Eq. 9 was broken, its squared sides, and the cosine of the first two matrices."""
    stack, bound = jacobian.stacked_bound(matrices)
    cosine = jacobian.similarity(matrices)[0, 1]
    sides = {"stack_squared": stack.item(), "bound_squared": bound.item(), "cosine": cosine.item()}
    return Row("ours_bounds", {"matrices": name}, {"violations": violations, **sides})


# Claims -------------------------------------------------------------------------------------------------------------


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


def c12(seen: Seen) -> dict[str, Value]:
    """Regularisation lowers the median similarity by about 0.35."""
    return {
        d: seen("fig4", "median", dataset=d, method="standard") - seen("fig4", "median", dataset=d, method="jr")
        for d in EPS
    }


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

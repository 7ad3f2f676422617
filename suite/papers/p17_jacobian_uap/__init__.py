"""Jacobian regularisation against universal perturbations (Co et al., ICANN 2021).

Choices and departures: baselines/p17_jacobian_uap/card.md.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from typing import Any

import torch
from scipy import stats
from torch import Tensor, nn

from suite.contract import Inputs, Run
from suite.kernels import jacobian, uap
from suite.papers.p17_jacobian_uap.arms import (
    EPS,
    PAIR,
    PRINTED_ERROR,
    REDUCED,
    SMOKE,
    Settings,
    arm,
    attack_on,
    attack_options,
    attack_rate,
    craft,
    penalised,
    perturbation,
    test_set,
    universal,
)
from suite.papers.p17_jacobian_uap.claims import (  # noqa: F401
    c1,
    c2,
    c3,
    c4,
    c5,
    c6,
    c7,
    c7b,
    c8,
    c9,
    c10,
    c11,
    c12,
    c13,
    c14,
    c15,
    c16,
    c17,
    c18,
)
from suite.recipes import LeNet
from suite.rows import Row
from suite.train import pixels

AXES = {
    "fig1": ("dataset", "weight"),
    "fig2": ("dataset", "weight", "eps"),
    "fig3": ("dataset", "weight", "eps"),
    "fig4": ("dataset", "method"),
}

SCALES = {
    "full": Settings(),
    "reduced": Settings(
        methods=("standard", "jr"), epochs=3, targets=(0, 3, 7), images=300, chosen=REDUCED, dropouts=(0.5, 0.0),
        schedules=("step", "constant"),
    ),
    "smoke": Settings(
        data=("mnist",), epochs=4, weights=(0.0, 0.05), budgets=(0.1, 0.2), targets=(0, 3), iterations=20, images=50,
        validation=300, chosen=SMOKE, rates=(0.1,), lengths=(1, 2), ascents=(0.1,), long=40, starts=2, individual=5,
    ),
}  # fmt: skip
SPLIT = dict.fromkeys(
    (
        *("table1", "fig1", "fig2", "fig3", "fig4", "ours_choice", "ours_length", "ours_uat"),
        *("ours_similarity", "ours_correlation", "ours_attack_control"),
    ),
    "data",
)
SEEDS = {
    "full": {
        "ours_length": 1, "ours_choice": 1, "ours_uat": 1, "table1": 5, "fig4": 5,
        "fig1": 5, "fig2": 5, "fig3": 5, "ours_similarity": 5,
        "ours_correlation": 5, "ours_attack_control": 1,
    },
    "reduced": {"ours_choice": 1, "table1": 5, "fig4": 5},
    "smoke": {
        "ours_bounds": 1, "ours_choice": 1, "ours_length": 1, "ours_uat": 1, "table1": 1, "fig4": 1, "fig1": 1,
        "fig2": 1, "fig3": 1, "ours_similarity": 1, "ours_correlation": 1, "ours_attack_control": 1,
    },
}  # fmt: skip
COST = {
    "full": {
        "ours_length": 8, "ours_choice": 30, "ours_uat": 90, "table1": 6, "fig4": 2,
        "fig1": 1, "fig2": 5, "fig3": 40, "ours_similarity": 5,
        "ours_correlation": 5, "ours_attack_control": 70,
    },
    "reduced": {"ours_choice": 20, "table1": 5, "fig4": 1},
    "smoke": dict.fromkeys(SEEDS["smoke"], 0.1),
}  # fmt: skip


def inputs(settings: Settings, unit: str, part: str | None) -> Inputs:
    """The data sets and recipes that a unit may use."""
    if unit == "ours_bounds" or part is None:
        return Inputs()
    if unit in ("ours_choice", "ours_length", "ours_uat"):
        return Inputs(data=(part,))
    if unit in ("fig1", "fig2", "fig3", "ours_similarity", "ours_correlation"):
        return Inputs(data=(part,), recipes=tuple(penalised(settings, part, weight) for weight in settings.weights))
    methods = PAIR if unit == "fig4" else settings.methods
    return Inputs(data=(part,), recipes=tuple(arm(settings, part, method) for method in methods))


# Settings that the paper leaves open --------------------------------------------------------------------------------


def ours_choice(run: Run) -> Iterator[Row]:
    """Validation error in % of every candidate of rate, dropout and schedule, for each arm alike."""
    s = run.settings
    for method in PAIR:
        candidates = product(s.rates, s.dropouts, s.schedules)
        items = [dict(zip(("rate", "dropout", "schedule"), c, strict=True)) for c in candidates]
        weight = s.weight if method == "jr" else 0.0
        tried = [{"weight": weight, "epochs": s.epochs, **item} for item in items]
        for item, error in zip(items, run.map("candidates", validation_error, tried), strict=True):
            labels = {"dataset": run.part, "method": method, **item}
            yield Row("ours_choice", labels, {"validation_error": error})


def ours_length(run: Run) -> Iterator[Row]:
    """Validation error in % of the standard arm by training length, up to the first that reaches the printed error.

    Rate, dropout and schedule are the first candidates. Reached: not above it by more than one binomial standard error
    of the held-out images.
    """
    s, printed = run.settings, PRINTED_ERROR[run.part]
    reached = printed + (printed * (100 - printed) / s.validation) ** 0.5
    for epochs in s.lengths:
        fields = {"epochs": epochs, "rate": s.rates[0], "dropout": s.dropouts[0], "schedule": s.schedules[0]}
        (error,) = run.map("lengths", validation_error, [fields])
        yield Row("ours_length", {"dataset": run.part, "epochs": epochs}, {"validation_error": error})
        if error <= reached:
            break


def ours_uat(run: Run) -> Iterator[Row]:
    """Validation error and evasion rate in % of universal adversarial training by rate, step and share of clean images.

    The perturbation that is tested is crafted on the held-out images, as Table 1 crafts on test images.
    """
    s = run.settings
    items = [
        {"rate": rate, "ascent": ascent, "clean": clean}
        for rate, ascent, clean in product(s.rates, s.ascents, s.shares)
    ]
    for item, (error, rate) in zip(items, run.map("candidates", validation_evasion, items), strict=True):
        yield Row("ours_uat", {"dataset": run.part, **item}, {"validation_error": error, "validation_uer": rate})


def validation_error(run: Run, fields: dict[str, Any]) -> float:
    """The error in % on held-out training images of a recipe; a training that diverges counts as 100 %."""
    model, images, labels = _validated(run, LeNet(run.part, **fields))
    return 100.0 if model is None else uap.evasion_rate(model, images, labels)


def validation_evasion(run: Run, item: dict[str, Any]) -> list[float]:
    """The clean error and the universal evasion rate in % on held-out images after universal adversarial training."""
    recipe = universal(run.part, run.settings.epochs, item["rate"], item["ascent"], item["clean"])
    model, images, labels = _validated(run, recipe)
    if model is None:
        return [100.0, 100.0]
    options = attack_options(run, EPS[run.part], None)
    delta = craft(model, images, labels, options, run.generator("validation attack", run.part))
    return [uap.evasion_rate(model, images, labels), uap.evasion_rate(model, images, labels, delta)]


def _validated(run: Run, recipe: LeNet) -> tuple[nn.Module | None, Tensor, Tensor]:
    """The recipe trained without the held-out images (None when it diverges), and those images with their labels."""
    images = run.data(run.part)
    order = torch.from_numpy(run.rng("validation", run.part).permutation(len(images.train_images)))
    kept, held = order[run.settings.validation :], order[: run.settings.validation]
    model: nn.Module | None = None
    with suppress(FloatingPointError):
        model = recipe.fit(run, images.train_images[kept].to(run.device), images.train_labels[kept].to(run.device))
    return model, pixels(images.train_images[held].to(run.device)), images.train_labels[held].to(run.device)


# Table 1 ------------------------------------------------------------------------------------------------------------


def table1(run: Run) -> Iterator[Row]:
    """Clean error, untargeted evasion rate and mean targeted success rate of each arm, at the eps of its data set."""
    images, labels = test_set(run, run.part)
    for method in run.settings.methods:
        recipe = arm(run.settings, run.part, method)
        attacks = [attack_on(recipe, EPS[run.part], target) for target in (None, *run.settings.targets)]
        untargeted, *targeted = run.map("attacks", attack_rate, attacks)
        values = {
            "test_error": uap.evasion_rate(run.recipe(recipe), images, labels),
            "uer": untargeted,
            "tsr": sum(targeted) / len(targeted),
        }
        for attack in attacks[:2]:
            name = f"{method} {'untargeted' if attack['target'] is None else attack['target']}"
            run.figure(name, perturbation(run, attack).squeeze(0))
        yield Row("table1", {"dataset": run.part, "method": method, "eps": EPS[run.part]}, values)


# Figures 1 to 3 -----------------------------------------------------------------------------------------------------


def fig1(run: Run) -> Iterator[Row]:
    """Clean accuracy by regularisation weight."""
    images, labels = test_set(run, run.part)
    for weight in run.settings.weights:
        error = uap.evasion_rate(run.recipe(penalised(run.settings, run.part, weight)), images, labels)
        yield Row("fig1", {"dataset": run.part, "weight": weight}, {"accuracy": 100 - error})


def fig2(run: Run) -> Iterator[Row]:
    """Untargeted evasion rate by regularisation weight and budget."""
    for weight, eps in product(run.settings.weights, run.settings.budgets):
        (rate,) = run.map("attacks", attack_rate, [attack_on(penalised(run.settings, run.part, weight), eps, None)])
        yield Row("fig2", {"dataset": run.part, "weight": weight, "eps": eps}, {"uer": rate})


def fig3(run: Run) -> Iterator[Row]:
    """Targeted success rate by regularisation weight and budget: mean and standard deviation over the targets."""
    for weight, eps in product(run.settings.weights, run.settings.budgets):
        recipe = penalised(run.settings, run.part, weight)
        rates = run.map("attacks", attack_rate, [attack_on(recipe, eps, target) for target in run.settings.targets])
        values = {"tsr": statistics.mean(rates), "tsr_sd": statistics.stdev(rates)}
        yield Row("fig3", {"dataset": run.part, "weight": weight, "eps": eps}, values)


# Figure 4 and the measure beside it ---------------------------------------------------------------------------------


def fig4(run: Run) -> Iterator[Row]:
    """The median cosine similarity of the Jacobians of pairs of test images (Eq. 10), as many images of each class."""
    images = balanced(run, run.settings.images)
    for method in PAIR:
        cosines = jacobian.similarity(jacobian.jacobians(run.recipe(arm(run.settings, run.part, method)), images))
        above = torch.triu_indices(len(cosines), len(cosines), offset=1)
        counts = torch.histc(cosines.cpu()[above[0], above[1]], bins=100, min=-1, max=1)
        run.figure(f"histogram {method}", counts.int())
        yield Row("fig4", {"dataset": run.part, "method": method}, {"median": jacobian.pair_median(cosines).item()})


def balanced(run: Run, count: int) -> Tensor:
    """``count`` test images drawn without replacement, the same number of each of the ten classes."""
    images, labels = test_set(run, run.part)
    order = torch.from_numpy(run.rng("similarity", run.part).permutation(len(labels)))
    drawn = labels.cpu()[order]
    return images[torch.cat([order[drawn == c][: count // 10] for c in range(10)])]


def ours_similarity(run: Run) -> Iterator[Row]:
    """By weight: the median of Eq. 10, the gain of the Jacobians, and the evasion rate that they should explain."""
    for weight, values in zip(run.settings.weights, _measures(run), strict=True):
        yield Row("ours_similarity", {"dataset": run.part, "weight": weight}, values)


def ours_correlation(run: Run) -> Iterator[Row]:
    """Spearman's rho, over the weights of a seed, of each measure and the evasion rate at the eps of Table 1."""
    found = _measures(run)
    rates = [values["uer"] for values in found]
    for measure in ("median", "gain"):
        rho = stats.spearmanr([values[measure] for values in found], rates).statistic
        yield Row("ours_correlation", {"dataset": run.part, "measure": measure}, {"spearman": float(rho)})


def _measures(run: Run) -> list[dict[str, float]]:
    recipes = [penalised(run.settings, run.part, weight) for weight in run.settings.weights]
    return run.map("measures", alignment, [attack_on(recipe, EPS[run.part], None) for recipe in recipes])


def alignment(run: Run, attack: dict[str, Any]) -> dict[str, float]:
    """How alike and how large the Jacobians of balanced test images are, and how well one perturbation evades."""
    matrices = jacobian.jacobians(run.recipe(LeNet(**attack["recipe"])), balanced(run, run.settings.images))
    median = jacobian.pair_median(jacobian.similarity(matrices))
    return {"median": median.item(), "gain": jacobian.gain(matrices).item(), "uer": attack_rate(run, attack)}


# Stronger attacks ---------------------------------------------------------------------------------------------------


def ours_attack_control(run: Run) -> Iterator[Row]:
    """Error in % of each arm under attacks that the printed one should not beat, at the eps of Table 1.

    printed: that of Table 1. train: crafted on training images. long: more iterations. starts: long, the best of
    several random corners. individual: projected gradient descent on each image apart.
    """
    controls = ("printed", "train", "long", "starts", "individual")
    for method in run.settings.methods:
        items = [attack_on(arm(run.settings, run.part, method), EPS[run.part], None) | {"control": c} for c in controls]
        for control, rate in zip(controls, run.map("controls", control_rate, items), strict=True):
            labels = {"dataset": run.part, "method": method, "attack": control}
            yield Row("ours_attack_control", labels, {"uer": rate})


def control_rate(run: Run, attack: dict[str, Any]) -> float:
    """The error in % on the test images under one of the attacks of ours_attack_control."""
    images, labels = test_set(run, run.part)
    model, eps = run.recipe(LeNet(**attack["recipe"])), attack["eps"]
    match attack["control"]:
        case "printed":
            return attack_rate(run, attack)
        case "individual":
            steps = run.settings.individual
            delta = uap.individual(model, images, labels, eps=eps, step=2.5 * eps / steps, iterations=steps)
            return 100 * (uap.predictions(model, uap.perturbed(images, delta)) != labels).double().mean().item()
        case "starts":
            corners = [_corner(run, images[0], eps, number) for number in range(run.settings.starts)]
            return max(_control(run, model, attack, corner) for corner in corners)
        case _:
            return _control(run, model, attack, torch.zeros_like(images[0]))


def _corner(run: Run, image: Tensor, eps: float, number: int) -> Tensor:
    """A random corner of the eps-ball, of the shape of an image."""
    draw = torch.randint(2, image.shape, generator=run.generator("corner", run.part, number))
    return eps * (2 * draw - 1).to(image)


def _control(run: Run, model: nn.Module, attack: dict[str, Any], start: Tensor) -> float:
    """The evasion rate on test images of an attack from a start: on training images, or long on test images."""
    images, labels = crafted = test_set(run, run.part)
    options = attack_options(run, attack["eps"], None) | {"start": start}
    if attack["control"] == "train":
        data = run.data(run.part)
        crafted = pixels(data.train_images.to(run.device)), data.train_labels.to(run.device)
    else:
        options["iterations"] = run.settings.long
    delta = run.keep("control", craft, model, *crafted, options, run.generator("attack", run.part, None))
    return uap.evasion_rate(model, images, labels, delta.to(run.device))


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

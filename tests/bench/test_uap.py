"""The universal attack and its step beside the update written out and beside adversarial-robustness-toolbox (ART)."""

from __future__ import annotations

import copy
import os
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.kernels import streams, uap
from tests.bench import inputs, race
from tests.bench.inputs import BATCH, EPS, ITERATIONS, STEP
from tests.bench.race import Absent, Contender, Facts, Group, Setting

ART = "ART 1.20"


@dataclass(frozen=True, eq=False)
class Victim:
    """A network, labelled images, and how often an attack may step."""

    model: nn.Module
    images: Tensor
    labels: Tensor
    iterations: int

    @property
    def device(self) -> str:
        """Where it all lies."""
        return self.images.device.type


def victim(full: int | None, tiny: int, iterations: int) -> Callable[[Setting], Victim]:
    """The trained network with as many test images, all of them where ``full`` is None."""

    def make(s: Setting) -> Victim:
        images = inputs.some_tests(s.device, tiny if s.tiny else full)
        return Victim(inputs.network(s.device), *images, s.size(iterations, 2))

    return make


# One step ------------------------------------------------------------------------------------------------------------


def step(given: Victim) -> Callable[[], Tensor]:
    """Ours."""
    delta = torch.zeros_like(given.images[0])
    return lambda: uap.ascend(given.model, given.images, given.labels, delta, eps=EPS, step=STEP)


def step_by_the_book(given: Victim) -> Callable[[], Tensor]:
    """The update as a tutorial writes it: backward through everything, then sign, step and clip."""
    start = torch.zeros_like(given.images[0])

    def call() -> Tensor:
        delta = start.clone().requires_grad_(True)
        given.model.zero_grad()
        moved = given.images + delta
        clipped = torch.where(moved < 0, 0, torch.where(moved > 1, 1, moved))  # torch.clamp has no slope at its bounds
        loss = nn.CrossEntropyLoss()(given.model(clipped), given.labels)
        loss.backward()
        with torch.no_grad():
            return torch.clamp(delta + STEP * delta.grad.sign(), -EPS, EPS)

    return call


def step_passes(given: Victim) -> Callable[[], Tensor]:
    """The floor: a forward pass and a backward pass to the images."""

    def call() -> Tensor:
        leaf = given.images.detach().requires_grad_()
        return torch.autograd.grad(functional.cross_entropy(given.model(leaf), given.labels), leaf)[0]

    return call


def same_step(given: Victim, results: dict[str, Tensor]) -> Facts:
    """The two steps are the same."""
    assert torch.equal(results["ours"], results["the update written out"])
    given.model.zero_grad()
    return {"the update written out": {"difference": "0"}}


STEPS = Group(
    "a step of the universal attack, 200 images",
    victim(BATCH, 20, 1),
    {
        "ours": Contender("ours", step),
        "the update written out": Contender("by the book", step_by_the_book),
        "one forward and backward pass": Contender("floor", step_passes),
    },
    same_step,
    rounds=40,
)

# The whole attack ----------------------------------------------------------------------------------------------------


def attack(given: Victim) -> Callable[[], Tensor]:
    """Ours, as paper 17 sets it: 100 steps on batches of 200."""
    options = {"eps": EPS, "step": STEP, "iterations": given.iterations, "batch": BATCH}
    return lambda: uap.attack(given.model, given.images, given.labels, generator=streams.generator(0), **options)


def passes_of_attack(given: Victim) -> Callable[[], None]:
    """The floor: the forward and backward passes of ours on batches that are there already."""
    made = step_passes(Victim(given.model, given.images[:BATCH], given.labels[:BATCH], 1))

    def call() -> None:
        for _ in range(given.iterations):
            made()

    return call


def from_art(attacker: str, **options: Any) -> Callable[[Victim], Callable[[], Tensor]]:
    """One pass of ART's universal perturbation over the same images, with an attacker for the single image."""

    def build(given: Victim) -> Callable[[], Tensor]:
        estimators, attacks = art()
        classifier = estimators.PyTorchClassifier(
            copy.deepcopy(given.model), nn.CrossEntropyLoss(), tuple(given.images.shape[1:]), 10, clip_values=(0, 1),
            device_type="gpu" if given.device == "cuda" else "cpu",
        )  # fmt: skip
        images, labels = given.images.cpu().numpy(), given.labels.cpu().numpy()

        def call() -> Tensor:
            random.seed(0)
            found = attacks.UniversalPerturbation(
                classifier, attacker=attacker, attacker_params=options, delta=0.0, max_iter=1, eps=EPS,
                batch_size=BATCH, verbose=False,
            )  # fmt: skip
            found.generate(images, labels)
            return torch.as_tensor(found.noise[0])

        return call

    return build


def art() -> tuple[Any, Any]:
    """ART's classifiers and attacks. It writes a file into the home folder when it is imported, hence another home."""
    with tempfile.TemporaryDirectory() as home, mock.patch.dict(os.environ, HOME=home):
        try:
            from art.attacks import evasion
            from art.estimators import classification
        except ImportError as error:
            raise Absent(f"no adversarial-robustness-toolbox here ({error}): make bench brings it") from None
    return classification, evasion


def rate(given: Victim, delta: Tensor) -> float:
    """The evasion rate in % over the same images, of the images clipped to [0, 1]."""
    return uap.evasion_rate(given.model, given.images, given.labels, delta.to(given.device))


def attack_facts(given: Victim, results: dict[str, Any]) -> Facts:
    """Every perturbation keeps to the budget; each one's evasion rate."""
    found = {}
    for name, delta in results.items():
        if delta is not None:
            assert delta.abs().max().item() <= EPS + 1e-6, name
            found[name] = rate(given, delta)
    return {name: {"evasion": value} for name, value in found.items()}


ATTACKS = Group(
    "a universal attack on all test images, eps 0.2",
    victim(None, 30, ITERATIONS),
    {
        "ours": Contender("ours", attack),
        f"{ART}, one pass, FGSM of 0.05": Contender("peer", from_art("fgsm", eps=0.05), at_least=1.0, most_rounds=1),
        f"{ART}, one pass, FGSM of 0.2": Contender("peer", from_art("fgsm", eps=0.2), at_least=1.0, most_rounds=1),
        "the passes alone": Contender("floor", passes_of_attack),
    },
    attack_facts,
    rounds=3,
)

# Perturbations of single images --------------------------------------------------------------------------------------

PGD = {"eps": EPS, "eps_step": EPS / 4, "max_iter": 10}


def individual(given: Victim) -> Callable[[], Tensor]:
    """Ours."""
    options = {"eps": EPS, "step": EPS / 4, "iterations": 10}
    return lambda: uap.individual(given.model, given.images, given.labels, **options)


def individual_from_art(given: Victim) -> Callable[[], Tensor]:
    """ART's projected gradient descent with the same budget, steps and chunks, and no random start."""
    estimators, attacks = art()
    classifier = estimators.PyTorchClassifier(
        copy.deepcopy(given.model), nn.CrossEntropyLoss(), tuple(given.images.shape[1:]), 10, clip_values=(0, 1),
        device_type="gpu" if given.device == "cuda" else "cpu",
    )  # fmt: skip
    images, labels = given.images.cpu().numpy(), given.labels.cpu().numpy()
    made = attacks.ProjectedGradientDescent(classifier, **PGD, batch_size=500, verbose=False)
    return lambda: torch.as_tensor(made.generate(images, labels)) - given.images.cpu()


def individual_passes(given: Victim) -> Callable[[], None]:
    """The floor: the forward and backward passes of ten steps."""
    made = [step_passes(Victim(given.model, x, y, 1))
            for x, y in zip(given.images.split(500), given.labels.split(500), strict=True)]  # fmt: skip

    def call() -> None:
        for _ in range(10):
            for once in made:
                once()

    return call


def individual_facts(given: Victim, results: dict[str, Any]) -> Facts:
    """The evasion rate of each, its budget kept."""
    found = {}
    for name, delta in results.items():
        if delta is not None:
            assert delta.abs().max().item() <= EPS + 1e-6, name
            wrong = uap.predictions(given.model, uap.perturbed(given.images, delta.to(given.device))) != given.labels
            found[name] = {"evasion": 100 * wrong.double().mean().item()}
    return found


INDIVIDUAL = Group(
    "a perturbation of its own for each of 1,000 images, 10 steps",
    victim(1000, 20, 10),
    {
        "ours": Contender("ours", individual),
        f"{ART}, projected gradient descent": Contender("peer", individual_from_art, at_least=1.0),
        "the passes alone": Contender("floor", individual_passes),
    },
    individual_facts,
    rounds=5,
)


@pytest.mark.filterwarnings("ignore")  # those of ART are not ours to mend
@race.replayed
@race.cases(STEPS, ATTACKS, INDIVIDUAL)
def test_contender(group, setting, name, benchmark) -> None:
    """Each attack is timed in turns with the others, and how often it succeeds stands beside its time."""
    race.replay(group, setting, name, benchmark)

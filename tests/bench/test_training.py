"""The training of recipes beside the bare passes, a common loop, and several seeds at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from suite.recipes import LeNet
from suite.train import factor, pixels
from tests.bench import inputs, race
from tests.bench.inputs import Streams
from tests.bench.race import Contender, Facts, Group, Setting

LEAST_SHARE = 0.8  # of our time that the bare passes take: we take at most 1.25 times as long


@dataclass(frozen=True, eq=False)
class Task:
    """A recipe and the images that it trains on for one epoch, as bytes."""

    recipe: LeNet
    images: Tensor
    labels: Tensor
    seeds: int = 1

    @property
    def device(self) -> str:
        """Where it all lies."""
        return self.images.device.type

    def batches(self, seed: int = 0) -> list[tuple[Tensor, Tensor]]:
        """The minibatches of the epoch as floats, in the order of the recipe."""
        draw = Streams(seed).generator("lenet order", self.recipe.data)
        chosen = torch.randperm(len(self.images), generator=draw).split(self.recipe.batch)
        return [(pixels(self.images[part]), self.labels[part]) for part in chosen]

    def model(self, seed: int = 0) -> nn.Module:
        """The network as the recipe initialises it."""
        built = self.recipe.build(Streams(seed).generator("lenet initialisation", self.recipe.data))
        return built.to(self.device)


def task(batches: int, seeds: int = 1, **fields: Any) -> Callable[[Setting], Task]:
    """An epoch of as many minibatches of 100 training images."""

    def make(s: Setting) -> Task:
        images, count = inputs.digits(), 100 * s.size(batches, 3)
        cut = [tensor[:count].to(s.device) for tensor in (images.train_images, images.train_labels)]
        return Task(LeNet("mnist", epochs=1, dropout=0.0, **fields), *cut, seeds)

    return make


def fit(given: Task, seed: int = 0) -> nn.Module:
    """The network that the recipe trains."""
    return given.recipe.fit(Streams(seed, given.device), given.images, given.labels)


def ours(given: Task) -> Callable[[], nn.Module]:
    """Ours: the recipe."""
    return lambda: fit(given)


def plain_passes(given: Task) -> Callable[[], None]:
    """The floor: forward and backward passes over the same minibatches, floats already; no weight changes."""
    model, batches = given.model(), given.batches()
    weights = list(model.parameters())

    def call() -> None:
        for images, labels in batches:
            torch.autograd.grad(functional.cross_entropy(model(images), labels), weights)

    return call


def penalised_passes(given: Task) -> Callable[[], None]:
    """The floor under the penalty: one forward pass and both backward passes, directions drawn already."""
    model, batches = given.model(), given.batches()
    weights = list(model.parameters())
    drawn = [functional.normalize(torch.randn(len(y), 10), dim=1).to(given.device) for _, y in batches]

    def call() -> None:
        for (images, labels), direction in zip(batches, drawn, strict=True):
            leaf = images.detach().requires_grad_()
            logits = model(leaf)
            (gradient,) = torch.autograd.grad(logits, leaf, direction, create_graph=True)
            penalty = 10 * gradient.square().sum() / len(leaf)
            loss = functional.cross_entropy(logits, labels) + given.recipe.weight / 2 * penalty
            torch.autograd.grad(loss, weights)

    return call


def common_loop(given: Task) -> Callable[[], nn.Module]:
    """By the book: a DataLoader over float images, ``torch.optim.SGD``, torch's usual memory layout."""
    recipe = given.recipe

    def call() -> nn.Module:
        model = given.model().to(memory_format=torch.contiguous_format)
        optimizer = torch.optim.SGD(model.parameters(), lr=recipe.rate, momentum=recipe.momentum)
        data = TensorDataset(pixels(given.images), given.labels)
        draw = torch.Generator().manual_seed(0)
        for images, labels in DataLoader(data, batch_size=recipe.batch, shuffle=True, generator=draw):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
        return model

    return call


def accuracies(given: Task, results: dict[str, Any]) -> Facts:
    """The error on the images that each network was trained on."""
    found = {}
    for name, model in results.items():
        if isinstance(model, nn.Module):
            with torch.no_grad():
                wrong = model(pixels(given.images)).argmax(1) != given.labels
            found[name] = {"training error": 100 * wrong.double().mean().item()}
    return found


PLAIN = Group(
    "LeNet, 100 minibatches of 100",
    task(100),
    {
        "ours": Contender("ours", ours),
        "the passes alone": Contender("floor", plain_passes, at_least=LEAST_SHARE),
        "DataLoader and optimiser": Contender("by the book", common_loop),
    },
    accuracies,
    rounds=6,
)
PENALISED = Group(
    "LeNet with the Jacobian penalty, 100 minibatches of 100",
    task(100, weight=0.05),
    {
        "ours": Contender("ours", ours),
        "the passes alone": Contender("floor", penalised_passes, at_least=LEAST_SHARE),
    },
    accuracies,
    rounds=5,
)

# Several seeds at once -----------------------------------------------------------------------------------------------


def one_after_the_other(given: Task) -> Callable[[], list[nn.Module]]:
    """Ours: a training for each seed."""
    return lambda: [fit(given, seed) for seed in range(given.seeds)]


def stacked(given: Task) -> Callable[[], list[dict[str, Tensor]]]:
    """The same trainings as one: weights and minibatches of all seeds stacked, each step one vectorised call."""
    recipe = given.recipe
    skeleton = given.model()

    def loss(weights: dict[str, Tensor], images: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(functional_call(skeleton, weights, (images,)), labels)

    gradients = vmap(grad(loss))

    def call() -> list[dict[str, Tensor]]:
        weights, _ = stack_module_state([given.model(seed) for seed in range(given.seeds)])
        weights = {name: tensor.detach() for name, tensor in weights.items()}
        speed = {name: torch.zeros_like(tensor) for name, tensor in weights.items()}
        steps = list(zip(*(given.batches(seed) for seed in range(given.seeds)), strict=True))
        for step, batches in enumerate(steps):
            images, labels = (torch.stack(tensors) for tensors in zip(*batches, strict=True))
            found = gradients(weights, images, labels)
            rate = recipe.rate * factor(recipe.schedule, step / len(steps))
            for name, tensor in found.items():
                speed[name] = recipe.momentum * speed[name] + tensor
                weights[name] = weights[name] - rate * speed[name]
        return [{name: tensor[seed] for name, tensor in weights.items()} for seed in range(given.seeds)]

    return call


def equality(given: Task, results: dict[str, Any]) -> Facts:
    """Whether the weights of each seed are bit-equal, and how far they are apart."""
    pairs = [
        (state[name], tensor.detach())
        for model, state in zip(results["ours"], results["stacked, torch.func"], strict=True)
        for name, tensor in model.named_parameters()
    ]
    apart = max((a - b).abs().max().item() for a, b in pairs)
    assert apart < 1e-3, "the stacked training is another training"
    equal = all(torch.equal(a, b) for a, b in pairs)
    return {"stacked, torch.func": {"bit-equal": "yes" if equal else "no", "largest difference": f"{apart:.0e}"}}


SEEDS = Group(
    "five seeds of LeNet, 10 minibatches of 100",
    task(10, seeds=5),
    {"ours": Contender("ours", one_after_the_other), "stacked, torch.func": Contender("alternative", stacked)},
    equality,
    rounds=5,
)


@race.replayed
@race.cases(PLAIN, PENALISED, SEEDS)
def test_contender(group, setting, name, benchmark) -> None:
    """Each loop over the same minibatches is timed in turns with the others."""
    race.replay(group, setting, name, benchmark)

"""Trainings that papers share. A recipe is a frozen dataclass of all its settings; its weights exist once a seed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.contract import Run
from suite.kernels import jacobian, uap
from suite.models import lenet
from suite.train import pixels, sgd


def derived_name(recipe: Any) -> str:
    """The kind, the data set, then each field that differs from its default: ``lenet-mnist-weight0.05-epochs3``."""
    differing = [f.name + str(getattr(recipe, f.name)) for f in fields(recipe) if getattr(recipe, f.name) != f.default]
    return "-".join([type(recipe).__name__.lower(), recipe.data, *differing[1:]])


@dataclass(frozen=True)
class LeNet:
    """LeNet trained plainly, with Jacobian regularisation, or against a universal perturbation (Co et al. 2021).

    With ``weight`` the loss is cross-entropy plus ``weight / 2`` times the mean squared Frobenius norm of the
    input-logit Jacobians (Eq. 11), estimated by one random projection in the same forward pass as the cross-entropy.
    With ``eps`` one perturbation lives through the training (Shafahi et al. 2020): before each step on the weights it
    takes one sign step of ``ascent`` up the loss of the images that it is added to, which are all of the minibatch but
    the share ``clean``. Initialisation, order, dropout masks and directions are streams of the seed that do not depend
    on the fields, so that arms are paired.
    """

    data: str
    weight: float = 0.0
    epochs: int = 20
    rate: float = 0.1
    dropout: float = 0.5
    schedule: str = "step"
    batch: int = 100
    momentum: float = 0.9
    activation: str = "tanh"
    eps: float = 0.0
    ascent: float = 0.0
    clean: float = 0.0

    def __post_init__(self) -> None:
        if self.weight and self.eps:
            raise ValueError(f"a recipe has a weight or an eps, got weight {self.weight} and eps {self.eps}")

    @property
    def name(self) -> str:
        """The name of the checkpoint folder, derived from the fields."""
        return derived_name(self)

    def build(self, generator: torch.Generator) -> lenet.LeNet:
        """The untrained network."""
        return lenet.LeNet(generator, self.dropout, self.activation)

    def train(self, run: Run) -> nn.Module:
        """The network trained on the whole training set."""
        images = run.data(self.data)
        return self.fit(run, images.train_images.to(run.device), images.train_labels.to(run.device))

    def accuracy(self, run: Run, model: nn.Module) -> float:
        """Test accuracy in %."""
        images = run.data(self.data)
        labels = images.test_labels.to(run.device)
        return 100 - uap.evasion_rate(model, pixels(images.test_images.to(run.device)), labels)

    def fit(self, run: Run, images: Tensor, labels: Tensor) -> nn.Module:
        """The network trained on the given images (bytes, N x 1 x 28 x 28) and labels."""
        model = self.build(run.generator("lenet initialisation", self.data)).to(images.device)
        masks, directions = run.generator("lenet masks", self.data), run.generator("lenet directions", self.data)
        delta = torch.zeros_like(pixels(images[0]))

        def plain(batch: Tensor, wanted: Tensor) -> Tensor:
            return functional.cross_entropy(model(batch, masks), wanted)

        def penalised(batch: Tensor, wanted: Tensor) -> Tensor:
            logits = model(batch.requires_grad_(), masks)
            penalty = jacobian.projected_frobenius(batch, logits, directions)
            return functional.cross_entropy(logits, wanted) + self.weight / 2 * penalty

        def attacked(batch: Tensor, wanted: Tensor) -> Tensor:
            nonlocal delta
            count = round(self.clean * len(batch))
            clean, hit = batch[:count], batch[count:]
            logits = partial(model, masks=masks)
            delta = uap.ascend(logits, hit, wanted[count:], delta, eps=self.eps, step=self.ascent)
            return plain(torch.cat([clean, uap.perturbed(hit, delta)]), wanted)

        loss = penalised if self.weight else attacked if self.eps else plain
        order = run.generator("lenet order", self.data)
        return sgd(
            model, loss, images, labels, epochs=self.epochs, batch=self.batch, rate=self.rate, momentum=self.momentum,
            schedule=self.schedule, order=order,
        )  # fmt: skip


def guessed_minutes(recipe: Any) -> float | None:
    """Minutes of one training on one idle core, for a plan until a record replaces the guess; None: nobody knows."""
    if not isinstance(recipe, LeNet):
        return None
    return recipe.epochs * (0.35 if recipe.weight else 0.28 if recipe.eps else 0.15)

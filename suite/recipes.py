"""Trainings that papers share. A recipe is a frozen dataclass of all its settings; its weights exist once a seed."""

from __future__ import annotations

from dataclasses import dataclass, fields
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
    """LeNet trained with or without Jacobian regularisation (Co et al. 2021, Eq. 11).

    The loss is cross-entropy plus ``weight / 2`` times the mean squared Frobenius norm of the input-logit Jacobians,
    estimated by one random projection in the same forward pass as the cross-entropy. Initialisation, order, dropout
    masks and directions are streams of the seed that do not depend on the fields, so that arms are paired.
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

        def loss(batch: Tensor, wanted: Tensor) -> Tensor:
            if self.weight == 0:
                return functional.cross_entropy(model(batch, masks), wanted)
            logits = model(batch.requires_grad_(), masks)
            penalty = jacobian.projected_frobenius(batch, logits, directions)
            return functional.cross_entropy(logits, wanted) + self.weight / 2 * penalty

        order = run.generator("lenet order", self.data)
        return sgd(
            model, loss, images, labels, epochs=self.epochs, batch=self.batch, rate=self.rate, momentum=self.momentum,
            schedule=self.schedule, order=order,
        )  # fmt: skip

"""What the contenders are given: digits and a trained network, each by its name."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from suite import weights
from suite.data import loaders, sources
from suite.kernels import streams, uap
from suite.recipes import LeNet
from suite.train import pixels

ROOT = Path(__file__).resolve().parents[2]
RECIPE = LeNet("mnist", epochs=3, dropout=0.0)
EPS, STEP, ITERATIONS, BATCH = 0.2, 0.16, 100, 200  # baselines/p17_jacobian_uap/card.md, section 3 and choice 5


class Streams:
    """What a recipe needs of a run, with the streams of one seed."""

    def __init__(self, seed: int = 0, device: str = "cpu") -> None:
        self.seed, self.device = seed, device

    def generator(self, *label: object) -> torch.Generator:
        """The stream of the seed and a label."""
        return streams.generator(self.seed, *label)

    def data(self, name: str) -> Any:
        """The digits, whatever set plays them."""
        return digits()


@functools.cache
def set_name() -> str:
    """MNIST where its files are, else the 5,000 of its images that a package brings along."""
    return "mnist" if sources.locate("mnist") else "mnist_5k"


@functools.cache
def digits() -> loaders.Images:
    """The set's images and labels."""
    return loaders.load(set_name())


def some_tests(device: str, count: int | None = None) -> tuple[Tensor, Tensor]:
    """The first ``count`` test images as floats in [0, 1], and their labels."""
    images, labels = digits().test_images[:count], digits().test_labels[:count]
    return pixels(images.to(device)), labels.to(device)


@functools.cache
def network(device: str) -> nn.Module:
    """The network under attack: seed 0 of the checkpoint of paper 17's standard arm, else trained for one epoch."""
    path = ROOT / "checkpoints" / RECIPE.name / "s0.safetensors"
    if path.is_file():
        return weights.load(RECIPE, path, device)
    images = digits()
    recipe = LeNet("mnist", epochs=1, dropout=0.0)
    return recipe.fit(Streams(), images.train_images, images.train_labels).to(device)


def description() -> dict[str, str]:
    """The set and the network in words, for the table."""
    kept = (ROOT / "checkpoints" / RECIPE.name / "s0.safetensors").is_file()
    error = uap.evasion_rate(network("cpu"), *some_tests("cpu"))
    made = f"checkpoint {RECIPE.name}, seed 0" if kept else f"LeNet trained for one epoch on {set_name()}, seed 0"
    return {"data": set_name(), "network": f"{made}, clean error {error:.2f} %"}

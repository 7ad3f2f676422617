"""Universal perturbations against a loop by the book and against linear classifiers where the optimum is known."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from suite.kernels import streams, uap


def linear(seed: int, classes: int = 3, side: int = 2):
    """A linear classifier of side x side images, as a function."""
    weight = torch.randn(side * side, classes, generator=streams.generator(seed, "weight"))
    return lambda x: x.flatten(1) @ weight


def images_of(seed: int, count: int = 6, side: int = 2) -> tuple[Tensor, Tensor]:
    """Random images in [0, 1], a third of their pixels black and a third white, and labels."""
    generator = streams.generator(seed, "images")
    images = (3 * torch.rand(count, 1, side, side, generator=generator) - 1).clamp(0, 1)
    return images, torch.randint(3, (count,), generator=generator)


def clipped(x: Tensor) -> Tensor:
    """clip(x, 0, 1) with the derivative 1 on the closed interval, written without ``clamp``."""
    return torch.where(x < 0, 0.0, torch.where(x > 1, 1.0, x))


def attack_by_the_book(logits, images, labels, eps, step, iterations, batch, generator, target) -> Tensor:
    """The update written out, one image of the batch at a time."""
    delta = torch.zeros_like(images[0])
    for _ in range(iterations):
        drawn = torch.randint(len(images), (batch,), generator=generator)
        total = torch.zeros_like(delta)
        for i in drawn:
            leaf = delta.clone().requires_grad_()
            label = labels[i] if target is None else torch.tensor(target)
            loss = functional.cross_entropy(logits(clipped(images[i] + leaf)[None]), label[None])
            total += torch.autograd.grad(loss, leaf)[0] / batch
        delta = delta + step * total.sign() * (1 if target is None else -1)
        delta = torch.minimum(torch.maximum(delta, torch.tensor(-eps)), torch.tensor(eps))
    return delta


@given(seed=st.integers(0, 500), target=st.sampled_from([None, 0, 2]), iterations=st.integers(0, 4))
@settings(max_examples=30)
def test_the_attack_equals_the_update_written_out(seed: int, target: int | None, iterations: int) -> None:
    """Sign of the mean gradient, clipping of images and of the perturbation, batches drawn with replacement."""
    images, labels = images_of(seed)
    options = {"eps": 0.2, "step": 0.15, "iterations": iterations, "batch": 5}
    found = uap.attack(
        linear(seed), images, labels, generator=streams.generator(seed, "draw"), target=target, **options
    )
    book = attack_by_the_book(
        linear(seed), images, labels, *options.values(), streams.generator(seed, "draw"), target
    )  # fmt: skip
    torch.testing.assert_close(found, book, atol=1e-6, rtol=0)


@given(seed=st.integers(0, 500), eps=st.floats(0, 1), step=st.floats(0, 2))
@settings(max_examples=30)
def test_the_perturbation_stays_within_eps(seed: int, eps: float, step: float) -> None:
    """No coordinate exceeds eps, and the caller's images are not changed."""
    images, labels = images_of(seed)
    before = images.clone()
    delta = uap.attack(
        linear(seed), images, labels, eps=eps, step=step, iterations=3, batch=2, generator=streams.generator(seed)
    )
    assert delta.abs().max() <= torch.tensor(eps)
    assert torch.equal(images, before)


def test_one_full_step_is_optimal_against_a_linear_pair_of_classes() -> None:
    """Two classes, all images of class 0 inside the cube: no corner of the eps-ball lowers the margin further."""
    weight = torch.tensor([[1.0, -1.0], [-2.0, 2.0], [0.5, -0.5], [3.0, -3.0]])
    images = torch.full((5, 1, 2, 2), 0.5)
    delta = uap.attack(
        lambda x: x.flatten(1) @ weight, images, torch.zeros(5).long(), eps=0.3, step=0.3, iterations=1, batch=3,
        generator=streams.generator(0),
    )  # fmt: skip
    corners = 0.3 * torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 4)
    margins = corners @ (weight[:, 0] - weight[:, 1])
    assert (delta.flatten() @ (weight[:, 0] - weight[:, 1])).item() == pytest.approx(margins.min().item())


def test_rates_count_images() -> None:
    """Evasion counts every wrong image, clean errors included; the target rate counts the target's own images."""
    images = torch.tensor([0.9, 0.8, 0.1, 0.2]).reshape(4, 1, 1, 1)
    labels = torch.tensor([1, 0, 0, 0])

    def classify(x: Tensor) -> Tensor:
        return torch.stack([0.5 - x.flatten(), x.flatten() - 0.5], dim=1)

    assert uap.evasion_rate(classify, images, labels) == 25.0
    assert uap.evasion_rate(classify, images, labels, torch.full((1, 1, 1), 0.35)) == 50.0
    assert uap.target_rate(classify, images, 1) == 50.0
    assert uap.target_rate(classify, images, 1, torch.full((1, 1, 1), 0.45)) == 100.0


def test_the_same_stream_gives_the_same_bytes() -> None:
    """Two attacks from the same seed and label agree bit for bit."""
    images, labels = images_of(1)
    first, second = (
        uap.attack(
            linear(1), images, labels, eps=0.1, step=0.05, iterations=5, batch=4, generator=streams.generator(7, "a")
        )
        for _ in range(2)
    )
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eps": -0.1}, "must not be negative"),
        ({"step": -1.0}, "must not be negative"),
        ({"images": torch.empty(0, 1, 2, 2), "labels": torch.empty(0).long()}, "hold no sample"),
        ({"images": torch.full((6, 1, 2, 2), 255.0)}, r"\[0, 1\]"),
        ({"images": torch.full((6, 1, 2, 2), float("nan"))}, r"\[0, 1\]"),
        ({"labels": torch.zeros(3).long()}, "3 labels"),
        ({"logits": lambda x: x.flatten(1) * float("inf")}, "loss is nan"),
    ],
)
def test_bad_input_names_the_value(changes: dict, message: str) -> None:
    """Negative budgets, no images, bytes instead of shares, too few labels and a broken model are refused."""
    images, labels = images_of(0)
    given_ = {"logits": linear(0), "images": images, "labels": labels, "eps": 0.1, "step": 0.1} | changes
    with pytest.raises(ValueError, match=message):
        uap.attack(**given_, iterations=1, batch=2, generator=streams.generator(0))


@given(seed=st.integers(0, 500), iterations=st.integers(0, 3))
@settings(max_examples=20)
def test_individual_perturbations_are_projected_gradient_ascent_on_each_image(seed: int, iterations: int) -> None:
    """Each image alone: a sign step, then back to eps and to [0, 1]; chunks change nothing."""
    images, labels = images_of(seed)
    found = uap.individual(linear(seed), images, labels, eps=0.2, step=0.15, iterations=iterations, chunk=4)
    for image, label, delta in zip(images, labels, found, strict=True):
        moved = image.clone()
        for _ in range(iterations):
            leaf = moved.clone().requires_grad_()
            loss = functional.cross_entropy(linear(seed)(leaf[None]), label[None])
            step = moved + 0.15 * torch.autograd.grad(loss, leaf)[0].sign()
            moved = torch.minimum(torch.maximum(step, image - 0.2), image + 0.2).clamp(0, 1)
        torch.testing.assert_close(image + delta, moved)


def test_black_and_white_pixels_take_part_in_an_attack() -> None:
    """At the bounds the derivative of the clip is one: black pixels can be raised and white ones lowered."""
    images, labels = torch.tensor([[[[0.0, 1.0]]]]), torch.zeros(1).long()
    toward = torch.tensor([[-1.0, 1.0], [1.0, -1.0]])
    draw = streams.generator(0)
    found = uap.attack(
        lambda x: x.flatten(1) @ toward, images, labels, eps=0.3, step=0.3, iterations=1, batch=2, generator=draw
    )
    torch.testing.assert_close(found, torch.tensor([[[0.3, -0.3]]]))


def test_an_attack_starts_where_it_is_told_within_eps() -> None:
    """No iteration: the start, clipped to eps."""
    images, labels = images_of(0)
    start = torch.tensor([[[0.5, -0.5], [0.05, 0.0]]])
    draw = streams.generator(0)
    found = uap.attack(linear(0), images, labels, eps=0.1, step=0.1, iterations=0, batch=2, generator=draw, start=start)
    torch.testing.assert_close(found, torch.tensor([[[0.1, -0.1], [0.05, 0.0]]]))

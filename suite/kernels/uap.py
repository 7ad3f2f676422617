"""Universal adversarial perturbations by stochastic sign gradients, and the rates that measure them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Logits = Callable[[Tensor], Tensor]


def attack(
    logits: Logits,
    images: Tensor,
    labels: Tensor,
    *,
    eps: float,
    step: float,
    iterations: int,
    batch: int,
    generator: torch.Generator,
    target: int | None = None,
) -> Tensor:
    """One perturbation of the shape of one image, |delta| <= eps, that raises the loss of all images (SGD-UAP).

    From delta = 0, ``iterations`` times: draw ``batch`` images with replacement, and

        delta <- clip(delta + step * sign(d/d delta  mean_i CE(logits(clip(x_i + delta, 0, 1)), y_i)), -eps, eps)

    With ``target`` c the loss of label c is lowered instead (a minus sign, y_i = c). ``images`` (N x C x H x W, [0, 1])
    and ``labels`` (N, int64) lie on the device of the model; batches are drawn on the CPU from ``generator``. Where the
    gradient is exactly 0 the perturbation stays. Raises ValueError on empty images, negative ``eps`` or ``step``,
    images outside [0, 1], and a loss that is not finite.

    >>> x = torch.full((4, 1, 1, 2), 0.5)
    >>> toward = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    >>> draw = torch.Generator().manual_seed(0)
    >>> attack(lambda x: x.flatten(1) @ toward, x, torch.zeros(4).long(), eps=0.1, step=0.08, iterations=2, batch=3,
    ...        generator=draw)
    tensor([[[-0.1000,  0.1000]]])
    """
    _check(images, labels)
    if eps < 0 or step < 0:
        raise ValueError(f"eps and step must not be negative, got {eps} and {step}")
    low, high = images.min().item(), images.max().item()
    if not (low >= 0 and high <= 1):
        raise ValueError(f"images must lie in [0, 1], got values from {low} to {high}")
    delta = torch.zeros_like(images[0])
    for number in range(iterations):
        drawn = torch.randint(len(images), (batch,), generator=generator).to(images.device)
        wanted = labels[drawn] if target is None else torch.full_like(drawn, target)
        delta.requires_grad_()
        loss = functional.cross_entropy(logits(perturbed(images[drawn], delta)), wanted)
        (gradient,) = torch.autograd.grad(loss, delta)
        if not torch.isfinite(loss):
            raise ValueError(f"the attack's loss is {loss.item()} at iteration {number}")
        ascent = gradient.sign() if target is None else -gradient.sign()
        delta = (delta.detach() + step * ascent).clamp(-eps, eps)
    return delta.detach()


def perturbed(images: Tensor, delta: Tensor) -> Tensor:
    """The images with the perturbation added, clipped to [0, 1]."""
    return (images + delta).clamp(0, 1)


def predictions(logits: Logits, images: Tensor, delta: Tensor | None = None, chunk: int = 1000) -> Tensor:
    """The predicted class of every image (N, int64), of the perturbed images where ``delta`` is given; no gradient."""
    with torch.no_grad():
        parts = (part if delta is None else perturbed(part, delta) for part in images.split(chunk))
        return torch.cat([logits(part).argmax(1) for part in parts])


def evasion_rate(logits: Logits, images: Tensor, labels: Tensor, delta: Tensor | None = None) -> float:
    """Universal evasion rate in %: the share of images that are classified wrongly, clean errors included.

    Without ``delta`` it is the clean test error.
    """
    _check(images, labels)
    return 100 * (predictions(logits, images, delta) != labels).double().mean().item()


def target_rate(logits: Logits, images: Tensor, target: int, delta: Tensor | None = None) -> float:
    """Targeted success rate in %: the share of images that are classified as ``target``, its own images included."""
    _check(images, images[:, 0])
    return 100 * (predictions(logits, images, delta) == target).double().mean().item()


def _check(images: Tensor, labels: Tensor) -> None:
    if len(images) == 0:
        raise ValueError("images hold no sample")
    if len(labels) != len(images):
        raise ValueError(f"{len(images)} images but {len(labels)} labels")

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
    start: Tensor | None = None,
) -> Tensor:
    """One perturbation of the shape of one image, |delta| <= eps, that raises the loss of all images (SGD-UAP).

    From ``start`` (of the shape of one image; 0 where it is not given), ``iterations`` times: draw ``batch`` images
    with replacement, and

        delta <- clip(delta + step * sign(d/d delta  mean_i CE(logits(clip(x_i + delta, 0, 1)), y_i)), -eps, eps)

    where clip has the derivative 1 on the closed interval [0, 1] and 0 outside: pixels that are black or white, as most
    of MNIST's are, take part. (What ``torch.clamp`` gives at its bounds has changed between versions.)

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
    _check_attack(images, eps, step)
    delta = torch.zeros_like(images[0]) if start is None else start.clamp(-eps, eps)
    for _ in range(iterations):
        drawn = torch.randint(len(images), (batch,), generator=generator).to(images.device)
        delta = ascend(logits, images[drawn], labels[drawn], delta, eps=eps, step=step, target=target)
    return delta


def ascend(
    logits: Logits,
    images: Tensor,
    labels: Tensor,
    delta: Tensor,
    *,
    eps: float,
    step: float,
    target: int | None = None,
) -> Tensor:
    """``delta`` after one step of ``attack`` on a batch: a sign step up the mean loss, clipped to [-eps, eps].

    With ``target`` c down the mean loss of label c. ``delta`` has the shape of one image, or of the batch: then each
    image has its own, and this is a step of projected gradient descent (Madry et al. 2018). Only ``delta`` is
    differentiated: parameters of a network behind ``logits`` keep their gradients. Raises ValueError on a loss that is
    not finite.

    >>> toward = torch.tensor([[1.0, -1.0]])
    >>> ascend(lambda x: x.flatten(1) @ toward, torch.full((1, 1, 1, 1), 0.5), torch.tensor([0]), torch.zeros(1, 1, 1),
    ...        eps=0.1, step=0.08)
    tensor([[[-0.0800]]])
    """
    wanted = labels if target is None else torch.full_like(labels, target)
    moved = images + delta
    clipped = moved.clamp(0, 1).requires_grad_()
    loss = functional.cross_entropy(logits(clipped), wanted)
    (gradient,) = torch.autograd.grad(loss, clipped)
    if not torch.isfinite(loss):
        raise ValueError(f"the attack's loss is {loss.item()}")
    gradient = torch.where((moved >= 0) & (moved <= 1), gradient, 0)
    gradient = gradient if delta.shape == images.shape else gradient.sum(0)
    ascent = gradient.sign() if target is None else -gradient.sign()
    return (delta + step * ascent).clamp(-eps, eps)


def individual(
    logits: Logits, images: Tensor, labels: Tensor, *, eps: float, step: float, iterations: int, chunk: int = 500
) -> Tensor:
    """A perturbation of its own for every image (N x C x H x W), |delta| <= eps: ``ascend`` from 0, repeated.

    After each step the perturbed image is clipped to [0, 1].
    What an adversary can do who may adapt to each image; a universal perturbation of the same budget that does better
    points to masked gradients. Raises as ``attack`` does.

    >>> toward = torch.tensor([[1.0, -1.0]])
    >>> x = torch.full((2, 1, 1, 1), 0.5)
    >>> individual(lambda x: x.flatten(1) @ toward, x, torch.tensor([0, 1]), eps=0.1, step=0.05, iterations=2).flatten()
    tensor([-0.1000,  0.1000])
    """
    _check(images, labels)
    _check_attack(images, eps, step)
    pieces = []
    for part, wanted in zip(images.split(chunk), labels.split(chunk), strict=True):
        delta = torch.zeros_like(part)
        for _ in range(iterations):
            delta = ascend(logits, part, wanted, delta, eps=eps, step=step)
            delta = perturbed(part, delta) - part  # a pixel beyond a bound would have no gradient to come back by
        pieces.append(delta)
    return torch.cat(pieces)


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


def _check_attack(images: Tensor, eps: float, step: float) -> None:
    if eps < 0 or step < 0:
        raise ValueError(f"eps and step must not be negative, got {eps} and {step}")
    low, high = images.min().item(), images.max().item()
    if not (low >= 0 and high <= 1):
        raise ValueError(f"images must lie in [0, 1], got values from {low} to {high}")

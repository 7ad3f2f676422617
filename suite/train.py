"""The training loop that recipes share: minibatch stochastic gradient descent with momentum, driven by streams."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import torch
from torch import Tensor, nn

SCHEDULES = {
    "constant": (),
    "step": (0.6, 0.85),  # the rate is divided by ten at these shares of all steps
}


def pixels(images: Tensor) -> Tensor:
    """Images of bytes as float32 in [0, 1]; nothing is subtracted."""
    return images.float() / 255


def factor(schedule: str, done: float) -> float:
    """What the learning rate is multiplied by after the share ``done`` of all steps.

    >>> factor("step", 0.59), factor("step", 0.6), round(factor("step", 0.9), 4), factor("constant", 0.9)
    (1.0, 0.1, 0.01, 1.0)
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule must be one of {sorted(SCHEDULES)}, got {schedule!r}")
    return 0.1 ** sum(done >= share for share in SCHEDULES[schedule])


def sgd(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    batch: int,
    rate: float,
    momentum: float,
    schedule: str,
    order: torch.Generator,
) -> nn.Module:
    """Trains ``model`` in place: ``epochs`` passes over the N samples in an order drawn from ``order``.

    ``loss(images, labels)`` gives the scalar to lower on a minibatch of float images in [0, 1]; the last, smaller
    minibatch of an epoch is used too. Returns the model in evaluation mode. Raises FloatingPointError with the step
    when the loss is not finite, ValueError on empty data.
    """
    if len(images) == 0:
        raise ValueError("there are no training images")
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum)
    batches = chain.from_iterable(torch.randperm(len(images), generator=order).split(batch) for _ in range(epochs))
    steps = epochs * -(-len(images) // batch)
    for step, chosen in enumerate(batches):
        optimizer.param_groups[0]["lr"] = rate * factor(schedule, step / steps)
        optimizer.zero_grad()
        value = loss(pixels(images[chosen]), labels[chosen])
        if not torch.isfinite(value):
            raise FloatingPointError(f"the training loss is {value.item()} at step {step} of {steps}")
        value.backward()
        optimizer.step()
    return model.eval()

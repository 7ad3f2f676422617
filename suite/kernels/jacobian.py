"""Input-output Jacobians of a classifier: Frobenius norms, their one-projection estimator, and cosine similarities."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def projected_frobenius(inputs: Tensor, outputs: Tensor, generator: torch.Generator) -> Tensor:
    """An unbiased estimate of the mean over the batch of ||J_i||_F^2, J_i = d outputs_i / d inputs_i.

    For every sample one direction v_i is drawn uniformly on the unit sphere of R^C, and
    ``C * mean_i ||d(v_i . outputs_i) / d inputs_i||^2`` is returned: E[v v'] = I / C makes it unbiased (Hoffman et al.
    2019, Alg. 1). One backward pass; the result can be differentiated again.

    ``inputs`` (N x ...) must require a gradient and ``outputs`` (N x C) be computed from them sample by sample; v is
    drawn on the CPU from ``generator``, so that all devices see the same directions. Returns a scalar of the outputs'
    dtype. Raises ValueError on an empty batch, on shapes that do not fit, and where ``inputs`` carry no gradient.

    >>> x = torch.ones(4, 3, requires_grad=True)
    >>> projected_frobenius(x, 2 * x.sum(1, keepdim=True), torch.Generator().manual_seed(0))  # J = [2 2 2]
    tensor(12.)
    """
    _check(inputs, outputs)
    if not inputs.requires_grad:
        raise ValueError("inputs must require a gradient before the outputs are computed: inputs.requires_grad_()")
    directions = torch.randn(outputs.shape, generator=generator).to(outputs)
    directions = directions / directions.norm(dim=1, keepdim=True)
    (gradient,) = torch.autograd.grad(outputs, inputs, directions, create_graph=True)
    return outputs.shape[1] * gradient.square().sum() / len(inputs)


def jacobians(function: Callable[[Tensor], Tensor], inputs: Tensor, chunk: int = 200) -> Tensor:
    """The Jacobians d function(x_i) / d x_i of a function that treats samples apart, as N x C x D with D = x_i.numel().

    C backward passes over chunks of ``chunk`` samples; nothing is differentiable afterwards. An empty batch is a
    ValueError, since C cannot be known.

    >>> jacobians(lambda x: x @ torch.tensor([[1.0, 0.0], [3.0, 4.0]]), torch.zeros(1, 2))
    tensor([[[1., 3.],
             [0., 4.]]])
    """
    if len(inputs) == 0:
        raise ValueError("inputs hold no sample")
    pieces = []
    for part in inputs.split(chunk):
        leaf = part.detach().clone().requires_grad_()
        outputs = function(leaf)
        _check(leaf, outputs)
        rows = [
            torch.autograd.grad(column.sum(), leaf, retain_graph=True)[0].flatten(1) for column in outputs.unbind(1)
        ]
        pieces.append(torch.stack(rows, dim=1))
    return torch.cat(pieces)


def similarity(matrices: Tensor) -> Tensor:
    """The N x N cosines <J_i, J_j> / (||J_i||_F ||J_j||_F) of N matrices of equal shape (Co et al. 2021, Eq. 10).

    Computed in float64 as one Gram matrix of the flattened matrices, and clipped to [-1, 1]. A zero matrix has no
    direction: its cosines, the one with itself included, are 0. Needs no N x N matrices of matrices in memory.

    >>> similarity(torch.tensor([[[1.0, 0.0]], [[2.0, 0.0]], [[0.0, 3.0]], [[0.0, 0.0]]])).tolist()
    [[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    products = _gram(matrices.detach().flatten(1).double())
    norms = products.diagonal().sqrt()
    scale = torch.outer(norms, norms)
    return torch.where(scale > 0, products / scale, 0.0).clamp(-1.0, 1.0)


def pair_median(cosines: Tensor) -> Tensor:
    """The median over the N (N - 1) / 2 pairs of distinct samples of a symmetric N x N matrix; N >= 2.

    The mean of the two middle values where their number is even, as in the usual definition of the median.

    >>> pair_median(torch.tensor([[1.0, 0.1, 0.4], [0.1, 1.0, 0.3], [0.4, 0.3, 1.0]]))
    tensor(0.3000)
    """
    count = len(cosines)
    if cosines.shape != (count, count) or count < 2:
        raise ValueError(f"cosines must be N x N with N >= 2, got {tuple(cosines.shape)}")
    row, column = torch.triu_indices(count, count, offset=1, device=cosines.device)
    pairs = cosines[row, column].sort().values
    return (pairs[(len(pairs) - 1) // 2] + pairs[len(pairs) // 2]) / 2


def gain(matrices: Tensor) -> Tensor:
    """How far one direction of unit length moves N linear maps of equal shape together, in float64.

    sqrt(max over ||delta||_2 = 1 of mean_i ||J_i delta||^2), the square root of the largest eigenvalue of
    mean_i J_i' J_i (N x C x D gives D x D). Unlike a cosine it grows with the size of the Jacobians.

    >>> gain(torch.tensor([[[3.0, 0.0]], [[0.0, 1.0]]]))  # sqrt(9 / 2)
    tensor(2.1213, dtype=torch.float64)
    """
    stacked = matrices.detach().flatten(0, -2).double()
    products = _gram(stacked if len(stacked) < stacked.shape[1] else stacked.T)  # both have the largest eigenvalue
    return (torch.linalg.eigvalsh(products)[-1].clamp(min=0) / len(matrices)).sqrt()


def stacked_bound(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Both sides of the squared inequality (9) of Co et al. 2021, in float64, for N matrices of equal shape.

    Left: the squared Frobenius norm of the vertical stack, which is sum_i ||J_i||_F^2 (the printed derivation sums over
    all pairs instead). Right: sum_ij ||J_i||_F ||J_j||_F = (sum_i ||J_i||_F)^2.

    >>> stacked_bound(torch.ones(2, 1, 2))
    (tensor(4., dtype=torch.float64), tensor(8.0000, dtype=torch.float64))
    """
    norms = matrices.flatten(1).double().norm(dim=1)
    return matrices.double().square().sum(), norms.sum().square()


def _gram(rows: Tensor) -> Tensor:
    """rows @ rows.T; on the CPU by NumPy, which computes one half of a product with its own transpose."""
    if rows.device.type != "cpu":
        return rows @ rows.T
    array = rows.numpy()
    return torch.from_numpy(array @ array.T)


def _check(inputs: Tensor, outputs: Tensor) -> None:
    if outputs.dim() != 2 or len(outputs) != len(inputs):
        raise ValueError(f"outputs must be {len(inputs)} x classes, one row a sample, got {tuple(outputs.shape)}")
    if len(inputs) == 0:
        raise ValueError("inputs hold no sample")

"""Jacobian kernels against the definitions written out."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from suite.kernels import jacobian, streams


def network(seed: int, inputs: int = 6, classes: int = 4) -> nn.Module:
    """A small smooth network in float64 with weights from a stream."""
    generator = streams.generator(seed, "network")
    model = nn.Sequential(nn.Linear(inputs, 5), nn.Tanh(), nn.Linear(5, classes)).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, generator=generator)
    return model


def jacobian_by_the_book(model: nn.Module, sample: Tensor, step: float = 1e-6) -> Tensor:
    """Central differences, one input coordinate at a time."""
    columns = []
    for d in range(sample.numel()):
        shift = torch.zeros_like(sample)
        shift.view(-1)[d] = step
        columns.append((model((sample + shift)[None])[0] - model((sample - shift)[None])[0]) / (2 * step))
    return torch.stack(columns, dim=1).detach()


@given(seed=st.integers(0, 1000), samples=st.integers(1, 7), chunk=st.integers(1, 4))
@settings(max_examples=25)
def test_jacobians_equal_central_differences_sample_by_sample(seed: int, samples: int, chunk: int) -> None:
    """Every Jacobian is that of its own sample, whatever the chunks."""
    model = network(seed)
    inputs = torch.randn(samples, 6, generator=streams.generator(seed, "inputs"), dtype=torch.double)
    found = jacobian.jacobians(model, inputs, chunk=chunk)
    wanted = torch.stack([jacobian_by_the_book(model, sample) for sample in inputs])
    assert found.shape == (samples, 4, 6)
    torch.testing.assert_close(found, wanted, atol=1e-7, rtol=1e-6)


def test_the_projected_norm_is_unbiased_within_four_standard_errors() -> None:
    """The mean of 4,000 one-projection estimates meets the exact mean squared Frobenius norm."""
    model = network(3)
    inputs = torch.randn(8, 6, generator=streams.generator(3, "inputs"), dtype=torch.double).requires_grad_()
    exact = jacobian.jacobians(model, inputs).square().sum((1, 2)).mean().item()
    generator = streams.generator(3, "directions")
    draws = torch.stack([jacobian.projected_frobenius(inputs, model(inputs), generator).detach() for _ in range(4000)])
    error = draws.std().item() / math.sqrt(len(draws))
    assert abs(draws.mean().item() - exact) < 4 * error
    assert error < 0.02 * exact


def test_the_projected_norm_of_one_output_is_exact_and_differentiable() -> None:
    """With one class the sphere is {-1, 1}: the estimate is the norm itself, and its gradient that of the norm."""
    weight = torch.tensor([[1.0, 2.0, 2.0]], dtype=torch.double, requires_grad=True)
    inputs = torch.ones(2, 3, dtype=torch.double, requires_grad=True)
    value = jacobian.projected_frobenius(inputs, inputs @ weight.T, streams.generator(0))
    assert value.item() == pytest.approx(9.0)
    (gradient,) = torch.autograd.grad(value, weight)
    torch.testing.assert_close(gradient, 2 * weight.detach())


@given(seed=st.integers(0, 1000), count=st.integers(2, 8), zero=st.booleans())
@settings(max_examples=40)
def test_similarity_equals_the_trace_formula_pair_by_pair(seed: int, count: int, zero: bool) -> None:
    """Each cosine is Tr(A'B) over the product of Frobenius norms; a zero matrix has cosine 0 with all."""
    matrices = torch.randn(count, 3, 5, generator=streams.generator(seed), dtype=torch.double)
    if zero:
        matrices[0] = 0
    found = jacobian.similarity(matrices)
    for i in range(count):
        for j in range(count):
            a, b = matrices[i], matrices[j]
            norms = a.norm() * b.norm()
            wanted = torch.trace(a.T @ b) / norms if norms > 0 else torch.tensor(0.0)
            assert found[i, j].item() == pytest.approx(wanted.item(), abs=1e-12)
    assert found.abs().max() <= 1


@given(count=st.integers(2, 9), seed=st.integers(0, 1000))
@settings(max_examples=40)
def test_the_median_is_over_distinct_pairs_with_the_middle_two_averaged(count: int, seed: int) -> None:
    """The diagonal does not count and every pair counts once."""
    matrix = torch.rand(count, count, generator=streams.generator(seed), dtype=torch.double)
    matrix = (matrix + matrix.T) / 2
    pairs = sorted(matrix[i, j].item() for i in range(count) for j in range(i))
    middle = (pairs[(len(pairs) - 1) // 2] + pairs[len(pairs) // 2]) / 2
    assert jacobian.pair_median(matrix).item() == middle


def test_the_stack_is_the_sum_of_squares_and_the_bound_the_square_of_the_sum() -> None:
    """On random matrices both sides equal their definitions on the stacked matrix."""
    matrices = torch.randn(5, 10, 20, generator=streams.generator(1))
    stack, bound = jacobian.stacked_bound(matrices)
    stacked = torch.cat(list(matrices)).double()
    assert stack.item() == pytest.approx(torch.trace(stacked.T @ stacked).item())
    norms = [m.double().norm() for m in matrices]
    assert bound.item() == pytest.approx(sum((a * b).item() for a in norms for b in norms))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jacobian.jacobians(network(0), torch.empty(0, 6).double()), "hold no sample"),
        (lambda: jacobian.jacobians(lambda x: x.sum(), torch.ones(2, 3)), "one row a sample"),
        (lambda: jacobian.pair_median(torch.ones(1, 1)), "N >= 2"),
        (lambda: jacobian.pair_median(torch.ones(2, 3)), "N x N"),
        (
            lambda: jacobian.projected_frobenius(torch.ones(2, 3), torch.ones(2, 3), streams.generator(0)),
            "require a gradient",
        ),
        (
            lambda: jacobian.projected_frobenius(
                torch.ones(2, 3, requires_grad=True), torch.ones(3, 3), streams.generator(0)
            ),
            "2 x classes",
        ),
    ],
)
def test_bad_input_is_a_value_error_that_says_what_was_expected(call, message: str) -> None:
    """Empty batches, wrong shapes and inputs without a gradient are refused."""
    with pytest.raises(ValueError, match=message):
        call()


@given(seed=st.integers(0, 500), count=st.integers(1, 4), rows=st.integers(1, 3), columns=st.integers(1, 5))
@settings(max_examples=30)
def test_the_gain_is_the_largest_singular_value_of_the_stack(seed: int, count: int, rows: int, columns: int) -> None:
    """The norm of the vertical stack by singular values, over sqrt(N); no random direction moves the maps further."""
    generator = streams.generator(seed, "gain")
    matrices = torch.randn(count, rows, columns, generator=generator, dtype=torch.float64)
    found = jacobian.gain(matrices)
    stacked = torch.linalg.svdvals(matrices.reshape(count * rows, columns))[0] / count**0.5
    torch.testing.assert_close(found, stacked, rtol=1e-9, atol=1e-12)
    direction = torch.randn(columns, generator=generator, dtype=torch.float64)
    moved = (matrices @ (direction / direction.norm())).square().sum(1).mean().sqrt()
    assert moved <= found * (1 + 1e-9)

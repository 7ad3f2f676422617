"""Jacobian kernels beside autograd's and torch.func's ways to the same numbers."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from sklearn.metrics.pairwise import cosine_similarity
from torch import Tensor, nn

from suite.kernels import jacobian, streams
from tests.bench import inputs, race
from tests.bench.race import Contender, Facts, Group, Setting

Work = tuple[nn.Module, Tensor]
CLASSES = 10


def given(full: int, tiny: int) -> Callable[[Setting], Work]:
    """The trained network and as many test images."""
    return lambda s: (inputs.network(s.device), inputs.some_tests(s.device, s.size(full, tiny))[0])


# One squared Frobenius norm, averaged over a batch -------------------------------------------------------------------


def projected(work: Work) -> Callable[[], Tensor]:
    """Ours: the estimate from one random direction an image, its forward pass included."""
    model, images = work
    draw = streams.generator(0, "directions")

    def call() -> Tensor:
        leaf = images.detach().requires_grad_()
        return jacobian.projected_frobenius(leaf, model(leaf), draw).detach()

    return call


def norm_of_ours(work: Work) -> Callable[[], Tensor]:
    """The exact norm from our Jacobians."""
    return lambda: jacobian.jacobians(*work).square().sum((1, 2)).mean()


def norm_by_torch_func(work: Work) -> Callable[[], Tensor]:
    """The exact norm from torch.func's Jacobians."""
    made = by_torch_func(work)
    return lambda: made().square().sum((1, 2)).mean()


def norm_by_the_book(work: Work) -> Callable[[], Tensor]:
    """One forward pass, then a backward pass for each class."""
    model, images = work

    def call() -> Tensor:
        leaf = images.detach().requires_grad_()
        outputs = model(leaf)
        total = torch.zeros(())
        for c in range(CLASSES):
            (gradient,) = torch.autograd.grad(outputs[:, c].sum(), leaf, retain_graph=True)
            total = total + gradient.square().sum().cpu()
        return total / len(images)

    return call


def one_pass(work: Work) -> Callable[[], Tensor]:
    """The floor: a forward pass and a backward pass to the images."""
    model, images = work

    def call() -> Tensor:
        leaf = images.detach().requires_grad_()
        return torch.autograd.grad(model(leaf).sum(), leaf)[0]

    return call


def norm_facts(work: Work, results: dict[str, Any]) -> Facts:
    """The exact ways agree to a millionth; the estimate is within four of its standard errors of them."""
    exact = results["exact, our Jacobians"].item()
    for name in ("exact, torch.func", "exact, ten backward passes"):
        assert math.isclose(results[name].item(), exact, rel_tol=1e-5), name
    estimate = projected(work)
    draws = torch.stack([estimate() for _ in range(64)]).double()
    spread = (draws.std() / exact).item()
    assert abs(draws.mean().item() / exact - 1) < 4 * spread / math.sqrt(len(draws))
    return {"ours": {"standard error": f"{100 * spread:.1f} % of the norm, unbiased"}}


NORM = Group(
    "mean squared Frobenius norm, 100 images",
    given(100, 8),
    {
        "ours": Contender("ours", projected),
        "exact, our Jacobians": Contender("ours, exact", norm_of_ours),
        "exact, torch.func": Contender("peer", norm_by_torch_func),
        "exact, ten backward passes": Contender("by the book", norm_by_the_book),
        "one forward and backward pass": Contender("floor", one_pass),
    },
    norm_facts,
    rounds=40,
)

# Whole Jacobians -----------------------------------------------------------------------------------------------------


def ours(work: Work) -> Callable[[], Tensor]:
    """Ours: a backward pass for each class over chunks of images."""
    return lambda: jacobian.jacobians(*work)


def by_torch_func(work: Work) -> Callable[[], Tensor]:
    """torch.func: reverse-mode Jacobian of one image, vectorised over the images."""
    model, images = work
    single = torch.func.vmap(torch.func.jacrev(lambda image: model(image[None])[0]))
    return lambda: single(images).flatten(2).detach()


def image_by_image(work: Work) -> Callable[[], Tensor]:
    """By the book: autograd's own Jacobian of one image after the other."""
    model, images = work
    single = functools.partial(torch.autograd.functional.jacobian, lambda image: model(image[None])[0])
    return lambda: torch.stack([single(image).flatten(1) for image in images])


def bare_passes(work: Work) -> Callable[[], None]:
    """The floor: a forward pass and ten backward passes over all images, whose results are dropped."""
    model, images = work

    def call() -> None:
        leaf = images.detach().requires_grad_()
        outputs = model(leaf)
        for c in range(CLASSES):
            torch.autograd.grad(outputs, leaf, picking(outputs, c), retain_graph=True)

    return call


def picking(outputs: Tensor, c: int) -> Tensor:
    """The cotangent that picks one class."""
    chosen = torch.zeros_like(outputs)
    chosen[:, c] = 1
    return chosen


def jacobian_facts(work: Work, results: dict[str, Any]) -> Facts:
    """All ways give the same Jacobians to a hundred-thousandth of the largest entry."""
    largest = results["ours"].abs().max()
    found = {}
    for name in ("torch.func", "image by image"):
        error = ((results[name] - results["ours"]).abs().max() / largest).item()
        assert error < 1e-5, name
        found[name] = {"difference": f"{error:.0e} of the largest entry"}
    return found


JACOBIANS = Group(
    "Jacobians of 1,000 images",
    given(1000, 8),
    {
        "ours": Contender("ours", ours),
        "torch.func": Contender("peer", by_torch_func),
        "image by image": Contender("by the book", image_by_image, most_rounds=3),
        "one forward and ten backward passes": Contender("floor", bare_passes),
    },
    jacobian_facts,
    rounds=7,
)

# Cosines of all pairs ------------------------------------------------------------------------------------------------


def matrices(full: int, tiny: int) -> Callable[[Setting], Tensor]:
    """The Jacobians of as many test images, N x 10 x 784."""
    made = given(full, tiny)
    return lambda s: jacobian.jacobians(*made(s))


def cosines(matrices: Tensor) -> Callable[[], Tensor]:
    """Ours: one Gram matrix."""
    return lambda: jacobian.similarity(matrices)


def pair_by_pair(matrices: Tensor) -> Callable[[], Tensor]:
    """By the book: a double loop over the ordered pairs, in float64, norms taken once."""

    def call() -> Tensor:
        flat = matrices.flatten(1).double().unbind()
        norms = [vector.norm() for vector in flat]
        rows = [[torch.dot(a, b) / (m * n) for b, n in zip(flat, norms, strict=True)]
                for a, m in zip(flat, norms, strict=True)]  # fmt: skip
        return torch.stack([torch.stack(row) for row in rows])

    return call


def by_scikit_learn(matrices: Tensor) -> Callable[[], Tensor]:
    """scikit-learn's cosine_similarity of the flattened matrices, in float64 on the CPU."""
    return lambda: torch.from_numpy(cosine_similarity(matrices.flatten(1).double().cpu().numpy()))


def product(flat: Tensor) -> Callable[[], Any]:
    """A matrix times its transpose; on the CPU by numpy, whose BLAS computes one half of it and mirrors that."""
    if flat.device.type == "cuda":
        return lambda: flat @ flat.T
    array = flat.numpy()
    return lambda: array @ array.T


def gram(matrices: Tensor) -> Callable[[], Any]:
    """The floor: the matrix product alone, its operand in float64 already."""
    return product(matrices.flatten(1).double())


def cosine_facts(given: Tensor, results: dict[str, Any]) -> Facts:
    """All cosines agree to 1e-12."""
    found = {}
    for name, result in results.items():
        if name in ("the pairs one by one", "scikit-learn"):
            error = (result.cpu() - results["ours"].cpu()).abs().max().item()
            assert error < 1e-12, name
            found[name] = {"difference": f"{error:.0e}"}
    return found


PAIRS = Group(
    "cosines of 40,000 ordered pairs of Jacobians (200 images)",
    matrices(200, 8),
    {
        "ours": Contender("ours", cosines),
        "the pairs one by one": Contender("by the book", pair_by_pair, at_least=10.0),
        "scikit-learn": Contender("peer", by_scikit_learn, at_least=1.0),
        "the matrix product alone": Contender("floor", gram),
    },
    cosine_facts,
    rounds=20,
)
MILLION = Group(
    "cosines of 1,000,000 ordered pairs of Jacobians (1,000 images)",
    matrices(1000, 9),
    {
        "ours": Contender("ours", cosines),
        "scikit-learn": Contender("peer", by_scikit_learn, at_least=1.0),
        "the matrix product alone": Contender("floor", gram),
    },
    cosine_facts,
    rounds=7,
)

# The largest common gain ---------------------------------------------------------------------------------------------


def gain(matrices: Tensor) -> Callable[[], Tensor]:
    """Ours: the largest eigenvalue of the mean of J'J."""
    return lambda: jacobian.gain(matrices)


def largest_singular_value(matrices: Tensor) -> Callable[[], Tensor]:
    """By the book: the largest singular value of the stacked Jacobians, in float64."""
    return lambda: torch.linalg.svdvals(matrices.flatten(0, 1).double())[0] / math.sqrt(len(matrices))


def product_of_columns(matrices: Tensor) -> Callable[[], Any]:
    """The floor: the D x D matrix product alone, its operand in float64 already."""
    return product(matrices.flatten(0, 1).double().T)


def gain_facts(given: Tensor, results: dict[str, Any]) -> Facts:
    """Both ways agree to 1e-9."""
    book, found = results["singular values of the stack"].item(), results["ours"].item()
    assert math.isclose(book, found, rel_tol=1e-9)
    return {"singular values of the stack": {"difference": f"{abs(book / found - 1):.0e} of the gain"}}


GAIN = Group(
    "largest common gain of 1,000 Jacobians",
    matrices(1000, 8),
    {
        "ours": Contender("ours", gain),
        "singular values of the stack": Contender("by the book", largest_singular_value, most_rounds=3),
        "the matrix product alone": Contender("floor", product_of_columns),
    },
    gain_facts,
    rounds=7,
)


@race.replayed
@race.cases(NORM, JACOBIANS, PAIRS, MILLION, GAIN)
def test_contender(group, setting, name, benchmark) -> None:
    """Each way to the same numbers is timed in turns with the others."""
    race.replay(group, setting, name, benchmark)

"""The training loop, recipes and their weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from suite import weights
from suite.errors import UserError
from suite.kernels import streams
from suite.recipes import LeNet
from suite.train import factor, pixels, sgd


class Fake:
    """A run of seed 5 on a handful of random images."""

    device = "cpu"

    def generator(self, *label: object) -> torch.Generator:
        """The stream of seed 5."""
        return streams.generator(5, *label)


IMAGES = torch.randint(256, (40, 1, 28, 28), generator=streams.generator(1), dtype=torch.uint8)
LABELS = torch.arange(40) % 10


def fit(**fields) -> nn.Module:
    """A LeNet trained for an epoch or two on forty images."""
    return LeNet("mnist", **({"epochs": 2, "batch": 10, "rate": 0.05} | fields)).fit(Fake(), IMAGES, LABELS)


@pytest.mark.parametrize("weight", [0.0, 0.05])
def test_the_same_seed_trains_the_same_bytes(weight) -> None:
    """Initialisation, order, masks and directions are streams of the seed alone, whatever the process drew before."""
    first = fit(weight=weight)
    torch.rand(3)
    second = fit(weight=weight)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_training_leaves_the_process_wide_random_state_alone() -> None:
    """Nothing in a recipe draws from torch's global generator."""
    before = torch.random.get_rng_state()
    fit(weight=0.05)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_loss_is_equation_11() -> None:
    """One step of plain descent moves the weights by the rate times the gradient of CE + weight / 2 * mean ||J||^2."""
    recipe = LeNet("mnist", weight=0.3, epochs=1, batch=40, rate=0.01, dropout=0.0, schedule="constant", momentum=0.0)
    trained = recipe.fit(Fake(), IMAGES, LABELS)
    model = recipe.build(Fake().generator("lenet initialisation", "mnist"))
    order = torch.randperm(40, generator=Fake().generator("lenet order", "mnist"))
    inputs = pixels(IMAGES[order]).requires_grad_()
    logits = model(inputs)
    directions = torch.randn(40, 10, generator=Fake().generator("lenet directions", "mnist"))
    directions = directions / directions.norm(dim=1, keepdim=True)
    penalty = torch.zeros(())
    for i in range(40):  # the estimator by the book: C * ||d (v . z) / dx||^2, averaged
        (gradient,) = torch.autograd.grad(directions[i] @ logits[i], inputs, create_graph=True)
        penalty = penalty + 10 * gradient.square().sum() / 40
    loss = nn.functional.cross_entropy(logits, LABELS[order]) + 0.3 / 2 * penalty
    for parameter, gradient, after in zip(
        model.parameters(), torch.autograd.grad(loss, list(model.parameters())), trained.parameters(), strict=True
    ):
        torch.testing.assert_close(after, parameter - 0.01 * gradient, atol=1e-6, rtol=1e-4)


def test_dropout_is_active_in_training_and_not_in_evaluation() -> None:
    """With masks half of the hidden values are zero and the rest doubled in the mean; without, outputs are fixed."""
    model = LeNet("mnist", dropout=0.5).build(streams.generator(0))
    hidden = torch.ones(200, 120)
    dropped = model._drop(hidden, streams.generator(1))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.05)
    assert torch.equal(model._drop(hidden, None), hidden)


def test_the_rate_falls_by_ten_at_the_shares_of_the_schedule() -> None:
    """Step: at 60 % and 85 % of all steps; constant: never; any other name is an error."""
    assert [factor("step", d) for d in (0, 0.5999, 0.6, 0.85)] == pytest.approx([1, 1, 0.1, 0.01])
    assert factor("constant", 0.99) == 1
    with pytest.raises(ValueError, match="schedule must be one of"):
        factor("cosine", 0.5)


def test_every_image_is_used_once_an_epoch_and_a_bad_loss_stops_with_its_step() -> None:
    """Two epochs visit each image twice, the last minibatch is smaller; a loss that is not finite names its step."""
    seen: list[int] = []
    model = nn.Linear(1, 1)

    def loss(images: Tensor, labels: Tensor) -> Tensor:
        seen.extend(labels.tolist())
        value = model(images).mean()
        return value * float("nan") if len(seen) > 17 else value

    options = {"epochs": 2, "batch": 4, "rate": 0.1, "momentum": 0.9, "schedule": "constant"}
    with pytest.raises(FloatingPointError, match="nan at step 4 of 6"):
        sgd(model, loss, torch.zeros(10, 1), torch.arange(10), order=streams.generator(0), **options)
    assert sorted(seen[:10]) == list(range(10))
    with pytest.raises(ValueError, match="no training images"):
        sgd(model, loss, torch.zeros(0, 1), torch.arange(0), order=streams.generator(0), **options)


def test_a_recipe_is_named_by_the_fields_that_differ() -> None:
    """Two recipes of different fields have different names; defaults are not spelt out."""
    assert LeNet("mnist").name == "lenet-mnist"
    assert (
        LeNet("fashion_mnist", weight=0.05, epochs=3, dropout=0.0).name
        == "lenet-fashion_mnist-weight0.05-epochs3-dropout0.0"
    )
    names = {
        dataclasses.replace(LeNet("mnist"), **{f.name: v}).name for f in dataclasses.fields(LeNet)[1:] for v in (7, 8)
    }
    assert len(names) == 2 * len(dataclasses.fields(LeNet)[1:])


RECIPE = LeNet("mnist")


def saved(path: Path, change) -> Path:
    """Weights of the recipe after a change, in a file."""
    tensors = {k: v.contiguous() for k, v in RECIPE.build(streams.generator(0)).state_dict().items()}
    safetensors.torch.save_file(change(tensors), path)
    return path


def test_weights_come_back_as_they_were(tmp_path) -> None:
    """Loading gives the same outputs bit for bit."""
    model = fit()
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path)
    loaded = weights.load(RECIPE, path)
    assert torch.equal(loaded(pixels(IMAGES)), model(pixels(IMAGES)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {**t, "fc3.weight": torch.zeros(5, 84)}, r"fc3.weight is \(5, 84\), lenet-mnist expects \(10, 84\)"),
        (lambda t: {k: v for k, v in t.items() if k != "conv1.bias"}, "conv1.bias is absent"),
        (lambda t: {**t, "extra": torch.zeros(1)}, "extra is .* no such tensor"),
        (lambda t: {**t, "fc1.bias": torch.full((120,), float("nan"))}, "not finite in fc1.bias"),
    ],
)
def test_weights_of_another_architecture_or_not_finite_are_refused(tmp_path, change, message) -> None:
    """The message names the file, the tensor, both shapes and the way out."""
    with pytest.raises(UserError, match=message):
        weights.load(RECIPE, saved(tmp_path / "w.safetensors", change))


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR."])
def test_a_file_that_is_no_safetensors_is_refused_and_runs_no_code(tmp_path, monkeypatch, content) -> None:
    """Empty, damaged or pickled files give one message; nothing is executed."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is no safetensors file"):
        weights.load(RECIPE, path)
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]

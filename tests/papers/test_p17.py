"""What only paper 17 knows: counts, closed forms, and that its settings are those that ours_choice chose."""

from __future__ import annotations

import math
from itertools import product
from types import SimpleNamespace

import pytest
import torch

from suite import papers, store
from suite.contract import Seen
from suite.kernels import streams
from suite.models.lenet import LeNet
from suite.papers import p17_jacobian_uap as p17
from suite.papers.p17_jacobian_uap.arms import Choice
from suite.rows import Row, label

STEM = "p17_jacobian_uap"


def test_lenet_has_the_parameters_of_its_layers() -> None:
    """156 + 2,416 + 48,120 + 10,164 + 850 weights and biases."""
    counts = [sum(p.numel() for p in layer.parameters()) for layer in LeNet(streams.generator(0)).children()]
    assert counts == [156, 2416, 48120, 10164, 850]
    assert sum(counts) == 61706


def test_the_arms_of_a_data_set_start_alike() -> None:
    """Initialisation does not depend on the arm, so that differences between arms are paired."""
    first, second = (LeNet(streams.generator(3, "lenet initialisation", "mnist"), dropout=d) for d in (0.0, 0.5))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_the_algebra_of_section_3_gives_its_closed_forms() -> None:
    """No stack breaks Eq. 9; five equal matrices miss equality by 4/5; spectra e1 and 1 have cosine 1/sqrt(10)."""

    class Fake:
        settings, seed, part, device = None, 0, None, "cpu"

        def rng(self, *label):
            return streams.rng(0, *label)

    seen = Seen(p17.ours_bounds(Fake()))
    assert p17.c14(seen) == {"random": 0}
    assert p17.c15(seen)["identical"] == pytest.approx(0.8)
    assert p17.c16(seen)["shared vectors"] == pytest.approx(1 - 1 / math.sqrt(10))


def test_the_similarity_images_hold_as_many_of_each_class() -> None:
    """300 of 1,000 images: thirty of each of the ten classes, none twice."""

    class Fake:
        part, device = "mnist", "cpu"

        def rng(self, *label):
            return streams.rng(0, *label)

        def data(self, name):
            numbers = torch.arange(1000)
            coded = torch.stack([numbers // 250, numbers % 250], dim=1).reshape(1000, 1, 1, 2).byte()
            return SimpleNamespace(test_images=coded, test_labels=numbers % 10)

    chosen = (255 * p17.balanced(Fake(), 300)).round().long().reshape(300, 2)
    numbers = 250 * chosen[:, 0] + chosen[:, 1]
    assert len(set(numbers.tolist())) == 300
    assert torch.bincount(numbers % 10).tolist() == [30] * 10


def rows_of(unit: str, scale: str, **at: str) -> list[Row]:
    """The committed rows of a unit that fit the labels."""
    found = [
        row
        for record in store.records(STEM, scale)
        for ident, part in record.parts.items()
        if ident.partition("@")[0] == unit
        for row in part.rows
        if row.matches(at)
    ]
    assert found, f"{unit} has no committed row {at} at {scale}"
    return found


def choices(scale: str, method: str) -> list[Choice]:
    """The choices of a scale for an arm, a data set each."""
    return [chosen for chosen in p17.SCALES[scale].chosen if chosen.method == method]


def test_every_arm_had_the_same_candidates() -> None:
    """The same care for every arm: all combinations of rate, dropout and schedule."""
    settings = p17.SCALES["reduced"]
    count = len(settings.rates) * len(settings.dropouts) * len(settings.schedules)
    found = []
    for data, method in product(p17.EPS, p17.PAIR):
        rows = rows_of("ours_choice", "reduced", dataset=data, method=method)
        found.append({(r.at["rate"], r.at["dropout"], r.at["schedule"]) for r in rows})
    assert all(len(candidates) == count and candidates == found[0] for candidates in found)


@pytest.mark.parametrize("method", ["standard", "jr"])
@pytest.mark.parametrize("scale", ["reduced", "full"])
def test_the_chosen_settings_have_the_lowest_validation_error_of_their_arm(scale, method) -> None:
    """What the arms of a scale are trained with is what its committed rows of ours_choice say, and nothing else."""
    for chosen in choices(scale, method):
        rows = rows_of("ours_choice", scale, dataset=chosen.data, method=method)
        at = {name: label(getattr(chosen, name)) for name in ("rate", "dropout", "schedule")}
        (row,) = [r for r in rows if r.matches(at)]
        assert row.values["validation_error"] == min(r.values["validation_error"] for r in rows)


def test_the_training_length_is_the_first_that_reaches_the_printed_error_on_both_sets() -> None:
    """The longer of the two data sets; each stopped at the first length within one standard error of print."""
    last = []
    for data, printed in p17.PRINTED_ERROR.items():
        rows = sorted(rows_of("ours_length", "full", dataset=data), key=lambda row: int(row.at["epochs"]))
        reached = printed + (printed * (100 - printed) / 5000) ** 0.5
        assert [row.values["validation_error"] <= reached for row in rows] == [False] * (len(rows) - 1) + [True]
        last.append(int(rows[-1].at["epochs"]))
    assert p17.SCALES["full"].epochs == max(last)


def test_the_kept_perturbations_lie_within_the_eps_of_their_data_set() -> None:
    """The arrays that the page shows are those of attacks that kept their budget."""
    records = store.records(STEM, "reduced")
    assert records
    for record in records:
        for data, eps in p17.EPS.items():
            part = f"table1@{data}"
            assert record.parts[part].figures
            for name in record.parts[part].figures:
                array = record.figure(part, name)
                assert array.shape == (28, 28)
                assert 0 < abs(array).max() <= eps + 1e-6


def test_its_units_split_by_data_set_so_that_an_absent_set_stops_its_own_part_only() -> None:
    """Table 1, Figure 4 and the choice run once a data set; the algebra needs none."""
    paper = papers.load("17")
    settings = paper.settings("reduced")
    for unit in ("table1", "fig4", "ours_choice"):
        assert [p17.inputs(settings, unit, part).sets for part in paper.parts(unit, settings)] == [
            ("mnist",),
            ("fashion_mnist",),
        ]
    assert p17.inputs(settings, "ours_bounds", None).sets == ()

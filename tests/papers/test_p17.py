"""What only paper 17 knows: counts, closed forms, and that its settings are those that ours_choice chose."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch

from suite import papers, store
from suite.contract import Seen
from suite.kernels import streams
from suite.models.lenet import LeNet
from suite.papers import p17_jacobian_uap as p17

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
        part = "mnist"

        def rng(self, *label):
            return streams.rng(0, *label)

    labels = torch.arange(1000) % 10
    chosen = p17.balanced(Fake(), labels, 300)
    assert len(set(chosen.tolist())) == 300
    assert torch.bincount(labels[chosen]).tolist() == [30] * 10


@pytest.fixture(scope="module")
def choice() -> dict[tuple[str, str], list]:
    """The committed rows of ours_choice at reduced, by arm."""
    records = store.records(STEM, "reduced")
    found = [
        row
        for record in records
        for ident, part in record.parts.items()
        if ident.startswith("ours_choice")
        for row in part.rows
    ]
    assert found, "ours_choice has no committed record at reduced"
    return {
        arm: [r for r in found if (r.at["dataset"], r.at["method"]) == arm] for arm in product(p17.EPS, p17.METHODS)
    }


def test_every_arm_had_the_same_candidates(choice) -> None:
    """The same care for every arm: all combinations of rate, dropout and schedule."""
    settings = p17.SCALES["reduced"]
    count = len(settings.rates) * len(settings.dropouts) * len(settings.schedules)
    candidates = [sorted((r.at["rate"], r.at["dropout"], r.at["schedule"]) for r in rows) for rows in choice.values()]
    assert all(len(set(map(tuple, c))) == count and c == candidates[0] for c in candidates)


def test_the_chosen_settings_have_the_lowest_validation_error_of_their_arm(choice) -> None:
    """CHOSEN is what the committed rows of ours_choice say, and nothing else."""
    for arm, rows in choice.items():
        best = min(rows, key=lambda row: row.values["validation_error"])
        chosen = p17.CHOSEN[arm]
        at = {"rate": chosen["rate"], "dropout": chosen["dropout"], "schedule": chosen["schedule"]}
        (row,) = [r for r in rows if r.matches(at)]
        assert row.values["validation_error"] == best.values["validation_error"], f"{arm}: {best} is better"


def test_the_kept_perturbations_lie_within_the_eps_of_their_data_set() -> None:
    """The arrays that the page shows are those of attacks that kept their budget."""
    records = store.records(STEM, "reduced")
    assert records
    for record in records:
        for data, eps in p17.EPS.items():
            part = f"table1@{data}"
            assert record.parts[part].figures
            for label in record.parts[part].figures:
                array = record.figure(part, label)
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

"""Losses, whole-frame prediction and scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from streamer.training import Batch, Recipe, batch_loss
from streamer.training.losses import mae, mse, poisson, rms_edge, segmentation_loss
from streamer.training.tasks import intersection_over_union, predict


class Probe(nn.Module):
    """Gives its input back, and remembers the size it was shown."""

    def forward(self, photons: torch.Tensor) -> torch.Tensor:
        self.shown = tuple(photons.shape)
        return photons.clone()


def batch(signal: torch.Tensor, noise: float = 1.0, weight: torch.Tensor | None = None) -> Batch:
    return Batch(
        photons=signal,
        signal=signal,
        labels=torch.zeros(signal[:, 0].shape, dtype=torch.int64),
        noise=torch.full((len(signal), 1, 1, 1), noise),
        weight=weight,
    )


@pytest.mark.parametrize(
    ("offset", "noise", "expected"), [(0.0, 1.0, 0.0), (0.5, 1.0, 0.5), (0.5, 0.25, 2.0)], ids=str
)
def test_an_even_error_costs_its_size_over_the_noise(offset: float, noise: float, expected: float) -> None:
    signal = torch.rand(2, 1, 16, 16)
    cost = rms_edge(signal + offset, batch(signal, noise))
    assert float(cost) == pytest.approx(expected, abs=2e-3)  # the published offsets under the roots
    assert float(mae(signal + offset, batch(signal, noise))) == pytest.approx(expected, abs=1e-5)
    assert float(mse(signal + offset, batch(signal, noise))) == pytest.approx(expected**2, abs=1e-5)


def test_a_sharp_error_costs_more_than_an_even_one_of_the_same_size() -> None:
    signal = torch.zeros(1, 1, 16, 16)
    even = torch.full_like(signal, 0.5)
    checkered = even * (1 - 2 * (torch.arange(16)[:, None] + torch.arange(16)).remainder(2))
    # The 4-neighbour Laplacian of a checkerboard is 8 times its height.
    extra = rms_edge(checkered, batch(signal)) - rms_edge(even, batch(signal))
    assert float(extra) == pytest.approx(0.05 * 8 * 0.5, abs=1e-3)


@pytest.mark.parametrize("cost", [rms_edge, mae, mse, poisson], ids=lambda cost: cost.__name__)
def test_pixels_that_do_not_count_cost_nothing(cost: Callable[[torch.Tensor, Batch], torch.Tensor]) -> None:
    signal, weight = torch.ones(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    weight[..., 3, 3] = 1.0
    wrong = signal.clone()
    wrong[..., 0, 0] = 9.0
    assert float(cost(wrong, batch(signal, weight=weight))) < 2e-3
    wrong[..., 3, 3] = 9.0
    assert float(cost(wrong, batch(signal, weight=weight))) > 1.0


@pytest.mark.parametrize("mean", [0.0, 0.05, 2.0], ids=str)
def test_the_poisson_likelihood_is_best_at_the_mean_of_the_counts(mean: float) -> None:
    counts = torch.poisson(torch.full((1, 1, 64, 64), mean), generator=torch.Generator().manual_seed(1))
    found = float(counts.mean())
    costs = [
        float(poisson(torch.full_like(counts, found + step), batch(counts))) for step in (-0.03, 0.0, 0.03)
    ]
    assert costs[1] <= min(costs)
    start = torch.full_like(counts, -0.5, requires_grad=True)
    (slope,) = torch.autograd.grad(poisson(start, batch(counts)), start)
    assert float(slope.sum()) < 0  # from negative photons upwards


def test_every_stage_of_a_network_is_punished() -> None:
    class TwoStages(nn.Module):
        def stages(self, photons: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return photons + 1.0, photons + 2.0

    recipe = Recipe(precision="f32", loss="mae")
    assert float(batch_loss(TwoStages(), batch(torch.rand(1, 1, 8, 8)), recipe)) == pytest.approx(3.0)


def test_a_certain_and_right_segmentation_costs_nothing() -> None:
    labels = torch.randint(0, 3, (2, 8, 8))
    logits = 50.0 * nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2)
    assert float(segmentation_loss(logits, labels, torch.ones(3))) < 1e-6


@pytest.mark.parametrize("shape_yx", [(32, 32), (33, 47), (60, 31)], ids=str)
def test_whole_frames_of_any_size_are_padded_and_cropped(shape_yx: tuple[int, int]) -> None:
    image = np.random.default_rng(1).random(shape_yx, np.float32)
    probe = Probe()
    assert np.array_equal(predict(probe, image), image)
    assert all(size % 16 == 0 for size in probe.shown[2:])


@pytest.mark.parametrize(
    ("found", "truth", "expected"),
    [
        ([0, 1, 2, 2], [0, 1, 2, 2], (1.0, 1.0, 1.0)),
        ([0, 0, 0, 0], [0, 0, 0, 0], (1.0, 1.0, 1.0)),
        ([0, 1, 1, 2], [0, 1, 2, 2], (1.0, 0.5, 0.5)),
        ([1, 1, 1, 1], [0, 0, 1, 1], (0.0, 0.5, 1.0)),
    ],
    ids=["equal", "empty", "one wrong", "too much"],
)
def test_intersection_over_union_of_each_class(
    found: list[int], truth: list[int], expected: tuple[float, ...]
) -> None:
    overlap = intersection_over_union([np.array([found], np.uint8)], [np.array([truth], np.uint8)])
    assert overlap == pytest.approx(expected)

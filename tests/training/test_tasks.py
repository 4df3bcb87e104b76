"""Losses, whole-frame prediction and scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from streamer.training.losses import denoising_loss, segmentation_loss
from streamer.training.tasks import intersection_over_union, predict


class Probe(nn.Module):
    """Gives its input back, and remembers the size it was shown."""

    def forward(self, photons: torch.Tensor) -> torch.Tensor:
        self.shown = tuple(photons.shape)
        return photons.clone()


@pytest.mark.parametrize(
    ("offset", "noise", "expected"), [(0.0, 1.0, 0.0), (0.5, 1.0, 0.5), (0.5, 0.25, 2.0)], ids=str
)
def test_an_even_error_costs_its_size_over_the_noise(offset: float, noise: float, expected: float) -> None:
    signal = torch.rand(2, 1, 16, 16)
    cost = denoising_loss(signal + offset, signal, torch.full((2, 1, 1, 1), noise))
    assert float(cost) == pytest.approx(expected, abs=2e-3)  # the published offsets under the roots


def test_a_sharp_error_costs_more_than_an_even_one_of_the_same_size() -> None:
    signal, noise = torch.zeros(1, 1, 16, 16), torch.ones(1, 1, 1, 1)
    even = torch.full_like(signal, 0.5)
    checkered = even * (1 - 2 * (torch.arange(16)[:, None] + torch.arange(16)).remainder(2))
    # The 4-neighbour Laplacian of a checkerboard is 8 times its height.
    extra = denoising_loss(checkered, signal, noise) - denoising_loss(even, signal, noise)
    assert float(extra) == pytest.approx(0.05 * 8 * 0.5, abs=1e-3)


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

"""Registration: shifts are found to a part of a pixel, doubtful ones left alone, unrelated fields refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, shift

from streamer.training.register import Shift, align, find_shift

Image = NDArray[np.float32]


def field(seed: int, size_px: int = 192) -> NDArray[np.float64]:
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal((size_px, size_px)), 4)
    ridges = np.exp(-np.square(noise / noise.std()) * 20)
    return np.asarray(ridges / ridges.mean())


def photographed(scene: NDArray[np.float64], photons: float, seed: int = 0) -> Image:
    inside = scene[20:-20, 20:-20]
    return np.random.default_rng(seed).poisson(np.maximum(inside, 0) * photons).astype(np.float32)


@pytest.mark.parametrize("by", [(0.0, 0.0), (3.4, -2.3), (-7.0, 5.5)], ids=str)
def test_the_shift_of_a_dim_and_a_bright_image_is_found(by: tuple[float, float]) -> None:
    scene = field(1)
    moved = shift(scene, (-by[0], -by[1]), order=3)
    found = find_shift(photographed(scene, 2.0), photographed(moved, 100.0, seed=1))
    assert (found.y, found.x) == pytest.approx(by, abs=0.3)
    assert not found.is_chance
    assert found.is_worth_moving == (by != (0.0, 0.0))


def test_the_uncertainty_of_a_shift_grows_where_photons_are_few() -> None:
    few, many = (
        np.median(
            [
                find_shift(
                    photographed(field(seed), photons, seed), photographed(field(seed), 100.0)
                ).error_px
                for seed in range(4)
            ]
        )
        for photons in (0.3, 30.0)
    )
    assert few > 2 * many


@pytest.mark.parametrize("seed", range(4))
def test_unrelated_fields_are_chance_or_lie_far_off(seed: int) -> None:
    found = find_shift(photographed(field(seed), 2.0), photographed(field(seed + 50), 100.0))
    assert found.is_chance or found.px > 10


def test_aligned_images_are_cropped_to_what_both_show() -> None:
    scene = field(3)
    first, second = photographed(scene, 1e4), photographed(shift(scene, (-4.3, 2.5), order=3), 1e4)
    a, b = align(first, second, Shift(y=4.3, x=-2.5, error_px=0.0, likeness=3.0))
    height, width = first.shape
    assert a.shape == b.shape == (height - 5 - 4, width - 4 - 3)
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.98  # interpolation blurs ridges of a few pixels


def test_a_shift_within_its_own_uncertainty_moves_nothing() -> None:
    first, second = photographed(field(4), 1.0), photographed(field(4), 50.0)
    a, b = align(first, second, Shift(y=0.4, x=0.2, error_px=0.3, likeness=3.0))
    assert a is first
    assert b is second

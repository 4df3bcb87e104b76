"""Structural similarity against scikit-image."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter
from skimage.metrics import structural_similarity

from streamer.metrics import ssim, ssim_map


def pair(shape: tuple[int, int], level: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    first, second = (
        gaussian_filter(rng.poisson(level, shape).astype(np.float32), 1.5).astype(np.float32)
        for _ in range(2)
    )
    return first, second


@pytest.mark.parametrize("level", [0.01, 0.3, 30.0], ids=lambda level: f"{level} photons per pixel")
@pytest.mark.parametrize("shape", [(120, 90), (33, 61), (7, 7)], ids=str)
def test_ssim_equals_scikit_image(shape: tuple[int, int], level: float) -> None:
    a, b = pair(shape, level)
    mean, full = structural_similarity(
        a.astype(np.float64), b.astype(np.float64), data_range=4 * level, full=True
    )
    np.testing.assert_allclose(ssim_map(a, b, data_range=4 * level), full, atol=1e-6)
    assert ssim(a, b, data_range=4 * level) == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (5, 3)], ids=str)
def test_an_image_smaller_than_the_window_has_a_map(shape: tuple[int, int]) -> None:
    a, b = (np.random.default_rng(seed).random(shape).astype(np.float32) for seed in range(2))
    p, q = a.astype(np.float64), b.astype(np.float64)
    mean_a, mean_b, aa, bb, ab = (
        uniform_filter(image, 7, mode="reflect") for image in (p, q, p * p, q * q, p * q)
    )
    product, squares = mean_a * mean_b, mean_a**2 + mean_b**2
    covariance, variances = 49 / 48 * (ab - product), 49 / 48 * (aa + bb - squares)
    expected = (2 * product + 1e-4) * (2 * covariance + 9e-4) / ((squares + 1e-4) * (variances + 9e-4))
    np.testing.assert_allclose(ssim_map(a, b, data_range=1.0), expected, atol=1e-6)


def test_a_bright_spot_leaves_nothing_behind() -> None:
    a, b = pair((60, 80), 0.3)
    a[:20, 30:40] = 1e4
    alone = ssim_map(a[20:], b[20:], data_range=1.0)[3:]  # where the window has left the spot
    np.testing.assert_allclose(ssim_map(a, b, data_range=1.0)[23:], alone, atol=1e-3)


def scattered(shape: tuple[int, int]) -> NDArray[np.bool_]:
    return np.random.default_rng(1).random(shape) < 0.3


def corner(shape: tuple[int, int]) -> NDArray[np.bool_]:
    mask = np.zeros(shape, np.bool_)
    mask[:20, 10:30] = True
    return mask


@pytest.mark.parametrize("chosen", [corner, scattered, lambda shape: scattered(shape[::-1]).T])
def test_a_mask_restricts_the_mean(chosen: Callable[[tuple[int, int]], NDArray[np.bool_]]) -> None:
    a, b = pair((50, 60), 0.3)
    mask = chosen(a.shape)
    mask.setflags(write=False)
    expected = ssim_map(a, b, data_range=1.0)[mask].mean()
    assert ssim(a, b, data_range=1.0, mask=mask) == pytest.approx(expected, abs=1e-6)


def test_a_mask_of_another_shape_is_refused() -> None:
    a, b = pair((50, 60), 0.3)
    with pytest.raises(ValueError, match=r"mask of shape \(60, 50\)"):
        ssim(a, b, data_range=1.0, mask=np.ones((60, 50), np.bool_))


def test_every_run_gives_the_same_bits() -> None:
    a, b = pair((61, 83), 0.3)
    first = ssim(a, b, data_range=1.0)
    assert all(ssim(a.copy(), b.copy(), data_range=1.0) == first for _ in range(5))


def test_equal_images_are_wholly_similar() -> None:
    a, _ = pair((40, 40), 0.3)
    assert ssim(a, a, data_range=1.0) == pytest.approx(1.0, abs=1e-7)


@pytest.mark.parametrize(
    ("side", "mask"),
    [(40, np.zeros((40, 40), np.bool_)), (5, None)],
    ids=["empty mask", "image smaller than the window"],
)
def test_nothing_to_compare_is_not_a_number(side: int, mask: NDArray[np.bool_] | None) -> None:
    a = np.ones((side, side), np.float32)
    assert math.isnan(ssim(a, a, data_range=1.0, mask=mask))


@pytest.mark.parametrize(
    ("shape", "data_range", "message"),
    [((8, 9), 1.0, r"\(8, 8\) and \(8, 9\)"), ((8, 8), 0.0, "data_range = 0")],
    ids=["shapes differ", "no range"],
)
def test_wrong_use_is_refused(shape: tuple[int, int], data_range: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ssim(np.ones((8, 8), np.float32), np.ones(shape, np.float32), data_range=data_range)

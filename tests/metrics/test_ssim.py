"""Structural similarity against scikit-image."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
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


def test_a_mask_restricts_the_mean() -> None:
    a, b = pair((50, 60), 0.3)
    mask = np.zeros(a.shape, np.bool_)
    mask[:20, 10:30] = True
    expected = ssim_map(a, b, data_range=1.0)[:20, 10:30].mean()
    assert ssim(a, b, data_range=1.0, mask=mask) == pytest.approx(expected, abs=1e-6)


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

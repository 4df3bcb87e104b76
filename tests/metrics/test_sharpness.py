"""Products of neighbouring pixels, free of the noise of counting."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from streamer.metrics.sharpness import FAR, neighbour_products

RNG_SEED = 4


def specks(blur_px: float, side_px: int = 256) -> NDArray[np.float32]:
    """[y, x] expected photons, 0.2 a pixel: points of light, blurred."""
    points = np.random.default_rng(RNG_SEED).random((side_px, side_px)) < 0.01
    image = gaussian_filter(points.astype(np.float64), blur_px)
    return np.asarray(0.2 * image / image.mean(), np.float32)


def counted(expected: NDArray[np.float32], scale: float, read_noise_e: float = 0.0) -> NDArray[np.float32]:
    rng = np.random.default_rng(RNG_SEED)
    counts = rng.poisson(expected * scale) + read_noise_e * rng.standard_normal(expected.shape)
    return np.asarray(counts / scale, np.float32)


def test_it_is_the_mean_of_products() -> None:
    image = specks(1.5, 40)
    inside = image[:-FAR, :-FAR]
    near = [
        image[:-FAR, 1 : 1 - FAR],
        image[:-FAR, 2 : 2 - FAR],
        image[1 : 1 - FAR, :-FAR],
        image[2 : 2 - FAR, :-FAR],
    ]
    far = [image[:-FAR, FAR:], image[FAR:, :-FAR]]
    found = neighbour_products(image)
    expected = [np.mean([(inside * other).mean() for other in others]) for others in (near, far)]
    np.testing.assert_allclose(found, [*expected, inside.mean()], rtol=1e-5)


@pytest.mark.parametrize("read_noise_e", [0.0, 0.5])
@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_noise_adds_nothing(scale: float, read_noise_e: float) -> None:
    expected = specks(1.5)
    true, found = neighbour_products(expected), neighbour_products(counted(expected, scale, read_noise_e))
    np.testing.assert_allclose(found, true, rtol=0.12)


def test_blur_brings_far_neighbours_closer_to_near_ones() -> None:
    shares = []
    for blur_px in (1.0, 2.0, 4.0):
        near, far, mean = neighbour_products(specks(blur_px))
        shares.append((far - mean**2) / (near - mean**2))
    assert shares[0] < shares[1] < shares[2]


@pytest.mark.parametrize("shape", [(0, 0), (4, 400), (FAR, FAR)], ids=str)
def test_images_too_small_for_it_have_none(shape: tuple[int, int]) -> None:
    assert np.isnan(neighbour_products(np.ones(shape, np.float32))).all()


def test_of_large_images_some_rows_are_enough() -> None:
    small, large = neighbour_products(specks(1.5)), neighbour_products(np.tile(specks(1.5), (4, 4)))
    np.testing.assert_allclose(large, small, rtol=0.05)

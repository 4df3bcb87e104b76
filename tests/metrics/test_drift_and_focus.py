"""Movement is found between pixels; sharpness sees blur and neither brightness nor background."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, shift

from streamer.metrics.drift import shift_between, thumbnail
from streamer.metrics.focus import sharpness

RNG = np.random.default_rng(0)
BLOBS = gaussian_filter((RNG.random((420, 420)) < 0.01).astype(np.float32), 2.0)
BLOBS *= 0.5 / BLOBS.max()


def moved(image: NDArray[np.float32], y: float, x: float) -> NDArray[np.float32]:
    return np.asarray(shift(image, (y, x), order=3, mode="wrap"), np.float32)[50:-50, 50:-50]


@pytest.mark.parametrize("by", [(0.0, 0.0), (3.0, -5.0), (0.3, 0.7), (-12.4, 20.2)], ids=str)
def test_movement_is_found_between_pixels(by: tuple[float, float]) -> None:
    found = shift_between(moved(BLOBS, 0, 0), moved(BLOBS, *by))
    assert found is not None
    assert (found.y, found.x) == pytest.approx(by, abs=0.2)
    assert 0.3 < found.agreement <= 1.0 + 1e-6


def test_movement_of_thumbnails_is_in_their_pixels() -> None:
    found = shift_between(thumbnail(moved(BLOBS, 0, 0), 4), thumbnail(moved(BLOBS, 6, -9), 4))
    assert found is not None
    assert (4 * found.y, 4 * found.x) == pytest.approx((6, -9), abs=0.8)


def test_an_image_agrees_with_itself_and_not_with_another() -> None:
    one, other = moved(BLOBS, 0, 0), moved(BLOBS[::-1].T.copy(), 0, 0)
    same, different = shift_between(one, one), shift_between(one, other)
    assert same is not None
    assert different is not None
    assert 0.7 < same.agreement <= 1.0 + 1e-6
    assert different.agreement < 0.15


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (np.ones((64, 64), np.float32), BLOBS[:64, :64]),
        (BLOBS[:64, :64], BLOBS[:64, :60]),
        (BLOBS[:8, :8], BLOBS[:8, :8]),
        (BLOBS[:64, :64], np.zeros((64, 64), np.float32)),
    ],
    ids=["constant", "other shape", "small", "dark"],
)
def test_what_cannot_be_registered_has_no_shift(
    before: NDArray[np.float32], now: NDArray[np.float32]
) -> None:
    assert shift_between(before, now) is None


def test_a_shift_is_looked_for_where_it_is_asked_for() -> None:
    one, other = moved(BLOBS, 0, 0), moved(BLOBS, 14, -30)
    far, near = shift_between(one, other, (0, 0), 5.0), shift_between(one, other, (12, -28), 5.0)
    assert far is not None
    assert near is not None
    assert abs(far.y) <= 5.5
    assert abs(far.x) <= 5.5
    assert (near.y, near.x) == pytest.approx((14, -30), abs=0.2)


def test_a_thumbnail_is_the_mean_of_its_bins() -> None:
    image = np.arange(7 * 9, dtype=np.float32).reshape(7, 9)
    assert np.array_equal(thumbnail(image, 3), image[:6].reshape(2, 3, 3, 3).mean(axis=(1, 3)))


def sharp(expected: NDArray[np.float32], seed: int) -> list[float]:
    rng = np.random.default_rng(seed)
    found = [sharpness(rng.poisson(expected).astype(np.float32)) for _ in range(20)]
    return [each.value for each in found if each is not None]


def test_blur_lowers_sharpness_and_light_and_background_do_not() -> None:
    usual = np.mean(sharp(BLOBS, 1))
    assert np.mean(sharp(3 * BLOBS, 2)) == pytest.approx(usual, rel=0.04)
    assert np.mean(sharp(BLOBS + 0.1, 3)) == pytest.approx(usual, rel=0.06)
    assert np.mean(sharp(np.asarray(gaussian_filter(BLOBS, 2.0)), 4)) < 0.85 * usual


def test_the_standard_error_is_that_of_repetition() -> None:
    rng = np.random.default_rng(5)
    found = [sharpness(rng.poisson(BLOBS).astype(np.float32)) for _ in range(60)]
    values, errors = zip(*(each for each in found if each is not None), strict=True)
    assert np.std(values) == pytest.approx(np.mean(errors), rel=0.3)


@pytest.mark.parametrize(
    "image",
    [np.zeros((60, 60)), np.full((60, 60), 3.0), RNG.poisson(0.2, (60, 60)), np.ones((10, 90))],
    ids=["dark", "constant", "noise alone", "narrow"],
)
def test_without_structure_there_is_no_sharpness(image: NDArray[np.generic]) -> None:
    assert sharpness(image.astype(np.float32)) is None

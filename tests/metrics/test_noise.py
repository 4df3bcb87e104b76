"""The noise ratio: 1 for photons, something else for grey levels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import convolve, gaussian_filter

from streamer.metrics import noise_ratio
from streamer.simulation import LOW_DOSE, Scene, SceneSettings

KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])


@pytest.mark.parametrize("shape", [(40, 50), (37, 3), (3, 64)], ids=str)
def test_equals_the_convolution(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).poisson(2.0, shape).astype(np.float32)
    response = convolve(image.astype(np.float64), KERNEL)[1:-1, 1:-1]
    assert noise_ratio(image) == pytest.approx((response**2).sum() / 36 / image[1:-1, 1:-1].sum(), rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_simulated_sted_counts_are_as_noisy_as_photons(seed: int) -> None:
    scene = Scene(SceneSettings(seed=seed, shape_yx=(300, 300)))
    assert noise_ratio(scene.expose(0, 0.0, LOW_DOSE).counts.astype(np.float32)) == pytest.approx(
        1.0, abs=0.08
    )


@pytest.mark.parametrize("level", [0.001, 0.1, 10.0], ids=lambda level: f"{level} photons per pixel")
def test_empty_fields_are_as_noisy_as_photons(level: float) -> None:
    image = np.random.default_rng(1).poisson(level, (400, 400)).astype(np.float32)
    assert noise_ratio(image) == pytest.approx(1.0, abs=0.05)


def test_read_noise_is_taken_off() -> None:
    rng = np.random.default_rng(2)
    image = (rng.poisson(5.0, (400, 400)) + rng.normal(0, 1.5, (400, 400))).astype(np.float32)
    assert noise_ratio(image, read_noise_e=1.5) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("spoil", "low", "high"),
    [
        (lambda image: image * 0.3, 0.25, 0.35),
        (lambda image: image * 4.0, 3.5, 4.5),
        (lambda image: gaussian_filter(image, 1.0), 0.0, 0.1),
    ],
    ids=["scaled down", "scaled up", "smoothed"],
)
def test_images_that_are_not_counts_stand_out(spoil, low: float, high: float) -> None:
    image = np.random.default_rng(3).poisson(1.0, (300, 300)).astype(np.float32)
    assert low < noise_ratio(spoil(image)) < high


@pytest.mark.parametrize(
    "image",
    [np.zeros((20, 20)), np.ones((2, 20)), np.ones((20, 1))],
    ids=["no light", "two rows", "one column"],
)
def test_nothing_to_measure_has_no_ratio(image: NDArray[np.float64]) -> None:
    assert math.isnan(noise_ratio(image.astype(np.float32)))

"""What networks are shown of a camera that nobody has calibrated."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.core import Calibration, Provisional
from streamer.simulation import camera_grey_levels

CAMERA = Calibration(gain_e_per_adu=0.46, offset_adu=100.3, read_noise_e=1.6)


def grey_levels(photons: float, seed: int = 1, camera: Calibration = CAMERA) -> NDArray[np.uint16]:
    """Blurred stripes of so many photons a pixel, a third of them without light."""
    y, x = np.mgrid[:200, :200]
    expected = photons * np.maximum(np.sin((x + 0.5 * y) / 12.0) + 0.5, 0.0)
    return camera_grey_levels(expected.astype(np.float32), camera, np.random.default_rng(seed))


@pytest.mark.parametrize("photons", [30.0, 300.0])
@pytest.mark.parametrize("gain", [0.24, 0.46, 0.9])
def test_where_light_outshines_read_noise_it_comes_near_to_the_photons(gain: float, photons: float) -> None:
    camera = Calibration(gain_e_per_adu=gain, offset_adu=100.0, read_noise_e=1.6)
    pixels = grey_levels(photons, camera=camera)
    shown, true = (each.to_photons(pixels).sum() for each in (Provisional(), camera))
    assert 0.8 < shown / true < 1.05


def test_a_frame_without_light_is_shown_as_next_to_none() -> None:
    shown = Provisional().to_photons(grey_levels(0.0))
    assert abs(shown.mean()) < 0.1
    assert shown.std() < 0.5


def test_light_that_fades_is_shown_to_fade() -> None:
    sums = [Provisional().to_photons(grey_levels(photons)).sum() for photons in (100.0, 50.0, 25.0)]
    assert sums[0] > 1.8 * sums[1] > 3 * sums[2]


def test_one_frame_gives_the_same_bits_whatever_was_added_to_it() -> None:
    pixels = grey_levels(30.0)
    shown = Provisional().to_photons(pixels)
    assert shown.dtype == np.float32
    np.testing.assert_array_equal(shown, Provisional().to_photons(pixels.copy()))
    np.testing.assert_allclose(shown, Provisional().to_photons(pixels + np.uint16(32768)), atol=1e-2)


@pytest.mark.parametrize(
    "pixels",
    [
        pytest.param(np.zeros((64, 64), np.uint8), id="empty"),
        pytest.param(np.full((64, 64), 65535, np.uint16), id="saturated"),
        pytest.param(np.full((4, 6), 7, np.uint8), id="smaller than a box"),
        pytest.param(np.array([[0, 9]], np.uint8), id="smaller than the mask"),
        pytest.param(65535 * (np.indices((64, 64)).sum(0) % 2).astype(np.uint16), id="chequered"),
        pytest.param(np.tile(np.arange(64, dtype=np.uint16), (64, 1)), id="drawn, without noise"),
    ],
)
def test_odd_frames_stay_finite(pixels: NDArray[np.uint16]) -> None:
    shown = Provisional().to_photons(pixels)
    assert shown.shape == pixels.shape
    assert np.isfinite(shown).all()
    assert np.abs(shown).max() <= pixels.max()

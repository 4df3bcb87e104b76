"""Fourier ring correlation against known cut-offs, against chance, and against another implementation."""

from __future__ import annotations

import numpy as np
import pytest
from patterns import PIXEL_NM, Image, limited_noise, two_exposures
from scipy.ndimage import gaussian_filter

from streamer.metrics.fourier import fourier_rings, frc_nm, smoothed, thresholds
from streamer.metrics.rolling import foreground_blocks, rolling_frc


@pytest.mark.parametrize("threshold", ["1/7", "3-sigma"])
@pytest.mark.parametrize("shape", [(256, 256), (200, 301)], ids=str)
@pytest.mark.parametrize("cutoff", [0.1, 0.2, 0.3])
def test_a_known_cut_off_is_found(cutoff: float, shape: tuple[int, int], threshold: str) -> None:
    rng = np.random.default_rng(1)
    shared = limited_noise(shape, cutoff, rng)
    noise = 0.5 / (np.sqrt(np.pi) * cutoff)  # a quarter of the signal's power at each frequency that has one
    a, b = (shared + noise * rng.standard_normal(shape) for _ in range(2))
    found = frc_nm(a, b, PIXEL_NM, threshold)
    assert found.state == "resolved"
    assert found.nm is not None
    # The window and the smoothing each reach over about two rings.
    assert PIXEL_NM / found.nm == pytest.approx(cutoff, abs=4 / min(shape))


# nanopyx 2.1.5, FIRECalculator(pixel_size=20).calculate_fire_number, run once by hand on these images:
# installing it brings OpenCV, OpenCL and IPython, too much for the tests of every day.
NANOPYX_FRC_NM = {(1, 256, 1.5, 20): 75.72, (2, 256, 1.5, 2): 90.50, (3, 512, 2.5, 20): 120.37}


@pytest.mark.parametrize("images", NANOPYX_FRC_NM, ids=str)
def test_the_resolution_is_that_of_nanopyx_within_2_percent(images: tuple[int, int, float, float]) -> None:
    found = frc_nm(*two_exposures(*images), PIXEL_NM)
    assert found.nm == pytest.approx(NANOPYX_FRC_NM[images], rel=0.02)


def test_equal_images_never_cross() -> None:
    a, _ = two_exposures(1, 128, 1.5, 5)
    assert frc_nm(a, a, PIXEL_NM).state == "beyond-nyquist"
    assert frc_nm(a, a, PIXEL_NM).nm is None


@pytest.mark.parametrize("constant", [0.0, 7.3], ids=["empty", "constant"])
def test_nothing_correlates_with_a_constant(constant: float) -> None:
    a, _ = two_exposures(1, 128, 1.5, 5)
    found = frc_nm(a, np.full_like(a, constant), PIXEL_NM)
    assert (found.nm, found.state) == (None, "no-correlation")


def test_independent_noise_stays_within_3_sigma_in_nearly_all_rings() -> None:
    rng = np.random.default_rng(3)
    rings = fourier_rings(rng.standard_normal((256, 256)), rng.standard_normal((256, 256)))
    beyond = np.abs(rings.correlation) > thresholds(rings, "3-sigma")
    # The window correlates neighbouring pixels, so that it is a little more than the 0.3 % of a normal law.
    assert beyond[5:].mean() < 0.06
    assert np.abs(smoothed(rings.correlation)[5:]).max() < 0.2


def test_gain_and_offset_do_not_matter() -> None:
    a, b = two_exposures(1, 128, 1.5, 5)
    plain, scaled = frc_nm(a, b, PIXEL_NM), frc_nm(0.01 * a + 5, b, PIXEL_NM)
    assert scaled.nm == pytest.approx(plain.nm, rel=1e-4)


def test_a_blur_changes_nothing_that_it_leaves() -> None:
    a, b = two_exposures(1, 256, 1.5, 5)
    assert frc_nm(gaussian_filter(a, 1), b, PIXEL_NM).nm == pytest.approx(frc_nm(a, b, PIXEL_NM).nm, rel=0.02)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.ones((64, 64)), np.ones((64, 65)), "different shapes"),
        (np.ones((20, 64)), np.ones((20, 64)), "needs 32 a side"),
        (np.full((64, 64), np.nan), np.ones((64, 64)), "not finite"),
    ],
    ids=["sizes", "too small", "not a number"],
)
def test_images_that_cannot_be_correlated_are_refused(a: Image, b: Image, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fourier_rings(a, b)


def test_the_rolling_map_tells_sharp_from_blurred_halves() -> None:
    rng = np.random.default_rng(4)
    fine, coarse = (limited_noise((256, 256), cutoff, rng) for cutoff in (0.35, 0.12))
    half = np.arange(256)[None, :] < 128
    shared = 5 + np.where(half, fine, coarse)
    a, b = (shared + rng.standard_normal(shared.shape) for _ in range(2))
    found = rolling_frc(a, b, PIXEL_NM)
    assert found.nm.shape == (16, 16)
    left, right = np.nanmedian(found.nm[:, 1:6]), np.nanmedian(found.nm[:, 11:15])
    # Blocks have 32 rings, 1/64 wide: three of them stand for the window's and the smoothing's reach.
    assert PIXEL_NM / left == pytest.approx(0.35, abs=3 / 64)
    assert PIXEL_NM / right == pytest.approx(0.12, abs=3 / 64)


def test_background_blocks_are_left_out_and_counted_as_such() -> None:
    a, b = two_exposures(1, 128, 1.5, 5)
    a[:, 64:] = b[:, 64:] = 0
    found = rolling_frc(a, b, PIXEL_NM)
    assert np.isnan(found.nm[:, 4:]).all()
    assert found.foreground == foreground_blocks(a, b).sum() <= 32
    crossed = np.isfinite(found.nm).sum()
    assert crossed == found.foreground - found.beyond_nyquist - found.no_correlation > 0


def test_an_empty_pair_has_no_rolling_resolution() -> None:
    empty = np.zeros((96, 96), np.float32)
    assert np.isnan(rolling_frc(empty, empty, PIXEL_NM).mean_nm)
    with pytest.raises(ValueError, match="at least 64"):
        rolling_frc(empty[:50], empty[:50], PIXEL_NM)

"""Decorrelation analysis and error maps against known blurs, and against nanopyx."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from patterns import PIXEL_NM, limited_noise, lines, two_exposures
from scipy.ndimage import gaussian_filter

from streamer.metrics.decorrelation import decorrelation
from streamer.metrics.errormap import error_map

# nanopyx 2.1.5, calculate_decorr_analysis(pixel_size=20), run once by hand on these images. It pads to a
# power of two, fades the edges in another way and looks for peaks with another prominence.
NANOPYX_NM = {(1, 256, 1.5, 20): 86.53, (3, 512, 2.5, 20): 135.64}


@pytest.mark.parametrize("images", NANOPYX_NM, ids=str)
def test_the_resolution_is_that_of_nanopyx_within_6_percent(images: tuple[int, int, float, float]) -> None:
    found = decorrelation(two_exposures(*images)[0], PIXEL_NM)
    assert found.nm == pytest.approx(NANOPYX_NM[images], rel=0.06)


@pytest.mark.parametrize("cutoff", [0.12, 0.2, 0.3])
def test_a_known_cut_off_is_found(cutoff: float) -> None:
    rng = np.random.default_rng(2)
    image = limited_noise((256, 256), cutoff, rng) + 0.05 * rng.standard_normal((256, 256))
    assert decorrelation(image, PIXEL_NM).nm == pytest.approx(PIXEL_NM / cutoff, rel=0.08)


def test_more_blur_is_coarser_and_less_light_is_not_finer() -> None:
    found = [decorrelation(two_exposures(5, 256, sigma, 100)[0], PIXEL_NM).nm for sigma in (1.5, 2.0, 3.0)]
    assert None not in found
    assert found == sorted(found)
    bright, dim = (decorrelation(two_exposures(5, 256, 2.0, level)[0], PIXEL_NM).nm for level in (100, 10))
    assert bright is not None
    assert dim is not None
    assert dim >= 0.98 * bright


@pytest.mark.parametrize(
    "image",
    [np.full((64, 64), 3.0), np.zeros((64, 64)), np.random.default_rng(1).poisson(3, (256, 256))],
    ids=["constant", "empty", "noise"],
)
def test_an_image_without_structure_has_no_resolution(image: NDArray[np.float64]) -> None:
    assert decorrelation(image, PIXEL_NM).nm is None


@pytest.mark.parametrize(
    ("image", "message"),
    [(np.ones((20, 64)), "needs 32"), (np.full((64, 64), np.inf), "not finite")],
    ids=["too small", "infinite"],
)
def test_an_image_that_cannot_be_analysed_is_refused(image: NDArray[np.float64], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decorrelation(image, PIXEL_NM)


def test_the_error_map_finds_blur_gain_and_offset() -> None:
    sharp = gaussian_filter(lines(1, 128), 1.0)
    reference = 3.0 * gaussian_filter(sharp, 2.0, mode="reflect", truncate=8) + 7.0
    found = error_map(sharp, reference)
    assert found.sigma_px == pytest.approx(2.0, abs=0.01)
    assert found.gain == pytest.approx(3.0, rel=1e-3)
    assert found.offset == pytest.approx(7.0, abs=1e-3)
    assert found.rsp == pytest.approx(1.0, abs=1e-6)
    assert found.rse < 1e-3 * reference.std()


def test_the_error_map_shows_what_was_invented() -> None:
    truth = gaussian_filter(lines(1, 128), 1.5)
    invented = truth.copy()
    invented[40:44, 20:100] += truth.max()
    found = error_map(invented, truth)
    assert found.error[40:44, 20:100].mean() > 5 * found.error[70:].mean()
    assert found.rsp < error_map(truth, truth).rsp


# nanopyx 2.1.5, ErrorMap, on the images of its row (reference) and on a prediction made as below.
NANOPYX_RSE_RSP = {(1, 256, 1.5, 20): (5.3018, 0.96465), (3, 512, 2.5, 20): (4.7240, 0.95349)}


@pytest.mark.parametrize("images", NANOPYX_RSE_RSP, ids=str)
def test_rse_and_rsp_are_those_of_nanopyx_within_a_tenth_of_a_percent(
    images: tuple[int, int, float, float],
) -> None:
    seed, size, sigma_px, photons = images
    expected = gaussian_filter(lines(seed, size), sigma_px)
    expected *= photons / expected.mean()
    rng = np.random.default_rng(seed + 100)
    reference, _, third = (rng.poisson(expected).astype(np.float32) for _ in range(3))
    found = error_map(gaussian_filter(third, 1.0) * 0.5 + 1, reference)
    # Its minimiser leaves the true minimum by so much.
    assert (found.rse, found.rsp) == pytest.approx(NANOPYX_RSE_RSP[images], rel=1e-3)


def test_a_constant_prediction_explains_the_mean_only() -> None:
    reference = gaussian_filter(lines(1, 64), 1.0)
    found = error_map(np.full_like(reference, 2.0), reference)
    assert found.gain == 0.0
    assert found.rse == pytest.approx(reference.std())
    assert np.isnan(found.rsp)
    with pytest.raises(ValueError, match="different shapes"):
        error_map(reference, reference[:32])

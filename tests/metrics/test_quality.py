"""Image quality against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.metrics.quality import (
    gain_interval_db,
    linear_fit,
    linear_fit_psnr,
    median_box_sum,
    psnr_db,
)

RNG = np.random.default_rng(11)
TRUTHS = [RNG.random((40, 50)) for _ in range(6)]


def noisy(sigma: float) -> list[np.ndarray]:
    rng = np.random.default_rng(12)
    return [truth + sigma * rng.standard_normal(truth.shape) for truth in TRUTHS]


def test_psnr_is_ten_log_of_peak_over_error() -> None:
    truth = np.zeros((10, 10))
    assert psnr_db(truth + 0.1, truth, peak=1.0) == pytest.approx(20.0)
    assert psnr_db(truth, truth, peak=1.0) == np.inf


def test_the_fit_finds_gain_and_offset() -> None:
    gain, offset = linear_fit([4.0 * truth - 3.0 for truth in TRUTHS], TRUTHS)
    assert gain == pytest.approx(0.25)
    assert offset == pytest.approx(0.75)


def test_a_method_without_contrast_is_given_the_mean() -> None:
    quality = linear_fit_psnr([np.full((40, 50), 7.0)] * 6, TRUTHS)
    assert quality.gain == 0.0
    assert quality.offset == pytest.approx(np.mean(TRUTHS))
    assert quality.psnr_db == pytest.approx(10 * np.log10(quality.peak**2 / np.var(TRUTHS)))


def test_scale_and_offset_of_a_method_do_not_matter() -> None:
    plain = linear_fit_psnr(noisy(0.1), TRUTHS)
    scaled = linear_fit_psnr([5.0 * image + 2.0 for image in noisy(0.1)], TRUTHS)
    assert scaled.psnr_db == pytest.approx(plain.psnr_db)
    assert plain.psnr_db == pytest.approx(20.0, abs=1.0)


def test_brightness_that_changes_from_frame_to_frame_costs() -> None:
    steady = linear_fit_psnr(noisy(0.1), TRUTHS)
    wandering = linear_fit_psnr(
        [image * factor for image, factor in zip(noisy(0.1), (1, 2, 1, 2, 1, 2), strict=True)], TRUTHS
    )
    assert wandering.psnr_db < steady.psnr_db - 3


def test_the_peak_is_the_range_of_all_truths() -> None:
    truths = [np.array([[0.5, 1.0]]), np.array([[2.0, 4.0]])]
    assert linear_fit_psnr(truths, truths).peak == pytest.approx(3.5)


@pytest.mark.parametrize(
    ("predictions", "truths"), [([], []), (TRUTHS[:1], TRUTHS[:2])], ids=["none", "unequal"]
)
def test_frames_must_pair(predictions: list[np.ndarray], truths: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="one of each per frame"):
        linear_fit_psnr(predictions, truths)


def test_the_gains_interval_holds_the_gain() -> None:
    better, worse = linear_fit_psnr(noisy(0.1), TRUTHS), linear_fit_psnr(noisy(0.3), TRUTHS)
    low, high = gain_interval_db(better, worse, np.random.default_rng(1))
    assert low <= better.psnr_db - worse.psnr_db <= high
    assert high - low < 1.0
    assert gain_interval_db(better, better, np.random.default_rng(1)) == (0.0, 0.0)


def test_foreground_boxes_are_at_least_half_covered() -> None:
    counts = np.zeros((20, 20), np.uint16)
    labels = np.zeros((20, 20), np.uint8)
    labels[:10, :5] = 1  # exactly half of a tile
    labels[10:, :4] = 2  # less than half
    counts[:10, :10], counts[10:, :10] = 3, 9
    assert median_box_sum(counts, labels) == 300.0
    assert np.isnan(median_box_sum(counts, np.zeros_like(labels)))


def test_the_gains_interval_counts_pixels() -> None:
    better, worse = linear_fit_psnr(noisy(0.1), TRUTHS), linear_fit_psnr(noisy(0.3), TRUTHS)
    alone = [10**9, *([1] * (len(TRUTHS) - 1))]  # one frame holds nearly all pixels: it decides where drawn
    gain_db = better.frame_psnr_db[0] - worse.frame_psnr_db[0]
    equal = gain_interval_db(better, worse, np.random.default_rng(1))
    assert gain_interval_db(better, worse, np.random.default_rng(1), sizes=[7] * len(TRUTHS)) == equal
    low, high = gain_interval_db(better, worse, np.random.default_rng(1), sizes=alone)
    assert low <= gain_db + 1e-6
    assert high >= gain_db - 1e-6
    assert (low, high) != equal

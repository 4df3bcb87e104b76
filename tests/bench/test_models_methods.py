"""What the model is compared with does what it says, and is tuned on other specimens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from bench.classical import (
    GRIDS,
    Image,
    anscombe_non_local_means,
    gaussian,
    richardson_lucy,
    simulated_psf_px,
    wiener,
)
from bench.models import chosen_models, parsed_levels
from bench.models_methods import past_of, raw_and_filters, tune, tuning_frames
from bench.models_noisy import write_noisy
from streamer.analysis import held_out
from streamer.errors import UsageError
from streamer.metrics.quality import linear_fit_psnr, median_box_sum
from streamer.training import Recipe, make_field

SIGMA_PX = 1.5


def specimen(seed: int = 0, shape: tuple[int, int] = (60, 72)) -> tuple[Image, Image]:
    """Counts of blurred points, and what is expected of them."""
    rng = np.random.default_rng(seed)
    expected = gaussian((rng.random(shape) > 0.97).astype(np.float32) * 40.0, SIGMA_PX) + np.float32(0.2)
    return rng.poisson(expected).astype(np.float32), expected


@pytest.mark.parametrize("name", list(GRIDS))
def test_every_filter_keeps_the_light_and_the_size(name: str) -> None:
    counts, _ = specimen()
    for setting, denoiser in GRIDS[name][:: max(1, len(GRIDS[name]) // 4)]:
        out = denoiser(counts)
        assert out.shape == counts.shape, setting
        # Non-local means leaves out nothing but the tail of a skewed noise.
        assert out.mean() == pytest.approx(counts.mean(), rel=0.15 if "NLM" in name else 0.02), setting


def test_a_wiener_filter_without_a_prior_lets_everything_through() -> None:
    counts, _ = specimen()
    np.testing.assert_allclose(wiener(counts, sigma_px=SIGMA_PX, balance=0.0), counts, atol=1e-4)


def test_a_wiener_filter_is_better_than_the_counts_and_too_strong_a_prior_leaves_the_mean() -> None:
    counts, expected = specimen()
    error = np.mean((wiener(counts, sigma_px=SIGMA_PX, balance=1.0) - expected) ** 2)
    assert error < 0.5 * np.mean((counts - expected) ** 2)
    np.testing.assert_allclose(wiener(counts, sigma_px=SIGMA_PX, balance=1e12), counts.mean(), rtol=1e-3)


def test_plain_richardson_lucy_keeps_every_photon_and_raises_the_likelihood() -> None:
    counts, _ = specimen()
    likelihoods = []
    for iterations in (1, 4, 16):
        estimate = richardson_lucy(counts, sigma_px=SIGMA_PX, iterations=iterations, smoothness=0.0)
        assert estimate.sum() == pytest.approx(counts.sum(), rel=1e-4)
        likelihoods.append(float(np.sum(counts * np.log(estimate) - estimate)))
    assert likelihoods == sorted(likelihoods)


def test_the_prior_of_richardson_lucy_makes_smoother_images() -> None:
    counts, _ = specimen()

    def variation(smoothness: float) -> float:
        image = richardson_lucy(counts, sigma_px=SIGMA_PX, iterations=8, smoothness=smoothness)
        return float(np.abs(np.diff(image, axis=0)).sum())

    assert variation(0.1) < variation(0.0)


def test_richardson_lucy_of_an_empty_image_is_empty() -> None:
    empty = np.zeros((40, 40), np.float32)
    assert richardson_lucy(empty, sigma_px=SIGMA_PX, iterations=4, smoothness=0.1).max() < 1e-5


def test_non_local_means_takes_sizes_that_no_bin_divides() -> None:
    counts = np.random.default_rng(1).poisson(2.0, (61, 47)).astype(np.float32)
    assert anscombe_non_local_means(counts, bin_px=4, strength=0.5, noise=0.75, patch_px=3).shape == (61, 47)


def test_the_psf_is_the_simulators_at_the_low_dose() -> None:
    assert simulated_psf_px() * 2.3548 * 20 == pytest.approx(70, abs=1)  # nm, stated in SceneSettings


def test_tuning_takes_the_best_setting_on_its_frames() -> None:
    frames = tuning_frames(28.0, 2, 3, 96)
    setting, chosen = tune(GRIDS["Gaussian"], frames)
    truths = [frame.truth for frame in frames]
    found = {
        words: linear_fit_psnr([denoiser(frame.counts) for frame in frames], truths).psnr_db
        for words, denoiser in GRIDS["Gaussian"]
    }
    assert found[setting] == max(found.values())
    assert chosen is dict(GRIDS["Gaussian"])[setting]


@pytest.mark.parametrize("box_sum", [9.3, 84.0])
def test_tuning_frames_have_the_level_and_are_no_test_specimens(box_sum: float) -> None:
    frames = tuning_frames(box_sum, 2, 5, 128)
    test = held_out("er", 2, 5, box_sum, 128)
    for frame in frames:
        assert frame.counts.max() > 0
        assert not any(np.array_equal(frame.counts, other.counts) for other in test)
    assert 0.5 * box_sum < np.mean([_brightest_boxes(frame.counts) for frame in frames]) < 4 * box_sum


def _brightest_boxes(counts: Image) -> float:
    everywhere = np.ones(counts.shape, np.uint8)
    bright = np.where(gaussian(counts, 5.0) > 2 * counts.mean(), everywhere, 0).astype(np.uint8)
    return median_box_sum(counts, bright if bright.sum() > 400 else everywhere)


def test_filters_come_with_the_setting_in_words() -> None:
    few = {name: grid[::30] for name, grid in GRIDS.items()}
    methods = list(raw_and_filters(tuning_frames(28.0, 1, 3, 64), few))
    assert [method.name for method in methods] == ["raw", *GRIDS]
    assert [method.kind for method in methods] == ["raw", *["filter"] * len(GRIDS)]
    assert all(method.setting for method in methods[1:])


def test_the_past_of_a_frame_is_the_same_specimen_with_other_photons() -> None:
    frame = held_out("er", 1, 5, 84.0, 128)[0]
    past = past_of(frame, 2, "er")
    assert len(past) == 2
    assert not np.array_equal(past[0], past[1])
    still = past_of(frame, 1, None)[0]
    for image in (*past, still):
        assert image.sum() == pytest.approx(frame.counts.sum(), rel=0.1)
        assert np.corrcoef(gaussian(image, 3.0).ravel(), gaussian(frame.counts, 3.0).ravel())[0, 1] > 0.8


def test_baselines_and_further_models_are_named() -> None:
    found = list(chosen_models("models/live", "care", "n2v", ["causal=folder"]))
    assert found == [
        ("Noise2Void", "n2v", "baseline"),
        ("CARE U-Net", "care", "baseline"),
        ("live", "models/live", "ours"),
        ("causal", "folder", "other"),
    ]


@pytest.mark.parametrize("words", ["", "28,x", "28,-1", "0", "nan", "inf"])
def test_levels_that_are_no_photons_are_refused(words: str) -> None:
    with pytest.raises(UsageError, match="use photons above 0"):
        parsed_levels(words)
    assert parsed_levels("28,84,9.3") == (28.0, 84.0, 9.3)


def test_a_model_without_a_name_is_refused() -> None:
    with pytest.raises(UsageError, match="use NAME=PATH"):
        list(chosen_models("live", "", "", ["folder"]))


def test_noisy_frames_are_counts_of_the_training_specimens(tmp_path: Path) -> None:
    recipe = Recipe(seed=1, field_px=96)
    write_noisy(tmp_path, 2, recipe)
    frames = [tifffile.imread(path) for path in sorted(tmp_path.glob("*.tif"))]
    assert [frame.shape for frame in frames] == [(96, 96)] * 2
    assert all(frame.dtype == np.uint16 for frame in frames)
    field = make_field("train", 1_000_001, 96)
    expected = gaussian((field.signal + field.background).astype(np.float32), 3.0)
    assert np.corrcoef(gaussian(frames[1].astype(np.float32), 3.0).ravel(), expected.ravel())[0, 1] > 0.5

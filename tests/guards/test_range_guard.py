"""Frames of another kind than the model knows are flagged, and it is said why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from specimens import RANGE, as_result, run, simulated

from streamer.core import Verdict
from streamer.simulation import Scene, SceneSettings, foreground_box_sum, sample_settings

Image = NDArray[np.float32]
NOTHING = np.zeros((100, 100), np.uint8)
DRAWN = np.ones((100, 100), np.uint8)


def judged(counts: NDArray[np.generic], labels: NDArray[np.uint8]) -> Verdict:
    return RANGE.step(RANGE.start(), as_result(0, counts.astype(np.uint16), labels))[1]


@pytest.mark.parametrize("light", [0.15, 1.0, 2.0], ids=lambda light: f"light x {light}")
@pytest.mark.parametrize("seed", range(3))
def test_simulated_specimens_are_in_range(seed: int, light: float) -> None:
    settings = SceneSettings(seed=seed, shape_yx=(300, 300), bleaching=0.0)
    assert [verdict.status for verdict in run(RANGE, simulated(settings, 3, light=light))] == ["pass"] * 3


@pytest.mark.parametrize(
    ("level", "labels", "status", "meaning"),
    [
        (0.3, DRAWN, "pass", "as the model was trained"),
        (3.1, DRAWN, "flag", "photons; the model was trained on 2-80"),
        (3.1, NOTHING, "flag", "photons; the model was trained on 2-80"),
        (0.005, DRAWN, "flag", "photons; the model was trained on 2-80"),
        (0.001, NOTHING, "pass", "no foreground whose brightness could be judged"),
    ],
    ids=["in range", "too bright", "too bright, nothing drawn", "too faint", "empty"],
)
def test_brightness_is_judged_against_the_training(
    level: float, labels: NDArray[np.uint8], status: str, meaning: str
) -> None:
    verdict = judged(np.random.default_rng(0).poisson(level, (100, 100)), labels)
    assert (verdict.status, meaning in verdict.meaning) == (status, True), verdict.meaning


def test_the_median_is_said_in_photons() -> None:
    verdict = judged(np.random.default_rng(0).poisson(3.1, (100, 100)), DRAWN)
    assert verdict.meaning == f"median box sum {verdict.measured:.3g} photons; the model was trained on 2-80"
    assert verdict.measured == pytest.approx(310, rel=0.03)
    assert verdict.limit == 80


@pytest.mark.parametrize(
    "counts",
    [np.full((100, 100), 1), 4 * np.random.default_rng(0).poisson(0.05, (100, 100))],
    ids=["without noise", "photons times four"],
)
def test_grey_levels_are_not_taken_for_photons(counts: NDArray[np.int64]) -> None:
    assert "are these photons?" in judged(counts, DRAWN).meaning


@cache
def specimen() -> tuple[Image, Image, NDArray[np.uint8]]:
    """Expected photons in focus and besides, and true labels, at 28 photons a box."""
    settings, light, time_s = sample_settings("test", 12_380_002, (300, 300))
    signal, background, labels = Scene(settings).expected(time_s, light)
    scale = np.float32(28 / foreground_box_sum(signal + background, labels))
    return signal * scale, background * scale, labels


def of_specimen(predicted: Image, haze: float | Image = 0.0) -> Verdict:
    signal, background, labels = specimen()
    counts = np.random.default_rng(4).poisson(signal + background + haze).astype(np.uint16)
    return RANGE.step(RANGE.start(), replace(as_result(0, counts, labels), denoised=predicted))[1]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        (lambda signal: signal, "pass"),
        (lambda signal: 0.9 * signal, "pass"),
        (lambda signal: 2.0 * signal, "flag"),
        (lambda signal: np.roll(signal, 8, axis=(0, 1)), "flag"),
        (lambda signal: np.full_like(signal, signal.mean()), "flag"),
    ],
    ids=["right", "a little too dark", "too bright", "elsewhere", "no structure"],
)
def test_a_prediction_that_does_not_explain_the_counts_is_flagged(
    wrong: Callable[[Image], Image], status: str
) -> None:
    verdict = of_specimen(wrong(specimen()[0]))
    assert verdict.status == status, verdict
    assert ("other structure" in verdict.meaning) == (status == "flag")
    assert (verdict.values["misfit"] > verdict.values["misfit_limit"]) == (status == "flag")


@pytest.mark.parametrize("photons_per_px", [0.1, 0.5])
def test_haze_that_the_prediction_takes_off_is_no_misfit(photons_per_px: float) -> None:
    slope = np.linspace(0, 2 * photons_per_px, 300, dtype=np.float32)
    for haze in (photons_per_px, np.broadcast_to(slope, (300, 300))):
        verdict = of_specimen(specimen()[0], haze)
        assert "other structure" not in verdict.meaning
        assert verdict.values["misfit"] < verdict.values["misfit_limit"]


def test_saturation_is_flagged() -> None:
    counts = np.random.default_rng(0).poisson(0.3, (100, 100))
    counts[:4, :5] = 65535
    assert "0.20% of the pixels are saturated" in judged(counts, DRAWN).meaning


def test_what_is_not_finite_is_rejected() -> None:
    good = as_result(0, np.ones((100, 100), np.uint16), DRAWN)
    spoilt = good.denoised.copy()
    spoilt[50, 50] = np.nan
    _, verdict = RANGE.step(RANGE.start(), replace(good, denoised=spoilt))
    assert verdict.status == "reject"


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("folder", "pattern", "offset"),
    [
        ("sted_actin_neurons", "**/*.tif*", 0),
        ("sted_actin_neurons", "**/*_*_*.tif", 32768),
        ("confocal_fmd", "*.tif", 0),
    ],
    ids=["STED of axons", "STED of dendrites", "confocal grey levels"],
)
def test_real_images_of_other_kinds_are_flagged(
    realdata: Path, folder: str, pattern: str, offset: int
) -> None:
    paths = sorted((realdata / folder).glob(pattern))
    assert paths
    for path in paths:
        image = tifffile.imread(path)
        counts = np.maximum(image.reshape(-1, *image.shape[-2:])[0].astype(np.int64) - offset, 0)
        bright = uniform_filter(counts.astype(np.float32), 5) > counts.mean()
        verdict = judged(counts, bright.astype(np.uint8))
        print(path.name, verdict.meaning)
        assert verdict.status == "flag"

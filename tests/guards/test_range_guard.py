"""Frames of another kind than the model knows are flagged, and it is said why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from specimens import RANGE, as_result, run, simulated

from streamer.core import Verdict
from streamer.simulation import SceneSettings

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


@pytest.mark.parametrize(("factor", "status"), [(1.0, "pass"), (0.9, "pass"), (0.3, "flag")])
def test_a_prediction_that_does_not_explain_the_counts_is_flagged(factor: float, status: str) -> None:
    counts = np.random.default_rng(4).poisson(0.4, (200, 200)).astype(np.uint16)
    result = as_result(0, counts, np.ones((200, 200), np.uint8))
    result = replace(result, denoised=np.full((200, 200), 0.4 * factor, np.float32))
    _, verdict = RANGE.step(RANGE.start(), result)
    assert verdict.status == status
    assert ("other structure" in verdict.meaning) == (status == "flag")


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

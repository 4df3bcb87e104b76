"""An empty field is rejected at any brightness; a specimen never is, and says how much of it there is."""

from __future__ import annotations

from dataclasses import replace

import luck
import numpy as np
import pytest
from scipy.stats import binom
from specimens import SIGNAL_MAP, as_result, run, simulated

from streamer.core import Verdict
from streamer.simulation import LOW_DOSE, Scene, SceneSettings

SHAPE = (200, 200)
NOTHING = np.zeros(SHAPE, np.uint8)


def judged(counts) -> Verdict:
    return SIGNAL_MAP.step(SIGNAL_MAP.start(), as_result(0, counts.astype(np.uint16), NOTHING))[1]


@pytest.mark.parametrize("photons_per_box", [0.02, 1, 5, 30, 200], ids=lambda n: f"{n} photons per box")
def test_an_empty_field_passes_no_more_often_than_stated(photons_per_box: float) -> None:
    seed = luck.seed()
    rng = np.random.default_rng(seed)
    guard, frames = replace(SIGNAL_MAP, false_pass_rate=0.05, tiles_min=1), 300
    results = (
        as_result(seq, rng.poisson(photons_per_box / 100, SHAPE).astype(np.uint16), NOTHING)
        for seq in range(frames)
    )
    passed = sum(verdict.status == "pass" for verdict in run(guard, results))
    assert passed <= binom.ppf(1 - 1e-6, frames, 0.05)


@pytest.mark.parametrize("light", [1.0, 0.2], ids=["healthy", "at a fifth of the light"])
@pytest.mark.parametrize("seed", range(4))
def test_a_specimen_is_seen(seed: int, light: float) -> None:
    results = simulated(SceneSettings(seed=seed, shape_yx=SHAPE, bleaching=0.0), 5, light=light)
    assert [verdict.status for verdict in run(SIGNAL_MAP, results)] == ["pass"] * 5


@pytest.mark.parametrize(
    "settings",
    [
        SceneSettings(seed=1, shape_yx=SHAPE, dark=True),
        SceneSettings(seed=1, shape_yx=SHAPE, cell_radius_um=0.0),
    ],
    ids=["dark", "no cell"],
)
def test_nothing_in_the_field_is_no_foreground(settings: SceneSettings) -> None:
    verdict = judged(Scene(settings).expose(0, 0.0, LOW_DOSE).counts)
    assert verdict.status == "reject"
    assert "no foreground" in verdict.meaning


def test_hot_pixels_are_no_specimen() -> None:
    counts = np.zeros(SHAPE)
    counts[[20, 90, 140], [30, 60, 150]] = 500
    assert judged(counts).status == "reject"


def test_the_shares_are_those_of_the_signal_map() -> None:
    counts = np.zeros(SHAPE)
    counts[:, :50] = 1.0
    values = judged(counts).values
    assert values["signal_fraction"] == pytest.approx(0.25, abs=0.03)
    assert sum(values[f"{name}_fraction"] for name in ("signal", "uncertain", "background")) == pytest.approx(
        1
    )

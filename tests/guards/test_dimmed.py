"""Frames made fainter, and the share of the light that they give back."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.guards.dimmed import SHARES, Dimming, dimmed
from streamer.guards.light import light_of, remembered
from tests.luck import seed

TILES = (2, 60, 60)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("read_noise_e", [0.0, 1.5])
def test_mean_and_variance_are_those_of_a_fainter_frame(share: float, read_noise_e: float) -> None:
    rng, camera = np.random.default_rng(seed()), 0.5 * (10 * read_noise_e) ** 2
    light = rng.poisson(12.0, TILES) + rng.normal(0.0, np.sqrt(camera), TILES)
    faint = dimmed(light, share, (3, 1), read_noise_e)
    error = np.sqrt((12.0 + camera) / light.size)
    assert faint.mean() == pytest.approx(share * 12.0, abs=5 * error)
    # Photons below zero, where read noise is large, get no noise of their own: a few per cent.
    assert faint.var() == pytest.approx(share * 12.0 + camera, rel=0.12)


def test_is_repeatable_and_differs_from_frame_to_frame() -> None:
    light = np.full(TILES, 20.0)
    first = dimmed(light, 0.5, (7, 0), 0.0)
    assert np.array_equal(first, dimmed(light, 0.5, (7, 0), 0.0))
    other = dimmed(light, 0.5, (8, 0), 0.0)
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.06


def _levels(structure: np.ndarray, share: float, rng: np.random.Generator) -> float:
    """Mean level of frames with a share of the light."""
    before, levels = np.zeros((0, 0)), []
    for frame in range(24):
        halves = rng.poisson(share * structure).astype(np.float64)
        if frame > 3:
            levels.append(light_of(halves, before, 600, 0.0).level)
        before = remembered(halves.sum(axis=0), before)
    return float(np.mean(levels))


def test_what_faint_frames_lose_by_choice_is_given_back() -> None:
    rng = np.random.default_rng(seed())
    structure = np.stack([rng.gamma(0.4, 12.0, TILES[1:]) + 1.0] * 2)
    start = _levels(structure, 1.0, rng)
    curve = np.array([_dimmed_level(structure, share, rng) for share in SHARES]) / start
    for share in (0.6, 0.4, 0.25):
        level = _levels(structure, share, rng) / start
        assert level < 0.99 * share  # what is chosen by faint frames holds less
        assert Dimming(curve[None]).share_of(level) == pytest.approx(share, rel=0.015)


def _dimmed_level(structure: np.ndarray, share: float, rng: np.random.Generator) -> float:
    before, levels = np.zeros((0, 0)), []
    for frame in range(24):
        halves = dimmed(rng.poisson(structure).astype(np.float64), share, (frame, 0), 0.0)
        if frame > 3:
            levels.append(light_of(halves, before, 600, 0.0).level)
        before = remembered(halves.sum(axis=0), before)
    return float(np.mean(levels))


CURVES = {
    "as it should be": 0.97 * np.array(SHARES),
    "noise": np.resize([0.3, 0.5, 0.2], len(SHARES)),
    "nothing seen": np.zeros(len(SHARES)),
}


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_shares_rise_with_the_level_whatever_the_faint_frames_said(curve: np.ndarray) -> None:
    found = [Dimming(curve[None]).share_of(level) for level in np.linspace(-0.5, 1.5, 81)]
    assert np.all(np.diff(found) >= 0)
    assert found[0] == -0.5
    assert found[-1] == 1.5


@pytest.mark.parametrize("level", [0.02, 0.3, 0.8, 1.2])
def test_level_share_and_slope_agree(level: float) -> None:
    dimming = Dimming(CURVES["as it should be"][None])
    share = dimming.share_of(level)
    assert dimming.level_of(share) == pytest.approx(level)
    step = (dimming.share_of(level + 1e-6) - share) / 1e-6
    assert dimming.slope_at(level) == pytest.approx(step, rel=1e-3)


def test_without_dimmed_frames_the_level_is_the_share() -> None:
    assert Dimming(np.zeros((0, len(SHARES)))).share_of(0.4) == pytest.approx(0.4)

"""Exact bounds, quantiles, and the spread of residuals."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from streamer.calibration import SPREADS, Share, Spread, structure_spread


@pytest.mark.parametrize(
    ("count", "of", "low", "high", "at_most"),
    [
        (0, 300, 0.0, 0.01222, 0.00994),
        (0, 0, 0.0, 1.0, 1.0),
        (3, 3, 0.29240, 1.0, 1.0),
        (5, 100, 0.01643, 0.11283, 0.10225),
    ],
)
def test_shares_have_the_bounds_of_clopper_and_pearson(
    count: int, of: int, low: float, high: float, at_most: float
) -> None:
    share = Share.out_of(count, of)
    assert (share.low, share.high, share.at_most) == pytest.approx((low, high, at_most), abs=2e-5)


def test_a_spread_leaves_out_what_is_not_finite() -> None:
    found = Spread.of([1.0, 2.0, float("nan"), 3.0])
    assert found is not None
    assert (found.n, found.mean, found.median) == (3, 2.0, 2.0)
    assert Spread.of([float("nan")]) is None


#: Of 60 frames, one of them without any.
WINDOWS = np.full(60, 225.0)
BRIGHTNESS = np.array([*np.geomspace(8, 80, 59), np.nan])


def seen(spread: float, frames: int, windows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Counts and worst residuals of frames whose residuals are normal with such a spread."""
    residuals = spread * np.random.default_rng(seed).standard_normal((frames, windows))
    reach = NormalDist().inv_cdf(0.99) * np.array(SPREADS)
    against = (residuals[:, :, None] < -reach).sum(axis=1).astype(float)
    limit = -NormalDist().inv_cdf(0.5e-3 / windows)
    return against, -residuals.min(axis=1) / limit


@pytest.mark.parametrize("spread", [0.6, 0.85, 1.0, 1.7])
def test_the_spread_of_normal_residuals_is_found(spread: float) -> None:
    against, worst = seen(spread, frames=60, windows=225)
    found = structure_spread(against, WINDOWS, worst, BRIGHTNESS, false_alarm_rate=1e-3)
    assert found is not None
    assert found.value == pytest.approx(spread, rel=0.09)
    assert found.low <= found.value <= found.high
    assert found.high / found.low < 1.3


def test_the_brightness_with_the_widest_residuals_decides() -> None:
    narrow, wide = seen(0.6, frames=40, windows=225), seen(0.9, frames=20, windows=225, seed=1)
    against, worst = (np.concatenate(pair) for pair in zip(narrow, wide, strict=True))
    found = structure_spread(against, WINDOWS, worst, np.arange(60.0), false_alarm_rate=1e-3)
    assert found is not None
    assert found.value == pytest.approx(0.9, rel=0.08)


def test_heavy_tails_widen_the_spread() -> None:
    against, worst = seen(0.8, frames=60, windows=225)
    wild = worst.copy()
    wild[7] = 1.4
    found = structure_spread(against, WINDOWS, wild, BRIGHTNESS, false_alarm_rate=1e-3)
    assert found is not None
    assert 1.4 <= found.value < 1.8


@pytest.mark.parametrize(("frames", "windows"), [(0, 225), (1, 225), (3, 16)], ids=["none", "one", "few"])
def test_too_few_windows_tell_no_spread(frames: int, windows: int) -> None:
    against, worst = seen(1.0, frames=max(frames, 1), windows=windows)
    assert (
        structure_spread(
            against[:frames],
            np.full(frames, float(windows)),
            worst[:frames],
            BRIGHTNESS[:frames],
            false_alarm_rate=1e-3,
        )
        is None
    )

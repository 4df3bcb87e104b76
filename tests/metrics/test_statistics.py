"""Intervals and tests against closed forms and known data."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.metrics.statistics import holm, interval_95, mann_whitney, picks, standing


def test_the_interval_of_a_mean_covers_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for seed in range(200):
        values = rng.standard_normal(30)
        interval = interval_95(values[picks(30, seed, draws=400)].mean(axis=1))
        assert interval is not None
        covered += interval[0] <= 0 <= interval[1]
    assert 0.88 <= covered / 200 <= 0.99


def test_equal_seeds_pick_equal_frames() -> None:
    assert np.array_equal(picks(5, 3), picks(5, 3))
    assert not np.array_equal(picks(5, 3), picks(5, 4))


@pytest.mark.parametrize("frames", [0, 1])
def test_too_few_frames_have_no_interval(frames: int) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        picks(frames, 1)


def test_mostly_undefined_draws_have_no_interval() -> None:
    draws = np.arange(100.0)
    assert interval_95(np.where(draws < 3, np.nan, draws)) is not None
    assert interval_95(np.where(draws < 30, np.nan, draws)) is None


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((0.1, 2.0), "better"),
        ((-2.0, -0.1), "worse"),
        ((-0.1, 2.0), "equal"),
        ((0.0, 1.0), "equal"),
        (None, "equal"),
    ],
    ids=str,
)
def test_better_needs_an_interval_without_zero(interval: tuple[float, float] | None, expected: str) -> None:
    assert standing(interval) == expected


def test_mann_whitney_of_separated_samples_is_exact() -> None:
    found = mann_whitney(np.array([5.0, 6.0, 7.0]), np.array([1.0, 2.0, 3.0]))
    assert found is not None
    assert (found.u, found.effect, found.method) == (9.0, 1.0, "exact")
    assert found.p == pytest.approx(2 / 20)  # two of the 20 ways to choose three of six


def test_mann_whitney_with_ties_is_asymptotic_and_of_equal_values_shows_nothing() -> None:
    tied = mann_whitney(np.array([1.0, 2.0, 2.0, 3.0]), np.array([2.0, 4.0, 5.0, 6.0]))
    assert tied is not None
    assert tied.method == "asymptotic"
    assert -1 < tied.effect < 0
    same = mann_whitney(np.ones(5), np.ones(6))
    assert same is not None
    assert (same.p, same.effect) == (1.0, 0.0)


def test_mann_whitney_leaves_undefined_frames_out() -> None:
    assert mann_whitney(np.array([np.nan]), np.array([1.0, 2.0])) is None
    with_gap = mann_whitney(np.array([5.0, np.nan, 6.0]), np.array([1.0, 2.0]))
    without = mann_whitney(np.array([5.0, 6.0]), np.array([1.0, 2.0]))
    assert with_gap == without


def test_holm_steps_down() -> None:
    # Holm 1979 by hand: 0.01 x 4, 0.02 x 3, then 0.03 x 2 and 0.04 x 1 may not fall below 0.06.
    adjusted = holm({"d": 0.04, "a": 0.01, "c": 0.03, "b": 0.02})
    assert adjusted == pytest.approx({"d": 0.06, "a": 0.04, "c": 0.06, "b": 0.06})
    assert list(adjusted) == ["d", "a", "c", "b"]
    assert holm({"x": 0.9, "y": 0.8}) == {"x": 1.0, "y": 1.0}

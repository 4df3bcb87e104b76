"""Residuals of counts against a prediction are those of the plain sums, and as rare as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, poisson

from streamer.metrics import tile_sums
from streamer.metrics.residuals import poisson_residual, score_sums

RNG = np.random.default_rng(0)
PHOTONS = RNG.poisson(0.4, (43, 58)).astype(np.float32)
PREDICTED = RNG.gamma(2.0, 0.2, (43, 58)).astype(np.float32)


def test_score_sums_are_those_of_the_formula() -> None:
    background = RNG.uniform(0.01, 0.2, (4, 5))
    p, n = PREDICTED[:40, :50].astype(np.float64), PHOTONS[:40, :50].astype(np.float64)
    b = np.kron(background, np.ones((10, 10)))
    w = p / (p + b)
    wanted = [tile_sums(each, 10) for each in (w * n, w * (p + b), w**2 * (p + b), w, w**2)]
    assert np.allclose(score_sums(PHOTONS, PREDICTED, background, 10), wanted, rtol=1e-5)


def test_score_sums_are_added_in_one_order() -> None:
    """To the last bit, whatever the compiler does side by side: a replay must give the same verdicts."""
    background = RNG.uniform(0.01, 0.2, (4, 5))
    n, p = PHOTONS[:40, :50], PREDICTED[:40, :50]
    w = p / (p + np.kron(background, np.ones((10, 10))).astype(np.float32))
    tiles = np.stack([w * n, p, w * p, w, w * w]).reshape(5, 4, 10, 5, 10)
    columns, wanted = np.zeros((5, 4, 5, 10), np.float32), np.zeros((5, 4, 5))
    for row in range(10):
        columns += tiles[:, :, row]
    for column in range(10):
        wanted += columns[..., column]
    np.testing.assert_array_equal(score_sums(PHOTONS, PREDICTED, background, 10), wanted)


def test_a_prediction_below_zero_has_no_weight() -> None:
    sums = score_sums(PHOTONS, -PREDICTED, np.full((4, 5), 0.1), 10)
    assert not sums.any()


@pytest.mark.parametrize("expected", [0.02, 0.5, 3.0, 30.0, 1000.0])
def test_residuals_are_as_rare_as_those_of_a_normal_distribution(expected: float) -> None:
    """In either tail, for counts of chances from 1e-2 down to 1e-10: at most 1.3 times as often."""
    counts = np.arange(int(expected + 12 * np.sqrt(expected) + 30)).astype(np.float64)
    residuals = poisson_residual(counts, np.full_like(counts, expected), np.ones_like(counts))
    assert np.all(np.diff(residuals) >= 0)
    upper, lower = poisson.sf(counts - 1, expected), poisson.cdf(counts, expected)
    for true, stated, side in ((upper, norm.sf(residuals), 1), (lower, norm.cdf(residuals), -1)):
        tail = (side * (counts - expected) > 1) & (stated < 1e-2) & (stated > 1e-10)
        assert np.all(true[tail] <= 1.3 * stated[tail]), (true[tail] / stated[tail]).max()


def test_a_count_within_half_a_photon_is_no_departure() -> None:
    counts = np.array([2.8, 3.0, 3.4])
    assert np.array_equal(poisson_residual(counts, np.full(3, 3.0), np.ones(3)), np.zeros(3))


def test_dispersion_shrinks_residuals_by_its_root() -> None:
    one, four = (poisson_residual(np.array([9.0]), np.array([3.0]), np.array([d]))[0] for d in (1.0, 4.0))
    assert one == pytest.approx(2 * four)

"""Binomial thinning: sums, distributions and independence of the two parts.

Seeds are fixed; with a new one, the chance that any of the statistical tests fails is below 2e-4.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from streamer.metrics.thinning import is_counts, thin

PIXELS = 200_000
#: Two-sided normal quantile of an error rate of 1e-5 per statistic.
LIMIT = float(stats.norm.isf(0.5e-5))


def parts(mean: float, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return thin(rng.poisson(mean, PIXELS), share, rng)


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=20), st.floats(0, 1), st.integers(0, 2**32))
def test_parts_are_counts_that_sum_to_the_whole(counts: list[int], share: float, seed: int) -> None:
    whole = np.array(counts, np.int64)
    kept, rest = thin(whole, share, np.random.default_rng(seed))
    assert np.array_equal(kept + rest, whole)
    assert min(kept.min(), rest.min()) >= 0


@pytest.mark.parametrize(("mean", "share"), [(0.05, 0.5), (1.0, 0.8), (30.0, 0.1)])
def test_each_part_has_its_share_and_is_poisson(mean: float, share: float) -> None:
    kept, rest = parts(mean, share, seed=1)
    for part, expected in ((kept, share * mean), (rest, (1 - share) * mean)):
        assert abs(part.mean() - expected) < LIMIT * np.sqrt(expected / PIXELS)
        # The index of dispersion of n Poisson counts is chi-squared with n - 1 degrees of freedom.
        dispersion = (part.var() / part.mean() - 1.0) * np.sqrt(PIXELS / 2)
        assert abs(dispersion) < LIMIT


@pytest.mark.parametrize(("mean", "share"), [(0.05, 0.5), (1.0, 0.8), (30.0, 0.1)])
def test_parts_of_poisson_counts_are_uncorrelated(mean: float, share: float) -> None:
    kept, rest = parts(mean, share, seed=2)
    assert abs(np.corrcoef(kept, rest)[0, 1]) * np.sqrt(PIXELS) < LIMIT


def test_parts_of_grey_levels_are_correlated() -> None:
    """Why cameras need care: four grey levels a photon are no counts, though they are whole numbers."""
    rng = np.random.default_rng(3)
    kept, rest = thin(4 * rng.poisson(5.0, PIXELS), 0.5, rng)
    assert np.corrcoef(kept, rest)[0, 1] > 0.5


def test_the_same_state_gives_the_same_parts_whatever_the_type() -> None:
    image = np.random.default_rng(4).poisson(3.0, (20, 30))
    first = thin(image.astype(np.uint16), 0.3, np.random.default_rng(5))[0]
    again = thin(image.astype(np.float32), 0.3, np.random.default_rng(5))[0]
    assert first.dtype == np.int64
    assert np.array_equal(first, again)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([[1.0, 2.5]], r"value 2\.5 at \(0, 1\)"),
        ([[np.nan, 1.0]], r"value nan at \(0, 0\)"),
        ([[np.inf, 1.0]], r"value inf at \(0, 0\)"),
        ([[-1.0, 1.0]], "lowest value -1 photons"),
    ],
    ids=["fraction", "not a number", "infinite", "negative"],
)
def test_values_that_are_no_counts_are_refused(values: list[list[float]], words: str) -> None:
    image = np.array(values, np.float32)
    assert not is_counts(image)
    with pytest.raises(ValueError, match=words):
        thin(image, 0.5, np.random.default_rng(0))


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_no_probability_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="use a probability, 0-1"):
        thin(np.ones((2, 2), np.uint16), share, np.random.default_rng(0))


def test_counts_of_any_type_are_counts() -> None:
    for dtype in (np.uint8, np.uint16, np.int32, np.float32, np.float64):
        assert is_counts(np.arange(6).astype(dtype))

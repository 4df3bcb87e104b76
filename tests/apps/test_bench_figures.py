"""A percentile is given only where the sample carries it; a ratio says how sure it is."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from bench_sample import rounds
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.apps.bench.figures import PERCENTILES, TOO_SMALL, figures, median_ratio, needed


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=1200))
def test_a_percentile_needs_ten_values_beyond_it(values: list[float]) -> None:
    said = figures(values)
    assert said["n"] == len(values)
    assert said["max"] == max(values)
    for name in PERCENTILES:
        beyond = len(values) * (1 - Fraction(name) / 100)
        if beyond < 10:
            assert said[f"p{name}"] == TOO_SMALL
        else:
            assert said[f"p{name}"] == pytest.approx(float(np.percentile(values, float(name))))


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1e6), min_size=200, max_size=400))
def test_higher_percentiles_are_not_smaller(values: list[float]) -> None:
    given_ones = [said for said in figures(values).values() if isinstance(said, float)]
    assert given_ones == sorted(given_ones)


@pytest.mark.parametrize(
    ("percentile", "frames"), [("50", 20), ("90", 100), ("95", 200), ("99", 1000), ("99.9", 10_000)]
)
def test_so_many_frames_carry_a_percentile(percentile: str, frames: int) -> None:
    assert needed(percentile) == frames


def test_of_nothing_nothing_is_said() -> None:
    assert figures([]) == {"n": 0}


@pytest.mark.parametrize("count", [1, 6], ids=["frames drawn", "rounds drawn"])
def test_the_interval_of_a_ratio_holds_it(count: int) -> None:
    first, second = (rounds(ms, seed=seed, count=count, each=120) for ms, seed in ((10.0, 1), (20.0, 2)))
    ratio, low, high = median_ratio(first, second)
    assert low <= ratio <= high
    assert ratio == pytest.approx(2.0, rel=0.1)


def test_rounds_that_differ_among_themselves_make_a_ratio_less_sure() -> None:
    steady = [[10.0 + 0.1 * (number % 7) for number in range(40)] for _ in range(6)]
    moody = [[value + 4 * (number % 3) for value in steady[0]] for number in range(6)]
    _, low, high = median_ratio(steady, moody)
    pooled = [[[value for each in rounds for value in each]] for rounds in (steady, moody)]
    _, low_pooled, high_pooled = median_ratio(*pooled)
    assert high - low > high_pooled - low_pooled


@pytest.mark.parametrize(("first", "second"), [([], [[1.0]]), ([[1.0]], [[]]), ([[0.0]], [[1.0]])])
def test_no_ratio_without_two_samples(first: list[list[float]], second: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="sample"):
        median_ratio(first, second)

"""The limit of a CUSUM holds for the run that it was made for, and odd values do not spoil a baseline."""

from __future__ import annotations

import luck
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from streamer.guards.cusum import SLACK, cusum_limit, usual_of

RUNS, RATE = 4000, 0.02


def healthy(seed: int, baseline: int, planned: int, shared: float) -> NDArray[np.float64]:
    """[value, run] of which the first are the baseline; neighbours have `shared` of their noise in common."""
    noise = np.random.default_rng(seed).standard_normal((baseline + planned + 1, RUNS))
    return noise[1:] + shared * noise[:-1]


def rejected(values: NDArray[np.float64], baseline: int, limit: float) -> int:
    """How many runs pass the limit."""
    usual, spread = usual_of(values[:baseline])
    total, highest = np.zeros(RUNS), np.zeros(RUNS)
    for value in values[baseline:]:
        total = np.maximum(0.0, total + (usual - value) / spread - SLACK)
        highest = np.maximum(highest, total)
    return int((highest >= limit).sum())


@pytest.mark.parametrize("planned", [50, 200, 1000], ids=lambda n: f"{n} values")
@pytest.mark.parametrize("baseline", [8, 15, 30], ids=lambda n: f"baseline of {n}")
@pytest.mark.parametrize("share", [False, True], ids=["independent", "neighbours share a half"])
def test_healthy_runs_pass_the_limit_as_often_as_stated(share: bool, baseline: int, planned: int) -> None:
    values = healthy(luck.seed(), baseline, planned, float(share))
    found = rejected(values, baseline, cusum_limit(baseline, planned, RATE, neighbours_share=share))
    print(f"{found / RUNS:.4f} of the runs rejected")
    assert binom.ppf(1e-6, RUNS, 0.8 * RATE) <= found <= binom.ppf(1 - 1e-6, RUNS, RATE)


@pytest.mark.parametrize("shared", [0.0, 0.5], ids=["not at all", "in part"])
def test_neighbours_that_share_less_are_rejected_less_often(shared: float) -> None:
    values = healthy(luck.seed(), 30, 200, shared)
    found = rejected(values, 30, cusum_limit(30, 200, RATE, neighbours_share=True))
    assert found <= binom.ppf(1 - 1e-6, RUNS, RATE)


def test_a_longer_run_has_a_higher_limit_up_to_the_longest_that_is_simulated() -> None:
    limits = [cusum_limit(15, planned, RATE, neighbours_share=False) for planned in (100, 2000, 20_000)]
    assert limits == sorted(set(limits))


def test_the_limit_is_the_same_for_ever() -> None:
    """Raw words of PCG64 are what numpy promises to keep; a verdict can be computed again."""
    assert cusum_limit(30, 260, 0.01, neighbours_share=True) == pytest.approx(16.529561594990138, rel=1e-9)


@pytest.mark.parametrize("odd", [0, 1, 2, 10])
def test_odd_values_have_no_part_in_a_baseline(odd: int) -> None:
    values = np.random.default_rng(luck.seed()).normal(0.9, 0.01, (30, 200))
    usual, _ = usual_of(values[odd:])
    values[:odd] = 0.1
    found, found_spread = usual_of(values)
    np.testing.assert_allclose(found, usual, atol=0.01)
    assert np.median(np.abs(found - usual)) < 1e-12
    np.testing.assert_array_less(found_spread, 0.02)


@pytest.mark.parametrize("size", [2, 3, 4, 30])
def test_equal_values_have_no_spread(size: int) -> None:
    assert [float(each) for each in usual_of(np.full(size, 0.75))] == [0.75, 0.0]

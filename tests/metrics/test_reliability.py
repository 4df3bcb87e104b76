"""Ranking and calibration of stated probabilities, where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from streamer.metrics.reliability import auroc, reliability, resampled, score_counts

EDGES = np.linspace(0.0, 1.0, 11)


@pytest.mark.parametrize(
    ("wrong", "right", "expected"),
    [([1, 2], [3, 4], 1.0), ([3, 4], [1, 2], 0.0), ([1, 1], [1, 1], 0.5), ([1, 3], [2, 3], 0.625)],
    ids=["all apart", "the wrong way", "ties only", "mixed with a tie"],
)
def test_auroc_of_a_few_scores(wrong: list[float], right: list[float], expected: float) -> None:
    counts = score_counts([np.array(wrong + right, float)], [np.array([False, False, True, True])])
    assert auroc(counts.sum(axis=0)) == pytest.approx(expected)


def test_auroc_is_that_of_ranks() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random(20_000) < 0.9
    score = rng.normal(size=truth.size) + truth
    ranks = mannwhitneyu(score[truth], score[~truth]).statistic / (truth.sum() * (~truth).sum())
    assert auroc(score_counts([score], [truth]).sum(axis=0)) == pytest.approx(ranks, abs=1e-3)


def test_one_kind_alone_has_no_auroc() -> None:
    assert np.isnan(auroc(score_counts([np.arange(5.0)], [np.ones(5, bool)]).sum(axis=0)))


def test_frames_without_pixels_are_taken() -> None:
    counts = score_counts([np.array([]), np.array([0.1, 0.9])], [np.array([], bool), np.array([False, True])])
    assert counts.shape[:2] == (2, 2)
    assert counts[0].sum() == 0
    with pytest.raises(ValueError, match="no pixel"):
        score_counts([np.array([])], [np.array([], bool)])


def test_resampling_keeps_frames_whole() -> None:
    draws = resampled(np.array([[1.0, 0.0], [0.0, 1.0]]), seed=3)
    assert set(map(tuple, draws)) == {(2.0, 0.0), (1.0, 1.0), (0.0, 2.0)}


@pytest.mark.parametrize("boast", [0.0, 0.1], ids=["right as stated", "says too much"])
def test_calibration_error(boast: float) -> None:
    rng = np.random.default_rng(5)
    chance = [rng.uniform(0.05, 0.85, 4_000) for _ in range(40)]
    truth = [rng.random(each.size) < each for each in chance]
    found = reliability([each + boast for each in chance], truth, EDGES, seed=2)
    assert found.error == pytest.approx(boast, abs=0.01)
    assert found.pixels.sum() == 160_000
    filled = found.pixels > 500
    inside = (found.interval[:, 0] <= found.stated) & (found.stated <= found.interval[:, 1])
    assert np.mean(inside[filled]) >= 0.7 if boast == 0 else not inside[filled].any()

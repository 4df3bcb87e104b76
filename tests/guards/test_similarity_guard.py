"""The similarity guard knows this run's own baseline, and errs as seldom as it says."""

from __future__ import annotations

from dataclasses import replace

import luck
import numpy as np
import pytest
from scipy.stats import binom
from specimens import SIMILARITY, as_result, first_reject, run, simulated

from streamer.guards.similarity import SLACK, cusum_limit
from streamer.simulation import SceneSettings

SETTINGS = SceneSettings(seed=31, shape_yx=(300, 300), bleaching=0.0)


@pytest.mark.parametrize("shared", [0.0, 1.0], ids=["independent frames", "neighbours share a frame"])
@pytest.mark.parametrize("baseline_frames", [20, 40], ids=lambda n: f"baseline of {n}")
def test_healthy_runs_pass_the_limit_no_more_often_than_stated(baseline_frames: int, shared: float) -> None:
    seed = luck.seed()
    runs, planned, rate = 4000, 200, 0.02
    noise = np.random.default_rng(seed).standard_normal((runs, baseline_frames + planned + 1))
    values = noise[:, 1:] + shared * noise[:, :-1]
    baseline, rest = values[:, :baseline_frames], values[:, baseline_frames:]
    fall = (baseline.mean(1, keepdims=True) - rest) / baseline.std(1, ddof=1, keepdims=True)
    total = np.zeros(runs)
    rejected = np.zeros(runs, np.bool_)
    for frame in range(planned):
        total = np.maximum(0.0, total + fall[:, frame] - SLACK)
        rejected |= total >= cusum_limit(baseline_frames, planned, rate)
    print(f"{rejected.mean():.4f} of the runs rejected")
    assert rejected.sum() <= binom.ppf(1 - 1e-6, runs, 1.1 * rate)  # the limit is a simulation, too


def test_a_healthy_specimen_is_not_rejected() -> None:
    verdicts = run(SIMILARITY, simulated(SETTINGS, 80))
    assert first_reject(verdicts) is None
    assert verdicts[10].limit is None
    assert verdicts[-1].limit < verdicts[-1].measured


def test_predictions_that_stop_agreeing_are_rejected_soon() -> None:
    rng = np.random.default_rng(0)
    results = [
        result if result.frame.seq < 45 else replace(result, denoised=rng.permuted(result.denoised, axis=0))
        for result in simulated(SETTINGS, 60)
    ]
    rejected = first_reject(run(SIMILARITY, iter(results)))
    assert rejected is not None
    assert 45 <= rejected < 50


def test_the_limit_is_where_this_frame_alone_would_tip_the_test() -> None:
    results = list(simulated(SETTINGS, 40))
    noise = np.random.default_rng(0)
    results += [
        replace(
            results[-1],
            frame=replace(results[-1].frame, seq=seq),
            denoised=noise.permuted(results[-1].denoised),
        )
        for seq in range(40, 50)
    ]
    for verdict in run(SIMILARITY, iter(results))[31:]:
        assert (verdict.status == "reject") == (verdict.measured <= verdict.limit)


@pytest.mark.parametrize(
    ("level", "labels", "status", "meaning"),
    [
        (0, 0, "flag", "no foreground on which to compare"),
        (1, 1, "pass", "similarity 1.000; frame 1 of 30 of the baseline"),
    ],
    ids=["two empty frames", "two equal frames"],
)
def test_empty_frames_have_no_similarity(level: int, labels: int, status: str, meaning: str) -> None:
    counts, drawn = np.full((60, 60), level, np.uint16), np.full((60, 60), labels, np.uint8)
    first, second = run(SIMILARITY, iter([as_result(seq, counts, drawn) for seq in range(2)]))
    assert (first.status, first.measured) == ("pass", None)
    assert (second.status, second.meaning) == (status, meaning)
    assert (second.measured is None) == (level == 0)


def test_frames_with_a_gap_between_them_are_not_compared() -> None:
    lit = np.ones((60, 60), np.float32)
    first = as_result(0, lit.astype(np.uint16), lit.astype(np.uint8))
    results = [replace(first, follows=follows) for follows in (True, True, False, True)]
    measured = [verdict.measured is None for verdict in run(SIMILARITY, iter(results))]
    assert measured == [True, False, True, False]

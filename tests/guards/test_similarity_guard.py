"""The similarity guard knows this run's own baseline, and errs as seldom as it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from specimens import SIMILARITY, as_result, first_reject, run, simulated

from streamer.simulation import SceneSettings

SETTINGS = SceneSettings(seed=31, shape_yx=(300, 300), bleaching=0.0)


def test_a_healthy_specimen_is_not_rejected() -> None:
    verdicts = run(SIMILARITY, simulated(SETTINGS, 80))
    assert first_reject(verdicts) is None
    assert verdicts[10].limit is None
    assert verdicts[-1].limit < verdicts[-1].measured


@pytest.mark.parametrize("odd", ["nothing", "a dark start", "an empty prediction", "a jump"])
def test_predictions_that_stop_agreeing_are_rejected_soon_whatever_the_run_began_with(odd: str) -> None:
    rng = np.random.default_rng(0)
    light = [0.0 if odd == "a dark start" else 1.0] + [1.0] * 59
    results = [
        result if result.frame.seq < 45 else replace(result, denoised=rng.permuted(result.denoised, axis=0))
        for result in simulated(SETTINGS, 60, light=light)
    ]
    if odd == "an empty prediction":
        results[0] = replace(results[0], denoised=np.zeros_like(results[0].denoised))
    if odd == "a jump":
        results[12] = replace(results[12], denoised=rng.permuted(results[12].denoised, axis=0))
    verdicts = run(SIMILARITY, iter(results))
    rejected = first_reject(verdicts)
    assert rejected is not None
    assert 45 <= rejected < 50
    assert verdicts[44].limit is not None
    assert verdicts[44].limit > 0.0  # below -1 no frame alone could tip the test


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
    assert (first.status, first.measured) == (status, None)
    assert (second.status, second.meaning) == (status, meaning)
    assert (second.measured is None) == (level == 0)


def test_frames_with_a_gap_between_them_are_not_compared() -> None:
    lit = np.ones((60, 60), np.float32)
    first = as_result(0, lit.astype(np.uint16), lit.astype(np.uint8))
    results = [replace(first, follows=follows) for follows in (True, True, False, True)]
    measured = [verdict.measured is None for verdict in run(SIMILARITY, iter(results))]
    assert measured == [True, False, True, False]


def test_dark_frames_and_those_that_are_not_finite_are_compared_with_no_other() -> None:
    lit = np.ones((60, 60), np.uint8)
    good = [as_result(seq, lit.astype(np.uint16), lit) for seq in range(7)]
    results = [*good]
    results[2] = as_result(2, np.zeros((60, 60), np.uint16), lit)
    results[5] = replace(good[5], denoised=np.full((60, 60), np.nan, np.float32))
    verdicts = run(SIMILARITY, iter(results))
    assert [verdict.measured is not None for verdict in verdicts] == [
        False,
        True,
        *[False] * 2,
        True,
        *[False] * 2,
    ]
    assert [verdict.status for verdict in verdicts] == [
        "pass",
        "pass",
        "flag",
        "pass",
        "pass",
        "flag",
        "pass",
    ]

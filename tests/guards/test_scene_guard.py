"""The scene guard tells lost focus, a cell that leaves, background and drift from a healthy run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift
from scipy.stats import binom

from streamer.core import Frame, Result, Verdict
from streamer.guards import Guard
from streamer.guards.conformance import GuardConformance
from streamer.guards.scene import Scene
from streamer.guards.sequential import evidence_limit, gathered, log_e_value
from streamer.simulation import LOW_DOSE, SceneSettings
from streamer.simulation import Scene as Specimen

SCENE = Scene(
    baseline_frames=15,
    sharpness_loss=0.08,
    area_loss=0.3,
    background_rise=0.4,
    drift_max_px=50.0,
    planned_frames=6000,
    false_alarm_rate=0.01,
    pixel_nm=20.0,
)
SIDE = 300


class TestScene(GuardConformance):
    def make(self) -> Guard[Any]:
        return replace(SCENE, baseline_frames=8)


def frames(
    seed: int,
    *,
    count: int = 45,
    from_frame: int = 20,
    light: float = 1.0,
    focus_um: float = 0.0,
    haze: float = 0.0,
    left: float = 1.0,
    moves_px: float = 0.0,
    bright: float = 1.0,
    interval_s: float = 0.6,
) -> Iterator[Result]:
    """A run that is healthy up to `from_frame`; the denoiser is a blur, the segmenter knows the truth.

    `bright` scales all photons, `light` those of the change; `haze` is added in photons per pixel; only the
    share `left` of the field still holds the specimen, which moves by `moves_px` a frame.
    """
    specimen = Specimen(SceneSettings(seed=seed, shape_yx=(SIDE, SIDE), bleaching=0.0, drift_nm_per_s=0.0))
    rng = np.random.default_rng(seed)
    for seq in range(count):
        after = seq >= from_frame
        focus = focus_um if after else 0.0
        signal, background, labels = specimen.expected(100.0 + seq * interval_s, LOW_DOSE, focus)
        if after:
            signal, background = light * signal, light * background + haze
            signal[round(left * SIDE) :], labels[round(left * SIDE) :] = 0.0, 0
            moved = moves_px * (seq - from_frame + 1)
            signal = np.maximum(shift(signal, (moved, 0), order=1, mode="wrap"), 0)
        counts = rng.poisson(bright * (signal + background))
        photons = counts.astype(np.float32)
        frame = Frame(pixels=counts.astype(np.uint16), seq=seq)
        yield Result(frame=frame, photons=photons, denoised=gaussian_filter(photons, 2.0), labels=labels)


def judged(results: Iterator[Result], guard: Scene = SCENE) -> list[Verdict]:
    state, verdicts = guard.start(), []
    for result in results:
        state, verdict = guard.step(state, result)
        verdicts.append(verdict)
    return verdicts


def complaints(verdicts: Sequence[Verdict]) -> set[str]:
    """The beginnings of all that was said but of the usual."""
    return {
        part.strip().split(":")[0].split(" to ")[0].split(" by ")[0]
        for verdict in verdicts
        if verdict.status != "pass"
        for part in verdict.meaning.split(";")
    }


@pytest.mark.parametrize("interval_s", [0.6, 4.6, 60.0], ids=lambda s: f"every {s} s")
@pytest.mark.parametrize("seed", [51, 52])
def test_a_healthy_specimen_passes(seed: int, interval_s: float) -> None:
    verdicts = judged(frames(seed, interval_s=interval_s))
    assert complaints(verdicts) == set()
    assert verdicts[3].meaning == "frame 4 of 15 of the baseline"
    assert verdicts[-1].meaning == "focus, background and structure as at the start"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"focus_um": 0.5, "bright": 3.0}, {"the focus is lost"}),
        ({"left": 0.4}, {"less structure in view"}),
        ({"haze": 0.06}, {"the background has risen"}),
        ({"moves_px": 3.0}, {"the specimen has moved"}),
        ({"light": 0.5}, set()),
        ({"light": 3.0}, {"the background has risen"}),
    ],
    ids=["defocus", "cell leaves", "haze", "drift", "bleaching", "brighter dye"],
)
def test_what_changed_is_told_apart(change: dict[str, float], said: set[str]) -> None:
    verdicts = judged(frames(53, **change))
    assert complaints(verdicts) == said
    assert complaints(verdicts[:20]) == set()


def test_lost_focus_rejects_and_focus_found_again_is_believed() -> None:
    results = list(frames(54, count=50, focus_um=0.5, bright=3.0))
    sharp = list(frames(54, count=60, from_frame=99, bright=3.0))[50:]
    verdicts = judged(iter([*results, *sharp]))
    assert verdicts[49].status == "reject"
    assert verdicts[49].measured < verdicts[49].limit
    assert verdicts[-1].status == "pass"


@pytest.mark.parametrize("moves_px", [1.0, 4.5, -2.5], ids=lambda px: f"{px} px a frame")
def test_drift_is_measured_between_pixels(moves_px: float) -> None:
    values = judged(frames(55, count=36, moves_px=moves_px))[-1].values
    still = judged(frames(55, count=36))[-1].values  # the specimen's own motion
    moved = values["drift_total_y_px"] - still["drift_total_y_px"]
    assert moved == pytest.approx(16 * moves_px, rel=0.15, abs=6.0)
    assert values["drift_total_nm"] == pytest.approx(20 * values["drift_total_px"])


def test_another_place_is_no_drift() -> None:
    first, second = list(frames(56, count=20)), list(frames(57, count=20))
    verdicts = judged(iter([*first, *second]))
    before, after = verdicts[19].values, verdicts[20].values
    print(f"agreement {before['agreement']:.2f}, then {after['agreement']:.2f}")
    assert after["agreement"] < 0.7 * before["agreement"]


def test_a_run_that_begins_dark_has_no_baseline_yet() -> None:
    verdicts = judged(frames(58, count=3, from_frame=0, light=0.0))
    assert [verdict.status for verdict in verdicts] == ["flag"] * 3
    assert "no structure yet" in verdicts[0].meaning


def test_light_too_faint_for_a_sharpness_is_flagged() -> None:
    verdicts = judged(frames(53, count=24, light=0.02))
    assert verdicts[-1].status == "flag"
    assert "its sharpness cannot be measured" in verdicts[-1].meaning
    assert verdicts[-1].measured is None


@pytest.mark.parametrize("error", [0.05, 0.4], ids=["sharp", "noisy"])
def test_evidence_gathers_against_what_is_tolerated_no_more_often_than_stated(error: float) -> None:
    """At the very edge of what is tolerated, in 1,000 runs of 200 frames."""
    runs, planned, rate = 1000, 200, 0.05
    limit = evidence_limit(planned, rate)
    noise = np.random.default_rng(59).normal(0.9, error, (planned, runs))
    evidence, rejected = np.zeros(runs), np.zeros(runs, np.bool_)
    for values in noise:
        evidence = np.array(
            [
                gathered(e, log_e_value(v, 0.9, 0.8, error), limit)
                for e, v in zip(evidence, values, strict=True)
            ]
        )
        rejected |= evidence >= limit
    print(f"{rejected.mean():.4f} of the runs rejected")
    assert rejected.sum() <= binom.isf(1e-4, runs, rate)


def test_evidence_for_a_change_that_lasts_reaches_the_limit() -> None:
    evidence, limit = 0.0, evidence_limit(6000, 0.01, 3)
    for _ in range(20):
        evidence = gathered(evidence, log_e_value(0.7, 0.9, 0.8, 0.1), limit)
    assert evidence == limit
    assert gathered(0.0, -3.0, limit) == 0.0

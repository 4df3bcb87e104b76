"""The photon guard sees fading, and takes nothing else for it."""

from __future__ import annotations

from dataclasses import replace

import luck
import numpy as np
import pytest
from scipy.stats import binom
from specimens import PHOTONS, as_result, first_reject, run, simulated

from streamer.core import Frame, Result
from streamer.metrics import foreground_tiles, tile_sums
from streamer.simulation import LOW_DOSE, Scene, SceneSettings, bleaching_for

SHAPE = (300, 300)
BASELINE = PHOTONS.baseline_frames + 3  # three frames come before it


def poisson_runs(level: float, runs: int, frames: int, rng: np.random.Generator) -> list[list[Result]]:
    """Runs on one unmoving specimen whose median box expects 28 photons at baseline, then `level`."""
    exposure = Scene(SceneSettings(seed=5, shape_yx=(160, 160))).expose(0, 0.0, LOW_DOSE)
    expected = exposure.signal + exposure.background
    expected *= 28.0 / np.median(tile_sums(expected)[foreground_tiles(exposure.labels)])
    scales = [1.0] * BASELINE + [level / 28.0] * frames
    return [
        [
            as_result(seq, rng.poisson(expected * scale).astype(np.uint16), exposure.labels)
            for seq, scale in enumerate(scales)
        ]
        for _ in range(runs)
    ]


def fresh_generator() -> np.random.Generator:
    seed = luck.seed()
    return np.random.default_rng(seed)


def test_a_run_at_the_floor_is_rejected_no_more_often_than_stated() -> None:
    guard = replace(PHOTONS, planned_frames=50, false_alarm_rate=0.1)
    runs = poisson_runs(guard.floor, 60, 50, fresh_generator())
    rejected = sum(first_reject(run(guard, iter(results))) is not None for results in runs)
    print(f"{rejected} of {len(runs)} rejected")
    assert rejected <= binom.ppf(1 - 1e-6, len(runs), guard.false_alarm_rate)


def test_a_run_well_below_the_floor_is_rejected_within_frames() -> None:
    for results in poisson_runs(0.75 * PHOTONS.floor, 10, 20, fresh_generator()):
        rejected = first_reject(run(PHOTONS, iter(results)))
        assert rejected is not None
        assert BASELINE <= rejected <= BASELINE + 10


@pytest.mark.parametrize("level", [28.0, 14.0, 6.0], ids=lambda level: f"{level} photons per box")
def test_it_measures_the_expected_photons_of_foreground_boxes(level: float) -> None:
    [results] = poisson_runs(level, 1, 10, fresh_generator())
    measured = [verdict.measured for verdict in run(PHOTONS, iter(results))][-10:]
    assert np.mean(measured) == pytest.approx(level, rel=0.12)


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0], ids=lambda speed: f"bleaching x {speed}")
def test_the_reject_comes_when_the_light_is_gone(speed: float) -> None:
    bleaching = bleaching_for(0.25, 60, LOW_DOSE) * speed
    settings = SceneSettings(seed=11, shape_yx=SHAPE, bleaching=bleaching)
    frames = int(100 / speed)
    rejected = first_reject(run(PHOTONS, simulated(settings, frames)))
    assert rejected is not None
    assert rejected * speed == pytest.approx(60, rel=0.25)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"rearrangement_nm_per_s": 60.0},
        {"drift_nm_per_s": 60.0},
        {"out_of_focus": 0.5, "haze": 0.2},
    ],
    ids=["as is", "structure that moves", "a specimen that drifts", "much background"],
)
def test_a_specimen_that_does_not_bleach_is_never_rejected(changes: dict[str, float]) -> None:
    settings = replace(SceneSettings(seed=21, shape_yx=SHAPE, bleaching=0.0), **changes)
    verdicts = run(PHOTONS, simulated(settings, 60))
    assert {verdict.status for verdict in verdicts} == {"pass"}
    kept = [verdict.values["retention"] for verdict in verdicts[BASELINE:]]
    assert np.median(kept) == pytest.approx(1.0, abs=0.15)


def test_a_dark_start_is_no_baseline() -> None:
    light = [0.0] * 6 + [1.0] * 24
    verdicts = run(PHOTONS, simulated(SceneSettings(seed=3, shape_yx=SHAPE, bleaching=0.0), 30, light=light))
    assert verdicts[4].meaning.startswith("no foreground yet")
    assert verdicts[-1].status == "pass"
    assert verdicts[-1].values["retention"] == pytest.approx(1.0, abs=0.15)


def test_light_that_goes_out_is_rejected_and_light_that_returns_is_believed() -> None:
    light = [1.0] * 15 + [0.1] * 10 + [1.0] * 10
    verdicts = run(PHOTONS, simulated(SceneSettings(seed=4, shape_yx=SHAPE, bleaching=0.0), 35, light=light))
    statuses = [verdict.status for verdict in verdicts]
    assert statuses[14] == "pass"
    assert statuses[16:25] == ["reject"] * 9
    assert statuses[30:] == ["pass"] * 5


def test_background_that_rises_does_not_hide_fading() -> None:
    rng = fresh_generator()
    results = []
    for seq, result in enumerate(simulated(SceneSettings(seed=6, shape_yx=SHAPE, bleaching=0.0), 30)):
        keep, glow = (1.0, 0.0) if seq < 15 else (0.15, 0.15)
        counts = rng.binomial(result.frame.pixels, keep) + rng.poisson(glow, SHAPE)
        results.append(as_result(seq, counts.astype(np.uint16), result.labels))
    verdicts = run(PHOTONS, iter(results))
    assert verdicts[-1].status == "reject"
    assert verdicts[-1].values["background_per_box"] == pytest.approx(15, rel=0.1)


def test_boxes_above_a_threshold_would_never_show_the_fading_that_it_shows() -> None:
    light = [1.0] * 12 + [0.5] * 3
    results = list(simulated(SceneSettings(seed=7, shape_yx=SHAPE, bleaching=0.0), 15, light=light))
    tiles = tile_sums(results[-1].photons)
    assert tiles[tiles > 25].mean() > 25
    assert run(PHOTONS, iter(results))[-1].measured < 0.65 * 28


def test_it_speaks_of_photons_floor_and_start() -> None:
    light = [1.0] * 15 + [0.2] * 5
    last = run(PHOTONS, simulated(SceneSettings(seed=8, shape_yx=SHAPE, bleaching=0.0), 20, light=light))[-1]
    assert last.meaning.startswith("signal is gone: ")
    assert "photons per foreground box against a floor of 8 (" in last.meaning
    assert last.limit == 8.0


def retracting(keep: float, light: float) -> list[Result]:
    """From frame 25 on structure is left in the share `keep` of the field only, and of its light `light`."""
    rng = np.random.default_rng(luck.seed())
    exposure = Scene(SceneSettings(seed=9, shape_yx=SHAPE)).expose(0, 0.0, LOW_DOSE)
    edge = round(keep * SHAPE[1])
    half = SHAPE[1] // 2  # both halves are alike, so that what is left is as bright as what has gone
    whole, drawn = (
        np.concatenate([image[:, :half], image[:, half - 1 :: -1]], axis=1)
        for image in (exposure.signal, exposure.labels)
    )
    left, labels = whole.copy(), drawn.copy()
    left[:, edge:], labels[:, edge:] = 0.0, 0
    results = []
    for seq in range(60):
        signal = whole if seq < 25 else left * np.float32(light)
        counts = rng.poisson(signal + exposure.background).astype(np.uint16)
        results.append(as_result(seq, counts, drawn if seq < 25 else labels))
    return results


@pytest.mark.parametrize("keep", [0.7, 0.45])
def test_structure_that_leaves_is_not_light_that_fades(keep: float) -> None:
    verdicts = run(PHOTONS, iter(retracting(keep, 1.0)))
    assert {verdict.status for verdict in verdicts[40:]} == {"pass"}
    assert verdicts[-1].values["retention"] == pytest.approx(1.0, abs=0.2)


def test_structure_that_leaves_does_not_hide_light_that_fades() -> None:
    assert run(PHOTONS, iter(retracting(0.45, 0.2)))[-1].status == "reject"


def test_a_field_of_which_nearly_nothing_is_left_is_rejected() -> None:
    assert run(PHOTONS, iter(retracting(0.015, 1.0)))[-1].status == "reject"


def noisy_fields(start: float, end: float, read_noise_e: float, haze: float) -> list[Result]:
    """Boxes of 0.3 to 3 times the median's light in a third of the field; `start`, then `end` photons."""
    rng = np.random.default_rng(luck.seed())
    boxes = np.where(rng.random((30, 30)) < 0.35, rng.lognormal(0.0, 0.6, (30, 30)), 0.0)
    drawn = boxes > 0.4
    boxes /= np.median(boxes[drawn])
    expected = np.kron(boxes + haze, np.ones((10, 10))) / 100 / (1.0 + haze)
    labels = np.kron(drawn, np.ones((10, 10))).astype(np.uint8)
    results = []
    for seq in range(110):
        # Falls over 60 frames, so that the number of bright tiles has time to follow what it should not.
        level = start * (end / start) ** min(max(seq - 20, 0) / 60, 1.0)
        photons = rng.poisson(expected * level) + rng.normal(0.0, read_noise_e, expected.shape)
        frame = Frame(pixels=labels, seq=seq)
        photons = photons.astype(np.float32)
        results.append(Result(frame=frame, photons=photons, denoised=photons, labels=labels))
    return results


@pytest.mark.parametrize(
    ("start", "end", "read_noise_e", "haze"),
    [
        (28, 9.5, 0.0, 0.03),
        (28, 9.5, 0.5, 0.03),
        (28, 10.5, 1.0, 0.03),
        (28, 9.5, 0.0, 1.5),
        (200, 9.5, 0.0, 0.5),
    ],
)
def test_noise_of_empty_boxes_is_not_taken_for_structure_that_spreads(
    start: float, end: float, read_noise_e: float, haze: float
) -> None:
    guard = replace(PHOTONS, read_noise_e=read_noise_e)
    verdicts = run(guard, iter(noisy_fields(start, end, read_noise_e, haze)))
    assert "reject" not in {verdict.status for verdict in verdicts}
    measured = np.mean([verdict.measured for verdict in verdicts[-25:]])
    assert measured == pytest.approx(end, rel=0.2)

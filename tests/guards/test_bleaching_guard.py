"""The bleaching guard says how long the light lasts, and what takes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from fading_fields import BLEACHING, Fading, at_half_life, results
from scipy.stats import binom
from specimens import as_result, run, simulated

from streamer.core import Result, Verdict
from streamer.guards.bleaching import Bleaching
from streamer.guards.causes import Change, cause_of
from streamer.guards.conformance import GuardConformance
from streamer.guards.history import BINS_MAX, added, nothing, points
from streamer.simulation import LOW_DOSE, Scene, SceneSettings, bleaching_for

SHAPE = (256, 256)
STILL = SceneSettings(seed=5, shape_yx=SHAPE, bleaching=0.0)


class TestBleachingKeepsToWhatAGuardIs(GuardConformance):
    def make(self) -> Bleaching:
        return replace(BLEACHING, planned_frames=100, floor=4.0)


def fading(fade: Fading, frames: int, *, planned: int = 6000, seed: int = 1) -> list[Verdict]:
    rng = np.random.default_rng(seed)
    guard = replace(BLEACHING, planned_frames=planned)
    return run(guard, results(fade.levels(frames, rng), rng))


def defocused(frames: int, start: int, um_per_frame: float) -> list[Result]:
    scene = Scene(STILL)
    exposures = [
        scene.expose(seq, seq * 0.2, LOW_DOSE, max(seq - start, 0) * um_per_frame) for seq in range(frames)
    ]
    return [as_result(seq, exposure.counts, exposure.labels) for seq, exposure in enumerate(exposures)]


# --- how long it lasts


@pytest.mark.parametrize("fast", [0.0, 0.2], ids=["mono-exponential", "bi-exponential"])
def test_the_forecast_at_half_of_the_life_is_right(fast: float) -> None:
    """Asked for: median error of 10 %, and 85-95 % within the interval.

    14 runs of each kind; where 90 % are right, less than 9 of 14 are met once in 600 times. The numbers of
    the guard's docstring are of more runs; this finds what breaks them.
    """
    found = np.array(
        [
            at_half_life(Fading(life=200, fast=fast, wander="rough"), np.random.default_rng((3, seed)))
            for seed in range(14)
        ]
    )
    low, middle, high, left = found.T
    assert np.median(np.abs(middle - left) / left) <= 0.15
    inside = np.count_nonzero((low - 1 <= left) & (left <= high + 1))
    assert inside >= binom.ppf(0.002, 14, 0.9)


def test_it_says_how_long_the_light_lasts_and_why_it_fades() -> None:
    last = fading(Fading(life=300), 151)[-1]
    assert last.status == "flag"  # long before frame 6,000
    share, outlook = last.meaning.split(" of the start, ~")
    assert share.endswith("%")
    assert outlook.endswith(" to the floor, before the planned end; bleaching")
    assert last.values["frames_left"] == pytest.approx(150, rel=0.2)
    assert last.values["frames_left_low"] < 150 < last.values["frames_left_high"]
    assert last.limit == BLEACHING.floor


def test_light_that_lasts_to_the_end_of_the_plan_passes() -> None:
    verdicts = fading(Fading(life=400), 120, planned=200)
    assert {verdict.status for verdict in verdicts} == {"pass"}


def test_light_below_the_floor_is_rejected_only_when_that_is_certain() -> None:
    verdicts = fading(Fading(life=100), 120)
    statuses = [verdict.status for verdict in verdicts]
    assert "reject" not in statuses[:95]
    assert statuses[-1] == "reject"
    assert "below the floor of 8" in verdicts[-1].meaning
    assert verdicts[-1].measured is not None
    assert verdicts[-1].measured < BLEACHING.floor


@pytest.mark.parametrize(
    ("walls_s", "interval_s", "words"),
    [(0.0, None, False), (0.0, 60.0, True), (60.0, None, True), (60.0, 1.0, True)],
    ids=["nobody knows", "as set", "as the frames state", "frames before the setting"],
)
def test_minutes_are_told_where_the_pace_is_known(
    walls_s: float, interval_s: float | None, words: bool
) -> None:
    rng = np.random.default_rng(1)
    guard = replace(BLEACHING, interval_s=interval_s)
    timed = (
        replace(
            result,
            frame=replace(result.frame, wall_time_s=1e9 + walls_s * result.frame.seq if walls_s else 0.0),
        )
        for result in results(Fading(life=200).levels(101, rng), rng)
    )
    last = run(guard, timed)[-1]
    assert (" min to the floor" in last.meaning) == words
    assert ("minutes_left" in last.values) == words
    if words:
        assert last.values["minutes_left"] == pytest.approx(last.values["frames_left"], rel=1e-6)


def test_it_is_made_anew_by_number_and_counts_down_in_between() -> None:
    rng = np.random.default_rng(2)
    state, fitted, ends = BLEACHING.start(), [], []
    for result in results(Fading(life=600).levels(320, rng), rng):
        state, verdict = BLEACHING.step(state, result)
        if "frames_left" in verdict.values:
            fitted.append(state.fitted)
            ends.append(verdict.values["frames_left"] + result.frame.seq)
    assert len(set(fitted)) == len(set(np.round(ends, 6)))
    steps = np.diff(sorted(set(fitted)))
    assert steps.min() >= BLEACHING.refit_frames
    assert steps.max() <= BLEACHING.refit_frames + 1


def test_a_history_of_any_length_takes_the_same_room() -> None:
    history = nothing()
    for seq in range(10_000):
        history = added(history, 2 * seq, float(seq))
        assert len(history) <= BINS_MAX
    seqs, levels = points(history)
    assert seqs.size >= BINS_MAX // 2
    np.testing.assert_allclose(seqs, 2 * levels)
    assert len(set(np.diff(seqs))) == 1
    assert history[:, 0].sum() == 10_000


# --- why


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (Change(level=0.97, area=1.0, sharpness=1.0), "steady"),
        (Change(level=0.97, area=1.0, sharpness=0.75), "steady"),
        (Change(level=0.5, area=0.95, sharpness=0.9), "bleaching"),
        (Change(level=0.3, area=0.9, sharpness=0.82), "bleaching"),
        (Change(level=0.5, area=1.1, sharpness=0.7), "focus"),
        (Change(level=1.0, area=1.1, sharpness=0.5), "focus"),
        (Change(level=0.5, area=0.6, sharpness=1.0), "leaving"),
        (Change(level=1.6, area=1.0, sharpness=1.0), "rising"),
        (Change(level=0.5), "bleaching"),
        (Change(level=0.0, area=0.0, sharpness=0.0), "leaving"),
    ],
    ids=str,
)
def test_area_and_sharpness_tell_causes_apart(change: Change, cause: str) -> None:
    assert cause_of(change, rise=0.5, area_loss=0.2, sharpness_loss=0.2) == cause


def bleaches() -> Sequence[Result]:
    return list(simulated(replace(STILL, bleaching=bleaching_for(0.25, 110, LOW_DOSE)), 100, interval_s=0.2))


def loses_focus() -> Sequence[Result]:
    return defocused(110, 20, 0.006)


def leaves() -> Sequence[Result]:
    moving = replace(STILL, cell_radius_um=3.9, cell_offset_um=1.0, drift_nm_per_s=400.0)
    return list(simulated(moving, 80, interval_s=0.2))


def goes_dark() -> Sequence[Result]:
    return list(simulated(STILL, 60, interval_s=0.2, light=[1.0] * 45 + [0.0] * 15))


def brightens() -> Sequence[Result]:
    return list(simulated(STILL, 60, interval_s=0.2, light=np.linspace(1, 2.0, 60).tolist()))


@pytest.mark.parametrize(
    ("happens", "words"),
    [
        (bleaches, "; bleaching"),
        (loses_focus, "; the focus is being lost (sharpness "),
        (leaves, "; the cell leaves the field (area "),
        (goes_dark, "; the light fell at once at frame 45, to 0%: shutter, laser or filter?"),
        (brightens, "; more light than at the start"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_happens_on_the_simulated_microscope_is_named(
    happens: Callable[[], Sequence[Result]], words: str
) -> None:
    verdicts = run(BLEACHING, iter(happens()))
    assert words in verdicts[-1].meaning
    assert verdicts[-1].status != "pass"


@pytest.mark.parametrize("seed", [31, 32, 33])
@pytest.mark.parametrize("survival", [1.0, 0.35], ids=["steady", "bleaching"])
def test_a_healthy_specimen_is_not_blamed(seed: int, survival: float) -> None:
    rate = bleaching_for(survival, 80, LOW_DOSE) if survival < 1 else 0.0
    settings = SceneSettings(seed=seed, shape_yx=(320, 320), bleaching=rate)
    verdicts = run(replace(BLEACHING, planned_frames=80), simulated(settings, 80, interval_s=2.0))
    causes = {verdict.meaning.rpartition("; ")[2] for verdict in verdicts[10:]}
    assert causes <= {"steady", "bleaching"}


def test_light_that_goes_out_and_returns_is_no_longer_blamed() -> None:
    light = [1.0] * 30 + [0.0] * 10 + [1.0] * 20
    verdicts = run(BLEACHING, simulated(STILL, 60, interval_s=0.2, light=light))
    assert "fell at once at frame 30" in verdicts[35].meaning
    assert "at once" not in verdicts[-1].meaning
    assert verdicts[-1].status == "pass"


def test_a_single_dark_frame_changes_nothing() -> None:
    light = [1.0] * 30 + [0.0] + [1.0] * 15
    verdicts = run(BLEACHING, simulated(STILL, 46, interval_s=0.2, light=light))
    assert not any("at once" in verdict.meaning for verdict in verdicts)
    assert verdicts[-1].status == "pass"

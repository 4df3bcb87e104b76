"""How long will the light last, and what takes it? Photons per foreground box, forecast, with a cause."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from streamer.core import Frame, Result, Status, Verdict
from streamer.guards.base import not_judged
from streamer.guards.causes import Cause, Change, Shape, cause_of, change_since, shape_of
from streamer.guards.gauge import Gauge, GaugeState
from streamer.guards.history import History, added, nothing, points
from streamer.guards.light import Light, start_and_now
from streamer.guards.outlook import against_floor, because, in_sight
from streamer.guards.shared import is_finite, photons_in_tiles
from streamer.metrics.decay import FRAMES_MIN, forecast

#: Frames that the present level is a mean of, and frames before them that a fall at once is measured from.
PRESENT, BEFORE = 5, 8
#: A change at once is one of this share, in two frames that follow each other, and of so many errors; a small
#: field whose structure moves changes by a third from frame to frame.
AT_ONCE, CERTAIN = 0.5, 6.0
#: Relative error of the gauge that no count shows: noisy boxes have another median than their expectations.
#: Measured in simulated fields of 200 x 200 and 300 x 300 pixels whose light falls to the floor.
UNSEEN_ERROR = 0.03
#: Ends of a 90 % interval in standard errors.
NINETY = 1.645
#: `BleachingState.ends` before the first forecast.
NO_FORECAST = np.full(4, np.inf)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BleachingState:
    """What the guard remembers.

    Attributes:
        gauge: of the light.
        last: [frame, 2] photons per foreground box and its variance, of the last frames.
        shapes: frames in `shape_start`.
        shape_start, shape_now: see `streamer.guards.causes`; means over the first and the last frames.
        clear: share of the start's light when it last stood clear of the background, as `shape_now` was made.
        history: see `streamer.guards.history`; of the photons per foreground box.
        judged, fitted: frames judged since the last fall at once, and how many they were at the newest fit.
        ends: [4] frame at which the floor is met: low end, median, high end of the interval; and how far was
            looked; infinite beyond that, and all where there is no forecast.
        fell: [2] frame of the last fall at once, and the level before; the level is 0 without one.
        first: [2] number and Unix time of the view's first frame that states it; -1 and 0 before.
    """

    gauge: GaugeState
    last: NDArray[np.float64]
    shapes: int
    shape_start: Shape
    shape_now: Shape
    clear: float
    history: History
    judged: int
    fitted: int
    ends: NDArray[np.float64]
    fell: NDArray[np.float64]
    first: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bleaching:
    """Says what share of the light is left, for how many frames it will do, and why it changes.

    What is measured is what the `photons` guard measures: photons per foreground box above background, in
    tiles that the other half of the pixels chose; less what that choice loses in faint frames
    (`streamer.guards.dimmed`). The two divide the work: `photons` tests every frame sequentially against
    the floor, with a false-alarm rate per run, and stops it; this one looks ahead and names the cause, and is
    no reason to stop by itself.

    Forecast. Levels enter bins that are merged pairwise as the run grows; `streamer.metrics.decay.forecast`
    (Bayesian, mono- and bi-exponential with wander) is fitted to them anew whenever `refit_frames` frames, or
    the share `refit_share` of those so far, have been added: by number, never by the clock. Between fits the
    newest forecast counts down. It starts anew after the light changed at once. At half of the true life, 28
    photons fading to a floor of 8 in 900 tiles with wander of 0-3 %, simulated (`tests/guards`): median error
    of the frames left 7 % (540 runs of 300 frames; 95 % interval 6-8 %) and 6 % (288 of 1,000; 5-7 %), of
    bi-exponential bleaching alone 11 % and 9 %; in the 90 % interval lie 95 % (93-97) and 94 % (91-97). In
    whole simulated runs structure wanders, and the network's choice of foreground sets the scale with an
    error of 4 %: docs/guards.md has the errors there, which are about twice as large.

    Cause. Area, (sum x)^2 / sum x^2 over tiles above background, and sharpness, the loss of correlation
    between pixels 1-2 and 8 apart, both free of the bias of shot noise, against the run's start: a cell that
    leaves takes area, lost focus takes sharpness, bleaching neither. A fall by half within two frames is no
    bleaching. These are limits outside of what simulated specimens do by themselves, not a test.

    Null hypotheses. Flagged "before the planned end": the light lasts to the end of the plan. One forecast is
    wrong in at most 5 % if its interval is right; a run is looked at again and again, which is not corrected
    for (none of 72 simulated runs that lasted 5-50 % longer than planned was ever flagged). Rejected: the
    last five frames expect at least the floor; wrong in at most 5 % of such looks, by the normal
    approximation of counts, baseline and what they miss, again not corrected for how often it is looked
    (under 2 % of looks at the floor itself with counting detectors, 14 % with read noise of 1 electron from
    100 photons on; 12 simulated fields each).

    Cannot see: what takes light from everything alike and slowly and is no bleaching, such as a laser that
    weakens. Where the cell leaves and is out of focus only the first is named. In a field that structure
    fills evenly there is no background to compare with. In fields much smaller than 600 x 600 structure that
    moves changes light by a third and sharpness by a quarter.

    Attributes:
        floor: photons per foreground box that the model needs.
        baseline_frames: frames that make the baseline.
        tiles_min: foreground tiles that a baseline frame needs.
        refit_frames, refit_share: when the forecast is made anew, see above.
        rise: of the light over the start, relative, that is flagged.
        area_loss, sharpness_loss: relative, that are flagged where they explain the loss of light.
        planned_frames: number of frames at which the run ends, as they are counted at the hook.
        interval_s: time between frames where they do not state their own; None says no times.
        read_noise_e: of the camera, photo-electrons per pixel; 0 for a counting detector.
    """

    name: ClassVar[str] = "bleaching"
    floor: float
    baseline_frames: int
    tiles_min: int
    refit_frames: int
    refit_share: float
    rise: float
    area_loss: float
    sharpness_loss: float
    planned_frames: int
    interval_s: float | None
    read_noise_e: float

    def start(self) -> BleachingState:
        """Nothing seen yet."""
        return BleachingState(
            gauge=self._gauge.start(),
            last=np.zeros((0, 2)),
            shapes=0,
            shape_start=np.zeros(3),
            shape_now=np.zeros(3),
            clear=1.0,
            history=nothing(),
            judged=0,
            fitted=0,
            ends=NO_FORECAST,
            fell=np.array([-1.0, 0.0]),
            first=np.array([-1.0, 0.0]),
        )

    def step(self, state: BleachingState, result: Result) -> tuple[BleachingState, Verdict]:
        """Judge one result; `measured` is photons per foreground box, `limit` the floor."""
        if not is_finite(result):
            return state, not_judged(self.name)
        gauge, reading = self._gauge.step(state.gauge, result)
        state = replace(_timed(state, result.frame), gauge=gauge)
        light = reading.light
        if light is None:
            return state, self._say(reading.status, reading.measured, reading.words)
        state = self._followed(state, light, result.frame.seq)
        if light.stands_clear:
            tiles = photons_in_tiles(result)
            shape = shape_of(result.photons, tiles, light.background, self.read_noise_e)
            state = replace(_shaped(state, shape), clear=_present(state)[0] / gauge.photons)
        return state, self._verdict(state, result.frame)

    @property
    def _gauge(self) -> Gauge:
        return Gauge(
            baseline_frames=self.baseline_frames, tiles_min=self.tiles_min, read_noise_e=self.read_noise_e
        )

    def _followed(self, state: BleachingState, light: Light, seq: int) -> BleachingState:
        """Put a frame's light into the history, and forecast anew when that is due."""
        gauge, dimming = state.gauge, state.gauge.dimming
        level = light.level / gauge.level
        photons = gauge.photons * dimming.share_of(level)
        error = gauge.photons * dimming.slope_at(level) * light.error / gauge.level
        newest = [[photons, error**2]]
        last = np.concatenate([state.last, newest])[-(BEFORE + 2) :]
        state = replace(state, last=last, judged=state.judged + 1, history=added(state.history, seq, photons))
        if _changed_at_once(last):
            return self._anew(state, seq)
        grown = state.judged - state.fitted
        if grown < max(self.refit_frames, self.refit_share * state.judged):
            return state
        return replace(state, fitted=state.judged, ends=self._ends(state.history, seq))

    def _anew(self, state: BleachingState, seq: int) -> BleachingState:
        """After a change at once the history begins again; the last part of a cell that leaves is none."""
        before = float(np.median(state.last[:BEFORE, 0]))
        area = change_since(state.shape_start, state.shape_now, 1.0).area
        fell = state.last[-1, 0] < before and not area < 1.0 - self.area_loss
        return replace(
            state,
            last=state.last[-2:],
            history=nothing(),
            judged=0,
            fitted=0,
            ends=NO_FORECAST,
            fell=np.array([seq - 1.0, before] if fell else [-1.0, 0.0]),
        )

    def _ends(self, history: History, seq: int) -> NDArray[np.float64]:
        """Frames at which the floor is met, see `BleachingState.ends`."""
        seqs, levels = points(history)
        if seqs.size < FRAMES_MIN:
            return NO_FORECAST
        horizon = math.ceil(max(self.planned_frames - seq, 4 * (seqs[-1] - seqs[0]), 100))
        found = forecast(seqs, levels, self.floor, horizon)
        if found is None:
            return NO_FORECAST
        left = (found.frames_left_low, found.frames_left, found.frames_left_high, float(horizon))
        return np.array([np.inf if frames is None else seqs[-1] + frames for frames in left])

    def _verdict(self, state: BleachingState, frame: Frame) -> Verdict:
        """What is to be said of the light as it stands."""
        present, error = _present(state)
        share = present / state.gauge.photons
        change = change_since(state.shape_start, state.shape_now, state.clear)
        cause = self._cause(state, change, present)
        is_usual, is_below = cause in ("steady", "bleaching"), present < self.floor
        left = np.maximum(state.ends - frame.seq, 0.0) if is_usual else NO_FORECAST
        ends_early = bool(left[2] < self.planned_frames - 1 - frame.seq)
        pace_s = self._pace_s(state, frame)
        if is_below or not is_usual:
            words = against_floor(present, NINETY * error, self.floor)
        else:
            words = in_sight(left, pace_s) + (", before the planned end" if ends_early else "")
        status: Status = "flag" if is_below or ends_early or not is_usual else "pass"
        return self._say(
            "reject" if present + NINETY * error < self.floor else status,
            present,
            f"{share:.0%} of the start, {words}; {because(cause, change, state.fell, present)}",
            retention=share,
            area=change.area,
            sharpness=change.sharpness,
            frames_left_low=left[0],
            frames_left=left[1],
            frames_left_high=left[2],
            minutes_left=left[1] * pace_s / 60 if pace_s is not None else math.inf,
        )

    def _cause(self, state: BleachingState, change: Change, present: float) -> Cause:
        if present < (1.0 - AT_ONCE / 2) * state.fell[1]:
            return "sudden"
        return cause_of(change, rise=self.rise, area_loss=self.area_loss, sharpness_loss=self.sharpness_loss)

    def _pace_s(self, state: BleachingState, frame: Frame) -> float | None:
        """Time between frames: as they state it, else as set."""
        number, time_s = state.first
        if time_s and frame.seq >= number + FRAMES_MIN and frame.wall_time_s > time_s:
            return float((frame.wall_time_s - time_s) / (frame.seq - number))
        return self.interval_s

    def _say(self, status: Status, measured: float | None, meaning: str, **values: float) -> Verdict:
        return Verdict(
            guard=self.name,
            status=status,
            measured=measured,
            limit=self.floor,
            meaning=meaning,
            values={name: float(value) for name, value in values.items() if np.isfinite(value)},
        )


def _timed(state: BleachingState, frame: Frame) -> BleachingState:
    if frame.wall_time_s > 0 and state.first[0] < 0:
        return replace(state, first=np.array([frame.seq, frame.wall_time_s]))
    return state


def _shaped(state: BleachingState, shape: Shape) -> BleachingState:
    """The means of area and sharpness with a frame more."""
    shapes, start, now = start_and_now(state.shapes, state.shape_start, state.shape_now, shape)
    return replace(state, shapes=shapes, shape_start=start, shape_now=now)


def _present(state: BleachingState) -> tuple[float, float]:
    """Photons per foreground box now, and their standard error with that of the baseline."""
    level, variance = state.last[-PRESENT:].T
    present, gauge = max(float(level.mean()), 0.0), state.gauge
    of_start = math.hypot(gauge.error, gauge.dimming.error_at(present / gauge.photons), UNSEEN_ERROR)
    return present, math.hypot(math.sqrt(float(variance.mean()) / level.size), present * of_start)


def _changed_at_once(last: NDArray[np.float64]) -> bool:
    """Whether both of the last two frames differ much, and to the same side, from those before."""
    if len(last) < BEFORE + 2:
        return False
    usual = float(np.median(last[:BEFORE, 0]))
    error = math.sqrt(float(last[:, 1].mean()) + float(last[:BEFORE, 0].var()))
    changes = last[BEFORE:, 0] - usual
    least = float(np.abs(changes).min())
    share = least / max(usual, 1e-9) if changes[-1] < 0 else least / max(usual + least, 1e-9)
    return bool(abs(np.sign(changes).sum()) == 2 and share > AT_ONCE and least > CERTAIN * error)

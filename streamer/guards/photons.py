"""Is there still enough light for the model? Photons per foreground box over time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from streamer.core import Result, Status, Verdict
from streamer.guards.base import not_judged
from streamer.guards.gauge import Gauge, GaugeState
from streamer.guards.light import Half, Light
from streamer.guards.shared import BOX, is_finite


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhotonsState:
    """What the guard remembers.

    Attributes:
        gauge: of the light.
        evidence: log evidence against "enough light", 0 or more.
    """

    gauge: GaugeState
    evidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Photons:
    """Tests whether the expected photons per foreground box are still at the model's floor.

    What is summed: the brightest tiles, as many as the network drew at baseline, scaled as the lit ones have
    become fewer or more since (`tiles_lit`), less the background of the darkest. Photons of one half of the
    pixels, black and white as on a chessboard, with a memory of the frames before, choose the tiles in which
    the other half is counted, and the other way round. So neither its drawing nor a threshold nor chance
    chooses bright tiles, fading is seen in full, and structure may move, leave and come. Baseline: the first
    `baseline_frames` frames in which the network drew structure that stands clear of the background; a dark
    start does not count. `measured` is the median box sum of the drawn tiles at baseline x (bright tiles now
    / at baseline).

    Test. Null hypothesis: in every frame the bright tiles expect at least the photons that belong to `floor`
    less `tolerance`, which is granted to changes in how much structure is in view and to the baseline's own
    error. Under it the Poisson likelihood ratio for an expectation lower by `drop` is an e-value in each
    half, and so is their mean: each frame multiplies the evidence by at most 1 on average. (It is tempered by
    1 / dispersion for the counting error of the background and for read noise, which keeps that in the normal
    approximation.) A run is rejected when, from any start on, evidence passes planned_frames /
    false_alarm_rate: by Ville's inequality that happens to one start with probability false_alarm_rate /
    planned_frames, and by the union over starts to the run with at most `false_alarm_rate` (CUSUM form; Shin,
    Ramdas, Rinaldo, "E-detectors", 2022). Evidence is capped there, so that light which returns is believed
    at once. Flagged: the present estimate alone is below the floor.

    Attributes:
        floor: photons per foreground box that the model needs, as in its trained_photons range.
        tolerance: relative, see above.
        drop: relative fall below the tolerated floor that is to be found fastest.
        baseline_frames: frames that make the baseline.
        tiles_min: foreground tiles that a baseline frame needs.
        planned_frames: frames of the run, of all its views together; beyond them the false-alarm rate no
            longer holds.
        false_alarm_rate: probability of a reject in a run that never falls below the floor. It is that of all
            views together, because the union is over the starts in every view.
        read_noise_e: of the camera, photo-electrons per pixel; 0 for a counting detector.
    """

    name: ClassVar[str] = "photons"
    floor: float
    tolerance: float
    drop: float
    baseline_frames: int
    tiles_min: int
    planned_frames: int
    false_alarm_rate: float
    read_noise_e: float

    def start(self) -> PhotonsState:
        """Nothing seen yet."""
        return PhotonsState(gauge=self._gauge.start(), evidence=0.0)

    def step(self, state: PhotonsState, result: Result) -> tuple[PhotonsState, Verdict]:
        """Judge one result; `measured` is photons per foreground box, `limit` the floor."""
        if not is_finite(result):
            return state, not_judged(self.name)
        gauge, reading = self._gauge.step(state.gauge, result)
        state = replace(state, gauge=gauge)
        if reading.light is not None:
            return self._test(state, reading.light)
        is_below = reading.measured is not None and reading.measured < self.floor
        return state, self._say("flag" if is_below else reading.status, reading.measured, reading.words)

    def _test(self, state: PhotonsState, light: Light) -> tuple[PhotonsState, Verdict]:
        """Compare with the baseline, and test against the floor."""
        photons, level, dimming = state.gauge.photons, state.gauge.level, state.gauge.dimming
        gained = self._log_e_value(light, level * dimming.level_of(self.floor / photons))
        state = replace(state, evidence=min(max(0.0, state.evidence + gained), self._threshold))
        retention = max(dimming.share_of(light.level / level), 0.0)
        return state, self._verdict(state.evidence, photons, retention, light.background)

    @property
    def _gauge(self) -> Gauge:
        return Gauge(
            baseline_frames=self.baseline_frames, tiles_min=self.tiles_min, read_noise_e=self.read_noise_e
        )

    @property
    def _threshold(self) -> float:
        return math.log(self.planned_frames / self.false_alarm_rate)

    def _log_e_value(self, light: Light, at_floor: float) -> float:
        """Log evidence of one frame that its bright tiles expect less than at the tolerated floor.

        `at_floor` is the expectation per bright tile above background that belongs to the floor.
        """
        first, second = (self._log_e_value_of(half, at_floor / 2.0) for half in light.halves)
        return float(np.logaddexp(first, second)) - math.log(2.0)

    def _log_e_value_of(self, half: Half, at_floor: float) -> float:
        tiles, tolerated = half.tiles, (1.0 - self.tolerance) * at_floor
        expected = tiles * (tolerated + half.background)
        lower = tiles * (tolerated * (1.0 - self.drop) + half.background)
        noise = tiles * 0.5 * (BOX * self.read_noise_e) ** 2 + tiles**2 * half.variance
        gained = half.photons * math.log(lower / expected) + expected - lower
        return gained / (1.0 + noise / expected)

    def _verdict(self, evidence: float, median: float, retention: float, background: float) -> Verdict:
        measured = median * retention
        numbers = (
            f"{measured:.3g} photons per foreground box against a floor of {self.floor:g} "
            f"({retention:.0%} of the start)"
        )
        status: Status = "pass"
        if evidence >= self._threshold:
            status, numbers = "reject", f"signal is gone: {numbers}"
        elif measured < self.floor:
            status, numbers = "flag", f"signal may be gone: {numbers}"
        return self._say(
            status,
            measured,
            numbers,
            retention=retention,
            background_per_box=background,
            evidence=evidence,
            evidence_limit=self._threshold,
        )

    def _say(self, status: Status, measured: float | None, meaning: str, **values: float) -> Verdict:
        return Verdict(
            guard=self.name,
            status=status,
            measured=measured,
            limit=self.floor,
            meaning=meaning,
            values=values,
        )

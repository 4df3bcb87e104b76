"""The light gauge that the photon and the bleaching guard read: how much of the start's light is left."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamer.core import Result, Status
from streamer.guards.base import waits_for_labels
from streamer.guards.dimmed import SHARES, Dimming, dimmed
from streamer.guards.light import (
    MEMORY,
    Light,
    Tiles,
    light_in,
    light_of,
    remembered,
    start_and_now,
    tiles_lit,
)
from streamer.guards.shared import drawn_tiles, photons_in_halves, photons_in_tiles
from streamer.metrics.robust import MIDDLE, middle, spread

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GaugeState:
    """What the gauge remembers. The baseline is one number per frame, of which the middle is taken.

    Attributes:
        seen: frames so far.
        recent: [tile y, tile x] photons of the frames so far, older ones fading.
        drawn: [baseline frame] tiles that the network drew.
        medians: [baseline frame] median photons of the drawn tiles.
        levels: [baseline frame] photons per bright tile above background.
        lit: [baseline frame] see `Light.lit`.
        faint: [share, tile y, tile x] what `recent` would be of frames with less light, see
            `streamer.guards.dimmed`; empty when the baseline stands.
        faint_levels: [baseline frame, share] levels of the dimmed frames, over those of the frames.
        faint_lit: [baseline frame, share] `lit` of the dimmed frames.
        looks: frames in `lit_start`.
        lit_start, lit_now: `lit` since the baseline; means over the first and the last frames.
    """

    seen: int
    recent: Tiles
    drawn: Floats
    medians: Floats
    levels: Floats
    lit: Floats
    faint: Tiles
    faint_levels: Floats
    faint_lit: Floats
    looks: int
    lit_start: float
    lit_now: float

    @property
    def photons(self) -> float:
        """Photons per foreground box at the start."""
        return middle(self.medians)

    @property
    def level(self) -> float:
        """Photons per bright tile above background at the start."""
        return middle(self.levels)

    @property
    def error(self) -> float:
        """Relative standard error of the start's level, from how much its frames differ."""
        return MIDDLE * float(spread(self.levels)) / self.level / math.sqrt(max(self.levels.size, 1))

    @property
    def dimming(self) -> Dimming:
        """What the choice of bright tiles loses in faint frames."""
        return Dimming(self.faint_levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the gauge says of one frame.

    Attributes:
        light: as it was found; None before the baseline stands.
        status: pass or, where no baseline can be taken, flag.
        measured: median photons of the drawn tiles, of a frame of the baseline.
        words: of frames up to the baseline.
    """

    light: Light | None = None
    status: Status = "pass"
    measured: float | None = None
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """Photons per foreground box above background, in bright tiles that the other half of the pixels chose.

    Baseline: the first frames in which the network drew structure that stands clear of the background. As
    many tiles are called bright as it drew there, scaled as the lit ones have become fewer or more since
    (`tiles_lit`). What faint frames lose by the choice is given back (`streamer.guards.dimmed`).

    Attributes:
        baseline_frames: frames that make the baseline.
        tiles_min: foreground tiles that a baseline frame needs.
        read_noise_e: of the camera, photo-electrons per pixel; 0 for a counting detector.
    """

    baseline_frames: int
    tiles_min: int
    read_noise_e: float

    def start(self) -> GaugeState:
        """Nothing seen yet."""
        return GaugeState(
            seen=0,
            recent=np.zeros((0, 0)),
            drawn=np.zeros(0),
            medians=np.zeros(0),
            levels=np.zeros(0),
            lit=np.zeros(0),
            faint=np.zeros((0, 0, 0)),
            faint_levels=np.zeros((0, len(SHARES))),
            faint_lit=np.zeros((0, len(SHARES))),
            looks=0,
            lit_start=0.0,
            lit_now=0.0,
        )

    def step(self, state: GaugeState, result: Result) -> tuple[GaugeState, Reading]:
        """Read one result, whose values are finite."""
        tiles, before = photons_in_tiles(result), state.recent
        state = replace(state, seen=state.seen + 1, recent=remembered(tiles, before))
        if state.medians.size < self.baseline_frames:
            return self._learn(state, result, before)
        bright = tiles_lit(middle(state.drawn), state.lit_start, state.lit_now, tiles.size)
        light = light_in(result, before, bright, self.read_noise_e)
        if light.stands_clear:
            looks, first, now = start_and_now(state.looks, state.lit_start, state.lit_now, float(light.lit))
            state = replace(state, looks=looks, lit_start=first, lit_now=now)
        return state, Reading(light=light)

    def _learn(self, state: GaugeState, result: Result, before: Tiles) -> tuple[GaugeState, Reading]:
        """Add a frame to the baseline, unless it shows no foreground."""
        frames = self._dimmed(result, state.seen)
        faint = state.faint if state.faint.size else frames.sum(axis=1)
        state = replace(state, faint=remembered(frames.sum(axis=1), faint))
        if state.seen <= MEMORY:
            return state, Reading(words="finding out where it is bright, before the baseline")
        if result.labels_seq is not None:
            return state, Reading(words=waits_for_labels(result))
        foreground = photons_in_tiles(result)[drawn_tiles(result)]
        enough = foreground.size >= self.tiles_min
        light = light_in(result, before, foreground.size, self.read_noise_e) if enough else None
        if light is None or not light.stands_clear:
            return state, Reading(status="flag", words="no foreground yet from which to take a baseline")
        median = float(np.median(foreground))
        state = replace(
            state,
            drawn=np.append(state.drawn, foreground.size),
            medians=np.append(state.medians, median),
            levels=np.append(state.levels, light.level),
            lit=np.append(state.lit, light.lit),
        )
        state = self._learn_faint(state, frames, faint)
        count = f"frame {state.medians.size} of {self.baseline_frames} of the baseline"
        return state, Reading(measured=median, words=f"{median:.3g} photons per foreground box; {count}")

    def _learn_faint(self, state: GaugeState, frames: Tiles, faint: Tiles) -> GaugeState:
        """Add the dimmed frames' levels, in as many tiles as would be called bright in them."""
        drawn, noise = int(state.drawn[-1]), self.read_noise_e
        lights = [light_of(*each, drawn, noise) for each in zip(frames, faint, strict=True)]
        lit = np.vstack([state.faint_lit, [light.lit for light in lights]])
        start = float(state.lit.mean())
        counts = [tiles_lit(drawn, start, now, faint[0].size) for now in lit.mean(axis=0)]
        levels = [
            light_of(halves, before, count, noise).level
            for halves, before, count in zip(frames, faint, counts, strict=True)
        ]
        stands = state.medians.size == self.baseline_frames
        return replace(
            state,
            faint=np.zeros((0, 0, 0)) if stands else state.faint,
            faint_lit=lit,
            faint_levels=np.vstack([state.faint_levels, np.array(levels) / state.levels[-1]]),
        )

    def _dimmed(self, result: Result, seen: int) -> Tiles:
        """[share, 2, tile y, tile x] the frame as if fainter; `seen` is its number in its view."""
        halves, noise = photons_in_halves(result), self.read_noise_e
        return np.stack([dimmed(halves, share, (seen, at), noise) for at, share in enumerate(SHARES)])

"""Light whose future is known, and how often a forecast of it is right; run as a program it prints a table.

What is simulated is not what the forecast assumes: the fast part is a share of the fluorophores, wander is
rough or made of sines, counts are Poisson, and some frames are outliers.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.decay import Forecast, forecast

Floats = NDArray[np.float64]
#: How far ahead it is looked, in lengths of the history.
AHEAD = (0.1, 0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What the light does; `wander` is "", "rough" or "smooth"."""

    name: str
    bleaches: bool = True
    fast: float = 0.0
    wander: str = ""
    outliers: float = 0.0


KINDS = (
    Kind(name="steady"),
    Kind(name="fast at first", fast=0.2),
    Kind(name="rough wander", wander="rough"),
    Kind(name="fast, rough, outliers", fast=0.2, wander="rough", outliers=0.02),
    Kind(name="smooth wander", wander="smooth"),
    Kind(name="no bleaching, smooth", bleaches=False, wander="smooth"),
)


def simulated(kind: Kind, frames: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """[frame] expected photons of six times `frames`, and [frame] what is measured of the first ones."""
    time = np.arange(6 * frames) / frames
    left = rng.uniform(0.3, 0.9) if kind.bleaches else 1.0
    share = (1 - kind.fast) * left**time + kind.fast * np.exp(-time / rng.uniform(0.05, 0.5))
    level = rng.uniform(12, 60) * share * np.exp(_wander(kind.wander, time, frames, rng))
    tiles = rng.integers(30, 300)
    seen = rng.poisson(level[:frames] * tiles) / tiles
    seen[rng.random(frames) < kind.outliers] *= 0.3
    return level, seen


def _wander(wander: str, time: Floats, frames: int, rng: np.random.Generator) -> Floats:
    if wander == "smooth":  # 1-6 %, a twentieth of the history long or longer
        size, period = rng.uniform(0.01, 0.06), rng.uniform(0.05, 0.6)
        waves = [np.sin(2 * np.pi * (time / period / (0.5 + 0.4 * i) + rng.random())) for i in range(4)]
        return np.asarray(np.sum(waves, axis=0) * size / np.sqrt(2))
    found = np.zeros(time.size)
    if wander == "rough":  # Ornstein-Uhlenbeck, 1-5 %, 3-40 % of the history long
        size, memory = rng.uniform(0.01, 0.05), np.exp(-1 / (rng.uniform(0.03, 0.4) * frames))
        steps = rng.standard_normal(time.size) * size * np.sqrt(1 - memory**2)
        last = rng.standard_normal() * size
        for number, step in enumerate(steps):
            last = found[number] = memory * last + step
    return found


def coverage(kind: Kind, frames: int, runs: int) -> tuple[Floats, float]:
    """[ahead] share of runs whose level lies in the band; share whose frames left lie in their interval."""
    inside, in_time = np.zeros((runs, len(AHEAD))), np.zeros(runs)
    for run in range(runs):
        rng = np.random.default_rng((frames, run))
        level, seen = simulated(kind, frames, rng)
        floor = float(level[frames - 1] * rng.uniform(0.3, 0.95))
        found = forecast(np.arange(frames, dtype=float), seen, floor, 5 * frames - 1)
        assert found is not None
        for number, ahead in enumerate(AHEAD):
            at = frames - 1 + round(ahead * frames)
            low, high = (np.interp(at, found.seq, bound) for bound in (found.low, found.high))
            inside[run, number] = low <= level[at] <= high
        in_time[run] = _in_time(found, np.flatnonzero(level[frames - 1 :] < floor))
    return inside.mean(axis=0), float(in_time.mean())


def _in_time(found: Forecast, below: NDArray[np.intp]) -> bool:
    left = below[0] if below.size else np.inf
    low, high = (np.inf if end is None else end for end in (found.frames_left_low, found.frames_left_high))
    return bool(low - 1 <= left <= high + 1)


if __name__ == "__main__":
    for some in (40, 200, 1000):
        for each in KINDS:
            inside, in_time = coverage(each, some, int(sys.argv[1]))
            print(f"{some:5d} frames, {each.name:22s} band {inside.round(2)}, frames left {in_time:.2f}")

"""Fields whose light fades as it is told to, and how right the bleaching guard's forecast of them is.

What is simulated is not what the forecast assumes: the fast part is a share of the fluorophores, wander is
rough or made of sines. Run as a program it prints a table.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamer.core import Frame, Result
from streamer.guards.bleaching import Bleaching
from streamer.guards.shared import BOX

Floats = NDArray[np.float64]
#: Photons per foreground box at the start, and per box of background.
START, BACKGROUND = 28.0, 2.0

BLEACHING = Bleaching(
    floor=8.0,
    baseline_frames=5,
    tiles_min=10,
    refit_frames=20,
    refit_share=0.02,
    rise=0.5,
    area_loss=0.2,
    sharpness_loss=0.2,
    planned_frames=6000,
    interval_s=None,
    read_noise_e=0.0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fading:
    """Light that meets the floor at frame `life`, but for its wander.

    Attributes:
        life: frames.
        fast: share of the dye that bleaches fast.
        wander: "", "rough" (Ornstein-Uhlenbeck) or "smooth" (sines), standard deviation of the logarithm
            0.5-3 %, 0.05-0.5 lives long.
    """

    life: int
    fast: float = 0.0
    wander: str = ""

    def levels(self, frames: int, rng: np.random.Generator) -> Floats:
        """[frame] share of the light at the start."""
        time = np.arange(frames) / self.life
        quick = self.fast * np.exp(-time / rng.uniform(0.03, 0.3))
        slow = (1 - self.fast) * (BLEACHING.floor / START / (1 - self.fast)) ** time  # alone at the end
        return np.asarray((quick + slow) * np.exp(self._wander(time, rng)))

    def _wander(self, time: Floats, rng: np.random.Generator) -> Floats:
        size, lasts = rng.uniform(0.005, 0.03), rng.uniform(0.05, 0.5)
        if self.wander == "smooth":
            waves = [np.sin(2 * np.pi * (time / lasts / (0.5 + 0.4 * i) + rng.random())) for i in range(4)]
            return np.asarray(np.sum(waves, axis=0) * size / np.sqrt(2))
        found = np.zeros(time.size)
        if self.wander == "rough":
            keep = np.exp(-(time[1] - time[0]) / lasts)
            last = rng.standard_normal() * size
            for number, step in enumerate(rng.standard_normal(time.size) * size * np.sqrt(1 - keep**2)):
                last = found[number] = keep * last + step
        return found


KINDS = tuple(
    Fading(life=0, fast=fast, wander=wander) for fast in (0.0, 0.2) for wander in ("", "rough", "smooth")
)


def results(levels: Floats, rng: np.random.Generator, *, tiles: int = 900) -> Iterator[Result]:
    """Frames whose structure, a third of the field, has these shares of its light.

    The photons of a tile stand in one of its pixels: nothing that this is for looks inside, and it is quick.
    """
    side = round(tiles**0.5)
    bright = np.zeros((side, side))
    bright[:, : side // 3] = START - BACKGROUND
    labels = np.repeat(np.repeat(bright > 0, BOX, axis=0), BOX, axis=1).astype(np.uint8)
    for seq, level in enumerate(levels):
        photons = np.zeros(labels.shape, np.float32)
        photons[5::BOX, 5::BOX] = rng.poisson(bright * level + BACKGROUND)
        frame = Frame(pixels=labels, seq=seq)
        yield Result(frame=frame, photons=photons, denoised=photons, labels=labels)


def at_half_life(fading: Fading, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Low end, median and high end of the frames left at half of the life, and how many they are."""
    levels = fading.levels(3 * fading.life, rng)
    half = fading.life // 2
    below = np.flatnonzero(levels[half:] < BLEACHING.floor / START)
    left = float(below[0]) if below.size else np.inf
    guard, last = replace(BLEACHING, planned_frames=10 * fading.life), None
    state = guard.start()
    for result in results(levels[: half + 1], rng):
        state, last = guard.step(state, result)
    assert last is not None
    said = last.values
    names = ("frames_left_low", "frames_left", "frames_left_high")
    low, middle, high = (said.get(name, np.inf) for name in names)
    return low, middle, high, left


if __name__ == "__main__":
    runs, lives = int(sys.argv[1]), map(int, sys.argv[2:])
    for kind in [replace(kind, life=life) for life in lives for kind in KINDS]:
        rngs = [np.random.default_rng((9, kind.life, seed)) for seed in range(runs)]
        low, middle, high, left = np.array([at_half_life(kind, rng) for rng in rngs]).T
        error, inside = np.abs(middle / left - 1), (low - 1 <= left) & (left <= high + 1)
        print(f"{kind}: median error {np.median(error):.3f}, in the interval {inside.mean():.2f}")

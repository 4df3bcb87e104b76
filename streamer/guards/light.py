"""How much light there is: what the photon guard and the bleaching guard measure of a frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.guards.shared import BOX

Tiles = NDArray[np.float64]

#: Share of the tiles that gives the background.
DARKEST = 0.2
#: Frames over which the memory of where it is bright and dark fades; a view's first frames only fill it.
MEMORY = 3
#: Bright tiles stand clear of the background when above it by so many standard errors.
CLEAR = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """One frame's light: counts of bright tiles, background photons per tile, variance of that mean."""

    bright: NDArray[np.float64]
    background: float
    variance: float

    @property
    def level(self) -> float:
        """Photons per bright tile above background."""
        return float(self.bright.mean()) - self.background

    @property
    def error(self) -> float:
        """Standard error of the level by photon counting."""
        return math.sqrt(max(float(self.bright.mean()), 0.0) / self.bright.size + self.variance)

    @property
    def stands_clear(self) -> bool:
        """Whether the bright tiles are above the background by more than chance."""
        return self.level > CLEAR * self.error


def light_of(tiles: Tiles, before: Tiles, bright: int, read_noise_e: float) -> Light:
    """Sort the [tile y, tile x] photons of a frame by how bright the tiles were before.

    Nothing of the frame itself chooses its tiles, so that chance does not choose bright ones.

    Args:
        tiles: photons now.
        before: of the frames before, as `remembered`.
        bright: how many tiles are foreground.
        read_noise_e: of the camera, per pixel.
    """
    dark = tiles[before <= np.quantile(before, DARKEST)]
    background = max(float(dark.mean()), 0.0)
    return Light(
        bright=tiles[before >= np.partition(before, -bright, axis=None)[-bright]],
        background=background,
        variance=(background + (BOX * read_noise_e) ** 2) / dark.size,
    )


def remembered(tiles: Tiles, before: Tiles) -> Tiles:
    """The frames so far, older ones fading, with one more; `before` is empty at the start."""
    return before + (tiles - before) / MEMORY if before.size else tiles

"""How much light there is: what the photon guard and the bleaching guard measure of a frame."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from streamer.core import Result
from streamer.guards.shared import BOX, photons_in_halves

Tiles = NDArray[np.float64]

#: Share of the tiles that gives the background.
DARKEST = 0.2
#: Frames over which the memory of where it is bright and dark fades; a view's first frames only fill it.
MEMORY = 3
#: Bright tiles stand clear of the background when above it by so many standard errors.
CLEAR = 5.0
#: Frames over which the look of the light is averaged, at the start and now.
SHAPE_FRAMES = 10
#: How far the number of bright tiles follows structure that leaves and comes; where less than the first share
#: is left, what is gone counts as lost light.
LIT_LEAST, LIT_MOST = 0.25, 4.0
#: Steps in which the brightness of what is lit is found; it hardly changes after four.
_STEPS = 5

#: A mean over frames: a number or an array.
Mean = TypeVar("Mean", float, NDArray[np.float64])


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """The light in one half of the pixels, in tiles that the other half chose.

    Attributes:
        tiles: how many are bright.
        photons: counted in them.
        background: photons per tile.
        variance: of the background, which is a mean.
    """

    tiles: int
    photons: float
    background: float
    variance: float

    @property
    def level(self) -> float:
        """Photons per bright tile above background."""
        return self.photons / self.tiles - self.background

    @property
    def error_squared(self) -> float:
        """Variance of the level by photon counting."""
        return max(self.photons, 0.0) / self.tiles**2 + self.variance


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """One frame's light.

    Attributes:
        halves: of its pixels, like the colours of a chessboard.
        lit: tiles that are at least half as bright as the median of these, see `_lit`.
    """

    halves: tuple[Half, Half]
    lit: int

    @property
    def level(self) -> float:
        """Photons per bright tile above background."""
        return sum(half.level for half in self.halves)

    @property
    def background(self) -> float:
        """Photons per tile."""
        return sum(half.background for half in self.halves)

    @property
    def error(self) -> float:
        """Standard error of the level by photon counting."""
        return math.sqrt(sum(half.error_squared for half in self.halves))

    @property
    def stands_clear(self) -> bool:
        """Whether the bright tiles are above the background by more than chance."""
        return self.level > CLEAR * self.error


def light_of(halves: Tiles, before: Tiles, bright: int, read_noise_e: float) -> Light:
    """Sort the tiles of a frame by how bright they are, and were before.

    What one half of the pixels, with the frames before, says is bright or dark is measured in the other half,
    so that chance does not choose bright tiles, and structure may move by any distance from frame to frame.

    Args:
        halves: [2, tile y, tile x] photons now in the two halves of the pixels.
        before: [tile y, tile x] photons of the frames before, as `remembered`.
        bright: how many tiles are foreground.
        read_noise_e: of the camera, per pixel.
    """
    sides = (
        _half(halves[0], 2.0 * halves[1] + before, bright, read_noise_e),
        _half(halves[1], 2.0 * halves[0] + before, bright, read_noise_e),
    )
    # The frames before are as bright as this one, by and large, and so is their background.
    background = 2.0 * sum(side.background for side in sides)
    return Light(halves=sides, lit=_lit(halves.sum(axis=0) + before - background, bright))


class _Newest:
    """The light of the newest result: the photon guard and the bleaching guard ask for the same."""

    def __init__(self) -> None:
        self._newest: tuple[Callable[[], Result | None], Tiles, tuple[int, float], Light] | None = None

    def __call__(self, result: Result, before: Tiles, bright: int, read_noise_e: float) -> Light:
        """`light_of` a result; the arguments are those of it."""
        newest, asked = self._newest, (bright, read_noise_e)
        if newest is not None:
            of, memory, others, light = newest
            if of() is result and asked == others and np.array_equal(before, memory):
                return light
        light = light_of(photons_in_halves(result), before, bright, read_noise_e)
        self._newest = weakref.ref(result), before, asked, light
        return light


light_in = _Newest()


def _half(tiles: Tiles, chosen_by: Tiles, bright: int, read_noise_e: float) -> Half:
    rising = np.sort(chosen_by, axis=None)
    dark = tiles[chosen_by <= rising[int(DARKEST * (rising.size - 1))]]
    background = max(float(dark.mean()), 0.0)
    brightest = tiles[chosen_by >= rising[-bright]]
    return Half(
        tiles=brightest.size,
        photons=float(brightest.sum()),
        background=background,
        variance=(background + 0.5 * (BOX * read_noise_e) ** 2) / dark.size,
    )


def _lit(above: Tiles, bright: int) -> int:
    """Tiles brighter than half of L, where L is the median of just these: the same for any brightness.

    L is looked for from above, from the median of the brightest half of `bright` tiles. Noise lifts empty
    tiles above half of L as often as it takes them as far below zero: as many as lie there are not counted.

    Args:
        above: [tile y, tile x] photons above the background, which other photons must have told.
        bright: how many tiles are foreground.
    """
    rising = np.sort(above, axis=None)
    found = min(max(bright // 2, 1), rising.size)
    for _ in range(_STEPS):
        half = float(np.median(rising[-found:])) / 2
        over = rising.size - int(np.searchsorted(rising, half))
        found = max(over - int(np.searchsorted(rising, -abs(half), side="right")), 1)
    return found


def tiles_lit(drawn: float, start: float, now: float, of: int) -> int:
    """How many tiles are to be called bright: as many as were drawn, scaled as the lit ones have become more.

    Without it, structure that wanders out of view would look like light that fades. The scale comes from
    frames before, so that chance does not choose.

    Args:
        drawn: tiles that the network drew at the start.
        start, now: `Light.lit` at the start and now.
        of: tiles of a frame.
    """
    share = now / start if start > 0 else 1.0
    return min(max(round(drawn * min(max(share, LIT_LEAST), LIT_MOST)), 1), of)


def remembered(tiles: Tiles, before: Tiles) -> Tiles:
    """The frames so far, older ones fading, with one more; `before` is empty at the start."""
    return before + (tiles - before) / MEMORY if before.size else tiles


def start_and_now(frames: int, start: Mean, now: Mean, newest: Mean) -> tuple[int, Mean, Mean]:
    """Number of frames, and means over the first and the last `SHAPE_FRAMES` of them, with one frame more."""
    count = min(frames + 1, SHAPE_FRAMES)
    now = now + (newest - now) / count
    return count, now if frames < SHAPE_FRAMES else start, now

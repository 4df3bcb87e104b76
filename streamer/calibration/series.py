"""Level and noise of every pixel over a series of frames that are looked at once and not kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.errors import SourceError

Floats = NDArray[np.float64]
Grey = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """What is left of a series of frames of the same scene.

    Attributes:
        name: of the series, for whoever is told about it.
        frames: how many there were.
        level: [y, x] mean; grey levels, of a flat series above the dark ones and in the first frame's light.
        variance: [y, x] from frame to frame, n - 1 in the denominator; grey levels squared.
        highest: [y, x] highest grey level.
        blackest: share of all values that are 0.
        means: [frame] mean grey level of each frame, above the dark one for a flat series.
        repeats: frames that are the same as the one before, to the last pixel.
        neighbours: correlation of the noise of adjacent pixels, the larger of both directions.
    """

    name: str
    frames: int
    level: Floats
    variance: Floats
    highest: NDArray[np.int32]
    blackest: float
    means: Floats
    repeats: int
    neighbours: float

    @property
    def light(self) -> Floats:
        """[frame] brightness of each frame over that of the first."""
        return np.asarray(self.means / self.means[0])


def look_through(name: str, frames: Iterable[Grey], dark: Floats | None = None) -> Series:
    """One pass over a series.

    Args:
        name: of the series, for errors.
        frames: [y, x] grey levels, all of one size.
        dark: [y, x] grey level of no light. With it each frame is divided by its own brightness relative to
            the first one, so that a lamp that flickers or fades does not count as noise of the pixels.

    Raises:
        SourceError: fewer than two frames, another size than the first's, values that are not finite, or a
            frame of a flat series without light.
    """
    sums = _Sums(name, dark)
    for pixels in frames:
        sums.add(pixels)
    return sums.series()


class _Sums:
    """Running sums over the frames; differences to the first one keep them small."""

    def __init__(self, name: str, dark: Floats | None) -> None:
        self._name, self._dark = name, dark
        self._frames = self._repeats = self._black = 0
        self._means: list[float] = []
        self._products = np.zeros(2)  # of adjacent pixels, along y and along x
        self._before: Grey  # from here on all [y, x], and made by the first frame
        self._highest: NDArray[np.int32]
        self._first: Floats
        self._sum: Floats
        self._squares: Floats

    def add(self, pixels: Grey) -> None:
        """Take the next frame in."""
        if not self._frames:
            self._begin(pixels)
        elif pixels.shape != self._before.shape:
            raise SourceError(
                f"{self._name}: frame {self._frames} has {_size(pixels)} pixels, the first "
                f"{_size(self._before)}; give frames of one camera mode"
            )
        self._repeats += bool(self._frames) and bool(np.array_equal(pixels, self._before))
        self._before = pixels
        apart = self._in_the_same_light(pixels) - self._first
        self._sum += apart
        self._squares += apart**2
        self._products += [np.vdot(apart[1:], apart[:-1]), np.vdot(apart[:, 1:], apart[:, :-1])]
        np.maximum(self._highest, pixels, out=self._highest, casting="unsafe")
        self._black += int(np.count_nonzero(pixels == 0))
        self._frames += 1

    def _begin(self, pixels: Grey) -> None:
        self._before = pixels
        self._highest = np.full(pixels.shape, np.iinfo(np.int32).min, np.int32)
        self._sum, self._squares = np.zeros(pixels.shape), np.zeros(pixels.shape)
        self._first = np.asarray(pixels - (0.0 if self._dark is None else self._dark), np.float64)

    def _in_the_same_light(self, pixels: Grey) -> Floats:
        """[y, x] grey levels, of a flat series above the dark and as bright as in the first frame."""
        above = pixels - (0.0 if self._dark is None else self._dark)
        mean = float(above.mean())
        if not np.isfinite(mean):
            raise SourceError(f"{self._name}: frame {self._frames} holds values that are not finite")
        self._means.append(mean)
        if self._dark is None:
            return np.asarray(above, np.float64)
        if mean <= 0:
            raise SourceError(
                f"{self._name}: frame {self._frames} is {-mean:.3g} grey levels darker than the dark series "
                "on average; was the lamp off, or are flat and dark the wrong way round?"
            )
        return np.asarray(above * (self._means[0] / mean), np.float64)

    def series(self) -> Series:
        """What was found."""
        count = self._frames
        if count < 2:
            raise SourceError(
                f"{self._name}: {count} frame{'s' * (count != 1)}; noise shows from frame to frame, "
                "record 100 or more (at least 2)"
            )
        mean = self._sum / count
        spread = np.maximum(self._squares - self._sum * mean, 0.0)
        moved = [np.vdot(mean[1:], mean[:-1]), np.vdot(mean[:, 1:], mean[:, :-1])]
        total = float(spread.sum())
        along = (self._products - count * np.array(moved)) / total if total else np.zeros(2)
        level = self._first + mean
        variance = spread / (count - 1)
        if self._dark is not None:  # a pixel has a part in the light by which it was divided
            variance /= 1.0 - level / level.sum()
        return Series(
            name=self._name,
            frames=count,
            level=level,
            variance=variance,
            highest=self._highest,
            blackest=self._black / (count * mean.size),
            means=np.array(self._means),
            repeats=self._repeats,
            neighbours=float(along[np.abs(along).argmax()]),
        )


def _size(pixels: NDArray[np.generic]) -> str:
    return f"{pixels.shape[0]} x {pixels.shape[1]}"

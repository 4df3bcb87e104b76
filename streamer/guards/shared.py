"""What several guards ask of the same result, computed once: they judge it one after the other."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from streamer.core import Result
from streamer.metrics import all_finite, box_sum, foreground_tiles, tile_halves, tile_sums

#: Side of the boxes in which photons are summed, pixels.
BOX = 10

Measured = TypeVar("Measured")


class once(Generic[Measured]):  # noqa: N801 - it decorates functions
    """A function of a result, remembered for the newest one.

    The arrays that it returns are locked, since all who ask get the same. Two threads that judge two results
    only lose what they would have saved.
    """

    def __init__(self, measure: Callable[[Result], Measured]) -> None:
        self._measure = measure
        self._newest: tuple[Callable[[], Result | None], Measured] | None = None
        self.__doc__ = measure.__doc__

    def __call__(self, result: Result) -> Measured:
        newest = self._newest
        if newest is not None and newest[0]() is result:
            return newest[1]
        measured = self._measure(result)
        if isinstance(measured, np.ndarray):
            measured.setflags(write=False)
        self._newest = weakref.ref(result), measured
        return measured


@once
def photons_are_finite(result: Result) -> bool:
    """Whether the photons hold no value that is not a number or not finite."""
    return all_finite(result.photons)


@once
def is_finite(result: Result) -> bool:
    """Whether neither photons nor prediction hold a value that is not a number or not finite."""
    return photons_are_finite(result) and all_finite(result.denoised)


@once
def halves_are_finite(result: Result) -> bool:
    """The same of the halves of the photons and their predictions; true where there are none."""
    halves = result.halves
    if halves is None:
        return True
    return all(
        all_finite(image)
        for image in (halves.photons_a, halves.photons_b, halves.denoised_a, halves.denoised_b)
    )


@once
def photons_in_tiles(result: Result) -> NDArray[np.float64]:
    """[tile y, tile x] photons counted in the boxes of `BOX` x `BOX` pixels side by side."""
    return np.asarray(photons_in_halves(result).sum(axis=0))


@once
def photons_in_halves(result: Result) -> NDArray[np.float64]:
    """[2, tile y, tile x] the same, in the black and in the white pixels of a chessboard."""
    return tile_halves(result.photons, BOX)


@once
def photons_in_boxes(result: Result) -> NDArray[np.float32]:
    """[y, x] photons counted in the box of `BOX` x `BOX` pixels around every pixel."""
    return box_sum(result.photons, BOX)


@once
def predicted_in_tiles(result: Result) -> NDArray[np.float64]:
    """[tile y, tile x] photons expected in the same boxes."""
    return tile_sums(result.denoised, BOX)


@once
def drawn_tiles(result: Result) -> NDArray[np.bool_]:
    """[tile y, tile x] whether the segmenter drew at least half of a box."""
    return foreground_tiles(result.labels, BOX)

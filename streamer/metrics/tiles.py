"""Sums over tiles, and whether an image is finite: what every guard asks of every frame, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.compiled import compiled, plain

#: Bits of a float32's exponent: all set in what is infinite or not a number.
_EXPONENT = 0x7F80_0000


def all_finite(image: NDArray[np.float32]) -> bool:
    """Whether no value of a [y, x] image is infinite or not a number."""
    return not _bad(plain(image).view(np.int32).ravel())


def tile_sums(values: NDArray[Any], size: int = 10) -> NDArray[np.float64]:
    """Sums of the non-overlapping `size` x `size` tiles, [tile y, tile x]; what fills no tile is left out.

    Takes [y, x] numbers or truth values of any type; sums run in float64, so whole counts stay whole.
    """
    return _sums(np.require(values, requirements=["C", "W"]), size)


def tile_halves(values: NDArray[Any], size: int = 10) -> NDArray[np.float64]:
    """Sums of the same tiles over the two colours of a chessboard, [2, tile y, tile x].

    Photons of different pixels are independent, so what is chosen by one half can be measured in the other
    without bias, and structure that the pixels sample looks alike in both.
    """
    return _halves(np.require(values, requirements=["C", "W"]), size)


def foreground_tiles(labels: NDArray[np.uint8], size: int = 10) -> NDArray[np.bool_]:
    """[tile y, tile x] tiles of which at least half the pixels are labelled."""
    return 2 * _drawn(np.require(labels, np.uint8, ["C", "W"]), size) >= size * size


@compiled
def _bad(bits: NDArray[np.int32]) -> bool:
    found = 0
    for i in range(bits.size):
        found += (bits[i] & _EXPONENT) == _EXPONENT
    return found > 0


@compiled
def _sums(values: NDArray[Any], size: int) -> NDArray[np.float64]:
    rows, columns = values.shape[0] // size, values.shape[1] // size
    out = np.zeros((rows, columns))
    sums = np.zeros(columns * size)
    for tile in range(rows):
        sums[:] = 0.0
        for y in range(tile * size, (tile + 1) * size):
            row = values[y]
            for x in range(sums.size):
                sums[x] += row[x]
        for column in range(columns):
            total = 0.0
            for x in range(column * size, (column + 1) * size):
                total += sums[x]
            out[tile, column] = total
    return out


@compiled
def _halves(values: NDArray[Any], size: int) -> NDArray[np.float64]:
    rows, columns = values.shape[0] // size, values.shape[1] // size
    out = np.zeros((2, rows, columns))
    sums = np.zeros((2, columns * size))
    for tile in range(rows):
        sums[:] = 0.0
        for y in range(tile * size, (tile + 1) * size):
            row, parity = values[y], sums[y % 2]
            for x in range(parity.size):
                parity[x] += row[x]
        for column in range(columns):
            for x in range(column * size, (column + 1) * size):
                out[x % 2, tile, column] += sums[0, x]
                out[1 - x % 2, tile, column] += sums[1, x]
    return out


@compiled
def _drawn(labels: NDArray[np.uint8], size: int) -> NDArray[np.int64]:
    rows, columns = labels.shape[0] // size, labels.shape[1] // size
    out = np.zeros((rows, columns), np.int64)
    sums = np.zeros(columns * size, np.int32)
    for tile in range(rows):
        sums[:] = 0
        for y in range(tile * size, (tile + 1) * size):
            row = labels[y]
            for x in range(sums.size):
                sums[x] += row[x] != 0
        for column in range(columns):
            total = 0
            for x in range(column * size, (column + 1) * size):
                total += sums[x]
            out[tile, column] = total
    return out

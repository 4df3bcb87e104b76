"""Photon sums in the square box around every pixel, and what they say about where there is signal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.compiled import compiled, plain

#: Classes of the signal map.
BACKGROUND, UNCERTAIN, SIGNAL = 0, 1, 2


def box_sum(photons: NDArray[np.float32], size: int = 10) -> NDArray[np.float32]:
    """Sum of the `size` x `size` box around every pixel, reflected at the borders.

    Takes and returns [y, x] photons. The box of pixel i covers i - size // 2 up to, not including,
    i - size // 2 + size, and the border is mirrored with its edge pixel repeated (SciPy's "reflect").
    Sums run in float64, so whole counts stay whole.
    """
    rows, columns = (_mirror(length, size) for length in photons.shape)
    return _box_sum(plain(photons), rows, columns, size)


def signal_map(
    photons: NDArray[np.float32], background_max: float = 5, signal_min: float = 25
) -> NDArray[np.uint8]:
    """[y, x] classes of the 10 x 10 box sums: background, uncertain, signal (Rahm et al., Methods).

    Sums up to `background_max` are background, sums above `signal_min` are signal, between is uncertain.
    """
    return _classify(box_sum(photons), background_max, signal_min)


def _mirror(length: int, size: int) -> NDArray[np.intp]:
    """For each padded position the pixel that it mirrors; correct for images smaller than the box, too."""
    before = size // 2
    return np.pad(np.arange(length), (before, size - 1 - before), mode="symmetric")


@compiled
def _box_sum(
    photons: NDArray[np.float32], rows: NDArray[np.intp], columns: NDArray[np.intp], size: int
) -> NDArray[np.float32]:
    height, width = photons.shape
    out = np.empty((height, width), np.float32)
    column_sums = np.zeros(width)  # of the rows now under the box
    for k in range(size - 1):
        for x in range(width):
            column_sums[x] += photons[rows[k], x]
    for y in range(height):
        entering, leaving = rows[y + size - 1], rows[y]
        for x in range(width):
            column_sums[x] += photons[entering, x]
        total = 0.0
        for k in range(size - 1):
            total += column_sums[columns[k]]
        for x in range(width):
            total += column_sums[columns[x + size - 1]]
            out[y, x] = total
            total -= column_sums[columns[x]]
        for x in range(width):
            column_sums[x] -= photons[leaving, x]
    return out


@compiled
def _classify(sums: NDArray[np.float32], background_max: float, signal_min: float) -> NDArray[np.uint8]:
    out = np.empty(sums.shape, np.uint8)
    for y in range(sums.shape[0]):
        for x in range(sums.shape[1]):
            out[y, x] = (sums[y, x] > background_max) + (sums[y, x] > signal_min)
    return out

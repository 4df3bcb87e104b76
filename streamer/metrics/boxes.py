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
    rows, columns = (mirrored(length, size) for length in photons.shape)
    return _box_sum(plain(photons), rows, columns, size)


def signal_map(
    photons: NDArray[np.float32], background_max: float = 5, signal_min: float = 25
) -> NDArray[np.uint8]:
    """[y, x] classes of the 10 x 10 box sums: background, uncertain, signal (Rahm et al., Methods).

    Sums up to `background_max` are background, sums above `signal_min` are signal, between is uncertain.
    """
    return _classify(box_sum(photons), background_max, signal_min)


def uncertain_and_signal(
    sums: NDArray[np.float32], background_max: float, signal_min: float
) -> tuple[float, float]:
    """Shares of a field of [y, x] box sums that `signal_map` would call uncertain and signal."""
    lit, signal = _count_above(sums, background_max, signal_min)
    return (lit - signal) / max(sums.size, 1), signal / max(sums.size, 1)


def mirrored(length: int, size: int) -> NDArray[np.intp]:
    """For each padded position the pixel that it mirrors; correct for images smaller than the box, too."""
    before = size // 2
    return np.pad(np.arange(length), (before, size - 1 - before), mode="symmetric")


@compiled
def mirror_ends(sums: NDArray[np.float64], columns: NDArray[np.intp], before: int, width: int) -> None:
    """Fill the ends of one padded row, `before` positions in front of `width` pixels and those behind."""
    for x in range(before):
        sums[x] = sums[before + columns[x]]
    for x in range(before + width, sums.size):
        sums[x] = sums[before + columns[x]]


@compiled
def _box_sum(
    photons: NDArray[np.float32], rows: NDArray[np.intp], columns: NDArray[np.intp], size: int
) -> NDArray[np.float32]:
    height, width = photons.shape
    out = np.empty((height, width), np.float32)
    column_sums = np.zeros(columns.size)  # of the rows now under the box
    here = column_sums[size // 2 : size // 2 + width]
    totals, nothing = np.empty(width), np.zeros(width, np.float32)
    for row in range(rows.size):
        entering = photons[rows[row]]
        leaving = photons[rows[row - size]] if row >= size else nothing
        for x in range(width):
            here[x] += np.float64(entering[x]) - np.float64(leaving[x])
        y = row - size + 1
        if y >= 0:
            mirror_ends(column_sums, columns, size // 2, width)
            _window_sums(column_sums, size, totals)
            line = out[y]
            for x in range(width):
                line[x] = totals[x]
    return out


@compiled
def _window_sums(values: NDArray[np.float64], size: int, totals: NDArray[np.float64]) -> None:
    """Sums of `size` neighbours.

    A running sum would be fewer additions, but one after the other; these are vectorised.
    """
    totals[:] = 0.0
    if size % 2:
        totals[:] = values[size - 1 :]
    for k in range(0, size - 1, 2):
        one, two = values[k:], values[k + 1 :]
        for x in range(totals.size):
            totals[x] += one[x] + two[x]


@compiled
def _classify(sums: NDArray[np.float32], background_max: float, signal_min: float) -> NDArray[np.uint8]:
    out = np.empty(sums.shape, np.uint8)
    for y in range(sums.shape[0]):
        for x in range(sums.shape[1]):
            out[y, x] = (sums[y, x] > background_max) + (sums[y, x] > signal_min)
    return out


@compiled
def _count_above(sums: NDArray[np.float32], low: float, high: float) -> tuple[int, int]:
    """How many are above `low`, and above `high`."""
    above_low, above_high = 0, 0
    for y in range(sums.shape[0]):
        row = sums[y]
        for x in range(row.size):
            above_low += row[x] > low
            above_high += row[x] > high
    return above_low, above_high

"""How fine the structure of an image of few photons is, whatever its brightness and background."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.compiled import compiled
from streamer.metrics.drift import thumbnail

#: Side of the bins that are compared, and of the border that has not all partners, in bins.
BIN, FAR = 2, 7
#: Structure stands clear of noise when its correlation is so many standard errors.
CLEAR = 4.0


class Sharpness(NamedTuple):
    """How much of the correlation of near pixels is gone half-way to far ones, and its standard error."""

    value: float
    error: float


def sharpness(photons: NDArray[np.float32]) -> Sharpness | None:
    """Share of a [y, x] image's correlation that is lost half-way; None where noise hides it.

    With C(d) the mean product of bins of 2 x 2 pixels that lie d pixels apart, averaged over directions, it
    is (C(2-3) - C(6)) / (C(2-3) - C(14)). The noise of two bins is independent, so that neither photon
    counting nor read noise has a part in C, and a pedestal cancels in the differences: it is a ratio of the
    power at high spatial frequencies to that at middle and high ones, free of shot noise without correction.
    Brightness cancels in the ratio, and blur lowers it. The standard error takes bins as independent with the
    image's own variance.
    """
    if min(photons.shape) <= 2 * BIN * FAR:
        return None
    near, half, far, mean, square = _products(thumbnail(photons, BIN))
    rows, columns = (length // BIN for length in photons.shape)
    bins = (rows - FAR) * (columns - 2 * FAR)
    # Standard error of the mean product in one direction; near and far are means of four, half-way is one of
    # eight.
    of_pair = max(square - mean**2, 0.0) / math.sqrt(bins)
    whole = near - far
    if whole <= CLEAR * of_pair * math.sqrt(0.5):
        return None
    value = (near - half) / whole
    return Sharpness(value, of_pair * math.sqrt(max(0.375 - 0.5 * value + 0.5 * value**2, 0.0)) / whole)


@compiled
def _products(bins: NDArray[np.float32]) -> tuple[float, float, float, float, float]:
    """Mean products of near, half-way and far bins, mean, and mean square."""
    height, width = bins.shape[0] - 7, bins.shape[1] - 14
    sums = np.zeros((5, width))  # by column
    near, half, far, total, square = sums[0], sums[1], sums[2], sums[3], sums[4]
    for y in range(height):
        b0, b1, b2, b3 = bins[y, 7:], bins[y + 1, 7:], bins[y + 2, 7:], bins[y + 3, 7:]
        b5, b7 = bins[y + 5, 7:], bins[y + 7, 7:]
        # Seen from the left neighbour, and so on: the same rows, shifted.
        b1l, b1l3, b2l2 = bins[y + 1, 6:], bins[y + 1, 4:], bins[y + 2, 5:]
        b3l, b5l5 = bins[y + 3, 6:], bins[y + 5, 2:]
        for x in range(width):
            value = b0[x]
            near[x] += value * (b0[x + 1] + b1[x] + b1[x + 1] + b1l[x])
            one = b0[x + 3] + b3[x] + b2[x + 2] + b2l2[x]
            two = b1[x + 3] + b3[x + 1] + b1l3[x] + b3l[x]
            half[x] += value * (one + two)
            far[x] += value * (b0[x + 7] + b7[x] + b5[x + 5] + b5l5[x])
            total[x] += value
            square[x] += value * value
    pixels = height * width
    return (
        near.sum() / (4 * pixels),
        half.sum() / (8 * pixels),
        far.sum() / (4 * pixels),
        total.sum() / pixels,
        square.sum() / pixels,
    )

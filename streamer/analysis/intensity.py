"""Whether predicted photons can be read as photons, and whether stated errors hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.metrics import foreground_tiles, tile_sums

Image = NDArray[np.float32]
#: Half width of a 90 % interval in standard deviations.
NINETY_PERCENT = 1.645


def intensity_sums(prediction: Image, truth: Image, labels: NDArray[np.uint8]) -> tuple[float, ...]:
    """Sums (1, x, y, xx, xy, yy) over foreground boxes of 10x10: x predicted, y true photons.

    The truth is regressed on the prediction, which asks for calibration: of all boxes in which so many
    photons are predicted, do so many come in the mean? The other slope is below 1 for every good estimator.
    """
    foreground = foreground_tiles(labels)
    x, y = tile_sums(prediction)[foreground], tile_sums(truth)[foreground]
    return (float(x.size), *(float(total.sum()) for total in (x, y, x * x, x * y, y * y)))


def covered(
    prediction: Image, deviation: Image, truth: Image, chosen: NDArray[np.bool_]
) -> tuple[float, float]:
    """Of the `chosen` pixels: in how many prediction +- 1.645 deviation holds the truth, and their number."""
    within = np.abs(prediction - truth) <= NINETY_PERCENT * deviation
    return float(np.count_nonzero(within & chosen)), float(np.count_nonzero(chosen))

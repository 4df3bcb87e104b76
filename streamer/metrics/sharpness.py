"""How sharp an image of few photons is, blind to how bright it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.compiled import compiled, plain

#: Pixels between far neighbours, beyond one resolution length of a sampled image; near ones are 1 or 2 apart.
FAR = 8
#: Rows that are enough, evenly spread over the image.
ROWS_ENOUGH = 300


def neighbour_products(photons: NDArray[np.float32]) -> tuple[float, float, float]:
    """Means of p(x) p(x + d) of a [y, x] image for near and for far d, rows and columns alike; and of p.

    The noise of two pixels is independent, so that neither photon counting nor read noise adds to a product
    of different pixels: these are unbiased for the products of what is expected there. nan where the image
    is too small. Of images with more than `ROWS_ENOUGH` rows every n-th is taken.
    """
    if min(photons.shape) <= FAR:
        return float("nan"), float("nan"), float("nan")
    near, far, total = _products(plain(photons), max(1, photons.shape[0] // ROWS_ENOUGH))
    return near, far, total


@compiled
def _products(photons: NDArray[np.float32], stride: int) -> tuple[float, float, float]:
    height, width = photons.shape
    near = 0.0
    far = 0.0
    total = 0.0
    rows = 0
    for y in range(0, height - FAR, stride):
        rows += 1
        here, below, under, beyond = photons[y], photons[y + 1], photons[y + 2], photons[y + FAR]
        for x in range(width - FAR):
            value = here[x]
            total += value
            if value != 0:  # most pixels of a low dose are empty
                near += value * (here[x + 1] + here[x + 2] + below[x] + under[x])
                far += value * (here[x + FAR] + beyond[x])
    pixels = rows * (width - FAR)
    return near / (4 * pixels), far / (2 * pixels), total / pixels

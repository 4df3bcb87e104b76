"""Whether an image is as noisy as its photons make it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.compiled import compiled, plain

#: Sum of the squared weights of the Laplacian difference below.
GAIN = 36.0


def noise_ratio(photons: NDArray[np.float32], read_noise_e: float = 0.0) -> float:
    """Pixel-to-pixel noise variance of a [y, x] image over the variance that photon counting gives it.

    The noise is what the mask [[1, -2, 1], [-2, 4, -2], [1, -2, 1]] leaves, which is blind to planes and
    ridges along the axes (Immerkaer 1996). True counts of a sampled, blurred specimen give 1; grey levels
    that were scaled, compressed or smoothed do not. nan where there is no light.
    """
    squares, total, pixels = _laplacian_squares(plain(photons))
    if total <= 0:
        return float("nan")
    return (squares / GAIN - pixels * read_noise_e**2) / total


@compiled
def _laplacian_squares(photons: NDArray[np.float32]) -> tuple[float, float, int]:
    """Sum of squared mask responses, sum of the photons at their centres, and their number."""
    height, width = photons.shape
    squares = 0.0
    total = 0.0
    for y in range(1, height - 1):
        above, here, below = photons[y - 1], photons[y], photons[y + 1]
        for x in range(1, width - 1):
            centre = 2.0 * here[x] - above[x] - below[x]
            left = 2.0 * here[x - 1] - above[x - 1] - below[x - 1]
            right = 2.0 * here[x + 1] - above[x + 1] - below[x + 1]
            response = 2.0 * centre - left - right
            squares += response * response
            total += here[x]
    return squares, total, max(height - 2, 0) * max(width - 2, 0)

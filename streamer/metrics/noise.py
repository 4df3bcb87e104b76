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
    """Sum of squared mask responses, sum of the photons at their centres, and their number.

    The mask is [-1, 2, -1] along y, then along x.
    """
    height, width = photons.shape
    inner = max(width - 2, 0)
    squares, totals = np.zeros(inner), np.zeros(inner)  # by column, which is vectorised
    bent = np.empty(width)
    middle, right = bent[1:], bent[2:]
    for y in range(1, height - 1):
        above, here, below = photons[y - 1], photons[y], photons[y + 1]
        for x in range(width):
            bent[x] = 2.0 * here[x] - above[x] - below[x]
        centre = here[1:]
        for x in range(inner):
            response = 2.0 * middle[x] - bent[x] - right[x]
            squares[x] += response * response
            totals[x] += centre[x]
    return squares.sum(), totals.sum(), max(height - 2, 0) * inner

"""How far photon counts lie from what was predicted for them, in tiles and against Poisson noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.compiled import compiled, plain

Floats = NDArray[np.float64]


def score_sums(
    photons: NDArray[np.float32], predicted: NDArray[np.float32], background: Floats, size: int
) -> Floats:
    """[5, tile y, tile x] sums from which the score test of "the drawn structure is there" is made.

    Each pixel weighs w = p / (p + b), its share of predicted structure: the derivative of the logarithm of
    the Poisson likelihood of counts n with expectation a p + b by the amplitude a, at a = 1 (Rao's score).

    Args:
        photons: [y, x] counts n.
        predicted: [y, x] photons p of the structure.
        background: [tile y, tile x] photons b per pixel besides, above 0.
        size: side of a tile, pixels.

    Returns:
        Sums of w n, w (p + b), w^2 (p + b), w, and w^2.
    """
    return _score_sums(plain(photons), plain(predicted), np.ascontiguousarray(background), size)


def poisson_residual(counted: Floats, expected: Floats, dispersion: Floats) -> Floats:
    """Signed root of the Poisson deviance: close to standard normal, in the tails, too, for few photons.

    McCullagh and Nelder, Generalized Linear Models (1989), section 2.4.2. Counts are moved half a photon
    towards what is expected (continuity correction), since otherwise e^-m, the chance of no photon where m
    are expected, is missed by a factor of sqrt(4 pi m). `dispersion` is the variance over that of counting.
    """
    moved = np.where(counted > expected, np.maximum(counted - 0.5, expected), counted + 0.5)
    moved = np.where(counted > expected, moved, np.minimum(moved, expected))
    moved = np.maximum(moved, 0.0)
    ratio = np.divide(moved, expected, out=np.ones_like(moved), where=(moved > 0) & (expected > 0))
    deviance = 2.0 * np.maximum(moved * np.log(ratio) - (moved - expected), 0.0)
    return np.asarray(np.sign(moved - expected) * np.sqrt(deviance / dispersion))


@compiled
def _fold(columns: Floats, out: Floats, size: int) -> None:
    """Add the sums of columns up to sums of tiles."""
    out[:] = 0.0
    for k in range(size):  # side by side: one tile alone would wait for each addition
        for tile in range(out.size):
            out[tile] += columns[tile * size + k]


@compiled
def _score_sums(
    photons: NDArray[np.float32], predicted: NDArray[np.float32], background: Floats, size: int
) -> Floats:
    rows, columns = background.shape
    out = np.zeros((5, rows, columns))
    width = columns * size
    sums = np.zeros((5, width), np.float32)  # of the ten or so rows of a tile
    level = np.zeros(width, np.float32)
    wn, wm, wwm, w1, ww = sums[0], sums[1], sums[2], sums[3], sums[4]
    wide = np.zeros(width)
    for tile in range(rows):
        for column in range(columns):
            level[column * size : (column + 1) * size] = background[tile, column]
        sums[:] = 0.0
        for y in range(tile * size, (tile + 1) * size):
            n, p = photons[y], predicted[y]
            for x in range(width):
                drawn = max(p[x], np.float32(0.0))
                weight = drawn / (drawn + level[x])
                wn[x] += weight * n[x]
                wm[x] += drawn  # weight times expected
                wwm[x] += weight * drawn
                w1[x] += weight
                ww[x] += weight * weight
        for k in range(5):
            wide[:] = sums[k]
            _fold(wide, out[k, tile], size)
    return out

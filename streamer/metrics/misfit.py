"""How far counts lie from a prediction beside what chance and a smooth background explain, compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.compiled import compiled, plain

Lines = NDArray[np.float32]
Floats = NDArray[np.float64]

#: Side of a cell, pixels: a little more than the width of a tubule in a STED image.
CELL = 4
#: Rows of cells of which each is judged; of larger images every n-th is, evenly spread.
ROWS_ENOUGH = 80


class Misfit(NamedTuple):
    """Squared difference over that of photon counting, its standard error by chance, and cells judged."""

    value: float
    error: float
    cells: int


def misfit(
    photons: NDArray[np.float32],
    predicted: NDArray[np.float32],
    labels: NDArray[np.uint8],
    read_noise_e: float = 0.0,
) -> Misfit:
    """Misfit of [y, x] counts n and predicted photons p over the cells of which at least half is drawn.

    What the prediction leaves out in a cell of 4 x 4 pixels is compared with what it leaves out in the eight
    cells around, b (at least 0: it cannot leave out less than nothing). Where prediction and background are
    right, n - p - b has the variance v = p + b + (n around) / 64 + read noise, and the ratio of the sums of
    (n - p - b)^2 and v expects 1, with the variance sum(2 v^2 + v) / sum(v)^2 of Poisson counts. It is less
    for a prediction that follows the noise of n, and down to 0.85 where there is no background at all, whose
    estimate b is cut off. Values are nan where no cell is drawn; the outermost cells are not judged.
    """
    step = max(1, photons.shape[0] // (CELL * ROWS_ENOUGH))
    drawn = np.require(labels, np.uint8, ["C", "W"])
    squares, variance, square, cells = _sums(plain(photons), plain(predicted), drawn, read_noise_e**2, step)
    if not variance > 0:
        return Misfit(float("nan"), float("nan"), int(cells))
    return Misfit(squares / variance, (2.0 * square + variance) ** 0.5 / variance, int(cells))


@compiled
def _cells(
    photons: NDArray[np.float32],
    predicted: NDArray[np.float32],
    labels: NDArray[np.uint8],
    row: int,
    lines: Lines,
    out: Floats,
) -> None:
    """Counts, predicted photons and drawn pixels of one row of cells; `lines` is room to work in."""
    zero = np.float32(0.0)
    lines[:] = zero
    a, b, c = lines[0], lines[1], lines[2]
    for y in range(row * CELL, (row + 1) * CELL):
        n, p, label = photons[y], predicted[y], labels[y]
        for x in range(a.size):
            a[x] += n[x]
            b[x] += max(p[x], zero)
            c[x] += np.float32(label[x] != 0)
    for kind in range(3):
        line = lines[kind]
        for column in range(out.shape[1]):
            x = column * CELL
            out[kind, column] = (line[x] + line[x + 1]) + (line[x + 2] + line[x + 3])


@compiled
def _sums(
    photons: NDArray[np.float32],
    predicted: NDArray[np.float32],
    labels: NDArray[np.uint8],
    read_variance: float,
    step: int,
) -> tuple[float, float, float, int]:
    """Sums of the squared differences, of their variances, of the squares of those; and cells."""
    height, width = photons.shape[0] // CELL, photons.shape[1] // CELL
    lines = np.zeros((3, photons.shape[1]), np.float32)
    rows = np.zeros((3, 3, width))  # [row of cells, counts | predicted | drawn, column]
    squares, variances, square, cells = 0.0, 0.0, 0.0, 0
    known = 0  # rows of cells below this one are in `rows`, each at its number modulo 3
    for middle in range(1, height - 1, step):
        for row in range(max(known, middle - 1), middle + 2):
            _cells(photons, predicted, labels, row, lines, rows[row % 3])
        known = middle + 2
        n, p, drawn = rows[middle % 3]
        counted, expected = rows[:, 0].copy(), rows[:, 1].copy()
        for x in range(1, width - 1):
            if 2.0 * drawn[x] < CELL * CELL:
                continue
            around, left_out = -n[x], p[x] - n[x]
            for other in range(3):
                for column in range(x - 1, x + 2):
                    around += counted[other, column]
                    left_out += counted[other, column] - expected[other, column]
            background = max(left_out / 8.0, 0.0)
            variance = p[x] + background + max(around, 0.0) / 64.0 + 18.0 * read_variance
            squares += (n[x] - p[x] - background) ** 2
            variances += variance
            square += variance * variance
            cells += 1
    return squares, variances, square, cells

"""What is drawn, how bright, on how many photons: sums over cells of a few pixels, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.compiled import compiled, plain

#: Side of a cell, pixels: about one resolution length of a STED image.
CELL = 5
#: What is summed, in this order.
PHOTONS, DRAWN, PHOTONS_DRAWN, PREDICTED_DRAWN = range(4)


def support_sums(
    photons: NDArray[np.float32], denoised: NDArray[np.float32], labels: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """[4, cell y, cell x] sums over cells of `CELL` x `CELL` pixels.

    All photons; drawn pixels (labels not 0); photons on drawn pixels; predicted photons on them, those below
    0 as 0. Cells at the lower and right border may be smaller than the others.
    """
    return _sums(plain(photons), plain(denoised), np.require(labels, np.uint8, ["C", "W"]))


@compiled
def _sums(
    photons: NDArray[np.float32], denoised: NDArray[np.float32], labels: NDArray[np.uint8]
) -> NDArray[np.float32]:
    height, width = photons.shape
    rows, columns = (height + CELL - 1) // CELL, (width + CELL - 1) // CELL
    out = np.empty((4, rows, columns), np.float32)
    sums = np.zeros((4, columns * CELL), np.float32)  # of the rows of a cell; 0 beyond the border
    zero, one = np.float32(0.0), np.float32(1.0)
    for row in range(rows):
        sums[:] = zero
        a, b, c, d = sums[0], sums[1], sums[2], sums[3]
        for y in range(row * CELL, min((row + 1) * CELL, height)):
            n, p, label = photons[y], denoised[y], labels[y]
            for x in range(width):
                on = one if label[x] != 0 else zero
                bright = p[x] if p[x] > zero else zero
                a[x] += n[x]
                b[x] += on
                c[x] += on * n[x]
                d[x] += on * bright
        for kind in range(4):
            line, cells = sums[kind], out[kind, row]
            for column in range(columns):  # a loop over the five would wait for each addition
                x = column * CELL
                cells[column] = line[x] + line[x + 1] + line[x + 2] + line[x + 3] + line[x + 4]
    return out

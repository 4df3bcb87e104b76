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
    return _sums(plain(photons), plain(denoised), np.require(labels, np.uint8, ["C", "W"]), CELL)


@compiled
def _sums(
    photons: NDArray[np.float32], denoised: NDArray[np.float32], labels: NDArray[np.uint8], size: int
) -> NDArray[np.float32]:
    height, width = photons.shape
    out = np.zeros((4, (height + size - 1) // size, (width + size - 1) // size), np.float32)
    sums = np.zeros((4, width), np.float32)  # of the rows of a cell
    zero = np.float32(0.0)
    for row in range(out.shape[1]):
        sums[:] = zero
        a, b, c, d = sums[0], sums[1], sums[2], sums[3]
        for y in range(row * size, min((row + 1) * size, height)):
            n, p, label = photons[y], denoised[y], labels[y]
            for x in range(width):
                on = np.float32(label[x] != 0)
                a[x] += n[x]
                b[x] += on
                c[x] += on * n[x]
                d[x] += on * max(p[x], zero)
        for kind in range(4):
            line = sums[kind]
            for column in range(out.shape[2]):
                total = zero
                for x in range(column * size, min((column + 1) * size, width)):
                    total += line[x]
                out[kind, row, column] = total
    return out

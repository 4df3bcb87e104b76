"""Structural similarity (SSIM) as one fused sliding-window kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.boxes import mirror_ends, mirrored
from streamer.metrics.compiled import compiled, plain

#: Side of the uniform window, pixels; scikit-image's default.
WINDOW = 7


def ssim(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    *,
    data_range: float,
    mask: NDArray[np.bool_] | None = None,
) -> float:
    """Mean structural similarity of two [y, x] images; over `mask` [y, x] where one is given.

    Without a mask the mean leaves out the border where the window is not full, so that the value equals
    scikit-image's `structural_similarity`. An empty mask, or an image smaller than the window, has no
    similarity: nan.
    """
    if mask is None:
        edge = WINDOW // 2
        mask = np.zeros(a.shape, np.bool_)
        mask[edge:-edge, edge:-edge] = True
    pixels = np.count_nonzero(mask)
    no_map = np.empty((0, a.shape[1]), np.float32)
    total = _run(a, b, data_range, mask, no_map)
    return total / pixels if pixels else float("nan")


def ssim_map(a: NDArray[np.float32], b: NDArray[np.float32], *, data_range: float) -> NDArray[np.float32]:
    """[y, x] structural similarity around each pixel, reflected at the borders.

    Wang et al. 2004 with a uniform 7 x 7 window, sample covariance, K1 = 0.01 and K2 = 0.03, as
    scikit-image's `structural_similarity(..., full=True)`. `data_range` has the unit of the images and
    must stay fixed over a run: a range taken from each image would hide its fading.
    """
    out = np.empty(a.shape, np.float32)
    _run(a, b, data_range, np.ones(a.shape, np.bool_), out)
    return out


def _run(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    data_range: float,
    mask: NDArray[np.bool_],
    out: NDArray[np.float32],
) -> float:
    """Sum of the similarities over the mask; the map is written into `out`, as many rows as it has."""
    if a.shape != b.shape:
        raise ValueError(f"images of different shapes: {a.shape} and {b.shape}")
    if mask.shape != a.shape:
        raise ValueError(f"a mask of shape {mask.shape} for images of shape {a.shape}")
    if not data_range > 0:
        raise ValueError(f"data_range = {data_range}; use a value above 0")
    rows, columns = (mirrored(length, WINDOW) for length in a.shape)
    chosen = np.require(mask, np.bool_, ["C", "W"])
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return _ssim(plain(a), plain(b), rows, columns, chosen, c1, c2, out)


@compiled
def _ssim(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    mask: NDArray[np.bool_],
    c1: float,
    c2: float,
    out: NDArray[np.float32],
) -> float:
    width, edge = a.shape[1], WINDOW // 2
    sums = np.zeros((4, columns.size))  # by column, of the rows now under the window
    means = np.empty((4, width))
    line, totals = np.empty(width), np.zeros(width)  # totals by column, which is vectorised
    nothing = np.zeros(width, np.float32)
    for row in range(rows.size):
        old_a, old_b = nothing, nothing
        if row >= WINDOW:
            old_a, old_b = a[rows[row - WINDOW]], b[rows[row - WINDOW]]
        _slide(sums, a[rows[row]], b[rows[row]], old_a, old_b)
        y = row - WINDOW + 1
        if y < 0:
            continue
        for i in range(4):
            mirror_ends(sums[i], columns, edge, width)
            _window_means(sums[i], means[i])
        _similarities(means, c1, c2, line)
        chosen = mask[y]
        for x in range(width):
            totals[x] += line[x] if chosen[x] else 0.0
        if y < out.shape[0]:
            out[y] = line
    return float(totals.sum())


@compiled
def _slide(
    sums: NDArray[np.float64],
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    old_a: NDArray[np.float32],
    old_b: NDArray[np.float32],
) -> None:
    """Let rows of both images enter the column sums of a, b, a a + b b and a b, and old ones leave."""
    edge = WINDOW // 2
    sum_a, sum_b = sums[0][edge:], sums[1][edge:]
    squares, products = sums[2][edge:], sums[3][edge:]
    for x in range(a.size):
        p, q = np.float64(a[x]), np.float64(b[x])
        old_p, old_q = np.float64(old_a[x]), np.float64(old_b[x])
        sum_a[x] += p - old_p
        sum_b[x] += q - old_q
        squares[x] += (p * p + q * q) - (old_p * old_p + old_q * old_q)
        products[x] += p * q - old_p * old_q


@compiled
def _window_means(s: NDArray[np.float64], means: NDArray[np.float64]) -> None:
    """Means of the window around each pixel from the sums of the columns under it.

    The seven terms are written out because a loop over them is not vectorised.
    """
    s1, s2, s3, s4, s5, s6 = s[1:], s[2:], s[3:], s[4:], s[5:], s[6:]
    for x in range(means.size):
        total = s[x] + s1[x] + s2[x] + s3[x] + s4[x] + s5[x] + s6[x]
        means[x] = total * (1.0 / (WINDOW * WINDOW))


@compiled
def _similarities(means: NDArray[np.float64], c1: float, c2: float, line: NDArray[np.float64]) -> None:
    """Similarity around each pixel of a row from the means of a, b, a a + b b and a b around it.

    The two variances are needed only together, so that one sum of squares does for both images.
    """
    unbiased = WINDOW * WINDOW / (WINDOW * WINDOW - 1.0)
    mean_a, mean_b, mean_squares, mean_product = means[0], means[1], means[2], means[3]
    for x in range(line.size):
        product, squares = mean_a[x] * mean_b[x], mean_a[x] * mean_a[x] + mean_b[x] * mean_b[x]
        covariance = unbiased * (mean_product[x] - product)
        variances = unbiased * (mean_squares[x] - squares)
        line[x] = ((2 * product + c1) * (2 * covariance + c2)) / ((squares + c1) * (variances + c2))

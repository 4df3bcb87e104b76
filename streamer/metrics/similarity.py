"""Structural similarity (SSIM) as one fused sliding-window kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
    """Mean structural similarity of two [y, x] images; over `mask` where one is given.

    Without a mask the mean leaves out the border where the window is not full, so that the value equals
    scikit-image's `structural_similarity`. An empty mask, or an image smaller than the window, has no
    similarity: nan.
    """
    similarity = ssim_map(a, b, data_range=data_range)
    edge = WINDOW // 2
    chosen = similarity[edge:-edge, edge:-edge] if mask is None else similarity[mask]
    return float(chosen.mean(dtype=np.float64)) if chosen.size else float("nan")


def ssim_map(a: NDArray[np.float32], b: NDArray[np.float32], *, data_range: float) -> NDArray[np.float32]:
    """[y, x] structural similarity around each pixel, reflected at the borders.

    Wang et al. 2004 with a uniform 7 x 7 window, sample covariance, K1 = 0.01 and K2 = 0.03, as
    scikit-image's `structural_similarity(..., full=True)`. `data_range` has the unit of the images and
    must stay fixed over a run: a range taken from each image would hide its fading.
    """
    if a.shape != b.shape:
        raise ValueError(f"images of different shapes: {a.shape} and {b.shape}")
    if not data_range > 0:
        raise ValueError(f"data_range = {data_range}; use a value above 0")
    edge = WINDOW // 2
    rows, columns = (np.pad(np.arange(length), edge, mode="symmetric") for length in a.shape)
    return _ssim_map(plain(a), plain(b), rows, columns, (0.01 * data_range) ** 2, (0.03 * data_range) ** 2)


@compiled
def _add_row(sums: NDArray[np.float64], a: NDArray[np.float32], b: NDArray[np.float32], sign: float) -> None:
    """Add image rows `a` and `b` to the column sums of a, b, a a, b b and a b, or take them away."""
    sum_a, sum_b, sum_aa, sum_bb, sum_ab = sums[0], sums[1], sums[2], sums[3], sums[4]
    for x in range(a.size):
        p, q = np.float64(a[x]), np.float64(b[x])
        sum_a[x] += sign * p
        sum_b[x] += sign * q
        sum_aa[x] += sign * (p * p)
        sum_bb[x] += sign * (q * q)
        sum_ab[x] += sign * (p * q)


@compiled
def _window_means(sums: NDArray[np.float64], columns: NDArray[np.intp], means: NDArray[np.float64]) -> None:
    """Means of the window around each pixel from the sums of the columns under it.

    The seven terms are written out because a loop over them is not vectorised.
    """
    s = sums[columns]
    s1, s2, s3, s4, s5, s6 = s[1:], s[2:], s[3:], s[4:], s[5:], s[6:]
    for x in range(means.size):
        total = s[x] + s1[x] + s2[x] + s3[x] + s4[x] + s5[x] + s6[x]
        means[x] = total / (WINDOW * WINDOW)


@compiled
def _ssim_map(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    c1: float,
    c2: float,
) -> NDArray[np.float32]:
    unbiased = WINDOW * WINDOW / (WINDOW * WINDOW - 1.0)
    out = np.empty(a.shape, np.float32)
    sums = np.zeros((5, a.shape[1]))  # of the rows now under the window: a, b, a a, b b, a b
    means = np.empty_like(sums)
    mean_a, mean_b, mean_aa, mean_bb, mean_ab = means[0], means[1], means[2], means[3], means[4]
    for k in range(WINDOW - 1):
        _add_row(sums, a[rows[k]], b[rows[k]], 1.0)
    for y in range(a.shape[0]):
        _add_row(sums, a[rows[y + WINDOW - 1]], b[rows[y + WINDOW - 1]], 1.0)
        for i in range(5):
            _window_means(sums[i], columns, means[i])
        for x in range(a.shape[1]):
            product, squares = mean_a[x] * mean_b[x], mean_a[x] * mean_a[x] + mean_b[x] * mean_b[x]
            covariance = unbiased * (mean_ab[x] - product)
            variances = unbiased * (mean_aa[x] + mean_bb[x] - squares)
            out[y, x] = ((2 * product + c1) * (2 * covariance + c2)) / ((squares + c1) * (variances + c2))
        _add_row(sums, a[rows[y]], b[rows[y]], -1.0)
    return out

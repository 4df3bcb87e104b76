"""Structural similarity over several scales (MS-SSIM)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

Image = NDArray[np.generic]

#: Exponents of the scales, finest first (Wang et al. 2003, found from judgements of viewers).
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
#: Gaussian window: half of its side and its standard deviation, pixels.
REACH, SIGMA = 5, 1.5
#: The window must fit into the coarsest scale.
SMALLEST_PX = (2 * REACH + 1) * 2 ** (len(WEIGHTS) - 1)


def ms_ssim(a: Image, b: Image, *, data_range: float) -> float:
    """MS-SSIM of two images [y, x]: contrast and structure at five scales, luminance at the coarsest.

    Wang, Simoncelli and Bovik, Asilomar Conf. Signals, Systems and Computers (2003): 11 x 11 Gaussian window
    of sigma 1.5, K1 = 0.01, K2 = 0.03, 2 x 2 averages between scales, exponents `WEIGHTS`. A scale whose mean
    contrast-structure is negative counts as 0. nan where a side is shorter than 176 pixels.

    Raises:
        ValueError: different shapes, or a data range that is not above 0.
    """
    if a.shape != b.shape:
        raise ValueError(f"images of different shapes: {a.shape} and {b.shape}")
    if not data_range > 0:
        raise ValueError(f"data_range = {data_range}; use a value above 0")
    if min(a.shape) < SMALLEST_PX:
        return float("nan")
    first, second = a.astype(np.float64), b.astype(np.float64)
    similarity = 1.0
    for scale, weight in enumerate(WEIGHTS):
        whole, structure = _means(first, second, data_range)
        last = scale == len(WEIGHTS) - 1
        similarity *= max(whole if last else structure, 0.0) ** weight
        first, second = _halved(first), _halved(second)
    return float(similarity)


def _means(a: NDArray[np.float64], b: NDArray[np.float64], data_range: float) -> tuple[float, float]:
    """Mean SSIM and mean contrast-structure where the window is full."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mean_a, mean_b = _blurred(a), _blurred(b)
    product, squares = mean_a * mean_b, mean_a**2 + mean_b**2
    covariance = _blurred(a * b) - product
    variances = _blurred(a * a + b * b) - squares
    structure = (2 * covariance + c2) / (variances + c2)
    luminance = (2 * product + c1) / (squares + c1)
    return float(np.mean(luminance * structure)), float(np.mean(structure))


def _blurred(image: NDArray[np.float64]) -> NDArray[np.float64]:
    kernel = np.exp(-(np.arange(-REACH, REACH + 1) ** 2) / (2 * SIGMA**2))
    kernel /= kernel.sum()
    along_y: NDArray[np.float64] = correlate1d(image, kernel, axis=0)[REACH:-REACH]
    both: NDArray[np.float64] = correlate1d(along_y, kernel, axis=1)[:, REACH:-REACH]
    return both


def _halved(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of 2 x 2 pixels; an odd last row or column is left out."""
    rows, columns = image.shape[0] // 2, image.shape[1] // 2
    whole = image[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2)
    return np.asarray(whole.mean(axis=(1, 3)))

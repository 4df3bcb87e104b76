"""Middle and spread of a few values, one or two of which may be odd."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Standard error of `middle` over that of a mean, of normal values (a quarter cut off at either end).
MIDDLE = 1.1
#: Of a normal distribution's standard deviation over its median absolute deviation.
NORMAL = 1.4826


def middle(values: ArrayLike) -> float:
    """Mean of the middle half: unlike a median of whole numbers, it lies between them; nan of none."""
    rising = np.sort(np.asarray(values, np.float64), axis=None)
    cut = rising.size // 4
    return float(rising[cut : rising.size - cut].mean()) if rising.size else float("nan")


def spread(values: ArrayLike) -> NDArray[np.float64]:
    """Standard deviation from the median absolute deviation, along the first axis; 0 of fewer than two.

    The factor for few values is that of Croux and Rousseeuw, Computational Statistics 1, 411 (1992); the mean
    is within 8 % of the truth for 4 normal values, and within 4 % from 5 on.
    """
    known = np.asarray(values, np.float64)
    size = len(known)
    if size < 2:
        return np.zeros(known.shape[1:])
    away = np.abs(known - np.median(known, axis=0))
    return np.asarray(NORMAL * size / (size - 0.8) * np.median(away, axis=0))

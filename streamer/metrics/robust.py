"""Middle and spread of a few values, one or two of which may be odd."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

#: Standard error of `middle` over that of a mean, of normal values (a quarter cut off at either end).
MIDDLE = 1.1
#: Of a normal distribution's standard deviation over its median absolute deviation.
NORMAL = 1.4826


def middle(values: ArrayLike) -> float:
    """Mean of the middle half: unlike a median of whole numbers, it lies between them; nan of none."""
    rising = np.sort(np.asarray(values, np.float64), axis=None)
    cut = rising.size // 4
    return float(rising[cut : rising.size - cut].mean()) if rising.size else float("nan")


def spread(values: ArrayLike) -> float:
    """Standard deviation from the median absolute deviation; 0 of fewer than two values.

    The factor for few values is that of Croux and Rousseeuw, Computational Statistics 1, 411 (1992); the mean
    is within 8 % of the truth for 4 normal values, and within 4 % from 5 on.
    """
    known = np.asarray(values, np.float64)
    if known.size < 2:
        return 0.0
    few = known.size / (known.size - 0.8)
    return float(NORMAL * few * np.median(np.abs(known - np.median(known))))

"""Binomial thinning: one recorded image becomes two independent ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def is_counts(image: NDArray[np.generic]) -> bool:
    """Whether every value is a whole number of photons: finite, not negative, without a fraction."""
    try:
        return bool(np.all(_whole(image) >= 0))
    except ValueError:
        return False


def thin(
    counts: NDArray[np.generic], share: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split counts into the photons that are kept, each with probability `share`, and the rest.

    Where the counts are Poisson with expectation m, the parts are Poisson with expectations share x m and
    (1 - share) x m, and independent of each other: given n photons the kept ones are binomial, and
    Poisson(n; m) Binomial(k; n, share) = Poisson(k; share m) Poisson(n - k; (1 - share) m) (thinning theorem;
    as "data thinning" in Neufeld et al., JMLR 25, 2024). This is exact for detectors that count photons. With
    read noise, dead time, or a gain other than 1 the parts are correlated.

    Args:
        counts: of any shape and type, whole numbers >= 0.
        share: expected fraction of the photons in the first part, between 0 and 1.
        rng: the same state gives the same parts.

    Returns:
        Kept photons and the rest, which sum to the counts.

    Raises:
        ValueError: the values are not counts, or `share` is not a probability.
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"share = {share}; use a probability, 0-1")
    whole = _whole(counts)
    if np.any(whole < 0):
        raise ValueError(f"lowest value {whole.min()} photons; counts are never negative")
    kept: NDArray[np.int64] = rng.binomial(whole, share)
    return kept, whole - kept


def _whole(image: NDArray[np.generic]) -> NDArray[np.int64]:
    """The same values as int64; ValueError where that changes one."""
    with np.errstate(invalid="ignore"):
        whole = image.astype(np.int64)
        wrong = whole != image
    if wrong.any():
        place = tuple(int(index) for index in np.argwhere(wrong)[0])
        raise ValueError(f"value {image[place]} at {place} is no whole number; thin raw photon counts")
    return whole

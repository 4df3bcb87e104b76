"""Is it brighter here than there? An exact test of two counts, and how many of many answers to believe."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

Floats = NDArray[np.float64]


def excess_p_values(
    inside: Floats, area: Floats, outside: Floats, area_outside: Floats, *, ratio: float, read_noise_e: float
) -> Floats:
    """[object] probability of at least so many photons inside, were it `ratio` times as bright as outside.

    Given that n photons fell inside and outside together, those inside are binomial, with the probability
    that their share of area and brightness gives them, whatever the brightness is: P(at least k of n) is the
    regularised incomplete beta function I_p(k, n - k + 1) (Przyborowski and Wilenski, Biometrika 31, 313
    (1940)). Exact for counts. With read noise both counts are first divided by what it adds to their variance
    at the brightness that both have together, and the same function is taken between whole numbers.

    Args:
        inside, outside: photons in the object and in its surroundings.
        area, area_outside: their pixels, above 0.
        ratio: brightness per pixel inside over outside that is still no object.
        read_noise_e: per pixel of these images, photo-electrons; 0 for counts.
    """
    kept = np.maximum(inside, 0.0)
    total = kept + np.maximum(outside, 0.0)
    if read_noise_e > 0:
        rate = np.maximum(inside + outside, 0.0) / (area + area_outside)
        share = rate / (rate + read_noise_e**2)
        kept, total = share * kept, share * total
    p = ratio * area / (ratio * area + area_outside)
    tail = betainc(np.maximum(kept, 1e-9), np.maximum(total - kept, 0.0) + 1.0, p)
    return np.where(kept > 0, tail, 1.0)


def discoveries(p_values: Floats, rate: float) -> NDArray[np.bool_]:
    """Which null hypotheses to reject, so that of those rejected a share `rate` at most is true on average.

    Benjamini and Hochberg, J. R. Stat. Soc. B 57, 289 (1995): for p-values that are independent, or
    positively dependent (Benjamini and Yekutieli, Ann. Stat. 29, 1165 (2001)).
    """
    order = np.argsort(p_values, kind="stable")
    below = p_values[order] <= rate * np.arange(1, p_values.size + 1) / max(p_values.size, 1)
    rejected = np.zeros(p_values.size, np.bool_)
    rejected[order[: int(np.max(np.flatnonzero(below), initial=-1)) + 1]] = True
    return rejected


def share_of_nulls(p_values: Floats, above: float = 0.5) -> float:
    """Estimated share of true null hypotheses: those with large p-values, over how many nulls have such.

    Storey, J. R. Stat. Soc. B 64, 479 (2002), never above 1; nan without p-values. Too large rather than too
    small where p-values of nulls are larger than uniform.
    """
    if not p_values.size:
        return float("nan")
    return min(1.0, float(np.mean(p_values > above)) / (1.0 - above))

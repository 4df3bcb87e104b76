"""Intervals and tests over frames, which are the independent units: pixels of one frame are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

#: Fewer frames cannot be resampled.
FRAMES_MIN = 2
DRAWS = 2_000

Floats = NDArray[np.float64]
#: From records [..., frame, part] to one value [...].
Aggregate = Callable[[Floats], Floats]
Standing = Literal["better", "equal", "worse"]


def picks(frames: int, seed: int, draws: int = DRAWS) -> NDArray[np.int64]:
    """[draw, frame] frames drawn with replacement; equal seeds draw the same, so that methods pair up.

    Raises:
        ValueError: fewer than two frames.
    """
    if frames < FRAMES_MIN:
        raise ValueError(f"{frames} frames; an interval needs at least {FRAMES_MIN}")
    return np.random.default_rng(seed).integers(frames, size=(draws, frames))


def interval_95(draws: Floats) -> tuple[float, float] | None:
    """Percentile interval of bootstrap draws [draw]; None where one in twenty or more is undefined.

    Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    found = draws[np.isfinite(draws)]
    if found.size <= 0.95 * draws.size:
        return None
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def standing(interval: tuple[float, float] | None) -> Standing:
    """What the 95 % interval of a paired difference (above 0: better) says.

    Null hypothesis: the two are equally good on frames like these. "better" or "worse" where the interval
    excludes zero; "equal" otherwise, which says that no difference was shown, not that there is none.
    """
    if interval is None or interval[0] <= 0 <= interval[1]:
        return "equal"
    return "better" if interval[0] > 0 else "worse"


@dataclass(frozen=True, slots=True, kw_only=True)
class RankTest:
    """Result of `mann_whitney`.

    Attributes:
        u: statistic of the first sample: pairs in which it is higher, ties count half.
        p: two-sided.
        effect: rank-biserial correlation, 2 u / (n m) - 1: 1 where each of the first is higher than each of
            the second, 0 where neither tends to be.
        method: "exact" or "asymptotic".
    """

    u: float
    p: float
    effect: float
    method: Literal["exact", "asymptotic"]


def mann_whitney(first: Floats, second: Floats) -> RankTest | None:
    """Two-sided Mann-Whitney U test of two samples, as Rahm et al. compare metrics; None where one is empty.

    Null hypothesis: a value of the one sample is as likely above as below a value of the other. Exact where
    no values are tied and one sample has at most 8, otherwise the normal approximation with correction for
    ties and continuity (the choice of scipy.stats.mannwhitneyu, stated here because it decides p). It takes
    the samples as independent: for methods judged on the same frames the paired interval is the sharper test.
    """
    a, b = first[np.isfinite(first)], second[np.isfinite(second)]
    if a.size == 0 or b.size == 0:
        return None
    tied = len(np.unique(np.concatenate([a, b]))) < a.size + b.size
    exact = not tied and min(a.size, b.size) <= 8
    method: Literal["exact", "asymptotic"] = "exact" if exact else "asymptotic"
    if np.ptp(np.concatenate([a, b])) == 0:
        return RankTest(u=a.size * b.size / 2, p=1.0, effect=0.0, method=method)
    found = mannwhitneyu(a, b, alternative="two-sided", method=method)
    effect = 2 * float(found.statistic) / (a.size * b.size) - 1
    return RankTest(u=float(found.statistic), p=float(found.pvalue), effect=effect, method=method)


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """p-values adjusted for several tests at once, by name: Holm, Scand. J. Statist. 6, 65 (1979).

    Of the null hypotheses that are true, the chance to reject any at an adjusted p below 0.05 is at most 5 %.
    """
    adjusted: dict[str, float] = {}
    highest = 0.0
    for rank, name in enumerate(sorted(p, key=lambda name: p[name])):
        highest = max(highest, min(1.0, (len(p) - rank) * p[name]))
        adjusted[name] = highest
    return {name: adjusted[name] for name in p}

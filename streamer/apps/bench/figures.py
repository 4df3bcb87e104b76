"""What a sample can say: percentiles that it carries, and ratios of two samples with their interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

#: Percentiles that are given.
PERCENTILES = ("50", "90", "95", "99", "99.9")
#: A percentile is given only where so many values are expected beyond it.
BEYOND = 10
TOO_SMALL = "n too small"
#: Draws of a bootstrap, and the rounds below which single frames are drawn instead of rounds.
DRAWS, ROUNDS_MIN = 2000, 4

#: Values in ms, round by round: what a moment of the machine slows down stays together.
Rounds = Sequence[Sequence[float]]


def needed(percentile: str) -> int:
    """How many values carry a percentile: n >= 10 / (1 - p)."""
    return math.ceil(BEYOND / (1 - Fraction(percentile) / 100))


def figures(values: Sequence[float]) -> Mapping[str, int | float | str]:
    """n, each percentile or why it is not given, and the largest value; of nothing, n = 0 alone."""
    if not values:
        return {"n": 0}
    n = len(values)
    given = {
        f"p{name}": float(np.percentile(values, float(name))) if n >= needed(name) else TOO_SMALL
        for name in PERCENTILES
    }
    return {"n": n, **given, "max": float(max(values))}


def median_ratio(first: Rounds, second: Rounds, *, seed: int = 0) -> tuple[float, float, float]:
    """Median of `second` over median of `first`, and its 95 % interval by bootstrap.

    Whole rounds are drawn where both have `ROUNDS_MIN` of them, because frames of one round share their
    machine's moment; else frames are drawn.

    Raises:
        ValueError: one is empty, or its median is 0.
    """
    rng = np.random.default_rng(seed)
    flat = [[value for each in rounds for value in each] for rounds in (first, second)]
    if not all(flat):
        raise ValueError("a ratio needs two samples")
    if np.median(flat[0]) == 0:
        raise ValueError("the median of the first sample is 0")
    by_round = min(sum(len(each) > 0 for each in rounds) for rounds in (first, second)) >= ROUNDS_MIN
    drawn_from: list[Rounds] = [first, second]
    if not by_round:
        drawn_from = [[[value] for value in values] for values in flat]
    below, above = (_medians(rounds, rng) for rounds in drawn_from)
    kept = below > 0
    low, high = np.percentile(above[kept] / below[kept], (2.5, 97.5))
    return float(np.median(flat[1]) / np.median(flat[0])), float(low), float(high)


def _medians(rounds: Rounds, rng: np.random.Generator) -> NDArray[np.float64]:
    """Median of each of `DRAWS` draws of rounds with replacement."""
    filled = [np.asarray(each, float) for each in rounds if len(each)]
    if all(each.size == 1 for each in filled):
        values = np.concatenate(filled)
        drawn = rng.integers(0, values.size, (DRAWS, values.size))
        return np.asarray(np.median(values[drawn], axis=1))
    draws = (rng.integers(0, len(filled), len(filled)) for _ in range(DRAWS))
    return np.array([np.median(np.concatenate([filled[index] for index in draw])) for draw in draws])

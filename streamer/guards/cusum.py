"""Has something fallen below what it was in a run's own first values? A lower CUSUM for a whole run."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from streamer.metrics.robust import spread

Floats = NDArray[np.float64]

#: Slack of the test in standard deviations: a lasting fall of twice this is found fastest.
SLACK = 1.0
#: Values farther from the median, in robust standard deviations, have no part in a baseline.
ODD = 5.0
#: Longest run that is simulated, and how many values and runs are.
LENGTH_MAX, VALUES, RUNS_MAX = 100_000, 40_000_000, 50_000
#: Alarms that the simulation should see at least, and normal quantile of how sure it has to be.
ALARMS_MIN, SURE = 40, 1.645


def usual_of(baseline: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of [comparison, ...] values along the first axis, less those that are odd.

    Odd is what lies more than `ODD` robust standard deviations from the median: up to half of the values may
    be so, and of healthy ones hardly any is (`streamer.metrics.robust`).
    """
    kept = np.abs(baseline - np.median(baseline, axis=0)) <= ODD * spread(baseline)
    usual = baseline.mean(axis=0, where=kept)
    return usual, baseline.std(axis=0, ddof=1, where=kept)


def lower_cusum(total: float, value: float, usual: float, spread: float, limit: float) -> tuple[float, float]:
    """S = max(0, S - z - slack) after `value`, at most `limit`, and the value that would have tipped it."""
    tips = usual - spread * (limit - total + SLACK)
    return min(max(0.0, total + (usual - value) / spread - SLACK), limit), tips


@cache
def cusum_limit(
    baseline_values: int, planned_values: int, false_alarm_rate: float, *, neighbours_share: bool
) -> float:
    """Limit that the CUSUM of a healthy run reaches with a probability of at most `false_alarm_rate`.

    From simulated runs, each with a baseline of its own and `usual_of` it, so that its error is in the limit.
    They are so few that the rate at a limit is known to about a tenth: taken is the limit at which the rate
    holds with a confidence of 95 %, for rates from 1e-4 on. Values are normal; `neighbours_share` makes them
    a moving average with a correlation of one half, the largest that neighbours can have which share a half.
    """
    planned_values = min(planned_values, LENGTH_MAX)
    runs = min(RUNS_MAX, max(VALUES // planned_values, round(ALARMS_MIN / false_alarm_rate)))
    noise = _Noise(runs)
    last = noise.draw()
    baseline = np.empty((baseline_values, runs))
    for row in baseline:
        following = noise.draw()
        np.add(following, last if neighbours_share else 0.0, out=row)
        last = following
    usual, scatter = usual_of(baseline)
    total, highest = np.zeros(runs), np.zeros(runs)
    for _ in range(planned_values):
        following = noise.draw()
        value = following + last if neighbours_share else following
        total += (usual - value) / scatter - SLACK
        np.maximum(total, 0.0, out=total)
        np.maximum(highest, total, out=highest)
        last = following
    alarms = runs * false_alarm_rate
    return float(np.sort(highest)[-max(1, int(alarms - SURE * alarms**0.5))])


class _Noise:
    """Standard normal numbers, the same for ever: the raw words of PCG64 are what numpy promises to keep.

    Each has 16 bits of a word, as a quantile of the distribution; the largest is 4.3.
    """

    def __init__(self, count: int) -> None:
        self._count, self._source = count, np.random.PCG64(0)
        self._quantiles: Floats = ndtri((np.arange(2**16) + 0.5) / 2**16)

    def draw(self) -> Floats:
        """As many as were asked for."""
        words: NDArray[np.uint64] = self._source.random_raw(-(-self._count // 4))
        return self._quantiles[words.view(np.uint16)[: self._count]]

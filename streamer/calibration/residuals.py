"""How narrow are the structure residuals of right predictions? The spread that `consistency` divides by."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from streamer.calibration.numbers import Interval

Floats = NDArray[np.float64]

#: Spreads for which windows are counted: each is a point of the distribution's lower tail.
SPREADS: tuple[float, ...] = tuple(float(value) for value in np.geomspace(0.35, 7.0, 24).round(3))
#: Level at which the guard counts single windows, and tails from which the spread is read.
SINGLE = 0.01
TAILS = (1e-2, 1e-3)
#: Windows that a tail must hold to be read.
TAIL_WINDOWS = 10
#: Levels of brightness that are looked at by themselves, and frames that each needs.
LEVELS, LEVEL_FRAMES = 3, 8
DRAWS = 1000


def structure_spread(
    against: Floats,
    windows: Floats,
    worst: Floats,
    brightness: Floats,
    *,
    false_alarm_rate: float,
    seed: int = 0,
) -> Interval | None:
    """The least spread with which the guard keeps its rate on right predictions like these.

    Residuals of right predictions need not be normal, so that the spread is read where the guard looks. Its
    one rule counts windows beyond 1 %: the tail at 1 %, and at 0.1 % where there are windows enough, of dim,
    middling and bright frames by themselves, since a run stays at one brightness. Its other rule takes the
    worst of a frame's windows, at half of `false_alarm_rate`; that is further out than these frames reach.
    The square of the largest of many normal values is Gumbel distributed to good approximation (their tail
    is exponential in the square), which is fitted by its moments and read at that rate. The largest of all
    is taken.

    Args:
        against: [frame, spread] separate windows that the guard counts at 1 % when told each of `SPREADS`.
        windows: [frame] separate windows in which anything is drawn: others have no residual.
        worst: [frame] worst residual of any window over its limit, for a spread of 1.
        brightness: [frame] of each; frames without any are middling.
        false_alarm_rate: of the guard, per frame and direction.
        seed: of the bootstrap.

    Returns:
        The spread with a 95 % interval (percentile bootstrap over frames of each brightness); None where
        fewer than two frames or too few windows were seen.
    """
    if len(against) < 2 or windows.sum() * TAILS[0] < TAIL_WINDOWS:
        return None
    rng = np.random.default_rng(seed)
    levels = _levels(brightness)
    drawn = [[rng.choice(level, level.size) for level in levels] for _ in range(DRAWS)]
    value, *others = (
        max(
            SPREADS[0],
            _worst(worst[np.concatenate(picks)], false_alarm_rate / 2),
            *(_tail(against[pick], windows[pick]) for pick in picks),
        )
        for picks in (levels, *drawn)
    )
    low, high = np.quantile(others, [0.025, 0.975])
    return Interval(value=value, low=float(min(low, value)), high=float(max(high, value)))


def _levels(brightness: Floats) -> list[NDArray[np.int64]]:
    """Numbers of the frames of each level of brightness; of few frames there is one level."""
    middle = float(np.nanmedian(brightness)) if np.isfinite(brightness).any() else 0.0
    order = np.argsort(np.where(np.isfinite(brightness), brightness, middle), kind="stable")
    return np.array_split(order, LEVELS if order.size >= LEVELS * LEVEL_FRAMES else 1)


def _worst(worst: Floats, rate: float) -> float:
    """The spread with which the worst window of a frame is beyond its limit at such a rate."""
    squares = worst**2
    gumbel = (-np.log(-np.log1p(-rate)) - np.euler_gamma) * 6**0.5 / np.pi
    reached = float(squares.mean() + gumbel * squares.std(ddof=1))
    return float(max(reached**0.5, worst.max()))


def _tail(against: Floats, windows: Floats) -> float:
    """The spread with which no more windows are beyond each point of the tail than of normal ones."""
    seen = max(float(windows.sum()), 1.0)
    share = against.sum(axis=0) / seen
    return max(_at(share, tail) for tail in TAILS if seen * tail >= TAIL_WINDOWS or tail == TAILS[0])


def _at(share: Floats, tail: float) -> float:
    """Where the tail's share is `tail`, over where that of a normal distribution is.

    Between points the logarithm of a tail is nearly a parabola in its distance.
    """
    normal = NormalDist()
    reach = -normal.inv_cdf(SINGLE) * np.array(SPREADS)
    logarithm = np.log(np.maximum(np.minimum.accumulate(share), 1e-9))
    found = np.interp(-np.log(tail), -logarithm, reach**2)
    return float(found**0.5 / -normal.inv_cdf(tail))

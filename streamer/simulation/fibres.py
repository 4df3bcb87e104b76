"""Bent lines as rows of points, the stuff that filaments, axons and mitochondria are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from streamer.metrics.compiled import compiled
from streamer.simulation.canvas import Points

#: Distance of neighbouring points on a fibre: finer than any pixel used here.
STEP_UM = 0.012

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fibres:
    """All fibres of a specimen, one after the other.

    Attributes:
        points: [n, 2] um.
        fibre: [n] index of the fibre that a point belongs to, ascending.
        along_um: [n] distance from the fibre's start.
        length_um: [fibres] of each.
    """

    points: Points
    fibre: NDArray[np.int64]
    along_um: Values
    length_um: Values


def worm_like(
    rng: np.random.Generator, start: Points, heading: Values, length_um: Values, persistence_um: float
) -> Fibres:
    """Worm-like chains in the plane from `start` [k, 2] in direction `heading` [k], radians from x towards y.

    The direction does a random walk of variance s / persistence over a length s (Kratky and Porod, 1949), so
    that <cos> of the angle between two places falls as exp(-s / 2 persistence), as in two dimensions it must.
    """
    count = np.maximum(np.ceil(length_um / STEP_UM).astype(np.int64), 2)
    fibre = np.repeat(np.arange(len(count)), count)
    first = np.cumsum(count) - count
    order = np.arange(len(fibre)) - first[fibre]
    turns = rng.normal(0.0, np.sqrt(STEP_UM / persistence_um), len(fibre))
    angle = heading[fibre] + _since(np.cumsum(turns), first, fibre)
    strides = STEP_UM * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    points = start[fibre] + _since(np.cumsum(strides, axis=0), first, fibre)
    return Fibres(points=points, fibre=fibre, along_um=order * STEP_UM, length_um=count * STEP_UM)


def normals(points: Points, fibre: NDArray[np.int64]) -> Points:
    """[n, 2] unit vectors across each fibre, from each point's neighbours on it."""
    across = _across(points, fibre)
    across /= np.maximum(np.hypot(*across.T), 1e-9)[:, None]
    return across


def grain(rng: np.random.Generator, count: int, sigma_um: float) -> Values:
    """[count] Gaussian noise of unit variance along fibre points, smooth over `sigma_um`."""
    sigma = sigma_um / STEP_UM
    noise: Values = ndimage.gaussian_filter1d(rng.standard_normal(count), sigma, mode="wrap")
    noise *= np.sqrt(2.0 * np.sqrt(np.pi) * sigma)
    return noise


def uneven(noise: Values, spread: float) -> Values:
    """Log-normal factors of mean 1 and relative standard deviation about `spread` from unit noise."""
    factors: Values = np.exp(spread * noise - spread**2 / 2)
    return factors


def _since(total: NDArray[np.float64], first: NDArray[np.int64], fibre: NDArray[np.int64]) -> Points:
    """Running sums that start anew at every fibre."""
    since: Points = total - total[first][fibre]
    return since


@compiled
def _across(points: Points, fibre: NDArray[np.int64]) -> Points:
    """[n, 2] vectors across each fibre, as long as the steps to its neighbours together."""
    across = np.zeros((len(points), 2))
    for point in range(len(points) - 1):
        if fibre[point] == fibre[point + 1]:
            down = points[point + 1, 0] - points[point, 0]
            right = points[point + 1, 1] - points[point, 1]
            for end in (point, point + 1):
                across[end, 0] -= right
                across[end, 1] += down
    return across

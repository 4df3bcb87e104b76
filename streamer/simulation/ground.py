"""An endless plane of one cell: what leaves the field at one side comes back beyond the other.

The plane repeats after the field and a margin around it, so no field shows anything twice and drift never
runs out of specimen. Points are [n, 2] um as (y, x); (0, 0) is the field's corner at time 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.simulation.canvas import Points
from streamer.simulation.cell import Cell
from streamer.simulation.settings import SceneSettings

#: Plane around the field on each side, um: more than the blur needs.
MARGIN_UM = 1.2


class Ground:
    """Where a structure of a scene grows, and where it is at a time.

    Attributes:
        cell: its outline, drift and warp.
        barren: no cell, nothing grows.
        size_um: [2] height and width after which the plane repeats.
    """

    def __init__(
        self, settings: SceneSettings, rng: np.random.Generator, *, shortest_um: float, longest_um: float
    ) -> None:
        self.cell = Cell(settings, rng, shortest_um=shortest_um, longest_um=longest_um)
        self.size_um = self.cell.extent_um + 2 * MARGIN_UM
        self.barren = settings.cell_radius_um <= 0

    def number(self, per_um2: float) -> int:
        """How many of a density there are on the plane; none without a cell."""
        return 0 if self.barren else max(1, round(per_um2 * float(np.prod(self.size_um))))

    def scatter(self, rng: np.random.Generator, count: int) -> Points:
        """[count, 2] places, evenly drawn."""
        return rng.uniform(0.0, 1.0, (count, 2)) * self.size_um - MARGIN_UM

    def wrap(self, points: Points) -> Points:
        """Where in or around the field the plane shows each point."""
        wrapped: Points = (points + MARGIN_UM) % self.size_um - MARGIN_UM
        return wrapped

    def inside(self, points: Points, time_s: float) -> NDArray[np.bool_]:
        """[n]: does what grew at a point lie within the cell's outline, which drifts with it?"""
        drift = self.cell.drift_um(time_s)
        return self.cell.inside(self.wrap(points + drift) - drift)


class Wander:
    """Smooth, confined walks of `count` bodies: sums of three slow sinusoids per coordinate.

    Args:
        rng: for periods and phases.
        speed_nm_per_s: [count] or one root-mean-square speed.
        count: bodies.
        period_s: shortest and longest period; a body strays by about speed x period / 2 pi.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        speed_nm_per_s: NDArray[np.float64] | float,
        count: int,
        period_s: tuple[float, float],
    ) -> None:
        low, high = period_s
        self._pace = 2 * np.pi / (low * (high / low) ** rng.random((3, count, 2)))
        self._turn = rng.uniform(0, 2 * np.pi, (3, count, 2))
        # Six sinusoids (three per coordinate) of equal speed: each carries sqrt(2 / 6) of the total.
        speed = np.broadcast_to(np.asarray(speed_nm_per_s) / 1000, (count,)) * np.sqrt(2 / 6)
        self._stride = speed[None, :, None] / self._pace

    def at(self, time_s: float) -> Points:
        """[count, 2] um displacements at a time."""
        moved: Points = (self._stride * np.sin(self._pace * time_s + self._turn)).sum(axis=0)
        return moved

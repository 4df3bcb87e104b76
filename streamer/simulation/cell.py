"""The ground a specimen stands on: the cell's outline, its drift, and a smooth warp of the plane.

Lengths are in um, points are [n, 2] as (y, x); (0, 0) is the field's corner at time 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.compiled import compiled
from streamer.simulation.canvas import Points
from streamer.simulation.settings import SceneSettings

#: Plane waves per smooth field.
WAVES = 6
#: Time scale of the drift along y and x; the specimen stays within speed x time of where it was.
DRIFT_S = np.array([700.0, 1_100.0])


class Cell:
    """Outline, drift and warp of one cell, drawn from `rng`.

    Attributes:
        extent_um: height and width of the field.
        centre_um: of the cell.
        turn: an angle from 0 to pi / 2, for whatever has a direction in this cell.
    """

    def __init__(
        self, settings: SceneSettings, rng: np.random.Generator, *, shortest_um: float, longest_um: float
    ) -> None:
        self._settings = settings
        self.extent_um = np.array(settings.shape_yx) * settings.pixel_nm / 1000
        direction = rng.uniform(0, 2 * np.pi)
        heading = np.array([np.sin(direction), np.cos(direction)])
        self.centre_um = self.extent_um / 2 - settings.cell_offset_um * heading
        self.turn = float(rng.uniform(0, np.pi / 2))
        drift = rng.uniform(0, 2 * np.pi)
        self._drift_um_per_s = settings.drift_nm_per_s / 1000 * np.array([np.sin(drift), np.cos(drift)])
        self._outline = rng.normal(0, 0.05, 5), rng.uniform(0, 2 * np.pi, 5)
        # The warp's short waves curve single pieces, its long ones whole groups.
        self._bends = waves(rng, shortest_um=shortest_um, longest_um=longest_um)
        # Six waves of equal strength: each has sqrt(2 / 6) of the root mean square.
        self._bend_um = settings.curvature_nm / 1000 * np.sqrt(2.0 / WAVES)

    @property
    def bent_um(self) -> float:
        """How far `warp` carries a point along y or x beside the drift, at most."""
        return float(WAVES * self._bend_um)

    def drift_um(self, time_s: float) -> Points:
        """Where the specimen has drifted to, (y, x): it comes and goes with the temperature of the room."""
        drift: Points = self._drift_um_per_s * DRIFT_S * np.sin(time_s / DRIFT_S)
        return drift

    def warp(self, points: Points, time_s: float) -> Points:
        """Carry [n, 2] points of the straight specimen to where the curved, drifted one has them."""
        vectors, turns = self._bends
        pace_hz = self._settings.rearrangement_nm_per_s / (4 * np.pi * max(self._settings.curvature_nm, 1.0))
        phase = _phases(points @ vectors.T, turns, 2 * np.pi * pace_hz * time_s)
        bends = np.sin(phase, out=phase).sum(axis=0)
        # In this order, whatever the points came in: kernels are compiled for one.
        warped: Points = np.add(points, self._bend_um * bends.T, order="C")
        warped += self.drift_um(time_s)
        return warped

    def inside(self, points: Points) -> NDArray[np.bool_]:
        """[n]: is the point, before drift, within the cell's outline?"""
        away = points - self.centre_um
        angle = np.arctan2(away[:, 0], away[:, 1])
        sizes, turns = self._outline
        lobes = sum(
            size * np.cos(lobe * angle + turn)
            for lobe, (size, turn) in enumerate(zip(sizes, turns, strict=True), start=2)
        )
        inside: NDArray[np.bool_] = np.hypot(away[:, 0], away[:, 1]) < self._settings.cell_radius_um * (
            1.0 + lobes
        )
        return inside


def waves(rng: np.random.Generator, *, shortest_um: float, longest_um: float) -> tuple[Points, Points]:
    """Wave vectors [WAVES, 2] in radians per um, and phases [2, WAVES] (one row per displaced coordinate)."""
    # Lengths and directions are spread evenly, so that no draw lacks the short waves.
    steps = (np.arange(WAVES) + rng.uniform(0, 1, WAVES)) / WAVES
    length = shortest_um * (longest_um / shortest_um) ** steps
    angle = np.pi * rng.permutation((np.arange(WAVES) + rng.uniform(0, 1, WAVES)) / WAVES)
    vectors = 2 * np.pi / length[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return vectors, rng.uniform(0, 2 * np.pi, (2, WAVES))


@compiled
def _phases(along: Points, turns: Points, passed: float) -> NDArray[np.float32]:
    """[WAVES, 2, n] radians of the waves that displace n points along y and x.

    What the places add is `along` [n, WAVES], what the waves do `turns` [2, WAVES], what time does `passed`.
    """
    count = len(along)
    phase = np.empty((WAVES, 2, count), np.float32)
    for wave in range(WAVES):
        for axis in range(2):
            for point in range(count):
                phase[wave, axis, point] = along[point, wave] + turns[axis, wave] + passed
    return phase

"""An ER-like network of tubules and sheets as a pure function of seed and time.

Polygons are the Voronoi cells of a jittered, endless lattice whose points wander smoothly: three-way
junctions dominate, as in the ER, and edges shrink, meet and exchange as they do in living cells. A smooth
warp of the plane curves the edges without tearing them apart. Lengths are in um, points are [n, 2] as (y, x);
(0, 0) is the field's corner at time 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Voronoi
from scipy.special import ndtri

from streamer.simulation import chance
from streamer.simulation.canvas import Points
from streamer.simulation.cell import WAVES, Cell, waves
from streamer.simulation.settings import SceneSettings

#: Sinusoids per wandering coordinate.
MODES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tubules:
    """Straight pieces before the warp, [n] each; a piece runs from `start` to `end`.

    Attributes:
        start: [n, 2] um.
        end: [n, 2] um, the growing or retracting tip where there is one.
        radius_um: [n].
        brightness: [n] density of fluorophores in the membrane, relative to the mean.
    """

    start: Points
    end: Points
    radius_um: NDArray[np.float64]
    brightness: NDArray[np.float64]

    def only(self, kept: NDArray[np.bool_]) -> Tubules:
        """The pieces that are `kept` [n]."""
        return Tubules(
            start=self.start[kept],
            end=self.end[kept],
            radius_um=self.radius_um[kept],
            brightness=self.brightness[kept],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheets:
    """Closed outlines before the warp, as directed pieces.

    Attributes:
        start: [n, 2] um.
        end: [n, 2] um.
        cover: [n] signed presence (0-1) of the sheet; the sign makes every outline run the same way round.
    """

    start: Points
    end: Points
    cover: NDArray[np.float64]


class Network:
    """The network of one cell; `at` gives it at any time, in any order."""

    def __init__(self, settings: SceneSettings) -> None:
        self._settings = settings
        rng = np.random.default_rng((settings.seed, 1))
        self.cell = Cell(settings, rng, shortest_um=0.8, longest_um=3.0)
        turn = self.cell.turn
        self._lattice = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        self._regions = waves(rng, shortest_um=4.0, longest_um=9.0)

    def at(self, time_s: float) -> tuple[Tubules, Sheets]:
        """The straight network at a time, out to a margin around the field."""
        settings = self._settings
        points, keys = self._polygon_points(time_s)
        diagram = Voronoi(points)
        sheet = self._sheet_presence(points, keys, time_s)
        pairs = diagram.ridge_points
        ends = np.array(diagram.ridge_vertices)
        inside = np.append(self.cell.inside(diagram.vertices), False)  # -1 stands for a vertex at infinity
        keep = inside[ends].all(axis=1)
        # A sheet's outline must be closed: a polygon that reaches beyond the cell carries none.
        sheet[pairs[~keep].ravel()] = 0.0
        pairs, ends = pairs[keep], ends[keep]
        start, end = diagram.vertices[ends[:, 0]], diagram.vertices[ends[:, 1]]
        # No tubule runs between two sheets; the curved rim of a single one is less than a tubule.
        rim = 0.4 * sheet[pairs].min(axis=1) + 0.6 * sheet[pairs].max(axis=1)
        edges = chance.mix(keys[pairs[:, 0]] + keys[pairs[:, 1]])
        return (
            _tubules(settings, edges, start, end, 1.0 - rim, time_s),
            _outlines(points, pairs, start, end, sheet),
        )

    def _polygon_points(self, time_s: float) -> tuple[Points, chance.Keys]:
        """The wandering lattice points around the field, and their keys."""
        mesh = self._settings.mesh_um
        margin = 1.0 + 2.0 * mesh
        middle = self.cell.extent_um / 2 - self.cell.drift_um(time_s)
        reach = int(np.hypot(*self.cell.extent_um / 2) / mesh + margin / mesh) + 1
        first = np.rint(self._lattice.T @ middle / mesh).astype(np.int64) - reach
        places = first + np.indices((2 * reach, 2 * reach)).reshape(2, -1).T
        near = (np.abs(places * mesh @ self._lattice.T - middle) < self.cell.extent_um / 2 + margin).all(
            axis=1
        )
        row, column = places[near].T
        keys = chance.lattice_keys(self._settings.seed, row, column)
        speed = self._settings.rearrangement_nm_per_s / 1000
        points = places[near] * mesh @ self._lattice.T
        for axis in range(2):
            points[:, axis] += mesh * 1.1 * (chance.uniform(keys, axis) - 0.5)
            for mode in range(MODES):
                purpose = 10 + 10 * axis + mode
                hertz = 0.005 * 6.0 ** chance.uniform(keys, purpose)
                stride = np.minimum(speed * np.sqrt(2 / MODES) / (2 * np.pi * hertz), 0.12 * mesh)
                turn = 2 * np.pi * chance.uniform(keys, purpose + 40)
                points[:, axis] += stride * np.sin(2 * np.pi * hertz * time_s + turn)
        return points, keys

    def _sheet_presence(self, points: Points, keys: chance.Keys, time_s: float) -> NDArray[np.float64]:
        """[n] 0-1: how much of each polygon's sheet is there; neighbours tend to agree."""
        fraction = self._settings.sheet_fraction
        if fraction <= 0:
            return np.zeros(len(points))
        vectors, turns = self._regions
        region = np.sin(points @ vectors.T + turns[0]).sum(axis=-1) * np.sqrt(2.0 / WAVES)
        breathing = 0.15 * np.sin(2 * np.pi * (time_s / 90.0 + chance.uniform(keys, 90)))
        score = (region + 0.5 * chance.normal(keys, 91) + breathing) / np.sqrt(1.26)
        presence: NDArray[np.float64] = np.clip((score + ndtri(min(fraction, 0.99))) / 0.1, 0.0, 1.0)
        return presence


def _tubules(
    settings: SceneSettings, edges: chance.Keys, start: Points, end: Points, presence: Points, time_s: float
) -> Tubules:
    """Give every polygon edge its tubule: there or not, wide or thin, bright or dim, growing or shrinking."""
    period_s = 20.0 * 5.0 ** chance.uniform(edges, 100)
    swing = 0.5 + 0.9 * np.sin(2 * np.pi * (time_s / period_s + chance.uniform(edges, 101)))
    dynamic = chance.uniform(edges, 102) < settings.dynamic_fraction
    reach = np.where(dynamic, np.clip(swing, 0.0, 1.0), 1.0)
    there = (chance.uniform(edges, 103) >= settings.missing_fraction) & (reach * presence > 0.01)
    start, edges = start[there], edges[there]
    width = np.clip(1.0 + settings.tubule_spread * chance.normal(edges, 104), 0.6, 1.6)
    bright = np.clip(1.0 + settings.tubule_spread * chance.normal(edges, 105), 0.5, 1.6)
    return Tubules(
        start=start,
        end=start + reach[there, None] * (end[there] - start),
        radius_um=width * settings.tubule_nm / 2000,
        brightness=bright * presence[there],
    )


def _outlines(points: Points, pairs: NDArray[np.int64], start: Points, end: Points, sheet: Points) -> Sheets:
    """Directed outlines of the sheet polygons: an edge between two polygons carries their difference."""
    # Positive where the first polygon lies to the left of start -> end; the second then lies to the right.
    along, across = end - start, points[pairs[:, 0]] - start
    side = np.sign(along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0])
    cover = side * (sheet[pairs[:, 0]] - sheet[pairs[:, 1]])
    drawn = cover != 0
    return Sheets(start=start[drawn], end=end[drawn], cover=cover[drawn])

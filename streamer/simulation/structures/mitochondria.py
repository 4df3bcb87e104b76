"""Mitochondria: bent tubes 0.2-0.5 um wide, stained in the inner membrane or in the outer one.

Inner membrane (dyes such as PK Mito, SNAP-tagged COX8A): the boundary membrane and cristae, lamellae across
the tube 70-120 nm apart (Stephan et al., Sci. Rep. 9, 12419, 2019; Liu et al., PNAS 119, e2215799119, 2022).
Outer membrane (TOM20): the outline alone, in clumps. Membranes are equally dense, so the picture follows from
their area. Cristae neither fuse nor move within their mitochondrion; fission, fusion and branches are left
out. Densities, lengths and speeds are chosen by eye.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from streamer.simulation import fibres, render
from streamer.simulation.canvas import Canvas, Emitters, Labels, Points
from streamer.simulation.ground import Ground, Wander
from streamer.simulation.settings import SceneSettings
from streamer.simulation.structures.seen import bands

#: Points around half of the circumference, and across a crista.
AROUND = 36
ACROSS = 28
#: Side of the cells in which a place is taken by one mitochondrion.
PLOT_UM = 0.3

RANGES: Mapping[str, Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "train": {
            "density_per_um2": (0.1, 0.4),
            "width_um": (0.22, 0.42),
            "length_um": (1.5, 5.0),
            "persistence_um": (2.0, 8.0),
            "crista_nm": (80.0, 130.0),
            "cristae": (0.65, 0.95),
            "brightness_spread": (0.05, 0.3),
            "curvature_nm": (20.0, 120.0),
            "rearrangement_nm_per_s": (5.0, 60.0),
        },
        "test": {
            "density_per_um2": (0.08, 0.45),
            "width_um": (0.2, 0.5),
            "length_um": (1.2, 6.0),
            "persistence_um": (1.5, 10.0),
            "crista_nm": (70.0, 140.0),
            "cristae": (0.55, 1.0),
            "brightness_spread": (0.05, 0.35),
            "curvature_nm": (15.0, 140.0),
            "rearrangement_nm_per_s": (5.0, 70.0),
        },
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mitochondria:
    """What can be chosen about mitochondria.

    Attributes:
        stain: which membrane carries the dye.
        density_per_um2: mitochondria per area; where there is no room, fewer.
        width_um: mean diameter.
        length_um: mean length.
        persistence_um: over which a mitochondrion keeps its direction.
        crista_nm: mean distance of neighbouring cristae.
        cristae: mean fraction of the diameter that a crista spans.
        brightness_spread: relative standard deviation between mitochondria.
    """

    stain: Literal["inner", "outer"] = "inner"
    density_per_um2: float = 0.25
    width_um: float = 0.32
    length_um: float = 3.0
    persistence_um: float = 4.0
    crista_nm: float = 100.0
    cristae: float = 0.85
    brightness_spread: float = 0.15

    def grow(self, scene: SceneSettings) -> Tubes:
        """As `streamer.simulation.settings.Structure` says."""
        return Tubes(self, scene)


class Tubes:
    """The mitochondria of one scene; label 1 from wall to wall, interior included."""

    def __init__(self, settings: Mitochondria, scene: SceneSettings) -> None:
        rng = np.random.default_rng((scene.seed, 5))
        self._scene, self._settings = scene, settings
        self._ground = Ground(scene, rng, shortest_um=2.0, longest_um=6.0)
        self._fibres = lines = _apart(_lines(settings, self._ground, rng), self._ground)
        count = len(lines.length_um)
        width = settings.width_um * np.clip(1 + 0.12 * rng.standard_normal(count), 0.7, 1.4)
        waist = np.clip(1 + 0.08 * fibres.grain(rng, len(lines.points), 0.25), 0.75, 1.25)
        self._full_um = (width / 2)[lines.fibre] * waist
        self._radius_um = _capped(lines, self._full_um)
        self._stain = fibres.uneven(rng.standard_normal(count), settings.brightness_spread)[lines.fibre]
        self._clumps = _clumps(rng, len(lines.points), 0.45 if settings.stain == "outer" else 0.15)
        self._wander = Wander(rng, scene.rearrangement_nm_per_s, count, (10.0, 90.0))
        self._first = np.searchsorted(lines.fibre, np.arange(count))
        self._cristae = _Cristae(settings, lines, rng)

    def maps(self, canvas: Canvas, time_s: float) -> tuple[Emitters, Labels]:
        """As `streamer.simulation.canvas.Specimen` says."""
        lines = self._fibres
        moved = self._wander.at(time_s)[lines.fibre]
        points = self._ground.cell.warp(lines.points + moved, time_s)
        across = fibres.normals(points, lines.fibre)
        # A mitochondrion is in the cell or not, by its first end.
        there = self._ground.inside(lines.points[self._first], time_s)[lines.fibre]
        emitters = self._wall(canvas, points, across, there)
        if self._settings.stain == "inner":
            shape, area = self._cristae.draw(points, across, self._radius_um)
            stain = (self._stain * there)[self._cristae.place]
            weights = (area * stain[:, None]).ravel()
            emitters += render.splat(self._ground.wrap(shape.reshape(-1, 2)), weights, canvas)
        emitters *= np.float32(self._scene.labels_per_um2)
        body = bands(points[there], across[there], self._radius_um[there], canvas)
        return emitters, render.mark(self._ground.wrap(body), canvas).astype(np.uint8)

    def _wall(self, canvas: Canvas, points: Points, across: Points, there: NDArray[np.bool_]) -> Emitters:
        """Membrane of the tube and its round ends, um^2 per pixel."""
        angles = (np.arange(AROUND) + 0.5) * np.pi / AROUND
        aside = np.cos(angles)[:, None] * self._radius_um  # [AROUND, n]
        wall = points + aside[..., None] * across
        # A sphere has as much area per length of axis as the tube that it ends.
        area = 2 * np.pi * self._full_um * fibres.STEP_UM / AROUND * self._stain * there * self._clumps
        return render.splat(self._ground.wrap(wall.reshape(-1, 2)), area.ravel(), canvas)


class _Cristae:
    """Lamellae across the tubes, in from one wall, a little tilted and bowed."""

    def __init__(self, settings: Mitochondria, lines: fibres.Fibres, rng: np.random.Generator) -> None:
        # Distances vary by a quarter: step along all fibres as if they were one.
        total = len(lines.points) * fibres.STEP_UM
        spacing = settings.crista_nm / 1000
        gaps = spacing * np.clip(1 + 0.25 * rng.standard_normal(round(total / spacing) + 1), 0.5, 2.0)
        place = (np.cumsum(gaps) / fibres.STEP_UM).astype(np.int64)
        self.place = place[place < len(lines.points)]
        count = len(self.place)
        span = np.clip(settings.cristae + 0.12 * rng.standard_normal(count), 0.3, 1.0)
        side = rng.choice([-1.0, 1.0], count)
        depth = (np.arange(ACROSS) + 0.5) / ACROSS
        self._aside = side[:, None] * (1 - 2 * span[:, None] * depth)  # [cristae, ACROSS] -1 to 1
        tilt, bow = rng.normal(0, 0.15, (count, 1)), rng.normal(0, 0.12, (count, 1))
        self._ahead = tilt * self._aside + bow * self._aside**2
        # Two membranes, as high as the tube is there: 2 sqrt(1 - x^2) radii.
        self._area = 4 * np.sqrt(1 - self._aside**2) * (2 * span / ACROSS)[:, None]

    def draw(self, points: Points, across: Points, radius_um: Points) -> tuple[Points, Points]:
        """[cristae, ACROSS, 2] um and [cristae, ACROSS] um^2 in tubes that run through `points`."""
        normal, radius = across[self.place], radius_um[self.place]
        along = np.stack([normal[:, 1], -normal[:, 0]], axis=1)
        shape = points[self.place][:, None] + radius[:, None, None] * (
            self._aside[..., None] * normal[:, None] + self._ahead[..., None] * along[:, None]
        )
        return shape, self._area * radius[:, None] ** 2


def _lines(settings: Mitochondria, ground: Ground, rng: np.random.Generator) -> fibres.Fibres:
    """Centre lines, mostly towards and away from the cell's centre."""
    count = ground.number(settings.density_per_um2)
    start = ground.scatter(rng, count)
    away = start - ground.cell.centre_um
    heading = np.arctan2(away[:, 0], away[:, 1]) + rng.normal(0, 0.9, count)
    length = settings.length_um * np.clip(np.exp(0.5 * rng.standard_normal(count)), 0.3, 2.5)
    return fibres.worm_like(
        rng, start, heading, np.maximum(length, 2 * settings.width_um), settings.persistence_um
    )


def _apart(lines: fibres.Fibres, ground: Ground) -> fibres.Fibres:
    """Leave out every mitochondrion that would lie upon an earlier one."""
    taken: set[tuple[int, int]] = set()
    kept = []
    plots = np.floor(ground.wrap(lines.points) / PLOT_UM).astype(np.int64)
    bounds = np.searchsorted(lines.fibre, np.arange(len(lines.length_um) + 1))
    for number, (first, last) in enumerate(pairwise(bounds)):
        own = {(int(y), int(x)) for y, x in plots[first:last]}
        if own & taken:
            continue
        kept.append(number)
        taken |= {(y + dy, x + dx) for y, x in own for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
    stays = np.isin(lines.fibre, kept)
    return fibres.Fibres(
        points=lines.points[stays],
        fibre=np.searchsorted(kept, lines.fibre[stays]),
        along_um=lines.along_um[stays],
        length_um=lines.length_um[kept] if kept else np.empty(0),
    )


def _capped(lines: fibres.Fibres, full_um: Points) -> Points:
    """[n] radius along the lines, rounded at both ends like a sphere."""
    end = np.minimum(lines.along_um, lines.length_um[lines.fibre] - lines.along_um)
    inner = np.clip(1 - end / full_um, 0.0, 1.0)
    radius: Points = full_um * np.sqrt(1 - inner**2)
    return radius


def _clumps(rng: np.random.Generator, count: int, spread: float) -> Points:
    """[AROUND, count] factors of mean 1: uneven staining over about 70 nm of the wall."""
    noise = ndimage.gaussian_filter(rng.standard_normal((AROUND, count)), (2.0, 6.0), mode="wrap")
    return fibres.uneven(noise * 2.0 * np.sqrt(np.pi * 2.0 * 6.0), spread)

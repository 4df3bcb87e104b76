"""Microtubules: stiff, long filaments that cross, radiate from the cell's centre, and grow and shrink.

Diameter 25 nm; stained along the filament itself (SiR-tubulin in live cells), so no antibodies widen it.
Persistence: 5 mm in vitro (Gittes et al., J. Cell Biol. 120, 923, 1993), about 30 um as they lie in cells
(Brangwynne et al., PNAS 104, 16128, 2007). Plus ends grow at about 0.1-0.3 um/s and shrink faster
(Desai and Mitchison, Annu. Rev. Cell Dev. Biol. 13, 83, 1997). Density, spread of directions and grain of
the staining are chosen by eye.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from streamer.simulation import fibres, render
from streamer.simulation.canvas import Canvas, Emitters, Labels, Points
from streamer.simulation.ground import Ground
from streamer.simulation.settings import SceneSettings
from streamer.simulation.structures.seen import SEEN_UM, bands

DIAMETER_UM = 0.025
#: Shrinking is this much faster than growing.
CATASTROPHE = 2.0

RANGES: Mapping[str, Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "train": {
            "density_per_um": (0.5, 2.6),
            "persistence_um": (12.0, 45.0),
            "length_um": (6.0, 18.0),
            "spread_rad": (0.25, 1.2),
            "grain": (0.1, 0.35),
            "brightness_spread": (0.05, 0.3),
            "growth_um_per_s": (0.05, 0.25),
            "curvature_nm": (20.0, 150.0),
            "rearrangement_nm_per_s": (5.0, 60.0),
        },
        "test": {
            "density_per_um": (0.4, 3.0),
            "persistence_um": (9.0, 55.0),
            "length_um": (5.0, 20.0),
            "spread_rad": (0.2, 1.5),
            "grain": (0.05, 0.4),
            "brightness_spread": (0.05, 0.35),
            "growth_um_per_s": (0.05, 0.3),
            "curvature_nm": (15.0, 180.0),
            "rearrangement_nm_per_s": (5.0, 70.0),
        },
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Microtubules:
    """What can be chosen about microtubules.

    Attributes:
        density_per_um: length of filament per area, um/um^2.
        persistence_um: over which a filament keeps its direction.
        length_um: mean length.
        spread_rad: standard deviation of the directions around the one away from the cell's centre.
        grain: relative standard deviation of the staining along a filament, over about 60 nm.
        brightness_spread: relative standard deviation between filaments.
        growth_um_per_s: speed of the ends that grow; `SceneSettings.dynamic_fraction` of the ends do.
    """

    density_per_um: float = 1.5
    persistence_um: float = 25.0
    length_um: float = 12.0
    spread_rad: float = 0.6
    grain: float = 0.2
    brightness_spread: float = 0.15
    growth_um_per_s: float = 0.15

    def grow(self, scene: SceneSettings) -> Filaments:
        """As `streamer.simulation.settings.Structure` says."""
        return Filaments(self, scene)


class Filaments:
    """The microtubules of one scene; label 1 within half the resolution of a filament."""

    def __init__(self, settings: Microtubules, scene: SceneSettings) -> None:
        rng = np.random.default_rng((scene.seed, 4))
        self._scene = scene
        self._ground = Ground(scene, rng, shortest_um=2.5, longest_um=8.0)
        count = self._ground.number(settings.density_per_um / settings.length_um)
        middle = self._ground.scatter(rng, count)
        # Mean 1, not longer than twice the mean.
        length = settings.length_um * (0.4 + 1.2 * rng.random(count))
        away = middle - self._ground.cell.centre_um
        heading = np.arctan2(away[:, 0], away[:, 1]) + rng.normal(0, settings.spread_rad, count)
        direction = np.stack([np.sin(heading), np.cos(heading)], axis=1)
        start = middle - direction * length[:, None] / 2
        self._fibres = fibres.worm_like(rng, start, heading, length, settings.persistence_um)
        each = fibres.uneven(rng.standard_normal(count), settings.brightness_spread)
        grain = fibres.uneven(
            fibres.grain(rng, len(self._fibres.points), 0.06) if count else np.empty(0), settings.grain
        )
        self._stain = each[self._fibres.fibre] * grain
        self._speed = settings.growth_um_per_s
        self._dynamic = rng.random(count) < scene.dynamic_fraction
        self._swing_um = np.minimum(rng.uniform(0.5, 4.0, count), 0.5 * length)
        self._turn = rng.random(count)

    def maps(self, canvas: Canvas, time_s: float) -> tuple[Emitters, Labels]:
        """As `streamer.simulation.canvas.Specimen` says."""
        fibre = self._fibres.fibre
        points = self._ground.cell.warp(self._fibres.points, time_s)
        reach = np.clip((self.reach_um(time_s)[fibre] - self._fibres.along_um) / fibres.STEP_UM, 0.0, 1.0)
        there = reach * self._ground.inside(self._fibres.points, time_s)
        kept = there > 0
        points, across = points[kept], fibres.normals(points, fibre)[kept]
        return self._draw(canvas, points, across, (there * self._stain)[kept])

    def reach_um(self, time_s: float) -> Points:
        """[filaments] length at a time: steady growth, then a faster loss, again and again."""
        length = self._fibres.length_um
        swing = np.maximum(self._swing_um, 1e-6)
        period_s = swing / self._speed * (1 + 1 / CATASTROPHE)
        phase = (time_s / period_s + self._turn) % 1.0
        growing = CATASTROPHE / (1 + CATASTROPHE)
        grown = np.where(phase < growing, phase / growing, (1 - phase) / (1 - growing))
        reach: Points = np.where(self._dynamic, length - swing * (1 - grown), length)
        return reach

    def _draw(self, canvas: Canvas, points: Points, across: Points, stain: Points) -> tuple[Emitters, Labels]:
        emitters = np.zeros(canvas.shape_yx, np.float32)
        # The wall seen from above: four points around half of the circumference.
        for angle in (np.arange(4) + 0.5) * np.pi / 4:
            aside = points + np.cos(angle) * DIAMETER_UM / 2 * across
            emitters += render.splat(self._ground.wrap(aside), stain, canvas)
        wall_um2 = np.pi * DIAMETER_UM * fibres.STEP_UM / 4
        emitters *= np.float32(self._scene.labels_per_um2 * wall_um2)
        band = bands(points, across, DIAMETER_UM / 2 + SEEN_UM, canvas)
        return emitters, render.mark(self._ground.wrap(band), canvas).astype(np.uint8)

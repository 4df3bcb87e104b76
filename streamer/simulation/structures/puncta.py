"""Puncta: vesicles, endosomes and receptor clusters of many sizes and brightnesses.

Each is a stained spherical membrane. Synaptic vesicles measure about 40 nm, endosomes 100-400 nm, receptor
clusters in between (pysted's PSD95 maps show 100-300 nm); the diameters are log-normal. Some lie in groups,
some ride along at transport speed (0.2-1 um/s on microtubules), the others jitter in place. Densities and
shares are chosen by eye.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from streamer.simulation import fibres, render
from streamer.simulation.canvas import Canvas, Emitters, Labels
from streamer.simulation.ground import Ground, Wander
from streamer.simulation.settings import SceneSettings
from streamer.simulation.structures.seen import SEEN_UM, TOUCHED_PX

#: Points on each sphere, and the smallest and largest diameter that is drawn.
POINTS = 96
DIAMETERS_NM = (35.0, 450.0)
#: Places per area around which groups gather, and how far they spread.
GROUPS_PER_UM2 = 0.08
GROUP_UM = 0.4

RANGES: Mapping[str, Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "train": {
            "density_per_um2": (0.4, 3.0),
            "diameter_nm": (50.0, 130.0),
            "diameter_spread": (0.2, 0.5),
            "brightness_spread": (0.2, 0.7),
            "grouped": (0.0, 0.6),
            "mobile": (0.0, 0.4),
            "transport_nm_per_s": (50.0, 400.0),
            "rearrangement_nm_per_s": (5.0, 40.0),
        },
        "test": {
            "density_per_um2": (0.3, 3.6),
            "diameter_nm": (45.0, 150.0),
            "diameter_spread": (0.15, 0.6),
            "brightness_spread": (0.15, 0.8),
            "grouped": (0.0, 0.7),
            "mobile": (0.0, 0.5),
            "transport_nm_per_s": (50.0, 600.0),
            "rearrangement_nm_per_s": (5.0, 50.0),
        },
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Puncta:
    """What can be chosen about puncta.

    Attributes:
        density_per_um2: how many there are.
        diameter_nm: median diameter.
        diameter_spread: standard deviation of its logarithm.
        brightness_spread: relative standard deviation of the staining between puncta.
        grouped: fraction that lies in groups.
        mobile: fraction that is carried along; the others move at `SceneSettings.rearrangement_nm_per_s`.
        transport_nm_per_s: root-mean-square speed of those.
    """

    density_per_um2: float = 1.5
    diameter_nm: float = 90.0
    diameter_spread: float = 0.35
    brightness_spread: float = 0.4
    grouped: float = 0.3
    mobile: float = 0.15
    transport_nm_per_s: float = 200.0

    def grow(self, scene: SceneSettings) -> Spots:
        """As `streamer.simulation.settings.Structure` says."""
        return Spots(self, scene)


class Spots:
    """The puncta of one scene; label 1 within half the resolution of a punctum."""

    def __init__(self, settings: Puncta, scene: SceneSettings) -> None:
        rng = np.random.default_rng((scene.seed, 7))
        self._scene = scene
        self._ground = Ground(scene, rng, shortest_um=2.0, longest_um=8.0)
        count = self._ground.number(settings.density_per_um2)
        places = self._ground.scatter(rng, count)
        groups = self._ground.scatter(rng, max(1, self._ground.number(GROUPS_PER_UM2)))
        grouped = rng.random(count) < settings.grouped
        around = groups[rng.integers(len(groups), size=count)] + rng.normal(0, GROUP_UM, (count, 2))
        self._places = np.where(grouped[:, None], around, places)
        diameter = settings.diameter_nm * np.exp(settings.diameter_spread * rng.standard_normal(count))
        self._radius_um = np.clip(diameter, *DIAMETERS_NM) / 2000
        self._stain = fibres.uneven(rng.standard_normal(count), settings.brightness_spread)
        mobile = rng.random(count) < settings.mobile
        # Confined ones tremble; carried ones go micrometres and come back.
        self._jitter = Wander(rng, np.where(mobile, 0.0, scene.rearrangement_nm_per_s), count, (5.0, 60.0))
        self._transport = Wander(
            rng, np.where(mobile, settings.transport_nm_per_s, 0.0), count, (15.0, 120.0)
        )

    def maps(self, canvas: Canvas, time_s: float) -> tuple[Emitters, Labels]:
        """As `streamer.simulation.canvas.Specimen` says."""
        there = self._ground.inside(self._places, time_s)
        moved = self._places + self._jitter.at(time_s) + self._transport.at(time_s)
        centre = self._ground.cell.warp(moved, time_s)[there]
        radius, stain = self._radius_um[there], self._stain[there]
        sphere = _sphere()
        shell = centre[:, None] + radius[:, None, None] * sphere  # [puncta, POINTS, 2]
        area = 4 * np.pi * radius**2 * stain / POINTS
        weights = np.repeat(area, POINTS)
        emitters = render.splat(self._ground.wrap(shell.reshape(-1, 2)), weights, canvas)
        emitters *= np.float32(self._scene.labels_per_um2)
        # Spread evenly over the disc, the points lie closer than pixels.
        reach = np.maximum(radius + SEEN_UM - TOUCHED_PX * canvas.pixel_um, 0.0)
        seen = centre[:, None] + reach[:, None, None] * _disc()
        labels = render.mark(self._ground.wrap(seen.reshape(-1, 2)), canvas)
        return emitters, labels.astype(np.uint8)


def _sphere() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """[POINTS, 2] even points of a unit sphere seen from above (Fibonacci lattice)."""
    turn = np.arange(POINTS) * np.pi * (3 - np.sqrt(5))
    height = 1 - 2 * (np.arange(POINTS) + 0.5) / POINTS
    aside = np.sqrt(1 - height**2)
    return np.stack([aside * np.sin(turn), aside * np.cos(turn)], axis=1)


def _disc(count: int = 1200) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """[count, 2] even points of a unit disc, enough for the largest punctum on pixels of 20 nm."""
    turn = np.arange(count) * np.pi * (3 - np.sqrt(5))
    aside = np.sqrt((np.arange(count) + 0.5) / count)
    return np.stack([aside * np.sin(turn), aside * np.cos(turn)], axis=1)

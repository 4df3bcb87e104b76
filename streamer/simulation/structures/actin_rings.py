"""Actin rings: the cortex of axons, with a ring of actin every 190 nm.

Period 180-190 nm by STORM (Xu, Zhong and Zhuang, Science 339, 452, 2013) and 190 nm by STED in living neurons
(D'Este et al., Cell Rep. 10, 1246, 2015). The lattice has gaps; between rings a weaker, even cortex is left,
and bright patches stand 3-4 um apart along the axon (actin hot spots: Ganguly et al., J. Cell Biol. 210, 401,
2015). Axons are tubes 0.2-0.7 um wide that cross each other. Contrast, gaps and unevenness are chosen to look
like STED images of fixed hippocampal neurons.
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

AROUND = 24
#: A ring along the axon: standard deviation of its thickness, and of its place around the lattice's.
RING_UM = 0.012
JITTER_UM = 0.012
#: Patches: mean distance and size along the axon, and staining over that of a ring's crest.
PATCH_EVERY_UM = 3.5
PATCH_UM = 0.15
#: Length of an axon over the plane's, so that ends are rare; and length over which an end thins out.
AXON_WIDTHS = 3.0
TAPER_UM = 2.0

RANGES: Mapping[str, Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "train": {
            "density_per_um": (0.25, 0.9),
            "width_um": (0.25, 0.55),
            "period_nm": (180.0, 200.0),
            "persistence_um": (8.0, 40.0),
            "ringed": (0.6, 0.95),
            "cortex": (0.1, 0.5),
            "patches": (0.0, 2.0),
            "curvature_nm": (20.0, 120.0),
            "rearrangement_nm_per_s": (2.0, 30.0),
        },
        "test": {
            "density_per_um": (0.2, 1.0),
            "width_um": (0.2, 0.65),
            "period_nm": (175.0, 205.0),
            "persistence_um": (6.0, 50.0),
            "ringed": (0.5, 1.0),
            "cortex": (0.05, 0.6),
            "patches": (0.0, 2.5),
            "curvature_nm": (15.0, 140.0),
            "rearrangement_nm_per_s": (2.0, 40.0),
        },
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActinRings:
    """What can be chosen about axons and their rings.

    Attributes:
        density_per_um: length of axon per area, um/um^2.
        width_um: mean diameter of an axon.
        period_nm: distance of the rings.
        persistence_um: over which an axon keeps its direction.
        ringed: fraction of the axon that has rings.
        cortex: staining between rings, over a ring's mean.
        patches: staining of the bright patches, over a ring's mean.
    """

    density_per_um: float = 0.5
    width_um: float = 0.4
    period_nm: float = 190.0
    persistence_um: float = 20.0
    ringed: float = 0.85
    cortex: float = 0.25
    patches: float = 1.0

    def grow(self, scene: SceneSettings) -> Axons:
        """As `streamer.simulation.settings.Structure` says."""
        return Axons(self, scene)


class Axons:
    """The axons of one scene; label 1 on rings and patches within half the resolution, not on the cortex."""

    def __init__(self, settings: ActinRings, scene: SceneSettings) -> None:
        rng = np.random.default_rng((scene.seed, 6))
        self._scene = scene
        self._ground = Ground(scene, rng, shortest_um=2.5, longest_um=9.0)
        self._fibres = lines = _lines(settings, self._ground, rng)
        count, total = len(lines.length_um), len(lines.points)
        width = settings.width_um * np.clip(1 + 0.25 * rng.standard_normal(count), 0.5, 1.5)
        # Varicosities: the axon swells and thins over micrometres.
        waist = np.clip(1 + 0.12 * fibres.grain(rng, total, 0.6), 0.7, 1.4)
        self._radius_um = (width / 2)[lines.fibre] * waist * _tapered(lines)
        rings, self._tilt_um = _rings(settings, lines, rng)
        patches = _patches(settings, lines, rng)
        # Clumps of actin around the ring, each its own along the axon.
        clumps = fibres.uneven(rng.standard_normal((AROUND, total // 8 + 1)), 0.8)
        grain = np.repeat(clumps, 8, axis=1)[:, :total]
        each = fibres.uneven(rng.standard_normal(count), 0.2)[lines.fibre]
        self._stain = each * (grain * (rings + settings.cortex) + patches)
        self._seen = (_near(rings, SEEN_UM) | (patches > 0.5)) if total else np.zeros(0, np.bool_)

    def maps(self, canvas: Canvas, time_s: float) -> tuple[Emitters, Labels]:
        """As `streamer.simulation.canvas.Specimen` says."""
        points = self._ground.cell.warp(self._fibres.points, time_s)
        across = fibres.normals(points, self._fibres.fibre)
        along = np.stack([across[:, 1], -across[:, 0]], axis=1)
        # A tilted ring: one side of it lies ahead of the other.
        slant = across + (self._tilt_um / self._radius_um)[:, None] * along
        angles = (np.arange(AROUND) + 0.5) * np.pi / AROUND
        cortex = points + (np.cos(angles)[:, None] * self._radius_um)[..., None] * slant
        area = 2 * np.pi * self._radius_um * fibres.STEP_UM / AROUND * self._stain
        emitters = render.splat(self._ground.wrap(cortex.reshape(-1, 2)), area.ravel(), canvas)
        emitters *= np.float32(self._scene.labels_per_um2)
        seen = self._seen
        band = bands(points[seen], slant[seen], self._radius_um[seen], canvas)
        return emitters, render.mark(self._ground.wrap(band), canvas).astype(np.uint8)


def _lines(settings: ActinRings, ground: Ground, rng: np.random.Generator) -> fibres.Fibres:
    """Axons longer than the plane, side by side or across: two directions are favoured."""
    total = settings.density_per_um * float(np.prod(ground.size_um))
    across = float(ground.size_um.max())
    count = 0 if ground.barren else max(1, round(total / (AXON_WIDTHS * across)))
    length = max(total / max(count, 1), across)
    start = ground.scatter(rng, count)
    main = rng.uniform(0, np.pi, 2)[rng.integers(2, size=count)]
    heading = main + rng.normal(0, 0.2, count)
    return fibres.worm_like(rng, start, heading, np.full(count, length), settings.persistence_um)


def _tapered(lines: fibres.Fibres) -> Points:
    """[n] factors of the radius: the few ends thin out, as no axon of this length would end."""
    end = np.minimum(lines.along_um, lines.length_um[lines.fibre] - lines.along_um)
    return np.clip(end / TAPER_UM, 0.1, 1.0)


def _rings(settings: ActinRings, lines: fibres.Fibres, rng: np.random.Generator) -> tuple[Points, Points]:
    """[n] staining of the rings (mean 1 over a period), and [n] how far a ring's end lies ahead, um."""
    period = settings.period_nm / 1000
    number = np.floor(lines.along_um / period).astype(np.int64)
    rank = lines.fibre * (int(number.max(initial=0)) + 1) + number
    count = int(rank.max(initial=0)) + 1
    middle = (number + 0.5) * period + np.clip(JITTER_UM * rng.standard_normal(count), -0.03, 0.03)[rank]
    crest = np.exp(-(((lines.along_um - middle) / RING_UM) ** 2) / 2)
    crest *= period / (RING_UM * np.sqrt(2 * np.pi))
    # Gaps span several rings: a slow noise decides, a ring is there as a whole.
    slow = fibres.grain(rng, len(lines.points), 0.5) if len(lines.points) else np.empty(0)
    first = np.searchsorted(rank, np.arange(count))
    there = slow <= (np.quantile(slow, settings.ringed) if len(slow) else 0.0)
    height = fibres.uneven(rng.standard_normal(count), 0.3)
    height *= there[np.minimum(first, len(there) - 1)] if len(there) else 1.0
    return crest * height[rank], np.clip(0.02 * rng.standard_normal(count), -0.05, 0.05)[rank]


def _patches(settings: ActinRings, lines: fibres.Fibres, rng: np.random.Generator) -> Points:
    """[n] staining of the bright patches."""
    total, size = len(lines.points), PATCH_UM / fibres.STEP_UM
    if total == 0:
        return np.empty(0)
    spikes = (rng.random(total) < fibres.STEP_UM / PATCH_EVERY_UM) * rng.exponential(1.0, total)
    bump = np.exp(-((np.arange(-int(3 * size), int(3 * size) + 1) / size) ** 2) / 2)
    patches: Points = settings.patches * np.convolve(spikes, bump, mode="full")[len(bump) // 2 :][:total]
    return patches


def _near(rings: Points, reach_um: float) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """[n]: is the crest of a ring closer than `reach_um`?"""
    reach = round(reach_um / fibres.STEP_UM)
    crests = np.convolve(rings > 1.0, np.ones(2 * reach - 1), mode="same")
    return np.asarray(crests > 0)

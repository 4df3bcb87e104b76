"""A given map of emitters as a specimen that stands still."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from streamer.simulation.canvas import Canvas, Emitters, Labels
from streamer.simulation.optics import FWHM_PER_SIGMA
from streamer.simulation.settings import SceneSettings
from streamer.simulation.structures.seen import SEEN_UM

#: From which share of the level of the average photon on a pixel is called structure.
LABELLED = 0.3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmitterMap:
    """Relative density of emitters.

    Attributes:
        emitters: [y, x] float, not negative, as large as the scene.
    """

    emitters: NDArray[np.float32]

    def grow(self, scene: SceneSettings) -> Still:
        """As `streamer.simulation.settings.Structure` says."""
        return Still(self.emitters, scene)


class Still:
    """The map, mirrored beyond its borders.

    A map has no unit: it is scaled so that where its average photon comes from, the image is as bright as a
    sheet of the ER, which is what haze is measured by. Label 1 where the image, at the nominal resolution,
    reaches `LABELLED` of that: a map does not say what its author would call structure.
    """

    def __init__(self, emitters: NDArray[np.float32], scene: SceneSettings) -> None:
        sigma_px = 2 * SEEN_UM * 1000 / scene.pixel_nm / FWHM_PER_SIGMA
        seen = ndimage.gaussian_filter(emitters, sigma_px, mode="reflect")
        # Of the average photon, not the average place: maps hold a faint haze of single emitters.
        light = emitters * seen
        level = np.sum(light * seen, dtype=np.float64) / np.sum(light, dtype=np.float64)
        self._labels = (seen > LABELLED * level).astype(np.uint8)
        sheet = 2 * scene.labels_per_um2 * (scene.pixel_nm / 1000) ** 2
        self._emitters = emitters * np.float32(sheet / level)

    def maps(self, canvas: Canvas, time_s: float) -> tuple[Emitters, Labels]:
        """As `streamer.simulation.canvas.Specimen` says; the same at any time."""
        before = canvas.corner_px
        pads = [
            (before, whole - size - before)
            for whole, size in zip(canvas.shape_yx, self._emitters.shape, strict=True)
        ]
        return np.pad(self._emitters, pads, mode="symmetric"), np.pad(self._labels, pads, mode="symmetric")

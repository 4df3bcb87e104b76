"""Specimens with depth, seen slice by slice.

A plain model, and chosen rather than measured: two sheets of specimen, independent of each other, each
draped over its own tilted and gently rolling surface. A point between two slices counts to both, in linear
shares, so that all slices together show every point once; what the other levels emit is seen defocused and is
background. The top-hat depletion beam is taken to confine the light along the axis more than the donut does
and across it less.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamer.simulation.brightness import brightened, foreground_box_sum
from streamer.simulation.cell import WAVES, waves
from streamer.simulation.detector import count_photons
from streamer.simulation.optics import image_of, stack_of
from streamer.simulation.scene import Scene
from streamer.simulation.settings import Light, SceneSettings

#: Six slices make 700 nm, the thickest stacks of Rahm et al.; 35 nm are their pixels in z-stack time series.
STEP_UM = 0.14
SLICES = 6
STACK_PIXEL_NM = 35.0
#: Share of the depletion power that narrows the image across the axis with a top-hat: 125 nm at 166 mW.
TOP_HAT_SHARE = 0.25
#: Defocus that widens the PSF by sqrt(2) with a top-hat, and halves the light that is collected.
TOP_HAT_AXIAL_UM = 0.12
#: Sheets of specimen, levels drawn beyond the stack, and the surfaces' shape (standard deviations).
LAYERS = 2
BEYOND = 3
LAYER_UM = 0.15
ROLL_UM = 0.10
TILT = 0.015


@dataclass(frozen=True, slots=True, kw_only=True)
class StackExposure:
    """One z-stack and its ground truth, lowest slice first.

    Attributes:
        counts: [z, y, x] uint16 detected photons.
        signal: [z, y, x] float32 expected photons of what lies in each slice, in focus.
        background: [z, y, x] float32 expected photons of everything else.
        labels: [z, y, x] uint8 classes of what lies within half a step of each slice.
    """

    counts: NDArray[np.uint16]
    signal: NDArray[np.float32]
    background: NDArray[np.float32]
    labels: NDArray[np.uint8]


class StackScene:
    """A specimen with depth; equal settings and equal calls give equal stacks. It does not bleach."""

    def __init__(self, settings: SceneSettings, *, slices: int = SLICES, step_um: float = STEP_UM) -> None:
        # Each sheet has its own seed, and would have its own cell's edge: keep to the middle of the cell.
        self.settings = replace(settings, axial_um=TOP_HAT_AXIAL_UM, cell_offset_um=0.0)
        self._slices, self._step_um = slices, step_um
        rng = np.random.default_rng((settings.seed, 8))
        self._scenes = [Scene(replace(self.settings, seed=int(rng.integers(2**62)))) for _ in range(LAYERS)]
        self._rolls = [waves(rng, shortest_um=4.0, longest_um=12.0) for _ in range(LAYERS)]
        self._tilts = rng.normal(0, TILT, (LAYERS, 2))
        self._heights_um = rng.normal(0, LAYER_UM, LAYERS)

    def expected(
        self, time_s: float, light: Light
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
        """Signal, background and labels of a `StackExposure` at `time_s`, without taking it."""
        scene, power_mw = self._scenes[0], light.depletion_mw * TOP_HAT_SHARE
        levels, labels = self._levels(time_s)
        sharp, rest = stack_of(levels, self._step_um, BEYOND, self._slices, self.settings, power_mw)
        _, away = image_of(levels.sum(axis=0), self.settings, power_mw, 0.0)
        photons = scene.photons_per_emitter(light)
        dark = np.float32(self.settings.dark_counts_per_s * 1e-6 * light.exposure_us)
        return photons * scene.crop(sharp), photons * scene.crop(rest + away) + dark, scene.crop(labels)

    def expose(self, index: int, time_s: float, light: Light) -> StackExposure:
        """Take stack `index` of the specimen as it is at `time_s`."""
        signal, background, labels = self.expected(time_s, light)
        counts = count_photons(signal + background, np.random.default_rng((self.settings.seed, 9, index)))
        return StackExposure(counts=counts, signal=signal, background=background, labels=labels)

    def _levels(self, time_s: float) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """[levels, y, x] emitters at each height, and [z, y, x] labels of the slices, on the padded field."""
        count = self._slices + 2 * BEYOND
        maps = [scene.emitters(time_s) for scene in self._scenes]
        shape_yx = maps[0][0].shape
        levels = np.zeros((count, *shape_yx), np.float32)
        labels = np.zeros((self._slices, *shape_yx), np.uint8)
        for layer, (emitters, classes) in enumerate(maps):
            height = np.clip(self._height_levels(layer, shape_yx), 0.0, count - 1.0).astype(np.float32)
            for number, level in enumerate(levels):
                level += np.maximum(1.0 - np.abs(height - np.float32(number)), 0.0) * emitters
            nearest = np.rint(height) - BEYOND
            for number, plane in enumerate(labels):
                np.maximum(plane, classes * (nearest == number), out=plane)
        return levels, labels

    def _height_levels(self, layer: int, shape_yx: tuple[int, ...]) -> NDArray[np.float64]:
        """[y, x] height of a layer's surface on the padded field, in levels."""
        pixel_um = self.settings.pixel_nm / 1000
        y, x = ((np.arange(size) - size / 2) * pixel_um for size in shape_yx)
        vectors, turns = self._rolls[layer]
        down, right = np.outer(y, vectors[:, 0]), np.outer(vectors[:, 1], x) + turns[0][:, None]
        # sin(a + b), summed over the waves.
        rolls = np.sin(down) @ np.cos(right) + np.cos(down) @ np.sin(right)
        height_um = ROLL_UM * np.sqrt(2.0 / WAVES) * rolls
        height_um += self._heights_um[layer] + self._tilts[layer, 0] * y[:, None] + self._tilts[layer, 1] * x
        levels: NDArray[np.float64] = height_um / self._step_um + BEYOND + (self._slices - 1) / 2
        return levels


def stack_at_box_sum(
    settings: SceneSettings, light: Light, time_s: float, box_sum: float, slices: int = SLICES
) -> StackScene:
    """A scene with depth, so bright that its fullest slice has an expected foreground box sum of `box_sum`.

    A scene without structure stays as it is.
    """
    scene = StackScene(settings, slices=slices)
    signal, background, labels = scene.expected(time_s, light)
    full = fullest(labels)
    found = foreground_box_sum(signal[full] + background[full], labels[full])
    return StackScene(brightened(settings, light, found, box_sum), slices=slices)


def fullest(labels: NDArray[np.uint8]) -> int:
    """The slice of [z, y, x] labels that holds most structure."""
    return int(np.count_nonzero(labels, axis=(1, 2)).argmax())

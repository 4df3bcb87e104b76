"""Exposing a simulated specimen, frame by frame, with the ground truth of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from streamer.simulation.bleaching import frame_dose_uw_us, survival_at
from streamer.simulation.canvas import Canvas, Emitters, Labels
from streamer.simulation.detector import count_photons
from streamer.simulation.optics import image_of
from streamer.simulation.settings import Light, SceneSettings
from streamer.simulation.structures.er import Reticulum

__all__ = ["Exposure", "Light", "Scene", "SceneSettings"]

Scalar = TypeVar("Scalar", bound=np.generic)

#: Specimen rendered beyond each border, so that the blur has it and does not wrap into the field.
PAD_UM = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One frame and its ground truth.

    Attributes:
        counts: [y, x] uint16 detected photons.
        signal: [y, x] float32 expected in-focus photons, free of noise.
        background: [y, x] float32 expected photons from out of focus, haze and dark counts.
        labels: [y, x] uint8: 0 background, 1 structure; in the ER 1 tubule, 2 sheet.
        survival: fraction of the fluorophores alive at the start of this frame.
    """

    counts: NDArray[np.uint16]
    signal: NDArray[np.float32]
    background: NDArray[np.float32]
    labels: NDArray[np.uint8]
    survival: float


class Scene:
    """A specimen that is exposed and bleaches; equal settings and equal calls give equal exposures."""

    def __init__(self, settings: SceneSettings) -> None:
        self.settings = settings
        self._specimen = settings.structure.grow(settings) if settings.structure else Reticulum(settings)
        self._dose_uw_us = 0.0
        pad = round(PAD_UM * 1000 / settings.pixel_nm)
        height, width = settings.shape_yx
        self._canvas = Canvas(
            shape_yx=(fft.next_fast_len(height + 2 * pad, True), fft.next_fast_len(width + 2 * pad, True)),
            corner_px=pad,
            pixel_um=settings.pixel_nm / 1000,
        )

    @property
    def survival(self) -> float:
        """Fraction of the fluorophores alive now."""
        return survival_at(self._dose_uw_us * self.settings.bleaching)

    def expose(self, index: int, time_s: float, light: Light, focus_um: float = 0.0) -> Exposure:
        """Take frame `index` of the specimen as it is at `time_s`; the light adds to the dose.

        The frame shows one moment: motion while the beam scans is left out. Counts come from a generator
        seeded by the scene's seed and the index. In dark mode nothing reaches the specimen or comes from it.
        """
        survival = self.survival
        signal, background, labels = self.expected(time_s, light, focus_um)
        if not self.settings.dark:
            self._dose_uw_us += frame_dose_uw_us(light)
        rng = np.random.default_rng((self.settings.seed, 2, index))
        return Exposure(
            counts=count_photons(signal + background, rng),
            signal=signal,
            background=background,
            labels=labels,
            survival=survival,
        )

    def expected(
        self, time_s: float, light: Light, focus_um: float = 0.0
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], Labels]:
        """Signal, background and labels [y, x] of an `Exposure` at `time_s`, without taking it."""
        settings = self.settings
        dark = np.float32(settings.dark_counts_per_s * 1e-6 * light.exposure_us)
        if settings.dark:
            signal = np.zeros(settings.shape_yx, np.float32)
            return signal, np.full_like(signal, dark), np.zeros(settings.shape_yx, np.uint8)
        emitters, labels = self.emitters(time_s)
        sharp, blurred = image_of(emitters, settings, light.depletion_mw, focus_um)
        photons = self.photons_per_emitter(light)
        background = photons * self.crop(blurred)
        background += dark
        return photons * self.crop(sharp), background, self.crop(labels)

    def photons_per_emitter(self, light: Light) -> np.float32:
        """Expected photons of one fluorophore in the centre of the beam, as bleached as the scene is."""
        rate = self.settings.photons_per_uw_us
        return np.float32(rate * light.excitation_uw * light.exposure_us * self.survival)

    def emitters(self, time_s: float) -> tuple[Emitters, Labels]:
        """Fluorophores per pixel and labels, on the padded field that `crop` cuts to the field."""
        return self._specimen.maps(self._canvas, time_s)

    def crop(self, padded: NDArray[Scalar]) -> NDArray[Scalar]:
        """Cut [..., y, x] of the padded field to the field."""
        (height, width), corner = self.settings.shape_yx, self._canvas.corner_px
        return padded[..., corner : corner + height, corner : corner + width]

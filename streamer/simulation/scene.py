"""Exposing a simulated specimen, frame by frame, with the ground truth of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from streamer.simulation import render
from streamer.simulation.bleaching import frame_dose_uw_us, survival_at
from streamer.simulation.detector import count_photons
from streamer.simulation.optics import image_of
from streamer.simulation.settings import Light, SceneSettings
from streamer.simulation.specimen import Points, Specimen

__all__ = ["Exposure", "Light", "Scene", "SceneSettings"]

Scalar = TypeVar("Scalar", bound=np.generic)

#: Specimen rendered beyond each border, so that the blur has it and does not wrap into the field.
PAD_UM = 0.6
#: Length over which the sheets' texture repeats, in pixels.
TEXTURE_PX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One frame and its ground truth.

    Attributes:
        counts: [y, x] uint16 detected photons.
        signal: [y, x] float32 expected in-focus photons, free of noise.
        background: [y, x] float32 expected photons from out of focus, haze and dark counts.
        labels: [y, x] uint8: 0 background, 1 tubule, 2 sheet.
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
        self._specimen = Specimen(settings)
        self._texture = _sheet_texture(settings)
        self._dose_uw_us = 0.0
        pad = round(PAD_UM * 1000 / settings.pixel_nm)
        height, width = settings.shape_yx
        self._corner = pad
        self._padded = fft.next_fast_len(height + 2 * pad, True), fft.next_fast_len(width + 2 * pad, True)

    @property
    def survival(self) -> float:
        """Fraction of the fluorophores alive now."""
        return survival_at(self._dose_uw_us * self.settings.bleaching)

    def expose(self, index: int, time_s: float, light: Light, focus_um: float = 0.0) -> Exposure:
        """Take frame `index` of the specimen as it is at `time_s`; the light adds to the dose.

        The frame shows one moment: motion while the beam scans is left out. Counts come from a generator
        seeded by the scene's seed and the index. In dark mode nothing reaches the specimen or comes from it.
        """
        settings, survival = self.settings, self.survival
        dark = np.float32(settings.dark_counts_per_s * 1e-6 * light.exposure_us)
        if settings.dark:
            signal = np.zeros(settings.shape_yx, np.float32)
            background, labels = np.full_like(signal, dark), np.zeros(settings.shape_yx, np.uint8)
        else:
            emitters, labels = self._emitters(time_s)
            sharp, blurred = image_of(emitters, settings, light.depletion_mw, focus_um)
            photons = np.float32(
                settings.photons_per_uw_us * light.excitation_uw * light.exposure_us * survival
            )
            signal = photons * self._crop(sharp)
            background = photons * self._crop(blurred) + dark
            self._dose_uw_us += frame_dose_uw_us(light)
        rng = np.random.default_rng((settings.seed, 2, index))
        return Exposure(
            counts=count_photons(signal + background, rng),
            signal=signal,
            background=background,
            labels=labels,
            survival=survival,
        )

    def _emitters(self, time_s: float) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Fluorophores per pixel on the padded field, and the true labels [y, x] of the field."""
        pixel_um = self.settings.pixel_nm / 1000

        def to_pixels(points: Points) -> Points:
            # Pixel centres stand at whole numbers.
            pixels: Points = self._specimen.warp(points, time_s) / pixel_um + (self._corner - 0.5)
            return pixels

        tubules, sheets = self._specimen.at(time_s)
        membrane, in_tubule = render.tubule_maps(tubules, to_pixels, pixel_um, self._padded)
        cover = render.sheet_map(sheets, to_pixels, pixel_um, self._padded)
        # A sheet is two membranes, seen from above.
        emitters = membrane + 2.0 * cover * self._sheet_density(time_s)
        emitters *= np.float32(self.settings.labels_per_um2 * pixel_um**2)
        labels = np.where(cover > 0.5, render.SHEET, in_tubule.astype(np.uint8) * render.TUBULE)
        return emitters, self._crop(labels.astype(np.uint8))

    def _sheet_density(self, time_s: float) -> NDArray[np.float32]:
        """The sheets' texture where the specimen has carried it, on the padded field."""
        shift_um = self._specimen.drift_um(time_s) + self.settings.rearrangement_nm_per_s * 1e-3 * np.sin(
            0.2 * time_s + np.array([0.0, 1.0])
        )
        rows, columns = (
            (np.arange(size) - round(shift)) % TEXTURE_PX
            for size, shift in zip(self._padded, shift_um * 1000 / self.settings.pixel_nm, strict=True)
        )
        return self._texture[np.ix_(rows, columns)]

    def _crop(self, padded: NDArray[Scalar]) -> NDArray[Scalar]:
        height, width = self.settings.shape_yx
        return padded[self._corner : self._corner + height, self._corner : self._corner + width]


def _sheet_texture(settings: SceneSettings) -> NDArray[np.float32]:
    """Relative membrane density of sheets, repeating: gentle folds of about 0.5 um, holes of about 0.1 um.

    Holes: Schroeder et al., J. Cell Biol. 218, 83 (2019) saw nanoholes in peripheral sheets by live STED.
    Their pixels stay labelled as sheet.
    """
    rng = np.random.default_rng((settings.seed, 3))
    folds = 1.0 + 0.15 * _smooth_noise(rng, 250.0 / settings.pixel_nm)
    holes = _smooth_noise(rng, 60.0 / settings.pixel_nm)
    edge = np.quantile(holes, 1.0 - settings.fenestration)
    texture: NDArray[np.float32] = np.clip(folds, 0.4, 1.6) * (holes <= edge)
    return texture


def _smooth_noise(rng: np.random.Generator, sigma_px: float) -> NDArray[np.float32]:
    """[TEXTURE_PX, TEXTURE_PX] Gaussian noise of unit variance, blurred and periodic."""
    noise = rng.standard_normal((TEXTURE_PX, TEXTURE_PX), np.float32)
    frequency = np.hypot(fft.fftfreq(TEXTURE_PX)[:, None], fft.rfftfreq(TEXTURE_PX)[None])
    blur = np.exp(-2.0 * (np.pi * sigma_px * frequency) ** 2).astype(np.float32)
    smooth: NDArray[np.float32] = fft.irfft2(fft.rfft2(noise) * blur, noise.shape)
    smooth /= smooth.std()
    return smooth

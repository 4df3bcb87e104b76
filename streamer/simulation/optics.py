"""The effective STED point spread function and the light it leaves out of focus."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from streamer.simulation.settings import SceneSettings

#: Full width at half maximum of a Gaussian over its standard deviation.
FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
#: Standard deviation of the light from above and below the plane (about 1 um out of focus).
OUT_OF_FOCUS_UM = 0.6
#: Blurs that are kept, as a specimen's frames share them: a sharp one and a hazy one, of two specimens.
BLURS = 4


def sted_fwhm_nm(settings: SceneSettings, depletion_mw: float, focus_um: float = 0.0) -> float:
    """Lateral FWHM of the effective PSF: wavelength / (2 NA sqrt(1 + I/Is)), widened by defocus.

    Square-root law: Hell, Nature Biotechnology 21, 1347 (2003); Westphal and Hell, PRL 94, 143903 (2005).
    Defocus widens it as the waist of a Gaussian beam.
    """
    confocal_nm = settings.wavelength_nm / (2.0 * settings.na)
    narrowed = confocal_nm / np.sqrt(1.0 + depletion_mw / settings.saturation_mw)
    return float(narrowed * np.hypot(1.0, focus_um / settings.axial_um))


def image_of(
    emitters: NDArray[np.float32], settings: SceneSettings, depletion_mw: float, focus_um: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Sharp image [y, x] of an emitter map and its background [y, x], per photon of an emitter in the centre.

    The PSF is 1 in its centre: a scanned pixel collects every emitter under the beam, so a narrower PSF also
    means fewer photons. The pinhole rejects what defocus spreads. A Gaussian stands for the PSF; edges wrap
    around, so the caller pads.
    """
    sigma_px = sted_fwhm_nm(settings, depletion_mw, focus_um) / FWHM_PER_SIGMA / settings.pixel_nm
    in_focus_px = sted_fwhm_nm(settings, depletion_mw) / FWHM_PER_SIGMA / settings.pixel_nm
    spectrum = fft.rfft2(emitters)
    # Volume of the PSF in pixels; defocus widens it and keeps its light, then the pinhole takes its share.
    volume = 2.0 * np.pi * in_focus_px**2
    kept = 1.0 / (1.0 + (focus_um / settings.axial_um) ** 2)
    sharp = _imaged(spectrum * _gaussian(emitters.shape, sigma_px, volume * kept), emitters.shape)
    haze_px = OUT_OF_FOCUS_UM * 1000 / settings.pixel_nm
    spectrum *= _gaussian(emitters.shape, haze_px, volume * settings.out_of_focus)
    background = _imaged(spectrum, emitters.shape)
    sheet_emitters = 2.0 * settings.labels_per_um2 * (settings.pixel_nm / 1000) ** 2
    background += np.float32(settings.haze * sheet_emitters * volume)
    return sharp, background


def stack_of(
    levels: NDArray[np.float32],
    spacing_um: float,
    first: int,
    slices: int,
    settings: SceneSettings,
    depletion_mw: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Images of emitters that lie at several heights.

    Args:
        levels: [levels, y, x] emitters at heights that are `spacing_um` apart.
        spacing_um: also the distance of the slices.
        first: level that lies in the first slice's plane of focus.
        slices: how many are taken.
        settings: as for `image_of`.
        depletion_mw: as for `image_of`.

    Returns:
        [slices, y, x] what is in focus, and what the other levels add, defocused; both as `image_of` counts.
    """
    shape = levels.shape[1:]
    spectra = fft.rfft2(levels)
    blurs = []
    for apart in range(len(levels)):
        focus_um = apart * spacing_um
        sigma_px = sted_fwhm_nm(settings, depletion_mw, focus_um) / FWHM_PER_SIGMA / settings.pixel_nm
        in_focus_px = sted_fwhm_nm(settings, depletion_mw) / FWHM_PER_SIGMA / settings.pixel_nm
        kept = 1.0 / (1.0 + (focus_um / settings.axial_um) ** 2)
        blurs.append(_gaussian(shape, sigma_px, 2.0 * np.pi * in_focus_px**2 * kept))
    sharp, rest = [], []
    for plane in range(first, first + slices):
        others = sum(
            spectra[level] * blurs[abs(level - plane)] for level in range(len(levels)) if level != plane
        )
        sharp.append(_imaged(spectra[plane] * blurs[0], shape))
        rest.append(_imaged(others, shape) if len(levels) > 1 else np.zeros(shape, np.float32))
    return np.stack(sharp), np.stack(rest)


def _imaged(spectrum: NDArray[np.complex64], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The image [y, x] of a half-plane spectrum, which is overwritten; light is never negative."""
    image: NDArray[np.float32] = fft.irfft2(spectrum, shape, overwrite_x=True)
    return np.maximum(image, 0.0, out=image)


@lru_cache(maxsize=BLURS)
def _gaussian(shape: tuple[int, ...], sigma_px: float, volume: float) -> NDArray[np.float32]:
    """Half-plane Fourier transform of a Gaussian of a given volume; shared, so not to be written to."""
    decay = -2.0 * (np.pi * sigma_px) ** 2
    vertical = np.exp(decay * fft.fftfreq(shape[0]) ** 2)
    horizontal = np.exp(decay * fft.rfftfreq(shape[1]) ** 2)
    blur = (volume * np.outer(vertical, horizontal)).astype(np.float32)
    blur.setflags(write=False)
    return blur

"""Images whose detail is known: curved lines under a blur, and noise with a cut-off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import gaussian_filter

Image = NDArray[np.float32]
PIXEL_NM = 20.0


def lines(seed: int, size: int) -> NDArray[np.float64]:
    """Gently curved lines in all directions."""
    rng = np.random.default_rng(seed)
    image = np.zeros((size, size))
    for _ in range(size // 5):
        y, x = rng.uniform(0, size, 2)
        turn, along = rng.uniform(0, np.pi), np.arange(-size, size, 0.3)
        rows = np.rint(y + along * np.sin(turn) + 3 * np.sin(along / 15)).astype(int)
        columns = np.rint(x + along * np.cos(turn)).astype(int)
        inside = (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
        np.add.at(image, (rows[inside], columns[inside]), 1)
    return image


def two_exposures(seed: int, size: int, sigma_px: float, photons: float) -> tuple[Image, Image]:
    """Blurred lines at a mean photon number, with independent noise."""
    expected = gaussian_filter(lines(seed, size), sigma_px)
    expected *= photons / expected.mean()
    rng = np.random.default_rng(seed + 100)
    return rng.poisson(expected).astype(np.float32), rng.poisson(expected).astype(np.float32)


def limited_noise(shape: tuple[int, int], cutoff: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """White noise without anything beyond a frequency in cycles per pixel."""
    spectrum = fft.rfft2(rng.standard_normal(shape))
    frequency = np.hypot(fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None])
    kept: NDArray[np.float64] = fft.irfft2(np.where(frequency <= cutoff, spectrum, 0), shape)
    return kept / kept.std()

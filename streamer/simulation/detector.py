"""From expected photons to what a detector delivers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.core import Calibration

FULL_SCALE = 65_535


def count_photons(expected: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint16]:
    """Counting detector (the avalanche photodiode of a STED): Poisson, [y, x], saturating at 16 bit."""
    photons = rng.poisson(expected)
    return np.minimum(photons, FULL_SCALE, out=photons).astype(np.uint16)


def camera_grey_levels(
    expected: NDArray[np.float32], calibration: Calibration, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Camera: Poisson electrons, Gaussian read noise, then gain and offset, [y, x], saturating at 16 bit."""
    electrons = rng.poisson(expected) + rng.normal(0.0, calibration.read_noise_e, expected.shape)
    grey = np.rint(electrons / calibration.gain_e_per_adu + calibration.offset_adu)
    return np.clip(grey, 0, FULL_SCALE).astype(np.uint16)

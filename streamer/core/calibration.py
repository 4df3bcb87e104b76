"""Grey levels to photons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How a detector's grey levels become photons (counting detector) or photo-electrons (camera).

    Attributes:
        offset_adu: grey level of no light.
        gain_e_per_adu: photo-electrons (or photons) per grey level.
        read_noise_e: standard deviation of the read noise, photo-electrons; 0 for a counting detector.
    """

    offset_adu: float = 0.0
    gain_e_per_adu: float = 1.0
    read_noise_e: float = 0.0

    def to_photons(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        """[y, x] grey levels to [y, x] photons; read noise may leave values below zero."""
        photons: NDArray[np.float32] = np.subtract(pixels, np.float32(self.offset_adu), dtype=np.float32)
        photons *= np.float32(self.gain_e_per_adu)
        return photons

"""Grey levels to photons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Side of the boxes that are compared, pixels, and the share of them that is darker than "no light".
_BOX_PX, _DARKER = 10, 0.01


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisional:
    """What networks are shown of a camera that nobody has calibrated: a preview, and no photons.

    Networks expect the noise of counted photons, whatever the dose. So the grey levels of each frame, above
    those of its darkest boxes, are scaled to be as noisy as photons would be: their mean over their variance
    is the gain of a camera without read noise (as Heintzmann et al., Calibrating photon counts from a single
    image, 2016). Read noise, and structure as fine as a pixel, only make it smaller. So a frame without light
    is shown as next to none, from which nothing is drawn; at one photon per grey level the camera's own noise
    would be a bright specimen. Light that is everywhere is taken for none. There are never more photons than
    grey levels, so that images without noise stay finite.

    The rule knows nothing but the frame, and adds up whole numbers: a replay gives the same bits. It does not
    mind what was added to all grey levels of the camera.

    Attributes:
        provisional: told to `run.json` in place of measured numbers.
    """

    provisional: bool = True

    def to_photons(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        """[y, x] grey levels to [y, x] something like photons; noise leaves values below zero."""
        grey = pixels.astype(np.int32)
        offset_adu = _dark_level(grey)
        light = max(float(grey.sum(dtype=np.int64)) / grey.size - offset_adu, 0.0)
        noise = _noise_variance(grey)
        gain = light / noise if noise > light else 1.0
        return Calibration(offset_adu=offset_adu, gain_e_per_adu=gain).to_photons(pixels)


def _dark_level(grey: NDArray[np.int32]) -> float:
    """Mean grey level of a box with next to no light: of boxes side by side, a hundredth is darker."""
    side = min(_BOX_PX, *grey.shape)
    rows, columns = grey.shape[0] // side, grey.shape[1] // side
    boxes = grey[: rows * side, : columns * side].reshape(rows, side, columns, side).sum(axis=(1, 3))
    return float(np.sort(boxes, axis=None)[int(_DARKER * boxes.size)] / (side * side))


def _noise_variance(grey: NDArray[np.int32]) -> float:
    """Variance of the noise of a pixel, in the mean over [y, x], by a mask that structure hardly answers to.

    Immerkaer, Fast noise variance estimation, Computer Vision and Image Understanding 64 (1996).
    """
    masked = np.diff(np.diff(grey, 2, axis=0), 2, axis=1)
    # Exact in float64 up to 2^53, which no camera reaches; a sum of whole numbers does not mind its order.
    return float(np.square(masked, dtype=np.int64).sum(dtype=np.float64)) / (36 * max(masked.size, 1))

"""What the choice of bright tiles loses as light fades, measured on the run's own first frames, dimmed.

Tiles are called bright by what was counted in them. With fewer photons chance chooses more of them, so those
chosen hold less of the light: 2 % less at half of it, 5 % at a quarter (ten simulated specimens of 28 photons
per foreground box). The first frames, made as noisy as if less light had fallen on them, show how much it is
in this run; what is measured later is taken back to the share of the light that gives it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.guards.light import Tiles
from streamer.guards.shared import BOX

#: Shares of the light to which the first frames are dimmed; below the least a straight line leads to none.
SHARES = tuple(float(share) for share in np.sqrt(0.5) ** np.arange(1, 10))
#: Bits of a random word, whose number of ones is close to normal; and that number for each quarter of one.
_BITS = 64
_ONES = (
    np.unpackbits(np.arange(2**16, dtype=np.uint16).view(np.uint8))
    .reshape(-1, 16)
    .sum(axis=1, dtype=np.uint8)
)


def dimmed(halves: Tiles, share: float, seed: tuple[int, int], read_noise_e: float) -> Tiles:
    """[2, tile y, tile x] photons in two halves of the pixels, as if only a share of the light had fallen.

    Mean and variance are those of such a frame: photons scaled by `share` keep that share squared of their
    variance, which for photons is their number, and of that of the camera; what is missing is added as normal
    noise. Its bits are those of PCG64, whose stream numpy promises never to change.
    """
    camera = 0.5 * (BOX * read_noise_e) ** 2
    missing = share * (1.0 - share) * np.maximum(halves, 0.0) + (1.0 - share**2) * camera
    words = np.random.PCG64(seed).random_raw(halves.size)
    ones = _ONES[words.view(np.uint16)].reshape(*halves.shape, 4).sum(axis=-1)
    normal = (ones - _BITS / 2) / np.sqrt(_BITS / 4)
    return np.asarray(share * halves + np.sqrt(missing) * normal)


@dataclass(frozen=True, slots=True)
class Dimming:
    """The level that is measured with a share of the start's light, each over that of the start.

    Attributes:
        frames: [frame, share] levels measured in frames dimmed to `SHARES`, over those as they were.
    """

    frames: NDArray[np.float64]

    def error_at(self, level: float) -> float:
        """Standard error of the share of the light that gives this level, relative."""
        known = len(self.frames)
        if not 0.0 < level < 1.0 or known < 2:
            return 0.0
        errors = self.frames.std(axis=0, ddof=1) / np.sqrt(known) / SHARES
        return float(np.interp(level, [*SHARES[::-1], 1.0], [*errors[::-1], 0.0]))

    def level_of(self, share: float) -> float:
        """Level that is measured with this share of the light."""
        shares, levels = self._line
        return float(np.interp(share, shares, levels)) if 0.0 < share < 1.0 else share

    def share_of(self, level: float) -> float:
        """Share of the light that gives this level."""
        shares, levels = self._line
        return float(np.interp(level, levels, shares)) if 0.0 < level < 1.0 else level

    def slope_at(self, level: float) -> float:
        """By how much the share changes with the level there."""
        shares, levels = self._line
        at = min(max(int(np.searchsorted(levels, level)), 1), levels.size - 1)
        rise = levels[at] - levels[at - 1]
        return float((shares[at] - shares[at - 1]) / rise) if 0.0 < level < 1.0 and rise > 0 else 1.0

    @property
    def _line(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Shares and levels, both rising from none to all of the light."""
        if not len(self.frames):
            return np.array([0.0, 1.0]), np.array([0.0, 1.0])
        levels = np.clip(self.frames.mean(axis=0)[::-1], 0.0, 1.0)
        return np.array([0.0, *SHARES[::-1], 1.0]), np.maximum.accumulate([0.0, *levels, 1.0])

"""What the choice of bright tiles loses as light fades, measured on the run's own first frames, dimmed.

Tiles are called bright by what was counted in them. With fewer photons chance chooses more of them, so those
chosen hold less of the light: 2 % less at half of it, 5 % at a quarter (ten simulated specimens of 28 photons
per foreground box). The first frames, made as noisy as if less light had fallen on them, show how much it is
in this run; what is measured later is taken back to the share of the light that gives it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.guards.light import Tiles
from streamer.guards.shared import BOX

#: Shares of the light to which the first frames are dimmed.
SHARES = (0.7, 0.5, 0.35, 0.25, 0.18)
#: Bits of a random word, whose number of ones is close to normal.
_BITS = 64


def dimmed(halves: Tiles, share: float, seed: tuple[int, int], read_noise_e: float) -> Tiles:
    """[2, tile y, tile x] photons in two halves of the pixels, as if only a share of the light had fallen.

    Mean and variance are those of such a frame: photons scaled by `share` keep that share squared of their
    variance, which for photons is their number, and of that of the camera; what is missing is added as normal
    noise. Its bits are those of PCG64, whose stream numpy promises never to change.
    """
    camera = 0.5 * (BOX * read_noise_e) ** 2
    missing = share * (1.0 - share) * np.maximum(halves, 0.0) + (1.0 - share**2) * camera
    words = np.random.PCG64(seed).random_raw(halves.size).reshape(halves.shape)
    ones = np.unpackbits(words.view(np.uint8).reshape(*halves.shape, 8), axis=-1).sum(axis=-1)
    normal = (ones - _BITS / 2) / np.sqrt(_BITS / 4)
    return np.asarray(share * halves + np.sqrt(missing) * normal)


def share_of(level: float, faint: NDArray[np.float64]) -> float:
    """Share of the start's light, from the level over the start's and from those of the dimmed frames.

    Args:
        level: now, over that of the first frames.
        faint: [share] levels of the first frames dimmed to `SHARES`, over theirs as they were.
    """
    if level >= 1.0 or not faint.size:
        return level
    known = np.maximum.accumulate([0.0, *np.clip(faint[::-1], 0.0, 1.0), 1.0])
    return float(np.interp(level, known, [0.0, *SHARES[::-1], 1.0])) if level > 0 else level

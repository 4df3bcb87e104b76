"""A few small held-out specimens, simulated once, and methods to judge on them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from streamer.analysis import HeldOut, held_out

Image = NDArray[np.float32]


@lru_cache(maxsize=1)
def frames() -> tuple[HeldOut, ...]:
    """Six ER fields of 192 x 192 pixels at the low dose."""
    return held_out("er", 6, 5, size_px=192)


def raw(photons: Image) -> tuple[Image, None]:
    return photons, None


def blurred(photons: Image) -> tuple[Image, None]:
    return gaussian_filter(photons, 2.0), None


class Oracle:
    """Knows the truth of the frames it is asked about, up to an error of a known size."""

    def __init__(self, gain: float = 1.0, error: float = 0.0, stated: float | None = None) -> None:
        self.gain, self.error, self.stated = gain, error, stated
        self._truth = {frame.counts.tobytes(): frame.truth for frame in frames()}

    def __call__(self, photons: Image) -> tuple[Image, Image | None]:
        truth = self._truth.get(photons.tobytes(), np.zeros_like(photons))
        rng = np.random.default_rng(3)
        predicted = truth / self.gain + self.error * rng.standard_normal(truth.shape, np.float32)
        deviation = None if self.stated is None else np.full_like(truth, self.stated)
        return predicted.astype(np.float32), deviation

"""How two images of one field are shifted, and whether they show one field at all."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.ndimage import shift as resample
from skimage.registration import phase_cross_correlation

_Photons = NDArray[np.float32]
_Structure = NDArray[np.float64]

#: Steps per pixel in which a shift is found.
UPSAMPLE = 20
#: A shift below this, or below so many times its own uncertainty, is left alone: to move would do harm.
LEAST_SHIFT_PX, LEAST_ERRORS = 0.1, 3.0
#: How much better than its turned copies the second image must fit; unrelated fields reach 1 on average.
LEAST_LIKENESS = 1.1
#: Structure between these widths (standard deviations, pixels) is compared: noise is finer, the cell coarser.
FINE_PX, COARSE_PX = 1.5, 8.0
#: Pixels that a cubic spline takes from beyond the border.
SPLINE_PX = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How a second image lies over the first.

    Attributes:
        y, x: what to move the second image by, pixels.
        error_px: how uncertain that is, from two halves of the first image's photons.
        likeness: correlation at its best shift over the best of the second image's turned and mirrored
            copies, which share its statistics and none of its structure.
    """

    y: float
    x: float
    error_px: float
    likeness: float

    @property
    def px(self) -> float:
        """Its length."""
        return math.hypot(self.y, self.x)

    @property
    def is_chance(self) -> bool:
        """Whether the images have no more in common than unrelated ones."""
        return self.likeness < LEAST_LIKENESS

    @property
    def is_worth_moving(self) -> bool:
        """Whether the shift is larger than what is uncertain about it."""
        return self.px >= max(LEAST_SHIFT_PX, LEAST_ERRORS * self.error_px)


def find_shift(reference: _Photons, moving: _Photons, seed: int = 0) -> Shift:
    """Sub-pixel shift between a noisy and a clean image [y, x] of one size, in the band of structure.

    Source: Guizar-Sicairos et al., Opt. Lett. 33, 156 (2008), as in scikit-image.
    """
    first, second = _structure(reference), _structure(moving)
    y, x = _best_shift(first, second)
    counts = np.rint(np.maximum(reference, 0)).astype(np.int64)
    half = np.random.default_rng(seed).binomial(counts, 0.5)
    halves = [_best_shift(_structure(part), second) for part in (half, counts - half)]
    by_chance = max(_peak(first, turned) for turned in _turned(second))
    return Shift(
        y=y,
        x=x,
        # Halves are each sqrt(2) less certain than the whole, their difference twice.
        error_px=math.dist(*halves) / 2,
        likeness=_peak(first, second) / by_chance if by_chance > 0 else 0.0,
    )


def align(reference: _Photons, moving: _Photons, shift: Shift) -> tuple[_Photons, _Photons]:
    """Both images cropped to what they share, the second one moved; no pixel is made up at a border."""
    if not shift.is_worth_moving:
        return reference, moving
    moved = resample(moving, (shift.y, shift.x), order=3, mode="nearest")
    rows, columns = (_shared(length, by) for length, by in zip(moved.shape, (shift.y, shift.x), strict=True))
    return (
        np.ascontiguousarray(reference[rows, columns]),
        np.ascontiguousarray(moved[rows, columns], dtype=np.float32),
    )


def _shared(length: int, by: float) -> slice:
    """Where the moved image holds its own pixels."""
    before = math.ceil(max(by, 0.0)) + SPLINE_PX
    after = math.ceil(max(-by, 0.0)) + SPLINE_PX
    return slice(before, length - after)


def _structure(photons: NDArray[np.generic]) -> _Structure:
    """Band-passed square roots of photons, faded out towards the borders."""
    roots = np.sqrt(np.maximum(photons.astype(np.float64), 0.0))
    band = gaussian_filter(roots, FINE_PX) - gaussian_filter(roots, COARSE_PX)
    band *= np.outer(*(np.hanning(length + 2)[1:-1] for length in band.shape))
    return np.asarray(band - band.mean())


def _best_shift(first: _Structure, second: _Structure) -> tuple[float, float]:
    shift, _, _ = phase_cross_correlation(  # type: ignore[no-untyped-call]
        first, second, upsample_factor=UPSAMPLE, normalization=None
    )
    return float(shift[0]), float(shift[1])


def _peak(first: _Structure, second: _Structure) -> float:
    """Highest correlation at any shift."""
    spectrum = np.fft.rfft2(first) * np.conj(np.fft.rfft2(second))
    return float(np.fft.irfft2(spectrum, first.shape).max())


def _turned(image: _Structure) -> Iterator[_Structure]:
    """Mirrored and turned copies of the same shape."""
    mirrored = (image[::-1], image[:, ::-1], image[::-1, ::-1])
    yield from mirrored
    if image.shape[0] == image.shape[1]:
        yield from (each.T for each in (image, *mirrored))

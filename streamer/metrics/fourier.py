"""Fourier ring correlation (FRC): down to which detail two images of the same thing agree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.signal.windows import tukey

Image = NDArray[np.generic]
Threshold = Literal["1/7", "3-sigma"]
#: What a curve says: where it falls below its threshold; that it never does up to the finest detail that
#: pixels can hold; or that it lies below from the start.
State = Literal["resolved", "beyond-nyquist", "no-correlation"]

#: Share of each side that the window tapers (both ends together), so that opposite edges meet smoothly.
TAPER = 0.25
#: Smaller images have too few rings for a curve.
SMALLEST_PX = 32
#: The 3-sigma threshold is not read where it is higher: rings of few pixels decide nothing.
HIGHEST_SIGMA_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Rings:
    """An FRC curve.

    Attributes:
        frequency: [ring] centres, cycles per pixel, up to 0.5.
        correlation: [ring] -1 to 1; 0 where one of the images holds nothing.
        pixels: [ring] pixels of the Fourier plane in the ring.
    """

    frequency: NDArray[np.float64]
    correlation: NDArray[np.float64]
    pixels: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """Where a curve falls below its threshold.

    Attributes:
        nm: one over the frequency of the crossing; None where there is none.
        state: whether it crosses, and if not, on which side of the threshold it stays.
    """

    nm: float | None
    state: State


def fourier_rings(a: Image, b: Image) -> Rings:
    """FRC of two images [y, x]: Re sum(A conj B) / sqrt(sum |A|^2 sum |B|^2) over rings of the Fourier plane.

    Saxton and Baumeister, J. Microsc. 127, 127 (1982). The mean is taken off and the edges are tapered
    (Tukey window, a quarter of each side). Rings are as wide as one frequency step of the shorter side.

    Raises:
        ValueError: different shapes, smaller than 32 pixels, or values that are not finite.
    """
    if a.shape != b.shape:
        raise ValueError(f"images of different shapes: {a.shape} and {b.shape}")
    if min(a.shape) < SMALLEST_PX:
        raise ValueError(f"images of {a.shape} pixels; Fourier ring correlation needs {SMALLEST_PX} a side")
    if not (np.isfinite(a.sum(dtype=np.float64)) and np.isfinite(b.sum(dtype=np.float64))):
        raise ValueError("an image holds values that are not finite; take them out first")
    return rings_of(ring_correlation(a, b), (a.shape[0], a.shape[1]))


def rings_of(correlation: NDArray[np.float64], shape_yx: tuple[int, int]) -> Rings:
    """A curve [ring] of `ring_correlation` with its frequencies."""
    plane = _plane(shape_yx)
    frequency = np.arange(1, len(plane.pixels) + 1) / min(shape_yx)
    return Rings(frequency=frequency, correlation=correlation, pixels=plane.pixels)


def ring_correlation(a: Image, b: Image) -> NDArray[np.float64]:
    """[..., ring] FRC of the last two axes, of one image or of a stack of them."""
    plane = _plane((a.shape[-2], a.shape[-1]))
    first, second = _spectrum(a), _spectrum(b)

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = values.reshape(*values.shape[:-2], -1)[..., plane.order] * plane.weights
        return np.asarray(np.add.reduceat(flat, plane.starts, axis=-1))

    both = total(first.real * second.real + first.imag * second.imag)
    norm = np.sqrt(total(_power(first)) * total(_power(second)))
    correlation: NDArray[np.float64] = np.divide(both, norm, out=np.zeros_like(both), where=norm > 0)
    return correlation


def smoothed(correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    """The curve as its threshold is read: averaged with tricube weights over a twentieth of the rings.

    Single rings scatter about as much as the threshold is high; Nieuwenhuizen et al., Nature Methods 10, 557
    (2013), smooth with LOESS over the same span, which inside the curve is this average.
    """
    reach = max(1, round(correlation.shape[-1] / 40))
    weights = (1 - (np.abs(np.arange(-reach, reach + 1)) / (reach + 1)) ** 3) ** 3
    inside = np.convolve(np.ones(correlation.shape[-1]), weights, "same")
    return np.asarray(np.convolve(correlation, weights, "same") / inside)


def thresholds(rings: Rings, threshold: Threshold) -> NDArray[np.float64]:
    """[ring] the fixed 1/7, or three standard deviations of the FRC of pure noise, 3 / sqrt(pixels / 2).

    1/7: Rosenthal and Henderson, J. Mol. Biol. 333, 721 (2003). 3 sigma: van Heel and Schatz, J. Struct.
    Biol. 151, 250 (2005); half the pixels of a ring of a real image are copies of the other half.
    """
    if threshold == "1/7":
        return np.full(len(rings.pixels), 1.0 / 7.0)
    return np.asarray(3.0 / np.sqrt(rings.pixels / 2.0))


def resolution(rings: Rings, pixel_nm: float, threshold: Threshold = "1/7") -> Resolution:
    """The first crossing of the smoothed curve with the threshold, interpolated between rings."""
    limit = thresholds(rings, threshold)
    readable = limit <= HIGHEST_SIGMA_THRESHOLD
    above = (smoothed(rings.correlation) - limit)[readable]
    frequency = rings.frequency[readable]
    if above.size == 0 or above[0] <= 0:
        return Resolution(nm=None, state="no-correlation")
    below = np.flatnonzero(above <= 0)
    if below.size == 0:
        return Resolution(nm=None, state="beyond-nyquist")
    after = below[0]
    share = above[after - 1] / (above[after - 1] - above[after])
    crossing = frequency[after - 1] + share * (frequency[after] - frequency[after - 1])
    return Resolution(nm=float(pixel_nm / crossing), state="resolved")


def frc_nm(a: Image, b: Image, pixel_nm: float, threshold: Threshold = "1/7") -> Resolution:
    """Resolution of two images [y, x] of one specimen with independent noise.

    Raises:
        ValueError: as `fourier_rings`.
    """
    return resolution(fourier_rings(a, b), pixel_nm, threshold)


def _power(spectrum: NDArray[np.complex128]) -> NDArray[np.float64]:
    return spectrum.real**2 + spectrum.imag**2


def _spectrum(image: Image) -> NDArray[np.complex128]:
    """Half-plane Fourier transform of the tapered image without its mean."""
    values = image.astype(np.float64)
    rows, columns = (tukey(length, TAPER) for length in values.shape[-2:])
    window = np.outer(rows, columns)
    # The mean under the window, so that nothing of it leaks into the first rings.
    mean = np.sum(values * window, axis=(-2, -1), keepdims=True) / np.sum(window)
    centred = (values - mean) * window
    # What is left of a constant image is rounding, not structure.
    flat = np.ptp(values, axis=(-2, -1), keepdims=True) <= 1e-9 * np.abs(mean)
    spectrum: NDArray[np.complex128] = fft.rfft2(np.where(flat, 0.0, centred))
    return spectrum


@dataclass(frozen=True, slots=True)
class _Plane:
    """The half Fourier plane in the order of its rings.

    Attributes:
        order: flat indices of the pixels within the rings, ring by ring.
        weights: how many pixels of the whole plane each of them stands for.
        starts: where each ring begins in `order`.
        pixels: [ring] pixels of the whole plane.
    """

    order: NDArray[np.intp]
    weights: NDArray[np.float64]
    starts: NDArray[np.intp]
    pixels: NDArray[np.float64]


@lru_cache(maxsize=8)
def _plane(shape_yx: tuple[int, int]) -> _Plane:
    height, width = shape_yx
    frequency = np.hypot(fft.fftfreq(height)[:, None], fft.rfftfreq(width)[None])
    ring = np.rint(frequency * min(shape_yx)).astype(np.intp)
    weight = np.full(frequency.shape, 2.0)
    weight[:, 0] = 1.0
    if width % 2 == 0:
        weight[:, -1] = 1.0
    count = min(shape_yx) // 2
    order = np.argsort(ring.ravel(), kind="stable")
    order = order[(ring.ravel()[order] >= 1) & (ring.ravel()[order] <= count)]
    starts = np.searchsorted(ring.ravel()[order], np.arange(1, count + 1))
    weights = weight.ravel()[order]
    return _Plane(order, weights, starts, np.add.reduceat(weights, starts))

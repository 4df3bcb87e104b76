"""By how much an image has moved."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from streamer.metrics.compiled import compiled, plain

Image = NDArray[np.float32]

#: Standard deviation, in pixels of the thumbnail, of the peak that perfect agreement makes.
PEAK_PX = 2.5
#: Smaller thumbnails hold too little to be registered.
SMALLEST_PX = 16


class Shift(NamedTuple):
    """Movement along y and x in pixels of the thumbnails, and how well they agree then, up to 1."""

    y: float
    x: float
    agreement: float


def thumbnail(image: Image, binning: int) -> Image:
    """Means of `binning` x `binning` pixels of a [y, x] image; what fills none is left out."""
    return _thumbnail(plain(image), binning)


def shift_between(
    before: Image, now: Image, near: tuple[float, float] = (0.0, 0.0), reach_px: float | None = None
) -> Shift | None:
    """How far `now` [y, x] is moved against `before`; None where one of them is small or without structure.

    Phase correlation (Kuglin and Hines, Proc. Int. Conf. Cybernetics and Society, 1975) under a Hann window,
    smoothed with a Gaussian, whose peak a parabola through the logarithm of three points then finds between
    pixels. Movement of up to a quarter of a side is found reliably. `agreement` is the height of the peak
    over that of equal phases at all frequencies: about 0.8 for a smooth image with itself.

    Args:
        before: thumbnail.
        now: thumbnail of the same size.
        near: where the shift is looked for, pixels of the thumbnails.
        reach_px: how far from there, along y and x; None looks everywhere.
    """
    if before.shape != now.shape or min(before.shape) < SMALLEST_PX:
        return None
    first, second = _spectrum(before), _spectrum(now)
    if first is None or second is None:
        return None
    cross = second * np.conj(first)
    size = np.abs(cross)
    # What is far below the rest has no phase worth its weight.
    phase = cross / (size + np.float32(1e-3) * size.mean())
    weight, highest = _smoothing(before.shape)
    surface = fft.irfft2(phase * weight, before.shape)
    asked = (
        surface if reach_px is None else np.where(_around(surface.shape, near, reach_px), surface, -np.inf)
    )
    row, column = np.unravel_index(int(asked.argmax()), surface.shape)
    y = _refined(surface[:, column], int(row))
    x = _refined(surface[row], int(column))
    return Shift(y, x, float(surface[row, column] / highest))


def _around(shape_yx: tuple[int, int], near: tuple[float, float], reach_px: float) -> NDArray[np.bool_]:
    """Which shifts lie within reach; those beyond the middle are movements backwards."""
    inside = []
    for size, place in zip(shape_yx, near, strict=True):
        apart = np.abs((np.arange(size) - place + size / 2) % size - size / 2)
        inside.append(apart <= max(reach_px, 0.5))
    return np.asarray(np.outer(*inside))


def _refined(line: NDArray[np.floating], peak: int) -> float:
    """Place of the peak between pixels; beyond the middle it is a movement backwards."""
    size = line.size
    sides = np.maximum([line[peak - 1], line[peak], line[(peak + 1) % size]], 1e-9 * max(line[peak], 1e-30))
    left, middle, right = np.log(sides)
    bend = left - 2.0 * middle + right
    part = float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 else 0.0
    return (peak - size if peak > size // 2 else peak) + part


def _spectrum(image: Image) -> NDArray[np.complexfloating] | None:
    spread = image.std()
    if not (np.isfinite(spread) and spread > 1e-6 * abs(float(image.mean())) and spread > 0):
        return None
    return fft.rfft2((image - image.mean()) * _window(image.shape))  # type: ignore[no-any-return]


@lru_cache(maxsize=8)
def _window(shape_yx: tuple[int, int]) -> Image:
    return np.outer(*(np.hanning(length + 2)[1:-1] for length in shape_yx)).astype(np.float32)


@lru_cache(maxsize=8)
def _smoothing(shape_yx: tuple[int, int]) -> tuple[Image, float]:
    """Half-plane weights of the Gaussian, and the peak that they give where all phases agree."""
    height, width = shape_yx
    decay = -2.0 * (np.pi * PEAK_PX) ** 2
    weight = np.outer(np.exp(decay * fft.fftfreq(height) ** 2), np.exp(decay * fft.rfftfreq(width) ** 2))
    weight = weight.astype(np.float32)
    return weight, float(fft.irfft2(weight, shape_yx)[0, 0])


@compiled
def _thumbnail(image: Image, binning: int) -> Image:
    rows, columns = image.shape[0] // binning, image.shape[1] // binning
    out = np.zeros((rows, columns), np.float32)
    sums = np.zeros(columns * binning, np.float32)
    for tile in range(rows):
        sums[:] = 0.0
        for y in range(tile * binning, (tile + 1) * binning):
            line = image[y]
            for x in range(sums.size):
                sums[x] += line[x]
        for column in range(columns):
            total = np.float32(0.0)
            for x in range(column * binning, (column + 1) * binning):
                total += sums[x]
            out[tile, column] = total / np.float32(binning * binning)
    return out

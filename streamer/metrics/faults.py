"""What goes wrong between a detector and a file: copied rows and hot pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.compiled import compiled, plain

#: Pixels from which the most common value is taken.
_SAMPLE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """The rows of a frame as it came from the detector.

    Attributes:
        checksums: [y] equal rows have equal ones; different rows do with a chance of about 2^-64.
        lit: [y] pixels that differ from `common`.
        common: the frame's most common value, of pixels without light.
        saturated: pixels at the end of the scale.
    """

    checksums: NDArray[np.uint64]
    lit: NDArray[np.int64]
    common: int
    saturated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HotPixels:
    """Pixels that outshine their neighbours, and the worst of them."""

    count: int
    row: int
    column: int
    photons: float


def rows_of(pixels: NDArray[np.unsignedinteger], full_scale: int) -> Rows:
    """Checksums of the rows of a frame [y, x], and how many of their pixels carry information.

    If the pixels of two frames are independent, and their most common value is that of pixels without light,
    a row of the second equals that of the first *and* has n pixels lit with a chance of at most 2^-n: for one
    pixel with probabilities p_k of its values, p_0^2 + 2 sum p_k^2 <= 2 p_0 - p_0^2 <= 1 where p_0 is the
    largest, and 2 exp(-2 m) I_0(2 m) - exp(-2 m) <= 1 for Poisson counts of any mean m and p_0 that of no
    photon; so 2^lit x [all pixels equal] is an e-value, to which Markov's inequality applies.
    """
    whole = np.require(pixels, np.uint16, ["C", "W"])  # one type, so that one kernel is compiled
    sample = whole.ravel()[:: max(whole.size // _SAMPLE, 1)]
    common = int(np.bincount(sample).argmax()) if sample.size else 0
    checksums, lit, saturated = _rows_of(whole, _factors(whole.shape[1]), common, full_scale)
    return Rows(checksums=checksums, lit=lit, common=common, saturated=int(saturated))


def hot_pixels(
    photons: NDArray[np.float32], contrast: float, evidence_min: float, read_noise_e: float = 0.0
) -> HotPixels:
    """Pixels of [y, x] photons that no sampled, blurred specimen explains; the border is left out.

    Null hypothesis: a pixel expects at most `contrast` times the mean of its eight neighbours; evidence as
    `streamer.metrics.lines.departure`, over the dispersion that read noise adds.
    """
    count, row, column, highest = _hot_pixels(plain(photons), contrast, evidence_min, read_noise_e)
    return HotPixels(count=int(count), row=int(row), column=int(column), photons=float(highest))


@lru_cache(maxsize=16)
def _factors(width: int) -> NDArray[np.uint64]:
    """Fixed odd random numbers, one per column: a multilinear hash."""
    return np.random.default_rng(0).integers(2**64, size=width, dtype=np.uint64) | np.uint64(1)


@compiled
def _rows_of(
    pixels: NDArray[np.uint16], factors: NDArray[np.uint64], common: int, full_scale: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64], int]:
    height, width = pixels.shape
    checksums, lit = np.empty(height, np.uint64), np.empty(height, np.int64)
    saturated = 0
    for y in range(height):
        row = pixels[y]
        checksum, bright, full = np.uint64(0), 0, 0
        for x in range(width):
            checksum += factors[x] * np.uint64(row[x])
            bright += row[x] != common
            full += row[x] >= full_scale
        checksums[y], lit[y] = checksum, bright
        saturated += full
    return checksums, lit, saturated


@compiled
def _hot_pixels(
    photons: NDArray[np.float32], contrast: float, evidence_min: float, read_noise_e: float
) -> tuple[int, int, int, float]:
    height, width = photons.shape
    share = contrast / (contrast + 8.0)
    # Even without any neighbour's photons, fewer than these are no evidence.
    least = np.float32(evidence_min / -np.log(share))
    factor = np.float32(share / (1.0 - share))
    beside = np.zeros(width, np.float32)
    count, found_y, found_x, highest = 0, -1, -1, 0.0
    worst = 0.0
    for y in range(1, height - 1):
        above, here, below = photons[y - 1], photons[y], photons[y + 1]
        brightest = np.float32(0.0)
        for x in range(width):
            brightest = max(brightest, here[x])
        if brightest < least:
            continue
        for x in range(1, width - 1):
            left = above[x - 1] + here[x - 1] + below[x - 1]
            right = above[x + 1] + here[x + 1] + below[x + 1]
            beside[x] = left + right + above[x] + below[x]
        for x in range(1, width - 1):
            n = here[x]
            if n < least or n <= factor * beside[x]:
                continue
            ring = max(np.float64(beside[x]), 0.0)
            both = n + ring
            evidence = n * np.log(n / (both * share))
            if ring > 0.0:
                evidence += ring * np.log(ring / (both * (1.0 - share)))
            evidence /= 1.0 + 9.0 * read_noise_e**2 / both
            if evidence >= evidence_min:
                count += 1
                if evidence > worst:
                    worst, found_y, found_x, highest = evidence, y, x, np.float64(n)
    return count, found_y, found_x, highest

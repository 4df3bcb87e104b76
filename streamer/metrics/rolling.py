"""Rolling Fourier ring correlation: a map of the resolution instead of one number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.fourier import Image, resolution, ring_correlation, rings_of

#: Side of a block in pixels, pixels from block to block, and the background intensity of 255 (Rahm et al.).
BLOCK_PX, STEP_PX, BACKGROUND = 64, 16, 20.0
#: Blocks transformed at once.
_CHUNK = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingMap:
    """Resolution block by block.

    Attributes:
        nm: [block y, block x]; nan where the block is background, or its curve does not cross.
        step_px: pixels from block to block; block (i, j) is centred at pixel (i, j) x step_px.
        foreground: blocks that are no background.
        beyond_nyquist: foreground blocks whose curve stays above the threshold up to two pixels.
        no_correlation: foreground blocks whose curve lies below it from the start.
    """

    nm: NDArray[np.float64]
    step_px: int
    foreground: int
    beyond_nyquist: int
    no_correlation: int

    @property
    def mean_nm(self) -> float:
        """Of the blocks that cross; nan where none does."""
        return float(np.nanmean(self.nm)) if np.isfinite(self.nm).any() else float("nan")


def rolling_frc(
    a: Image,
    b: Image,
    pixel_nm: float,
    *,
    foreground: NDArray[np.bool_] | None = None,
    block_px: int = BLOCK_PX,
    step_px: int = STEP_PX,
) -> RollingMap:
    """FRC (1/7) of blocks around every `step_px`-th pixel of two images [y, x], mirrored at the borders.

    Zhao et al., Light: Science & Applications 12, 298 (2023). `foreground` [block y, block x] chooses the
    blocks, so that methods can be compared on the same ones; by default `foreground_blocks` of the two
    images. A block of 64 pixels has 32 rings: values scatter, and the coarsest that a block can tell is its
    own size.

    Raises:
        ValueError: different shapes, or images smaller than a block.
    """
    if a.shape != b.shape:
        raise ValueError(f"images of different shapes: {a.shape} and {b.shape}")
    if min(a.shape) < block_px:
        raise ValueError(f"images of {a.shape} pixels; a rolling map needs at least {block_px} a side")
    chosen = foreground_blocks(a, b, step_px=step_px) if foreground is None else foreground
    blocks_a, blocks_b = (_blocks(image, block_px, step_px)[chosen] for image in (a, b))
    nm = np.full(chosen.shape, np.nan)
    found = []
    for start in range(0, len(blocks_a), _CHUNK):
        part = slice(start, start + _CHUNK)
        curves = ring_correlation(blocks_a[part], blocks_b[part])
        found += [resolution(rings_of(curve, (block_px, block_px)), pixel_nm) for curve in curves]
    nm[chosen] = [np.nan if each.nm is None else each.nm for each in found]
    return RollingMap(
        nm=nm,
        step_px=step_px,
        foreground=len(found),
        beyond_nyquist=sum(each.state == "beyond-nyquist" for each in found),
        no_correlation=sum(each.state == "no-correlation" for each in found),
    )


def foreground_blocks(
    a: Image, b: Image, *, step_px: int = STEP_PX, background: float = BACKGROUND
) -> NDArray[np.bool_]:
    """[block y, block x] where the mean of both images is above `background`, as in the published map.

    Each image is scaled so that its maximum is 255; the mean is over step x step pixels from each block's
    centre on.
    """
    total = np.zeros(a.shape)
    for image in (a, b):
        highest = float(image.max())
        if highest > 0:
            total += image.astype(np.float64) * (127.5 / highest)
    height, width = a.shape
    padded = np.pad(total, ((0, -height % step_px), (0, -width % step_px)), mode="edge")
    rows, columns = padded.shape[0] // step_px, padded.shape[1] // step_px
    brightness = padded.reshape(rows, step_px, columns, step_px).mean(axis=(1, 3))
    return np.asarray(brightness > background)


def _blocks(image: Image, block_px: int, step_px: int) -> NDArray[np.generic]:
    """[block y, block x, y, x] views of the mirrored image."""
    half = block_px // 2
    padded = np.pad(image, ((half, block_px - half), (half, block_px - half)), mode="symmetric")
    views = np.lib.stride_tricks.sliding_window_view(padded, (block_px, block_px))
    rows, columns = image.shape
    return views[:rows:step_px, :columns:step_px]

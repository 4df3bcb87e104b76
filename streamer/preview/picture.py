"""One frame as bytes for a viewer: cut, scaled to the viewer's size, eight bits a pixel, compressed.

What is shown is not what is measured: a grey layer keeps the square root of its values in 255 steps, so that
a step is about as wide as shot noise everywhere; the recording keeps the numbers.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: [y, x, height, width] in pixels of the whole image.
Region = tuple[int, int, int, int]
#: One layer as it is sent: [y, x] uint8.
Bytes2D = NDArray[np.uint8]

#: Of the classes of `trust` (0 nothing drawn, 1 uncertain, 2 supported, 3 unsupported) how grave each is.
TRUST_GRAVITY = (0, 2, 1, 3)
#: Shares of the pixels that automatic contrast leaves out at its two ends.
AUTO_LOW, AUTO_HIGH = 0.01, 0.003
#: A pixel that is so much brighter than all but a thousandth of the image is shown as this bright, no more:
#: a hot pixel must not take the steps from everything else.
HOT = 8.0

_SAMPLE = 1 << 16  # pixels that percentiles are taken from
_LEVEL = 1  # of compression: noise hardly shrinks, and the time is the viewer's


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer of a picture.

    Attributes:
        name: raw, denoised, uncertainty, segmentation or trust.
        pixels: [y, x]; grey: value = low + (pixel / 255)^2 * (high - low); labels: classes.
        low, high: ends of the scale in the layer's own unit, counts or photons; 0 and 255 for labels.
        scale: how pixels become values.
        auto: values between which the contrast is best by default.
    """

    name: str
    pixels: Bytes2D
    low: float
    high: float
    scale: Literal["sqrt", "labels"]
    auto: tuple[float, float]

    def header(self) -> Mapping[str, object]:
        """What a viewer must know of it, as JSON takes it."""
        return {
            "name": self.name,
            "low": self.low,
            "high": self.high,
            "scale": self.scale,
            "auto": list(self.auto),
        }


def clipped(region: Region | None, full: tuple[int, int]) -> Region:
    """`region` within an image of [height, width] `full`; the whole image where nothing of it is left."""
    height, width = full
    if region is None:
        return 0, 0, height, width
    top, left = min(max(region[0], 0), height), min(max(region[1], 0), width)
    bottom = min(max(region[0] + region[2], 0), height)
    right = min(max(region[1] + region[3], 0), width)
    if bottom <= top or right <= left:
        return 0, 0, height, width
    return top, left, bottom - top, right - left


def fitted(region: Region, box: tuple[int, int]) -> tuple[int, int]:
    """[height, width] of a region within a viewer's box of that many pixels; never enlarged."""
    factor = min(box[0] / region[2], box[1] / region[3], 1.0)
    return max(1, round(region[2] * factor)), max(1, round(region[3] * factor))


def grey(name: str, plane: NDArray[Any], region: Region, size: tuple[int, int]) -> Layer:
    """A layer of values [y, x]; scaled down, a pixel is the mean of those it covers."""
    values = shrunk(plane, region, size)
    low, high = float(values.min()), float(values.max())
    sample = _sample(values)
    bright = float(_quantile(sample, 0.001))
    if high - low > HOT * (bright - low) > 0:
        high = low + HOT * (bright - low)
    if not high > low:
        high = low + 1.0
    steps = np.sqrt(np.clip((values - low) / (high - low), 0.0, 1.0)) * np.float32(255.0)
    pixels = np.rint(steps).astype(np.uint8)
    ends = float(_quantile(sample, 1 - AUTO_LOW)), min(float(_quantile(sample, AUTO_HIGH)), high)
    auto = ends if ends[1] > ends[0] else (low, high)
    return Layer(name=name, pixels=pixels, low=low, high=high, scale="sqrt", auto=auto)


def labels(name: str, plane: Bytes2D, region: Region, size: tuple[int, int]) -> Layer:
    """A layer of classes [y, x]; scaled down, a pixel is the gravest class of those it covers.

    So a thread one pixel wide, and one unsupported pixel, can still be seen in an overview.
    """
    y, x, height, width = region
    cut = plane[y : y + height, x : x + width]
    if (height, width) != size:
        cut = _gravest(cut, size, TRUST_GRAVITY if name == "trust" else None)
    return Layer(name=name, pixels=cut, low=0.0, high=255.0, scale="labels", auto=(0.0, 255.0))


def shrunk(plane: NDArray[Any], region: Region, size: tuple[int, int]) -> NDArray[np.float32]:
    """Part of a plane [y, x] as float32 of a smaller size, each pixel a mean of those around it.

    By a whole factor it is the mean of exactly those that it covers. Weights are never negative, so that
    nothing is darker or brighter than the plane.
    """
    y, x, height, width = region
    cut = np.ascontiguousarray(plane[y : y + height, x : x + width], dtype=np.float32)
    if (height, width) == size:
        return cut
    # Of an uneven factor a box would take now more and now fewer pixels: stripes of more and less noise.
    is_whole = height % size[0] == 0 and width % size[1] == 0
    kernel = Image.Resampling.BOX if is_whole else Image.Resampling.HAMMING
    image = Image.fromarray(cut).resize((size[1], size[0]), kernel)
    return np.asarray(image, dtype=np.float32)


def compressed(pixels: Sequence[Bytes2D]) -> bytes:
    """All of `pixels`, [y, x] uint8 each, one after the other, as one zlib stream."""
    # Runs only: as small as with longer matches where there is noise, at half the time.
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    parts = [packer.compress(np.ascontiguousarray(each).data) for each in pixels]
    return b"".join([*parts, packer.flush()])


def message(header: Mapping[str, object], body: bytes) -> bytes:
    """A binary message: length of the header (uint32, little-endian), header as JSON, compressed pixels."""
    words = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    return struct.pack("<I", len(words)) + words + body


def _gravest(classes: Bytes2D, size: tuple[int, int], gravity: Sequence[int] | None) -> Bytes2D:
    """[y, x] of `size`; without `gravity` the higher class is the graver one."""
    ranks = classes if gravity is None else _ranks(gravity)[classes]
    height, width = classes.shape
    rows = (np.arange(size[0]) * height) // size[0]
    columns = (np.arange(size[1]) * width) // size[1]
    tall = np.maximum.reduceat(ranks, rows, axis=0)
    small: Bytes2D = np.ascontiguousarray(np.maximum.reduceat(tall.T, columns, axis=0).T)
    return small if gravity is None else np.argsort(_ranks(gravity)).astype(np.uint8)[small]


def _ranks(gravity: Sequence[int]) -> Bytes2D:
    """For each of 256 classes its rank; classes of a later version are the gravest."""
    return np.concatenate([np.asarray(gravity, np.uint8), np.arange(len(gravity), 256, dtype=np.uint8)])


def _sample(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Some of the values, in order, from all over the image."""
    flat = values.ravel()
    step = max(1, math.ceil(flat.size / _SAMPLE))
    while step > 1 and math.gcd(step, values.shape[1]) > 1:  # else it would see some columns only
        step += 1
    return np.sort(flat[::step])


def _quantile(ordered: NDArray[np.float32], share_above: float) -> np.float32:
    """The value that so large a share of them is above."""
    at = round((1 - share_above) * (ordered.size - 1))
    return np.float32(ordered[min(max(at, 0), ordered.size - 1)])

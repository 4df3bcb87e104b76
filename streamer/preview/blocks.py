"""A picture in a terminal: each character cell shows two pixels, one above the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

#: The lower of two pixels is the background of the cell, the upper one its foreground.
UPPER_HALF = "▀"
#: Colour of what was drawn without support by photons: orange stands out from grey for every eye.
DOUBTFUL_RGB = (255, 140, 0)
#: Parts of the pixels, in per cent, that are shown black and white: a few bright spots hide nothing else.
BLACK_PERCENT, WHITE_PERCENT = 1.0, 99.7
#: Of a terminal with 256 colours or more; with fewer, shades of grey cannot be told apart.
COLOURS = ("truecolor", "256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One plane to look at.

    Attributes:
        name: what it shows, in words.
        seq: frame it belongs to.
        values: [y, x] photons or counts, finite.
        doubtful: [y, x] part of what is drawn there that no photon supports, 0 to 1; None if nobody judged.
        width_um: width of the field in the specimen; None where nobody stated it.
        view: position, channel and z in words; empty where there is only one.
    """

    name: str
    seq: int
    values: NDArray[np.float32]
    doubtful: NDArray[np.float32] | None = None
    width_um: float | None = None
    view: str = ""


@dataclass(frozen=True, slots=True)
class HalfBlocks:
    """A picture as large as fits into a box, with its proportions; nothing where there are too few colours.

    Attributes:
        picture: what to show.
        columns, rows: size of the box in character cells.
    """

    picture: Picture
    columns: int
    rows: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not can_show(console):
            return
        height, width = fitting(self.picture.values.shape, min(self.columns, options.max_width), self.rows)
        pixels = painted(self.picture, height, width)
        for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
            for top, bottom in zip(upper.tolist(), lower.tolist(), strict=True):
                yield Segment(UPPER_HALF, _style(tuple(top), tuple(bottom)))
            yield Segment.line()


def can_show(console: Console) -> bool:
    """Whether half-blocks can be seen there: colours enough, and characters beyond ASCII."""
    return console.color_system in COLOURS and not console.options.ascii_only


def fitting(shape: tuple[int, ...], columns: int, rows: int) -> tuple[int, int]:
    """Height and width in pixels of a picture [y, x] in a box of cells; at least 2 x 1, the height even."""
    height, width = max(shape[0], 1), max(shape[1], 1)
    scale = min(columns / width, 2 * rows / height)
    return max(2, 2 * round(height * scale / 2)), max(1, min(round(width * scale), columns))


def painted(picture: Picture, height: int, width: int) -> NDArray[np.uint8]:
    """`picture` at another size, [y, x, 3] red, green and blue; its contrast is its own."""
    grey = shrunk(picture.values, height, width)
    black, white = np.percentile(grey, (BLACK_PERCENT, WHITE_PERCENT))
    share = np.clip((grey - black) / max(white - black, 1e-9), 0, 1)[..., None]
    colours = np.broadcast_to(share * 255, (height, width, 3))
    if picture.doubtful is not None:
        part = np.sqrt(shrunk(picture.doubtful, height, width))[..., None]  # thin lines would drown in a mean
        colours = colours * (1 - part) + np.asarray(DOUBTFUL_RGB, float) * part
    return np.asarray(np.rint(colours), np.uint8)


def shrunk(plane: NDArray[np.float32], height: int, width: int) -> NDArray[np.float64]:
    """`plane` [y, x] at another size: the mean of what falls into a pixel, or the nearest where it grows."""
    rows, columns = (_means(length, size) for length, size in zip(plane.shape, (height, width), strict=True))
    return np.asarray(rows @ np.asarray(plane, float) @ columns.T)


@lru_cache(maxsize=64)
def _means(length: int, size: int) -> NDArray[np.float64]:
    """[size, length] weights of a mean over equal parts of `length`, rounded to whole pixels."""
    edges = np.linspace(0, length, size + 1)
    starts = np.minimum(np.floor(edges[:-1]).astype(int), length - 1)
    ends = np.maximum(np.floor(edges[1:]).astype(int), starts + 1)
    places = np.arange(length)
    inside = (places >= starts[:, None]) & (places < ends[:, None])
    return np.asarray(inside / inside.sum(axis=1, keepdims=True), float)


@lru_cache(maxsize=1 << 16)
def _style(top: tuple[int, int, int], bottom: tuple[int, int, int]) -> Style:
    return Style(color=Color.from_rgb(*top), bgcolor=Color.from_rgb(*bottom))

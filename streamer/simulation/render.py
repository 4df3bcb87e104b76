"""From geometry to maps: where the membrane is, and what each pixel truly shows.

Maps are [y, x] on the padded field; a point at (y, x) pixels belongs to the pixel whose centre is nearest.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streamer.simulation.canvas import Canvas, Points
from streamer.simulation.fibres import normals
from streamer.simulation.network import Sheets, Tubules

#: Spacing of the points along a tubule, and points around half of its circumference.
STEP_PX = 0.6
AROUND = 8
BACKGROUND, TUBULE, SHEET = 0, 1, 2

ToPixels = Callable[[Points], Points]


def tubule_maps(
    tubules: Tubules, to_pixels: ToPixels, pixel_um: float, shape_yx: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Membrane seen along the beam in each pixel (in pixel areas), and the pixels within a tubule's radius.

    Points spread evenly around a cylinder project to its membrane's 2 / sqrt(1 - (x/r)^2) profile; together
    they carry its area, pi x diameter x length.
    """
    centre, piece, step_px = _trace(tubules.start, tubules.end, to_pixels, pixel_um)
    if len(centre) == 0:
        return np.zeros(shape_yx, np.float32), np.zeros(shape_yx, np.bool_)
    radius_px = (tubules.radius_um / pixel_um)[piece]
    across = normals(centre, piece)
    angles = (np.arange(AROUND) + 0.5) * np.pi / AROUND
    aside = np.cos(angles)[:, None] * radius_px  # [AROUND, n]
    area = 2 * np.pi * radius_px * step_px * tubules.brightness[piece] / AROUND
    y = centre[:, 0] + aside * across[:, 0]
    x = centre[:, 1] + aside * across[:, 1]
    membrane = _deposit(y, x, np.broadcast_to(area, y.shape), shape_yx)
    # A pixel counts as tubule when its centre lies within the radius; points half-way to the rim reach those.
    inner = np.maximum(np.abs(aside) - 0.3, 0.0) * np.sign(aside)
    y = centre[:, 0] + inner * across[:, 0]
    x = centre[:, 1] + inner * across[:, 1]
    solid = np.broadcast_to((tubules.brightness[piece] > 0.5).astype(np.float64), y.shape)
    return membrane, _deposit(y, x, solid, shape_yx) > 0


def sheet_map(
    sheets: Sheets, to_pixels: ToPixels, pixel_um: float, shape_yx: tuple[int, int]
) -> NDArray[np.float32]:
    """Presence of a sheet in each pixel, 0-1, filled line by line between its outlines.

    Every outline leaves its signed cover where it crosses the middle of a row; the running sum along the row
    is then the cover inside, whichever polygons meet there.
    """
    start, end, cover = _pieces(sheets, to_pixels, pixel_um)
    first = np.minimum(start[:, 0], end[:, 0])
    rows_first = np.clip(np.ceil(first), 0, shape_yx[0]).astype(np.int64)
    rows_last = np.clip(np.ceil(np.maximum(start[:, 0], end[:, 0])), 0, shape_yx[0]).astype(np.int64)
    crossed = rows_last - rows_first
    piece = np.repeat(np.arange(len(crossed)), crossed)
    row = np.arange(len(piece)) - np.repeat(np.cumsum(crossed) - crossed, crossed) + rows_first[piece]
    share = (row - start[piece, 0]) / (end[piece, 0] - start[piece, 0])
    column = (
        np.clip(start[piece, 1] + share * (end[piece, 1] - start[piece, 1]), -0.5, shape_yx[1] - 0.5) + 0.5
    )
    change = cover[piece] * np.sign(end[piece, 0] - start[piece, 0])
    # An outline that crosses within a pixel covers the rest of that pixel, and all of the next ones.
    left = np.floor(column).astype(np.int64)
    inside = left + 1 - column
    width = shape_yx[1] + 2
    steps = np.bincount(row * width + left, change * inside, minlength=shape_yx[0] * width)
    steps += np.bincount(row * width + left + 1, change * (1 - inside), minlength=shape_yx[0] * width)
    filled = np.cumsum(steps.reshape(shape_yx[0], width), axis=1)[:, : shape_yx[1]]
    return np.clip(filled, 0.0, 1.0).astype(np.float32)


def splat(points_um: Points, weights: Points, canvas: Canvas) -> NDArray[np.float32]:
    """Share the weights of [n, 2] points among the four nearest pixels each, so that motion is smooth."""
    y, x = canvas.to_pixels(points_um).T
    row, column = np.floor(y), np.floor(x)
    down, right = y - row, x - column
    total = np.zeros(canvas.shape_yx, np.float32)
    for step_y, share_y in ((0, 1 - down), (1, down)):
        for step_x, share_x in ((0, 1 - right), (1, right)):
            total += _deposit(row + step_y, column + step_x, weights * share_y * share_x, canvas.shape_yx)
    return total


def mark(points_um: Points, canvas: Canvas) -> NDArray[np.bool_]:
    """The pixels nearest to [n, 2] points."""
    y, x = canvas.to_pixels(points_um).T
    return _deposit(y, x, np.ones(len(y)), canvas.shape_yx) > 0


def _trace(
    start: Points, end: Points, to_pixels: ToPixels, pixel_um: float
) -> tuple[Points, NDArray[np.int64], NDArray[np.float64]]:
    """Points along straight pieces: [n, 2] pixels, their pieces [n], the lengths they stand for [n]."""
    length_px = np.hypot(*(end - start).T) / pixel_um
    count = np.maximum(np.ceil(length_px / STEP_PX).astype(np.int64), 1)
    piece = np.repeat(np.arange(len(count)), count)
    order = np.arange(len(piece)) - np.repeat(np.cumsum(count) - count, count)
    share = (order + 0.5) / count[piece]
    points = start[piece] + share[:, None] * (end - start)[piece]
    return to_pixels(points), piece, (length_px / count)[piece]


def _pieces(
    sheets: Sheets, to_pixels: ToPixels, pixel_um: float
) -> tuple[Points, Points, NDArray[np.float64]]:
    """Cut outlines into short pieces and carry both ends of each into the image."""
    cuts = 12
    shares = np.linspace(0.0, 1.0, cuts + 1)[:, None, None]
    points = sheets.start + shares * (sheets.end - sheets.start)  # [cuts + 1, n, 2]
    image = to_pixels(points.reshape(-1, 2)).reshape(points.shape)
    return image[:-1].reshape(-1, 2), image[1:].reshape(-1, 2), np.tile(sheets.cover, cuts)


def _deposit(y: Points, x: Points, weights: Points, shape_yx: tuple[int, int]) -> NDArray[np.float32]:
    """Sum weights into the nearest pixels of a map."""
    row, column = np.rint(y).astype(np.int32), np.rint(x).astype(np.int32)
    seen = (row >= 0) & (row < shape_yx[0]) & (column >= 0) & (column < shape_yx[1])
    place = (row * shape_yx[1] + column)[seen]
    total = np.bincount(place, weights[seen], minlength=shape_yx[0] * shape_yx[1])
    return total.reshape(shape_yx).astype(np.float32)

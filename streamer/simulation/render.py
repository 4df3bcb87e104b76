"""From geometry to maps: where the membrane is, and what each pixel truly shows.

Maps are [y, x] on the padded field; a point at (y, x) pixels belongs to the pixel whose centre is nearest.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streamer.simulation import deposit
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
    length_px = np.hypot(*(tubules.end - tubules.start).T) / pixel_um
    count = np.maximum(np.ceil(length_px / STEP_PX).astype(np.int64), 1)
    points, piece = deposit.spread(tubules.start, tubules.end, count)
    centre = to_pixels(points)
    radius_px = tubules.radius_um / pixel_um
    area = 2 * np.pi * radius_px * (length_px / count) * tubules.brightness / AROUND
    cosines = np.cos((np.arange(AROUND) + 0.5) * np.pi / AROUND)
    line = centre, normals(centre, piece), piece
    return deposit.tubes(line, (radius_px, area, tubules.brightness > 0.5), cosines, shape_yx)


def sheet_map(
    sheets: Sheets, to_pixels: ToPixels, pixel_um: float, shape_yx: tuple[int, int]
) -> NDArray[np.float32]:
    """Presence of a sheet in each pixel, 0-1, filled line by line between its outlines.

    Every outline leaves its signed cover where it crosses the middle of a row; the running sum along the row
    is then the cover inside, whichever polygons meet there.
    """
    # An outline that crosses within a pixel covers the rest of that pixel, and all of the next ones.
    return deposit.filled(*_pieces(sheets, to_pixels, pixel_um), shape_yx)


def splat(points_um: Points, weights: Points, canvas: Canvas) -> NDArray[np.float32]:
    """Share the weights of [n, 2] points among the four nearest pixels each, so that motion is smooth."""
    return deposit.shares(canvas.to_pixels(points_um), weights, canvas.shape_yx)


def mark(points_um: Points, canvas: Canvas) -> NDArray[np.bool_]:
    """The pixels nearest to [n, 2] points."""
    return deposit.touched(canvas.to_pixels(points_um), canvas.shape_yx)


def _pieces(
    sheets: Sheets, to_pixels: ToPixels, pixel_um: float
) -> tuple[Points, Points, NDArray[np.float64]]:
    """Cut outlines into short pieces and carry both ends of each into the image."""
    cuts = 12
    shares = np.linspace(0.0, 1.0, cuts + 1)[:, None, None]
    points = sheets.start + shares * (sheets.end - sheets.start)  # [cuts + 1, n, 2]
    image = to_pixels(points.reshape(-1, 2)).reshape(points.shape)
    return image[:-1].reshape(-1, 2), image[1:].reshape(-1, 2), np.tile(sheets.cover, cuts)

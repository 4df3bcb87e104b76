"""Points into maps, compiled: what lies on each pixel, as sums over points.

Maps are [y, x]; a point at (y, x) pixels belongs to the pixel whose centre is nearest, and points beyond the
map are left out. Sums are taken in float64 in the order of the points, so that equal points give equal bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.compiled import compiled

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Map = NDArray[np.float32]

#: Points half-way to the rim of a tube reach the pixels whose centre lies within its radius.
RIM_PX = 0.3


@compiled
def spread(start: Floats, end: Floats, count: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
    """Even points along straight pieces [k, 2], `count` [k] on each: [n, 2], and the piece [n] of each."""
    points, piece = np.empty((count.sum(), 2)), np.empty(count.sum(), np.int64)
    place = 0
    for number in range(len(count)):
        for order in range(count[number]):
            share = (order + 0.5) / count[number]
            for axis in range(2):
                first = start[number, axis]
                points[place, axis] = first + share * (end[number, axis] - first)
            piece[place] = number
            place += 1
    return points, piece


@compiled
def tubes(
    line: tuple[Floats, Floats, NDArray[np.int64]],
    pieces: tuple[Floats, Floats, Flags],
    cosines: Floats,
    shape_yx: tuple[int, int],
) -> tuple[Map, Flags]:
    """Walls of tubes seen from above, and the pixels within those that are to be marked.

    Args:
        line: [n, 2] points on the axes, pixels; [n, 2] unit vectors across; [n] the piece of each.
        pieces: [k] radius, pixels; [k] weight of one point of the wall; [k] is it marked?
        cosines: of the angles around half of the circumference at which the wall's points stand.
        shape_yx: of the maps.
    """
    centre, across, piece = line
    radius_px, weight, marked = pieces
    height, width = shape_yx
    wall, inside = np.zeros(shape_yx), np.zeros(shape_yx, np.bool_)
    for cosine in cosines:
        for point in range(len(piece)):
            number = piece[point]
            aside = cosine * radius_px[number]
            row = np.rint(centre[point, 0] + aside * across[point, 0])
            column = np.rint(centre[point, 1] + aside * across[point, 1])
            if 0 <= row < height and 0 <= column < width:
                wall[int(row), int(column)] += weight[number]
            if marked[number]:
                inner = np.copysign(max(abs(aside) - RIM_PX, 0.0), aside)
                row = np.rint(centre[point, 0] + inner * across[point, 0])
                column = np.rint(centre[point, 1] + inner * across[point, 1])
                if 0 <= row < height and 0 <= column < width:
                    inside[int(row), int(column)] = True
    return wall.astype(np.float32), inside


@compiled
def shares(points: Floats, weights: Floats, shape_yx: tuple[int, int]) -> Map:
    """Weights [n] of points [n, 2] shared among the four nearest pixels each.

    Each of the four has a sum of its own, which is rounded before they are added.
    """
    height, width = shape_yx
    total, quarter = np.zeros(shape_yx, np.float32), np.empty(shape_yx)
    for below in range(2):
        for beside in range(2):
            quarter[:] = 0.0
            for point in range(len(points)):
                top, left = np.floor(points[point, 0]), np.floor(points[point, 1])
                row, column = top + below, left + beside
                if 0 <= row < height and 0 <= column < width:
                    down, right = points[point, 0] - top, points[point, 1] - left
                    share = weights[point] * (down if below else 1 - down)
                    quarter[int(row), int(column)] += share * (right if beside else 1 - right)
            total += quarter.astype(np.float32)
    return total


@compiled
def touched(points: Floats, shape_yx: tuple[int, int]) -> Flags:
    """The pixels nearest to points [n, 2]."""
    seen = np.zeros(shape_yx, np.bool_)
    for point in range(len(points)):
        row, column = np.rint(points[point, 0]), np.rint(points[point, 1])
        if 0 <= row < shape_yx[0] and 0 <= column < shape_yx[1]:
            seen[int(row), int(column)] = True
    return seen


@compiled
def filled(start: Floats, end: Floats, cover: Floats, shape_yx: tuple[int, int]) -> Map:
    """Running sums along each row of what directed pieces [n, 2] leave where they cross its middle, 0-1."""
    height, width = shape_yx
    # What falls on the pixel of a crossing, and on the next one.
    steps = np.zeros((height, width + 2, 2))
    for piece in range(len(cover)):
        (y, x), (y_end, x_end) = start[piece], end[piece]
        first = min(max(np.ceil(min(y, y_end)), 0.0), float(height))
        last = min(max(np.ceil(max(y, y_end)), 0.0), float(height))
        change = cover[piece] * np.sign(y_end - y)
        for row in range(int(first), int(last)):
            across = x + (row - y) / (y_end - y) * (x_end - x)
            column = min(max(across, -0.5), width - 0.5) + 0.5
            left = int(np.floor(column))
            inside = left + 1 - column
            steps[row, left, 0] += change * inside
            steps[row, left + 1, 1] += change * (1 - inside)
    presence = np.empty(shape_yx, np.float32)
    for row in range(height):
        total = 0.0
        for column in range(width):
            total += steps[row, column, 0] + steps[row, column, 1]
            presence[row, column] = min(max(total, 0.0), 1.0)
    return presence

"""Images brought into register by an affine map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.compiled import compiled, plain

#: A place this close to a pixel's centre is that pixel: rounding in the matrix must not lose an image's edge.
ROUNDING_PX = 1e-6

_IDENTITY = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def warp(
    image: NDArray[np.float32], matrix: NDArray[np.float64], shape_yx: tuple[int, int]
) -> NDArray[np.float32]:
    """[y, x] image sampled at `matrix` @ (y, x, 1) for every (y, x) of `shape_yx`, bilinearly.

    nan where that lies outside the image; the same values, bit for bit, where it is the centre of a pixel.
    """
    return (
        image.copy() if _is_identity(image, matrix, shape_yx) else _bilinear(plain(image), matrix, *shape_yx)
    )


def warp_labels(
    labels: NDArray[np.uint8], matrix: NDArray[np.float64], shape_yx: tuple[int, int]
) -> NDArray[np.uint8]:
    """The same for [y, x] classes: that of the nearest pixel, 0 outside."""
    if _is_identity(labels, matrix, shape_yx):
        return labels.copy()
    return _nearest(np.require(labels, np.uint8, ["C", "W"]), matrix, *shape_yx)


def _is_identity(image: NDArray[np.generic], matrix: NDArray[np.float64], shape_yx: tuple[int, int]) -> bool:
    return image.shape == tuple(shape_yx) and np.array_equal(matrix, _IDENTITY)


@compiled
def _bilinear(
    image: NDArray[np.float32], matrix: NDArray[np.float64], height: int, width: int
) -> NDArray[np.float32]:
    out = np.full((height, width), np.nan, np.float32)
    rows, columns = image.shape
    for i in range(height):
        for j in range(width):
            y = _snap(matrix[0, 0] * i + matrix[0, 1] * j + matrix[0, 2])
            x = _snap(matrix[1, 0] * i + matrix[1, 1] * j + matrix[1, 2])
            if not (0 <= y <= rows - 1 and 0 <= x <= columns - 1):
                continue
            # The pixels before and after; on the last row or column they are the same one.
            above, left = int(y), int(x)
            below, right = min(above + 1, rows - 1), min(left + 1, columns - 1)
            down, across = y - above, x - left
            top = (1 - across) * image[above, left] + across * image[above, right]
            bottom = (1 - across) * image[below, left] + across * image[below, right]
            out[i, j] = (1 - down) * top + down * bottom
    return out


@compiled
def _nearest(
    labels: NDArray[np.uint8], matrix: NDArray[np.float64], height: int, width: int
) -> NDArray[np.uint8]:
    out = np.zeros((height, width), np.uint8)
    rows, columns = labels.shape
    for i in range(height):
        for j in range(width):
            y = _snap(matrix[0, 0] * i + matrix[0, 1] * j + matrix[0, 2])
            x = _snap(matrix[1, 0] * i + matrix[1, 1] * j + matrix[1, 2])
            if 0 <= y <= rows - 1 and 0 <= x <= columns - 1:
                out[i, j] = labels[int(y + 0.5), int(x + 0.5)]
    return out


@compiled
def _snap(place: float) -> float:
    nearest = np.round(place)
    return nearest if abs(place - nearest) < ROUNDING_PX else place

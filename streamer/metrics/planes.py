"""Around a network: borders before it, the most probable class after it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.compiled import compiled


def reflected(images: NDArray[np.float32], shape_yx: tuple[int, int]) -> NDArray[np.float32]:
    """[c, y, x] images on larger planes, mirrored at the far edges without repeating the edge pixel.

    As `numpy.pad` with mode "reflect", in one pass; more than a mirror's worth of border is left to it.
    """
    count, y, x = images.shape
    below, right = shape_yx[0] - y, shape_yx[1] - x
    if below >= y or right >= x:
        return np.pad(images, ((0, 0), (0, below), (0, right)), mode="reflect")
    planes = np.empty((count, *shape_yx), images.dtype)
    planes[:, :y, :x] = images
    planes[:, :y, x:] = images[:, :, x - 1 - right : x - 1][:, :, ::-1]
    planes[:, y:] = planes[:, y - 1 - below : y - 1][:, ::-1]
    return planes


def most_probable(probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    """[y, x] index of the largest of [class, y, x]; of equal ones the first, as `numpy.argmax` has it.

    Values that are not a number count as largest, as they do there.
    """
    count, y, x = probabilities.shape
    classes = np.zeros((y, x), np.uint8)
    best = np.array(probabilities[0])
    for number in range(1, count):
        _keep_larger(best, np.ascontiguousarray(probabilities[number]), classes, number)
    return classes


@compiled
def _keep_larger(
    best: NDArray[np.float32], other: NDArray[np.float32], classes: NDArray[np.uint8], number: int
) -> None:
    """Where `other` is larger than `best` put it there, and its number among the classes."""
    for row in range(best.shape[0]):
        for column in range(best.shape[1]):
            known, value = best[row, column], other[row, column]
            # Not "larger": this is true where only `value` is not a number.
            if not (value <= known) and known == known:
                best[row, column] = value
                classes[row, column] = number

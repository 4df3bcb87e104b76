"""Sums over cells, also of fields that cells do not fill."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.metrics import tile_sums
from streamer.metrics.support import CELL, support_sums


@pytest.mark.parametrize("shape", [(40, 30), (43, 31), (3, 4)], ids=str)
def test_sums_are_those_of_numpy(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    photons, denoised = (rng.normal(2.0, 1.0, shape).astype(np.float32) for _ in range(2))
    labels = rng.integers(0, 3, shape, np.uint8)
    drawn = labels != 0
    images = [photons, drawn, drawn * photons, drawn * np.maximum(denoised, 0)]
    pads = [(0, -length % CELL) for length in shape]
    expected = np.stack([tile_sums(np.pad(each, pads), CELL) for each in images])
    found = support_sums(photons, denoised, labels)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(40, 30), (43, 31), (3, 4)], ids=str)
def test_sums_are_added_in_float32_row_by_row_and_then_along_the_row(shape: tuple[int, int]) -> None:
    """To the last bit, whatever the compiler does side by side: a replay must give the same verdicts."""
    rng = np.random.default_rng(5)
    photons, denoised = (rng.normal(2.0, 1.0, shape).astype(np.float32) for _ in range(2))
    labels = rng.integers(0, 3, shape, np.uint8)
    drawn = (labels != 0).astype(np.float32)
    images = np.stack([photons, drawn, drawn * photons, drawn * np.maximum(denoised, np.float32(0))])
    padded = np.pad(images, [(0, 0), *[(0, -length % CELL) for length in shape]])
    cells = padded.reshape(4, padded.shape[1] // CELL, CELL, -1, CELL)
    expected = np.zeros((4, cells.shape[1], cells.shape[3]), np.float32)
    columns = np.zeros((4, cells.shape[1], cells.shape[3], CELL), np.float32)
    for row in range(CELL):
        columns += cells[:, :, row]
    for column in range(CELL):
        expected += columns[..., column]
    np.testing.assert_array_equal(support_sums(photons, denoised, labels), expected)


def test_read_only_images_are_taken() -> None:
    image, labels = np.ones((20, 20), np.float32), np.ones((20, 20), np.uint8)
    image.flags.writeable = labels.flags.writeable = False
    assert support_sums(image, image, labels).sum() == 4 * 400

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


def test_read_only_images_are_taken() -> None:
    image, labels = np.ones((20, 20), np.float32), np.ones((20, 20), np.uint8)
    image.flags.writeable = labels.flags.writeable = False
    assert support_sums(image, image, labels).sum() == 4 * 400

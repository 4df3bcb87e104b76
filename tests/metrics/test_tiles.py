"""The compiled sums over tiles are the plain ones, and one bad value is found wherever it is."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.metrics import tile_sums
from streamer.metrics.tiles import all_finite, drawn_pixels, sums_of_tiles


@pytest.mark.parametrize("shape", [(40, 60), (43, 58), (4, 6)], ids=str)
@pytest.mark.parametrize("size", [5, 10, 30])
def test_sums_are_those_of_the_tiles(shape: tuple[int, int], size: int) -> None:
    rng = np.random.default_rng(0)
    photons = rng.poisson(3.0, shape).astype(np.float32)
    labels = rng.integers(0, 3, shape).astype(np.uint8)
    assert np.array_equal(sums_of_tiles(photons, size), tile_sums(photons, size))
    assert np.array_equal(drawn_pixels(labels, size), tile_sums(labels != 0, size))


@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_found(value: float) -> None:
    image = np.full((31, 17), -3.4e38, np.float32)
    assert all_finite(image)
    for place in (0, 263, 526):
        bad = image.copy()
        bad.ravel()[place] = value
        assert not all_finite(bad)

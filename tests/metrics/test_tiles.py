"""The compiled sums over tiles are the plain ones, and one bad value is found wherever it is."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.metrics import all_finite, foreground_tiles, tile_halves, tile_sums


def added(values: np.ndarray, size: int) -> np.ndarray:
    """The plain sums."""
    rows, columns = values.shape[0] // size, values.shape[1] // size
    whole = values[: rows * size, : columns * size].astype(np.float64)
    return whole.reshape(rows, size, columns, size).sum(axis=(1, 3))


@pytest.mark.parametrize("shape", [(40, 60), (43, 58), (4, 6)], ids=str)
@pytest.mark.parametrize("size", [5, 10, 30])
@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.float64, bool], ids=lambda dtype: dtype.__name__)
def test_sums_are_those_of_the_tiles(shape: tuple[int, int], size: int, dtype: type) -> None:
    values = np.random.default_rng(0).poisson(0.7, shape).astype(dtype)
    assert np.array_equal(tile_sums(values, size), added(values, size))
    labels = values.astype(np.uint8)
    assert np.array_equal(foreground_tiles(labels, size), added(labels != 0, size) >= size * size / 2)


def test_a_view_into_a_larger_image_and_a_locked_one_are_summed() -> None:
    image = np.random.default_rng(0).poisson(3.0, (50, 70)).astype(np.float32)
    part = image[5:45, 3:63]
    part.setflags(write=False)
    assert np.array_equal(tile_sums(part), added(part, 10))


@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_found(value: float) -> None:
    image = np.full((31, 17), -3.4e38, np.float32)
    assert all_finite(image)
    for place in (0, 263, 526):
        bad = image.copy()
        bad.ravel()[place] = value
        assert not all_finite(bad)


def test_halves_are_the_colours_of_a_chessboard_and_add_up() -> None:
    image = np.random.default_rng(2).poisson(0.4, (53, 41)).astype(np.float32)
    white = np.add.outer(np.arange(53), np.arange(41)) % 2 == 1
    halves = tile_halves(image)
    np.testing.assert_array_equal(halves[0], tile_sums(image * ~white))
    np.testing.assert_array_equal(halves[1], tile_sums(image * white))
    np.testing.assert_array_equal(halves.sum(axis=0), tile_sums(image))

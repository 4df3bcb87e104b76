"""Borders and classes are those of numpy."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.metrics.planes import most_probable, reflected
from tests.luck import seed


@pytest.mark.parametrize("border", [(0, 0), (8, 8), (3, 0), (0, 5), (11, 12), (12, 13), (40, 40)])
def test_borders_are_mirrored_as_numpy_does(border: tuple[int, int]) -> None:
    images = np.random.default_rng(seed()).normal(size=(2, 12, 13)).astype(np.float32)
    below, right = border
    expected = np.pad(images, ((0, 0), (0, below), (0, right)), mode="reflect")
    found = reflected(images, (12 + below, 13 + right))
    assert np.array_equal(found, expected)
    assert not np.shares_memory(found, images)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_the_most_probable_class_is_numpys(count: int) -> None:
    rng = np.random.default_rng(seed())
    values = rng.integers(0, 4, (count, 40, 50)).astype(np.float32)  # with ties
    values[rng.random(values.shape) < 0.05] = np.nan
    values[rng.random(values.shape) < 0.02] = np.inf
    window = values[:, 3:, :-2]  # as what is cut from padded planes
    found = most_probable(window)
    assert found.dtype == np.uint8
    assert np.array_equal(found, window.argmax(axis=0))

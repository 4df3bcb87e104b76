"""Box sums, tiles and the signal map against SciPy and plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from streamer.metrics import SIGNAL, UNCERTAIN, box_sum, foreground_tiles, signal_map, tile_sums
from streamer.metrics.boxes import uncertain_and_signal


@pytest.mark.parametrize("size", [1, 3, 10, 11], ids=lambda size: f"box of {size}")
@pytest.mark.parametrize("shape", [(64, 80), (33, 10), (4, 7), (1, 1)], ids=str)
def test_box_sum_equals_scipy(shape: tuple[int, int], size: int) -> None:
    photons = np.random.default_rng(0).poisson(0.3, shape).astype(np.float32)
    expected = uniform_filter(photons.astype(np.float64), size, mode="reflect") * size**2
    np.testing.assert_allclose(box_sum(photons, size), expected, atol=1e-5)


@pytest.mark.parametrize("size", [2, 7, 10], ids=lambda size: f"box of {size}")
def test_whole_counts_stay_whole(size: int) -> None:
    photons = np.random.default_rng(0).poisson(0.3, (70, 130)).astype(np.float32)
    photons[20:30, 40:50] = 60_000  # what a bright spot adds is gone, to the last bit, behind it
    padded = np.pad(photons.astype(np.int64), (size // 2, size - 1 - size // 2), mode="symmetric")
    expected = np.lib.stride_tricks.sliding_window_view(padded, (size, size)).sum(axis=(2, 3))
    np.testing.assert_array_equal(box_sum(photons, size), expected)


@pytest.mark.parametrize(
    "layout",
    [lambda a: a[::2, 1:], lambda a: a.T, np.asfortranarray],
    ids=["a view", "transposed", "column by column"],
)
def test_the_layout_of_the_image_does_not_matter(layout) -> None:
    image = layout(np.random.default_rng(0).poisson(0.3, (60, 60)).astype(np.float32))
    np.testing.assert_array_equal(box_sum(image), box_sum(image.copy(order="C")))


@pytest.mark.parametrize(
    ("photons_in_box", "expected"),
    [(0, 0), (5, 0), (6, 1), (25, 1), (26, 2), (1000, 2)],
    ids=lambda value: str(value),
)
def test_signal_map_has_the_published_thresholds(photons_in_box: int, expected: int) -> None:
    photons = np.zeros((40, 40), np.float32)
    photons[20, 20] = photons_in_box
    assert signal_map(photons)[20, 20] == expected


@pytest.mark.parametrize("locked", [False, True], ids=["writable", "locked"])
def test_shares_are_those_of_the_signal_map(locked: bool) -> None:
    photons = np.random.default_rng(0).poisson(np.linspace(0, 0.5, 90), (60, 90)).astype(np.float32)
    sums, classes = box_sum(photons), signal_map(photons, 5, 25)
    sums.setflags(write=not locked)
    expected = np.mean(classes == UNCERTAIN), np.mean(classes == SIGNAL)
    assert uncertain_and_signal(sums, 5, 25) == pytest.approx(expected, rel=1e-12)


def test_tiles_leave_out_what_does_not_fill_one() -> None:
    image = np.ones((25, 31), np.float32)
    np.testing.assert_array_equal(tile_sums(image), np.full((2, 3), 100.0))


def test_a_tile_is_foreground_from_half_of_its_pixels_on() -> None:
    labels = np.zeros((10, 30), np.uint8)
    labels[:5, :10] = 1  # 50 pixels
    labels[:4, 10:20], labels[4, 10:19] = 2, 2  # 49 pixels
    assert foreground_tiles(labels).tolist() == [[True, False, False]]

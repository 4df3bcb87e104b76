"""Pictures: cut, scaled, quantised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.preview.picture import Region, clipped, fitted, grey, labels


def values(layer) -> np.ndarray:
    return layer.low + (layer.pixels / 255.0) ** 2 * (layer.high - layer.low)


@given(
    seed=st.integers(0, 1000),
    full=st.tuples(st.integers(20, 70), st.integers(20, 70)),
    box=st.tuples(st.integers(8, 90), st.integers(8, 90)),
    scale=st.sampled_from([1e-3, 1.0, 1e4]),
)
@settings(max_examples=60, deadline=None)
def test_a_scaled_picture_keeps_means_and_stays_in_its_box(
    seed: int, full: tuple[int, int], box: tuple[int, int], scale: float
) -> None:
    plane = (np.random.default_rng(seed).random(full) * scale).astype(np.float32)
    region = clipped(None, full)
    size = fitted(region, box)
    assert size[0] <= max(1, min(box[0], full[0]))
    assert size[1] <= max(1, min(box[1], full[1]))
    layer = grey("raw", plane, region, size)
    assert layer.pixels.shape == size
    shown = values(layer)
    assert shown.min() >= plane.min() * (1 - 1e-6)
    assert shown.max() <= plane.max() * (1 + 1e-6)
    assert shown.mean() == pytest.approx(plane.mean(), rel=0.04)


@given(region=st.tuples(*[st.integers(-300, 300)] * 2, *[st.integers(1, 300)] * 2))
def test_a_region_lies_in_the_image(region: Region) -> None:
    y, x, height, width = clipped(region, (100, 120))
    assert 0 <= y < y + height <= 100
    assert 0 <= x < x + width <= 120


@pytest.mark.parametrize(
    ("name", "classes", "shown"),
    [
        ("trust", [0, 2], 2),
        ("trust", [2, 1], 1),
        ("trust", [1, 3], 3),
        ("trust", [2, 3], 3),
        ("segmentation", [0, 1], 1),
        ("segmentation", [1, 2], 2),
    ],
)
def test_of_classes_the_gravest_is_seen_from_afar(name: str, classes: list[int], shown: int) -> None:
    plane = np.full((90, 70), classes[0], np.uint8)
    plane[51, 33] = classes[1]
    far = labels(name, plane, (0, 0, 90, 70), (9, 7)).pixels
    expected = np.full((9, 7), classes[0])
    expected[5, 3] = shown
    assert (far == expected).all()


def test_a_hot_pixel_does_not_take_the_contrast_of_the_rest() -> None:
    plane = np.random.default_rng(0).poisson(5, (200, 200)).astype(np.uint16)
    plane[7, 7] = 65535
    layer = grey("raw", plane, (0, 0, 200, 200), (200, 200))
    assert layer.pixels[7, 7] == 255
    assert layer.high < 200
    assert layer.auto[1] < 20
    rest = np.ones_like(plane, bool)
    rest[7, 7] = False
    assert np.abs(values(layer) - plane)[rest].max() < 0.5


@pytest.mark.parametrize("value", [0, 7])
def test_a_flat_image_has_a_scale(value: int) -> None:
    layer = grey("raw", np.full((5, 5), value, np.uint16), (0, 0, 5, 5), (5, 5))
    assert (values(layer) == value).all()
    assert layer.low < layer.high
    assert layer.auto[0] < layer.auto[1]

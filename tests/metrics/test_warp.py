"""Registration against SciPy, and bit for bit where nothing is to be interpolated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import affine_transform

from streamer.metrics import warp, warp_labels

TURN = np.deg2rad(1.3)
MAPS = {
    "sub-pixel shift": [[1, 0, 0.37], [0, 1, -1.61]],
    "turned and shifted": [[np.cos(TURN), -np.sin(TURN), 2.2], [np.sin(TURN), np.cos(TURN), -0.8]],
    "scaled and sheared": [[1.0213, 0.0117, -3.0], [-0.0219, 0.9731, 1.5]],
    "mirrored": [[1, 0, 0], [0, -1, 47]],
    "far outside": [[1, 0, 1e12], [0, 1, -1e12]],
}


@pytest.fixture(params=MAPS.values(), ids=MAPS)
def matrix(request: pytest.FixtureRequest) -> np.ndarray:
    return np.array(request.param, float)


@pytest.mark.parametrize("shape_yx", [(40, 48), (25, 70)], ids=str)
def test_a_warp_equals_scipy(matrix: np.ndarray, shape_yx: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((40, 48)).astype(np.float32)
    expected = affine_transform(
        image.astype(float), matrix[:, :2], matrix[:, 2], output_shape=shape_yx, order=1, cval=np.nan
    )
    warped = warp(image, matrix, shape_yx)
    assert warped.dtype == np.float32
    np.testing.assert_allclose(warped, expected, atol=1e-6)


def test_labels_equal_scipys_within_the_image(matrix: np.ndarray) -> None:
    labels = np.random.default_rng(0).integers(0, 3, (40, 48)).astype(np.uint8)
    inside = ~np.isnan(warp(labels.astype(np.float32), matrix, (40, 48)))
    expected = affine_transform(labels, matrix[:, :2], matrix[:, 2], order=0)
    np.testing.assert_array_equal(warp_labels(labels, matrix, (40, 48)), np.where(inside, expected, 0))


@pytest.mark.parametrize("shift", [(0, 0), (3, -5)], ids=["identity", "whole pixels"])
def test_where_nothing_is_interpolated_bits_are_kept(shift: tuple[int, int]) -> None:
    image = np.random.default_rng(0).normal(size=(33, 21)).astype(np.float32)
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], float)
    expected = np.full_like(image, np.nan)
    expected[: 33 - shift[0], -shift[1] :] = image[shift[0] :, : 21 + shift[1]]
    np.testing.assert_array_equal(warp(image, matrix, image.shape), expected)


def test_the_identity_is_a_copy() -> None:
    image = np.ones((4, 4), np.float32)
    image.flags.writeable = False
    assert warp(image, np.eye(2, 3), (4, 4)).flags.writeable
    assert warp_labels(image.astype(np.uint8), np.eye(2, 3), (4, 4)).sum() == 16


def test_rounding_in_the_matrix_does_not_lose_the_edge() -> None:
    image = np.ones((30, 30), np.float32)
    matrix = np.array([[1, 1e-12, -1e-12], [-1e-12, 1, 1e-12]])
    assert not np.isnan(warp(image, matrix, (30, 30))).any()

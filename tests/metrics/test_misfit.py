"""Misfit is 1 by chance, blind to even background, and what it says of its error is right."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.metrics import tile_sums
from streamer.metrics.misfit import CELL, ROWS_ENOUGH, Misfit, misfit

Image = NDArray[np.float32]
rng = np.random.default_rng(12_300_500)


def expected(shape: tuple[int, int], light: float) -> tuple[Image, NDArray[np.uint8]]:
    """Photons of stripes, and where they are drawn."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    signal = light * (1 + np.cos(x / 5 + y / 30))
    return signal.astype(np.float32), (signal > light).astype(np.uint8)


def plainly(photons: Image, predicted: Image, labels: NDArray[np.uint8], read_variance: float) -> Misfit:
    """The same, cell by cell."""
    n, p = tile_sums(photons, CELL), tile_sums(np.maximum(predicted, 0), CELL)
    drawn, found = tile_sums(labels != 0, CELL), []
    for y in range(1, n.shape[0] - 1):
        for x in range(1, n.shape[1] - 1):
            if 2 * drawn[y, x] >= CELL**2:
                around = n[y - 1 : y + 2, x - 1 : x + 2].sum() - n[y, x]
                left_out = around - (p[y - 1 : y + 2, x - 1 : x + 2].sum() - p[y, x])
                background = max(left_out / 8, 0)
                noise = CELL**2 * read_variance * (1 + 1 / 8)
                v = p[y, x] + background + max(around, 0) / 64 + noise
                found.append(((n[y, x] - p[y, x] - background) ** 2, v))
    squares, v = np.array(found).T
    error = np.sqrt(2 * (v**2).sum() + v.sum()) / v.sum()
    return Misfit(squares.sum() / v.sum(), error, len(found))


@pytest.mark.parametrize("shape", [(57, 83), (12, 12), (300, 300)])
@pytest.mark.parametrize("read_noise_e", [0.0, 1.5])
def test_the_kernel_does_what_its_docstring_says(shape: tuple[int, int], read_noise_e: float) -> None:
    signal, labels = expected(shape, 0.3)
    photons = (rng.poisson(signal + 0.1) + read_noise_e * rng.standard_normal(shape)).astype(np.float32)
    found = misfit(photons, signal, labels, read_noise_e)
    assert found == pytest.approx(plainly(photons, signal, labels, read_noise_e**2), rel=1e-5)


@pytest.mark.parametrize("light", [0.03, 0.3, 3.0])
@pytest.mark.parametrize("background", [0.0, 0.05, 1.0])
def test_a_right_prediction_misfits_by_chance_alone(light: float, background: float) -> None:
    signal, labels = expected((120, 120), light)
    looks = [misfit(rng.poisson(signal + background).astype(np.float32), signal, labels) for _ in range(200)]
    far = np.array([(look.value - 1.0) / look.error for look in looks])
    assert far.mean() < 0.3  # of a standard error; 200 looks tell 0.07
    assert far.std() < 1.25
    assert background < 1.0 or far.mean() > -0.3  # less only where the background's estimate is cut off at 0


def test_what_is_added_evenly_changes_nothing_but_noise() -> None:
    signal, labels = expected((300, 300), 1.0)
    photons = rng.poisson(signal).astype(np.float32)
    assert misfit(photons + 7, signal, labels).value < misfit(photons, signal, labels).value


def test_light_where_the_prediction_has_none_is_misfit() -> None:
    signal, labels = expected((300, 300), 1.0)
    found = misfit(rng.poisson(np.roll(signal, 8, axis=1)).astype(np.float32), signal, labels)
    assert found.value > 1 + 10 * found.error


@pytest.mark.parametrize("shape", [(0, 0), (3, 50), (11, 11), (50, 50)])
def test_nothing_to_judge_is_no_number(shape: tuple[int, int]) -> None:
    nothing = np.zeros(shape, np.float32)
    drawn = np.ones(shape, np.uint8)
    assert np.isnan(misfit(nothing, nothing, drawn).value)
    assert misfit(nothing + 1, nothing + 1, 0 * drawn).cells == 0


def test_of_large_images_a_share_of_the_rows_is_judged() -> None:
    shape = (3 * CELL * ROWS_ENOUGH, 80)
    signal, labels = expected(shape, 0.3)
    photons = rng.poisson(signal).astype(np.float32)
    found, small = (
        misfit(photons[:rows], signal[:rows], labels[:rows]) for rows in (shape[0], CELL * ROWS_ENOUGH)
    )
    assert 2 * small.cells > found.cells > 0.7 * small.cells
    assert found.value == pytest.approx(1.0, abs=4 * found.error)

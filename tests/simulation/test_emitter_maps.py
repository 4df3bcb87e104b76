"""Given emitter maps on the simulated microscope."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamer.errors import UsageError
from streamer.simulation import (
    LOW_DOSE,
    REFERENCE_DOSE,
    Scene,
    emitter_map_scene,
    foreground_box_sum,
    sted_fwhm_nm,
)


def spots(shape_yx: tuple[int, int] = (90, 120)) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    emitters = np.zeros(shape_yx, np.float32)
    emitters[30, 40] = emitters[60, 90] = 0.5
    return emitters


def box_sum(scene: Scene) -> float:
    signal, background, labels = scene.expected(0.0, LOW_DOSE)
    return foreground_box_sum(signal + background, labels)


@pytest.mark.parametrize("level", [9.3, 28.0, 84.0])
def test_a_map_is_imaged_at_the_box_sum_asked_for(level: float) -> None:
    scene = emitter_map_scene(spots(), seed=1, box_sum=level)
    assert box_sum(scene) == pytest.approx(level, rel=1e-4)
    exposure = scene.expose(0, 0.0, LOW_DOSE)
    assert exposure.counts.shape == (90, 120)
    # A box on a spot holds nearly all of its light.
    assert exposure.signal.sum() == pytest.approx(2 * level, rel=0.2)


def test_a_map_is_blurred_by_the_same_optics() -> None:
    scene = emitter_map_scene(spots(), seed=1, box_sum=28.0)
    signal = scene.expected(0.0, LOW_DOSE)[0]
    row = signal[30, 25:56] / signal[30, 40]
    fwhm_nm = sted_fwhm_nm(scene.settings, LOW_DOSE.depletion_mw)
    expected = 0.5 ** ((2 * 20.0 * (np.arange(31) - 15) / fwhm_nm) ** 2)
    np.testing.assert_allclose(row, expected, atol=0.01)


def test_a_map_neither_moves_nor_bleaches_and_its_noise_has_a_seed() -> None:
    scene = emitter_map_scene(spots(), seed=1, box_sum=500.0)
    early, late = scene.expose(0, 0.0, REFERENCE_DOSE), scene.expose(1, 900.0, REFERENCE_DOSE)
    np.testing.assert_array_equal(early.signal, late.signal)
    assert not np.array_equal(early.counts, late.counts)
    again = emitter_map_scene(spots(), seed=1, box_sum=500.0).expose(0, 0.0, REFERENCE_DOSE)
    other = emitter_map_scene(spots(), seed=2, box_sum=500.0).expose(0, 0.0, REFERENCE_DOSE)
    np.testing.assert_array_equal(early.counts, again.counts)
    assert not np.array_equal(early.counts, other.counts)


def test_light_from_beyond_the_border_is_mirrored() -> None:
    even = np.ones((64, 80), np.float64)
    signal = emitter_map_scene(even, seed=1, box_sum=28.0).expected(0.0, LOW_DOSE)[0]
    np.testing.assert_allclose(signal, signal.mean(), rtol=1e-4)


@pytest.mark.parametrize(
    ("emitters", "words"),
    [
        (np.zeros((9, 9)), "values 0 to 0; give densities from 0 up, not all 0"),
        (np.full((9, 9), np.nan), "values nan"),
        (np.eye(9) - 0.5, "values -0.5 to 0.5"),
        (np.ones((2, 9, 9)), r"shape \(2, 9, 9\); give one image"),
    ],
    ids=["empty", "nan", "negative", "stack"],
)
def test_what_is_no_map_is_refused(
    emitters: np.ndarray[tuple[int, ...], np.dtype[np.float64]], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        emitter_map_scene(emitters, seed=1, box_sum=28.0)


@pytest.mark.realdata
@pytest.mark.parametrize("kind", ["factin", "psd95", "tubulin"])
def test_real_maps_become_images(realdata: Path, kind: str) -> None:
    folder = realdata / "sted_emitter_maps"
    maps = sorted(folder.glob(f"**/{kind}/*.npy"))
    if not maps:
        pytest.skip(f"{folder}: holds no {kind}/*.npy")
    emitters = np.load(maps[0])
    scene = emitter_map_scene(emitters, seed=3, box_sum=28.0)
    exposure = scene.expose(0, 0.0, LOW_DOSE)
    assert exposure.counts.shape == emitters.shape
    assert box_sum(scene) == pytest.approx(28.0, rel=1e-4)
    inside, outside = (exposure.signal[exposure.labels == label].mean() for label in (1, 0))
    assert inside > 2 * outside
    assert 0.0 < exposure.labels.mean() < 0.6

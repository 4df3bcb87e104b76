"""Specimens with depth: slices, their focus and their photons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamer.simulation import LOW_DOSE, SceneSettings, StackScene, foreground_box_sum
from streamer.simulation.depth import (
    STACK_PIXEL_NM,
    STEP_UM,
    TOP_HAT_AXIAL_UM,
    TOP_HAT_SHARE,
    fullest,
    stack_at_box_sum,
)
from streamer.simulation.optics import image_of, stack_of, sted_fwhm_nm
from streamer.simulation.structures import Microtubules

SETTINGS = SceneSettings(seed=4, shape_yx=(120, 160), pixel_nm=STACK_PIXEL_NM)


def test_a_stack_has_the_shapes_and_photons_it_promises() -> None:
    stack = StackScene(SETTINGS).expose(0, 5.0, LOW_DOSE)
    images = stack.counts, stack.signal, stack.background, stack.labels
    assert [image.shape for image in images] == [(6, 120, 160)] * 4
    assert [image.dtype for image in images] == [np.uint16, np.float32, np.float32, np.uint8]
    expected = (stack.signal + stack.background).astype(np.float64)
    chi_square = np.mean((stack.counts - expected) ** 2 / expected)
    assert abs(chi_square - 1) < 5 * np.sqrt(np.mean(2 + 1 / expected) / expected.size)


def test_equal_calls_give_equal_stacks() -> None:
    one, two = (StackScene(SETTINGS).expose(1, 5.0, LOW_DOSE) for _ in range(2))
    np.testing.assert_array_equal(one.counts, two.counts)
    other = StackScene(replace(SETTINGS, seed=5)).expose(1, 5.0, LOW_DOSE)
    assert not np.array_equal(one.signal, other.signal)


def test_structure_is_sharp_in_its_own_slice_and_labelled_there() -> None:
    stack = StackScene(replace(SETTINGS, structure=Microtubules())).expose(0, 0.0, LOW_DOSE)
    full = fullest(stack.labels)
    inside = stack.labels[full] == 1
    assert inside.any()
    assert stack.signal[full][inside].mean() > 4 * stack.signal[full][~inside].mean()
    # The same places, two slices away, hold less of their light.
    other = full - 2 if full >= 2 else full + 2
    seen = [(stack.signal + stack.background)[z][inside].mean() for z in (full, other)]
    assert seen[0] > 1.3 * seen[1]


@pytest.mark.parametrize("apart", [0, 1, 2])
def test_a_point_out_of_focus_is_blurred_and_dimmed_as_by_a_defocused_frame(apart: int) -> None:
    levels = np.zeros((3, 96, 108), np.float32)
    levels[apart, 48, 54] = 1.0
    sharp, rest = stack_of(levels, 0.14, 0, 1, SETTINGS, 40.0)
    frame, _ = image_of(levels[apart], SETTINGS, 40.0, 0.14 * apart)
    np.testing.assert_allclose((sharp + rest)[0], frame, atol=1e-5)
    assert (sharp.max() > 0.9) == (apart == 0)


def test_all_slices_together_show_every_point_once() -> None:
    levels = np.random.default_rng(1).random((4, 64, 64), np.float32)
    sharp, _ = stack_of(levels, 0.14, 0, 4, SETTINGS, 40.0)
    whole, _ = image_of(levels.sum(axis=0), SETTINGS, 40.0, 0.0)
    np.testing.assert_allclose(sharp.sum(axis=0), whole, rtol=1e-3)


def test_a_top_hat_confines_along_the_axis_and_less_across() -> None:
    donut_nm = sted_fwhm_nm(SETTINGS, 166.0)
    top_hat_nm = sted_fwhm_nm(SETTINGS, 166.0 * TOP_HAT_SHARE)
    assert top_hat_nm == pytest.approx(125.0, abs=2.0)
    assert top_hat_nm > donut_nm
    assert SETTINGS.axial_um > TOP_HAT_AXIAL_UM
    assert pytest.approx(0.7) == STEP_UM * 5


@pytest.mark.parametrize("level", [10.0, 28.0])
def test_the_fullest_slice_has_the_box_sum_asked_for(level: float) -> None:
    scene = stack_at_box_sum(SETTINGS, LOW_DOSE, 0.0, level)
    signal, background, labels = scene.expected(0.0, LOW_DOSE)
    full = fullest(labels)
    assert foreground_box_sum((signal + background)[full], labels[full]) == pytest.approx(level, rel=1e-3)


def test_a_field_without_a_cell_is_empty_in_every_slice() -> None:
    scene = stack_at_box_sum(replace(SETTINGS, cell_radius_um=0.0), LOW_DOSE, 0.0, 28.0, slices=3)
    stack = scene.expose(0, 0.0, LOW_DOSE)
    assert stack.counts.shape == (3, 120, 160)
    assert not stack.labels.any()
    assert stack.signal.max() < 1e-6

"""Frames with their context for judging networks, and the measure of smear."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.simulation import foreground_box_sum
from streamer.simulation.series import smear, stack_exposures, time_exposures


@pytest.mark.parametrize("structure", ["er", "puncta"])
def test_a_frame_comes_with_those_before_it(structure: str) -> None:
    first, second = time_exposures(2, 5, 96, 3, 40.0, 1.0, structure=structure)
    assert first.counts.shape == first.truths.shape == (3, 96, 96)
    assert first.labels.shape == (96, 96)
    assert np.array_equal(first.counts, first.counts.round())
    assert not np.array_equal(first.truth, second.truth)
    again = time_exposures(1, 5, 96, 3, 40.0, 1.0, structure=structure)[0]
    np.testing.assert_array_equal(first.counts, again.counts)
    apart = [np.abs(first.truth - truth).mean() for truth in first.truths]
    assert 0 == apart[0] < apart[1] < apart[2]


def test_the_newest_frame_has_the_box_sum_asked_for() -> None:
    exposures = time_exposures(3, 1, 200, 2, 28.0, 0.6)
    sums = [foreground_box_sum(exposure.counts[0], exposure.labels) for exposure in exposures]
    assert np.mean(sums) == pytest.approx(28.0, rel=0.1)


def test_each_frame_has_its_own_noise() -> None:
    exposure = time_exposures(1, 2, 160, 3, 40.0, 0.3)[0]
    now, before, _ = exposure.counts - exposure.truths
    assert abs(np.corrcoef(now.ravel(), before.ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("structure", ["er", "microtubules"])
def test_specimens_move_by_the_pixels_asked_for(structure: str) -> None:
    exposure = time_exposures(1, 4, 200, 2, 28.0, 0.3, structure=structure, shift_px=5.0)[0]
    now, before = exposure.truths
    spectrum = np.fft.rfft2(now) * np.conj(np.fft.rfft2(before))
    shift = np.unravel_index(np.argmax(np.fft.irfft2(spectrum, now.shape)), now.shape)
    assert np.hypot(*[(s + 100) % 200 - 100 for s in shift]) == pytest.approx(5.0, abs=1.0)


@pytest.mark.parametrize(("share", "gain"), [(0.0, 1.0), (0.25, 0.7), (0.5, 1.0), (1.0, 2.0)], ids=str)
def test_smear_tells_how_much_of_the_past_is_shown(share: float, gain: float) -> None:
    exposures = time_exposures(2, 3, 96, 3, 28.0, 0.6, shift_px=4.0)
    shown = [gain * ((1 - share) * e.truths[0] + share * e.truths[1]) + 0.1 for e in exposures]
    measured = smear(shown, exposures)
    assert measured.share_before == pytest.approx(share, abs=1e-3)
    if gain == 1.0:
        assert (measured.error_now < measured.error_before) == (share < 0.5) or share == 0.5


def test_slices_come_with_those_below_and_above_and_borders_repeat_themselves() -> None:
    slices = stack_exposures(1, 2, 80, 28.0, slices=4)
    assert len(slices) == 4
    assert {exposure.pixel_nm for exposure in slices} == {35.0}
    own = [exposure.counts[0] for exposure in slices]
    np.testing.assert_array_equal(slices[1].counts, np.stack([own[1], own[0], own[2]]))
    np.testing.assert_array_equal(slices[0].counts, np.stack([own[0], own[0], own[1]]))
    np.testing.assert_array_equal(slices[3].counts, np.stack([own[3], own[2], own[3]]))

"""Held-out specimens are those of the model cards, at the doses asked for."""

from __future__ import annotations

import numpy as np
import pytest
from specimens_for_judging import frames

from streamer.analysis import REFERENCE_RATIO, held_out
from streamer.metrics.quality import median_box_sum
from streamer.simulation import Scene, sample_settings


def test_the_reference_dose_is_that_of_the_paper() -> None:
    assert pytest.approx(70.4, abs=0.05) == REFERENCE_RATIO


def test_frames_are_those_that_the_cards_were_judged_on() -> None:
    settings, light, time_s = sample_settings("test", 5_000_001, (192, 192))
    exposure = Scene(settings).expose(0, time_s, light)
    frame = frames()[1]
    assert np.array_equal(frame.counts, exposure.counts)
    assert np.array_equal(frame.truth, exposure.signal)
    assert (frame.seed, frame.pixel_nm, frame.counts.dtype) == (5_000_001, 20.0, np.float32)


def test_a_level_sets_the_light_and_leaves_specimen_and_references() -> None:
    (frame,) = held_out("er", 1, 5, box_sum=84.0, size_px=192)
    low_dose = frames()[0]
    assert median_box_sum(frame.truth + frame.background, frame.labels) == pytest.approx(84.0, rel=1e-3)
    assert frame.median_box_sum == pytest.approx(84.0, rel=0.1)
    ratio = frame.truth.sum() / low_dose.truth.sum()
    np.testing.assert_allclose(frame.truth, low_dose.truth * ratio, rtol=1e-4)
    assert np.array_equal(frame.reference_a, low_dose.reference_a)
    assert np.array_equal(frame.labels, low_dose.labels)


def test_references_are_independent_poisson_frames_of_the_same_moment() -> None:
    frame = frames()[0]
    expected = (frame.truth + frame.background).astype(np.float64) * REFERENCE_RATIO
    for reference in (frame.reference_a, frame.reference_b):
        residual = (reference - expected) / np.sqrt(np.maximum(expected, 1e-6))
        assert residual[expected > 1].std() == pytest.approx(1.0, abs=0.03)
    noise_a, noise_b = (reference - expected for reference in (frame.reference_a, frame.reference_b))
    assert abs(np.corrcoef(noise_a.ravel(), noise_b.ravel())[0, 1]) < 0.03


def test_other_structures_are_drawn_as_they_are_named() -> None:
    (puncta,) = held_out("puncta", 1, 5, size_px=96)
    assert puncta.labels.any()
    assert not np.array_equal(puncta.truth, held_out("er", 1, 5, size_px=96)[0].truth)

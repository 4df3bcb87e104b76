"""What is drawn on photons is believed, what is drawn on nothing is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from specimens import as_result

from streamer.core import Result
from streamer.guards import Guard
from streamer.guards.belief import (
    Trust,
    TrustModel,
    expected_share,
    likely_range,
    support,
    trust_probability,
)
from streamer.guards.conformance import GuardConformance
from streamer.simulation import LOW_DOSE, Scene, SceneSettings

GUARD = Trust(flag_below=0.8)


class TestTrust(GuardConformance):
    def make(self) -> Guard[Any]:
        return GUARD


def specimen(light: float = 1.0, *, seed: int = 1) -> Result:
    """A healthy field of 250 x 250 pixels, as its truth would be drawn."""
    settings = SceneSettings(seed=seed, shape_yx=(250, 250), bleaching=0.0)
    power = replace(LOW_DOSE, excitation_uw=LOW_DOSE.excitation_uw * light)
    exposure = Scene(settings).expose(0, 0.0, power)
    result = as_result(0, exposure.counts, exposure.labels)
    return replace(result, denoised=exposure.signal)


def invented(result: Result, *, bright: float) -> Result:
    """The same with a tubule drawn along columns 98 to 101, in a strip that holds hardly any light."""
    labels, denoised, photons = result.labels.copy(), result.denoised.copy(), result.photons.copy()
    photons[:, 60:140] = np.random.default_rng(1).poisson(0.01, (250, 80))
    labels[:, 60:140] = denoised[:, 60:140] = 0
    labels[:, 98:102], denoised[:, 98:102] = 1, bright
    return replace(result, photons=photons, labels=labels, denoised=denoised)


def test_structure_with_photons_is_believed() -> None:
    verdict = GUARD.step(GUARD.start(), specimen())[1]
    assert verdict.status == "pass"
    assert verdict.measured is not None
    assert verdict.measured > 0.9
    assert verdict.values["low"] <= verdict.measured <= verdict.values["high"]


@pytest.mark.parametrize("bright", [0.05, 0.5], ids=["faint", "bright"])
def test_structure_without_photons_is_not_believed(bright: float) -> None:
    trusted = trust_probability(invented(specimen(3.0), bright=bright))
    assert np.nanmean(trusted[20:230, 98:102]) < 0.1
    assert np.nanmedian(trusted[:, :50]) > 0.9


def test_probabilities_stand_where_something_is_drawn_and_nowhere_else() -> None:
    result = specimen()
    trusted = trust_probability(result)
    assert trusted.dtype == np.float32
    assert np.array_equal(np.isfinite(trusted), result.labels != 0)
    assert expected_share(result) == pytest.approx(float(np.nanmean(trusted)), rel=1e-5)


def test_bold_inventions_are_believed_no_more_than_their_photons_allow() -> None:
    bold, bolder = (trust_probability(invented(specimen(), bright=bright)) for bright in (5.0, 50.0))
    np.testing.assert_array_equal(bold, bolder)
    assert np.nanmean(bold[20:230, 98:102]) < 0.5


def test_a_field_of_inventions_is_flagged_in_words() -> None:
    counts = np.random.default_rng(2).poisson(0.02, (200, 200)).astype(np.uint16)
    labels = np.zeros((200, 200), np.uint8)
    for row in range(3):
        labels[row::20] = 1
    result = replace(as_result(0, counts, labels), denoised=0.06 * (labels != 0).astype(np.float32))
    verdict = GUARD.step(GUARD.start(), result)[1]
    assert verdict.status == "flag"
    assert "doubtful" in verdict.meaning


def test_nothing_drawn_is_nothing_to_doubt() -> None:
    result = as_result(0, np.zeros((100, 100), np.uint16), np.zeros((100, 100), np.uint8))
    verdict = GUARD.step(GUARD.start(), result)[1]
    assert (verdict.status, verdict.measured) == ("pass", None)
    assert np.isnan(trust_probability(result)).all()


def test_the_probability_is_the_logistic_of_the_weighted_measures() -> None:
    model = TrustModel(intercept=-1.0, contrast=1.0, brightness=0.0, level=0.0, clearest=0.0)
    found = support(specimen())
    expected = 1 / (1 + np.exp(1.0 - found.measures[:, 0]))
    np.testing.assert_allclose(model.probability(found.measures), expected)


@pytest.mark.parametrize("expected", [0.0, 0.3, 0.97, 1.0])
def test_the_range_holds_what_is_expected(expected: float) -> None:
    low, high = likely_range(expected)
    assert 0 <= low <= expected <= high <= 1

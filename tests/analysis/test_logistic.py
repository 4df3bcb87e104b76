"""Logistic regression finds the weights that made the data."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.analysis.logistic import fit_logistic


def test_the_weights_behind_the_data_are_found() -> None:
    rng = np.random.default_rng(2)
    measures = rng.normal(3.0, 2.0, (4_000, 2))
    chance = 1 / (1 + np.exp(-(1.0 + measures @ [0.5, -0.8])))
    right = rng.binomial(25, chance).astype(float)
    found = fit_logistic(measures, right, 25 - right)
    assert found.intercept == pytest.approx(1.0, abs=0.1)
    np.testing.assert_allclose(found.weights, [0.5, -0.8], atol=0.03)
    np.testing.assert_allclose(found.probability(measures), chance, atol=0.02)


def test_a_measure_that_never_changes_weighs_nothing() -> None:
    rng = np.random.default_rng(3)
    measures = np.column_stack([rng.normal(size=500), np.zeros(500)])
    right = (rng.random(500) < 1 / (1 + np.exp(-measures[:, 0]))).astype(float)
    assert fit_logistic(measures, right, 1 - right).weights[1] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("share", [0.0, 1.0], ids=["all wrong", "all right"])
def test_one_kind_alone_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="give some of both kinds"):
        fit_logistic(np.ones((5, 1)), np.full(5, share), np.full(5, 1 - share))

"""Logistic regression: a probability from a weighted sum of measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: Newton steps at most, and the change of a weight that is small enough to end them.
STEPS, SMALL = 50, 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic:
    """The logit of a probability is `intercept` plus `weights` times the measures.

    Attributes:
        intercept: a plain number.
        weights: [measure] in the units of the measures.
    """

    intercept: float
    weights: Floats

    def probability(self, measures: Floats) -> Floats:
        """[n] probabilities for [n, measure]."""
        return _sigmoid(self.intercept + measures @ self.weights)


def fit_logistic(measures: Floats, right: Floats, wrong: Floats, ridge: float = 1e-4) -> Logistic:
    """Most likely weights for [n, measure], by Newton's method.

    Args:
        measures: [n, measure].
        right, wrong: [n] how many pixels with these measures were right and wrong.
        ridge: holds weights of measures that say nearly the same together: half of it times the squares of
            the weights, per standard deviation of their measures, is added to the mean loss of a pixel.

    Raises:
        ValueError: all are right or all are wrong, so that there is nothing to tell apart.
    """
    pixels, good = right + wrong, float(right.sum())
    total = float(pixels.sum())
    if not 0 < good < total:
        raise ValueError(f"{good:.0f} of {total:.0f} pixels are right; give some of both kinds")
    middle = np.average(measures, axis=0, weights=pixels)
    spread = np.sqrt(np.average((measures - middle) ** 2, axis=0, weights=pixels)) + 1e-12
    design = np.column_stack([np.ones(len(measures)), (measures - middle) / spread])  # [n, 1 + measure]
    weights = np.zeros(design.shape[1])
    weights[0] = np.log(good / (total - good))
    held = np.diag(np.r_[0.0, np.full(design.shape[1] - 1, ridge * total)])

    def loss(guess: Floats) -> float:
        logit = np.clip(design @ guess, -30.0, 30.0)
        return float(pixels @ np.logaddexp(0.0, logit) - right @ logit + guess @ held @ guess / 2)

    before = loss(weights)
    for _ in range(STEPS):
        stated = _sigmoid(design @ weights)
        slope = design.T @ (stated * pixels - right) + held @ weights
        curvature = (design * (pixels * stated * (1.0 - stated))[:, None]).T @ design + held
        step = np.linalg.solve(curvature + 1e-9 * total * np.eye(len(weights)), slope)
        while loss(weights - step) > before and np.abs(step).max() > SMALL:  # too far: the loss is convex
            step = step / 2
        weights, before = weights - step, loss(weights - step)
        if np.abs(step).max() < SMALL:
            break
    plain = weights[1:] / spread
    return Logistic(intercept=float(weights[0] - middle @ plain), weights=plain)


def _sigmoid(logit: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logit, -30.0, 30.0))))

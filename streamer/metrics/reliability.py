"""How well a stated probability tells right from wrong, and whether it is as often right as it says.

Everything is computed from counts per frame, score by score, since frames are the independent units, pixels
of one frame are not: intervals resample frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.statistics import interval_95, picks

Floats = NDArray[np.float64]
#: Scores are told apart in so many steps; AUROC then is right to about 1e-3.
STEPS = 1_000


def score_counts(
    scores: Sequence[NDArray[np.floating]], right: Sequence[NDArray[np.bool_]], steps: int = STEPS
) -> Floats:
    """[frame, 2, step] how many wrong (0) and right (1) pixels have a score in each step, from low to high.

    Steps are quantiles of all scores; equal scores share a step. `scores` and `right` are [n] by frame.

    Raises:
        ValueError: there is no pixel at all.
    """
    together = np.concatenate([np.ravel(each) for each in scores])
    if together.size == 0:
        raise ValueError("no pixel was scored; nothing can be ranked")
    edges = np.unique(np.quantile(together, np.linspace(0.0, 1.0, steps + 1)[1:], method="lower"))
    counts = np.zeros((len(scores), 2, edges.size))
    for frame, (score, truth) in enumerate(zip(scores, right, strict=True)):
        place = np.searchsorted(edges, np.ravel(score))  # a score that is an edge belongs to the step below
        for kind in (0, 1):
            chosen = place[np.ravel(truth) == bool(kind)]
            counts[frame, kind] = np.bincount(chosen, minlength=edges.size)
    return counts


def auroc(counts: Floats) -> Floats:
    """Chance that a right pixel has a higher score than a wrong one, ties count half; NaN without either.

    `counts`: [..., 2, step] as of `score_counts`, summed over frames; gives [...]. Equals the area under the
    receiver operating characteristic: Hanley and McNeil, Radiology 143, 29 (1982).
    """
    wrong, right = counts[..., 0, :], counts[..., 1, :]
    below = np.cumsum(wrong, axis=-1) - wrong / 2
    pairs = wrong.sum(axis=-1) * right.sum(axis=-1)
    won = (right * below).sum(axis=-1)
    return np.asarray(np.divide(won, pairs, out=np.full_like(won, np.nan), where=pairs > 0))


def resampled(records: Floats, seed: int) -> Floats:
    """[draw, ...] sums over frames drawn with replacement from [frame, ...]; equal seeds draw the same."""
    frames = records.shape[0]
    chosen = picks(frames, seed)
    weights = np.stack([np.bincount(draw, minlength=frames) for draw in chosen]).astype(np.float64)
    sums = weights @ records.reshape(frames, -1)
    return np.asarray(sums.reshape(len(chosen), *records.shape[1:]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """What came of stated probabilities, bin by bin.

    Attributes:
        edges: [bin + 1] probabilities.
        pixels: [bin] how many pixels were given one in the bin.
        stated: [bin] mean of those probabilities, NaN in an empty bin.
        found: [bin] share of these pixels that was right.
        interval: [bin, 2] 95 % interval of `found`, over frames; NaN where it is undefined.
        error: expected calibration error, the mean of |found - stated| over pixels.
        error_interval: its 95 % interval.
    """

    edges: Floats
    pixels: Floats
    stated: Floats
    found: Floats
    interval: Floats
    error: float
    error_interval: tuple[float, float] | None


def reliability(
    stated: Sequence[NDArray[np.floating]], right: Sequence[NDArray[np.bool_]], edges: Floats, seed: int
) -> Reliability:
    """Compare stated probabilities [n] with what came of them, frame by frame.

    Guo et al., On Calibration of Modern Neural Networks, ICML 2017, for the expected calibration error.
    """
    records = np.stack([_record(*frame, edges) for frame in zip(stated, right, strict=True)])
    draws = resampled(records, seed)
    pixels, mean, found = _shares(records.sum(axis=0))
    bounds = [interval_95(_shares(draws)[2][:, place]) for place in range(pixels.size)]
    return Reliability(
        edges=edges,
        pixels=pixels,
        stated=mean,
        found=found,
        interval=np.array([each or (np.nan, np.nan) for each in bounds]),
        error=float(_error(records.sum(axis=0))),
        error_interval=interval_95(_error(draws)),
    )


def _record(stated: NDArray[np.floating], right: NDArray[np.bool_], edges: Floats) -> Floats:
    """[3, bin] pixels, sum of their probabilities, and how many were right."""
    bins = edges.size - 1
    place = np.clip(np.searchsorted(edges, np.ravel(stated), side="right") - 1, 0, bins - 1)
    weights = (np.ones(place.size), np.ravel(stated), np.ravel(right))
    return np.stack([np.bincount(place, weights=each, minlength=bins) for each in weights])


def _shares(record: Floats) -> tuple[Floats, Floats, Floats]:
    """[..., bin] pixels, mean probability and share that was right of [..., 3, bin]."""
    pixels, stated, right = (record[..., part, :] for part in range(3))
    mean, found = (
        np.divide(each, pixels, out=np.full_like(each, np.nan), where=pixels > 0) for each in (stated, right)
    )
    return pixels, mean, found


def _error(record: Floats) -> Floats:
    """[...] expected calibration error of [..., 3, bin]."""
    pixels, stated, right = (record[..., part, :] for part in range(3))
    total = pixels.sum(axis=-1)
    off = np.abs(right - stated).sum(axis=-1)
    return np.asarray(np.divide(off, total, out=np.full_like(off, np.nan), where=total > 0))

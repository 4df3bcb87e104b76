"""The measures of `bench.trust`: what is told apart, whether it is calibrated, and what each measure adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.logistic import fit_logistic
from streamer.analysis.mixed_fields import MixedField, hallucinated
from streamer.core import Result
from streamer.guards.belief import LEAST_DRAWN, TrustModel, likely_range, support, trust_probability
from streamer.metrics import box_sum, signal_map, tile_sums
from streamer.metrics.reliability import auroc, reliability, resampled, score_counts
from streamer.metrics.statistics import interval_95
from streamer.metrics.support import CELL

Floats = NDArray[np.float64]

#: Photons in the median foreground box: drawn log-uniformly between the first and the last.
LEVELS = (4.0, 8.0, 18.0, 39.0, 84.0)
#: Photons a box that the model is said to need.
FLOOR = 8.0
EDGES = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0])
MEASURES = tuple(field.name for field in fields(TrustModel))[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One field: what was said of its drawn pixels, and what is true.

    Attributes:
        box_sum: photons per foreground box.
        right: [n] whether each drawn pixel is true.
        labelled: [n] the same, if only what has a label were true.
        scores: [n] by name: "trust" is the probability, "box sum" and "signal map" are what the paper's map
            gives.
        measures: [cell, measure] of the drawn cells.
        cells: [2, cell] their wrong and right pixels.
    """

    box_sum: float
    right: NDArray[np.bool_]
    labelled: NDArray[np.bool_]
    scores: Mapping[str, NDArray[np.float32]]
    measures: Floats
    cells: Floats


def judged(field: MixedField, result: Result) -> Judged:
    """Look at one field."""
    wrong = hallucinated(result.labels, field.structure, field.resolution_px)
    strict = hallucinated(result.labels, field.labels != 0, field.resolution_px)
    drawn = result.labels != 0
    found = support(result)
    each = np.stack([_cells(wrong), _cells(drawn & ~wrong)])[:, found.drawn > 0]
    scores = {
        "trust": trust_probability(result),
        "box sum": box_sum(result.photons),
        "signal map": signal_map(result.photons).astype(np.float32),
    }
    return Judged(
        box_sum=field.box_sum,
        right=~wrong[drawn],
        labelled=~strict[drawn],
        scores={name: image[drawn] for name, image in scores.items()},
        measures=found.measures,
        cells=each,
    )


def _cells(chosen: NDArray[np.bool_]) -> Floats:
    """[cell y, cell x] how many pixels are chosen, cells as of `support`."""
    pads = [(0, -length % CELL) for length in chosen.shape]
    return tile_sums(np.pad(chosen, pads), CELL)


def fitted(looks: Sequence[Judged], keep: Sequence[str] = MEASURES) -> TrustModel:
    """The model with only these measures, fitted to fields."""
    columns = [MEASURES.index(name) for name in keep]
    measures = np.concatenate([each.measures for each in looks])[:, columns]
    wrong, right = np.concatenate([each.cells for each in looks], axis=1)
    found = fit_logistic(measures, right, wrong)
    weights = dict.fromkeys(MEASURES, 0.0) | dict(zip(keep, found.weights.tolist(), strict=True))
    return TrustModel(intercept=found.intercept, **weights)


def by_model(looks: Sequence[Judged], model: TrustModel) -> list[NDArray[np.float32]]:
    """[n] probability of each drawn pixel of each field, cell by cell instead of in the order of pixels."""
    return [
        np.repeat(model.probability(each.measures), each.cells.sum(axis=0).astype(int)).astype(np.float32)
        for each in looks
    ]


def right_by_cell(looks: Sequence[Judged]) -> list[NDArray[np.bool_]]:
    """[n] whether each drawn pixel is true, in the order of `by_model`."""
    kinds = [np.tile([False, True], each.cells.shape[1]) for each in looks]
    return [
        np.repeat(kind, each.cells.T.ravel().astype(int)) for kind, each in zip(kinds, looks, strict=True)
    ]


def ranked(scores: Sequence[NDArray[Any]], right: Sequence[NDArray[np.bool_]], seed: int) -> dict[str, Any]:
    """AUROC over all pixels of all fields, its interval, and the draws behind it."""
    counts = score_counts(scores, right)
    draws = auroc(resampled(counts, seed))
    return {"auroc": float(auroc(counts.sum(axis=0))), "interval_95": interval_95(draws), "draws": draws}


def shown(rank: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored of `ranked`."""
    return {"auroc": rounded(rank["auroc"]), "interval_95": rounded_pair(rank["interval_95"])}


def discrimination(looks: Sequence[Judged], seed: int, *, labelled: bool = False) -> dict[str, Any]:
    """AUROC of trust and of the signal map, and 1 - AUROC of the one over that of the other."""
    right = [each.labelled if labelled else each.right for each in looks]
    ranks = {name: ranked([each.scores[name] for each in looks], right, seed) for name in looks[0].scores}
    ratios = {}
    for name in ("box sum", "signal map"):
        draws = (1 - ranks["trust"]["draws"]) / (1 - ranks[name]["draws"])
        ratio = (1 - ranks["trust"]["auroc"]) / (1 - ranks[name]["auroc"])
        ratios[name] = {"ratio": rounded(ratio), "interval_95": rounded_pair(interval_95(draws))}
    pixels = sum(each.size for each in right)
    return {
        "fields": len(looks),
        "drawn_pixels": pixels,
        "hallucinated_share": rounded(1 - sum(float(each.sum()) for each in right) / pixels),
        "auroc": {name: shown(rank) for name, rank in ranks.items()},
        "lost_over_that_of": ratios,
    }


def by_level(looks: Sequence[Judged], seed: int) -> dict[str, Any]:
    """The same, for each range of photons."""
    found = {}
    for low, high in pairwise(LEVELS):
        chosen = [each for each in looks if low <= each.box_sum <= high]
        if len(chosen) > 1:
            found[f"{low:g}-{high:g}"] = discrimination(chosen, seed)
    if floor := [each for each in looks if each.box_sum >= FLOOR]:
        found[f"{FLOOR:g}-{LEVELS[-1]:g}"] = discrimination(floor, seed)
    return found


def ablation(fit: Sequence[Judged], test: Sequence[Judged], seed: int) -> dict[str, Any]:
    """AUROC of models fitted without one measure, and with one alone."""
    right = right_by_cell(test)
    sets = {f"without {name}": [one for one in MEASURES if one != name] for name in MEASURES}
    sets |= {f"{name} alone": [name] for name in MEASURES}
    return {
        name: shown(ranked(by_model(test, fitted(fit, keep)), right, seed)) for name, keep in sets.items()
    }


def pixels_calibrated(looks: Sequence[Judged], seed: int) -> dict[str, Any]:
    """The reliability diagram in numbers."""
    found = reliability([each.scores["trust"] for each in looks], [each.right for each in looks], EDGES, seed)
    bins = [
        {
            "from": float(EDGES[place]),
            "to": float(EDGES[place + 1]),
            "pixels": int(found.pixels[place]),
            "stated": rounded(found.stated[place]),
            "found": rounded(found.found[place]),
            "interval_95": rounded_pair(tuple(found.interval[place])),
        }
        for place in range(EDGES.size - 1)
    ]
    return {
        "expected_calibration_error": rounded(found.error),
        "interval_95": rounded_pair(found.error_interval),
        "bins": bins,
    }


def frames_calibrated(looks: Sequence[Judged]) -> dict[str, Any]:
    """Expected against true share of each field with something drawn."""
    pairs = [
        (float(each.scores["trust"].mean()), float(each.right.mean()))
        for each in looks
        if each.right.size >= LEAST_DRAWN
    ]
    ranges = [likely_range(expected) for expected, _ in pairs]
    inside = [low <= true <= high for (low, high), (_, true) in zip(ranges, pairs, strict=True)]
    expected, true = np.array(pairs).T
    return {
        "fields": len(pairs),
        "mean_expected": rounded(expected.mean()),
        "mean_true": rounded(true.mean()),
        "rms_difference": rounded(np.sqrt(np.mean((expected - true) ** 2))),
        "correlation": rounded(np.corrcoef(expected, true)[0, 1]),
        "within_90_percent_range": rounded(np.mean(inside)),
        "pairs": [[rounded(value) for value in pair] for pair in pairs],
    }


def spread(looks: Sequence[Judged], model: TrustModel) -> tuple[float, float]:
    """5 and 95 % of how far true shares of fields lie from expected ones, as `SPREAD` has them."""
    found = []
    for each in looks:
        if each.right.size >= LEAST_DRAWN:
            pixels = each.cells.sum(axis=0)
            expected = float(np.average(model.probability(each.measures), weights=pixels))
            found.append((each.right.mean() - expected) / np.sqrt(expected * (1 - expected)))
    low, high = np.quantile(found, [0.05, 0.95])
    return float(low), float(high)


def rounded(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def rounded_pair(pair: tuple[float, float] | None) -> list[float | None] | None:
    return None if pair is None else [rounded(value) for value in pair]

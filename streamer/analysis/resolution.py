"""Down to which detail predictions agree with frames at the ground-truth dose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.held_out import HeldOut
from streamer.analysis.measures import by_specimen, mean
from streamer.metrics.decorrelation import decorrelation
from streamer.metrics.errormap import error_map
from streamer.metrics.fourier import SMALLEST_PX, State, fourier_rings, resolution
from streamer.metrics.rolling import BLOCK_PX, foreground_blocks, rolling_frc
from streamer.metrics.statistics import holm, mann_whitney

Image = NDArray[np.float32]
Records = dict[str, list[Any]]
#: Whose curves -> how many are in each state.
States = dict[str, Mapping[str, int]]
STATES: tuple[State, ...] = get_args(State)


def against_references(predictions: Sequence[Image], frames: Sequence[HeldOut]) -> tuple[Records, States]:
    """Records of every measure of resolution, and the states of their curves (1/7) by whose they are.

    Each prediction is held against `reference_a`, whose noise is independent of its own; the yardstick, as in
    the paper, is the FRC of `reference_a` and `reference_b`. It is not the best that can be had: both of its
    images are noisy, while a prediction need not be, so that a perfect one has a ratio below 1. Frames whose
    curve does not cross have no value.
    """
    references = [frame.reference_a for frame in frames]
    others = [frame.reference_b for frame in frames]
    return against_images(predictions, references, frames[0].pixel_nm, others)


def against_images(
    predictions: Sequence[Image],
    references: Sequence[Image],
    pixel_nm: float,
    others: Sequence[Image] | None = None,
) -> tuple[Records, States]:
    """As `against_references`, where there may be one reference of each frame only.

    Measures that need larger images are left out. The blocks of rolling maps are those of the references.
    """
    shortest = min(min(image.shape) for image in predictions)
    records, states = _scaled(predictions, references), States()
    if shortest >= SMALLEST_PX:
        records["decorrelation_nm"] = [_nm(decorrelation(image, pixel_nm).nm) for image in predictions]
        found, states["prediction"] = _frc(predictions, references, pixel_nm)
        records |= found
        if others is not None:
            best, states["references"] = _frc(references, others, pixel_nm)
            records["frc_reference_nm"] = best["frc_nm"]
            records["frc_ratio"] = list(zip(found["frc_nm"], best["frc_nm"], strict=True))
    if shortest >= BLOCK_PX:
        blocks = [foreground_blocks(a, b) for a, b in zip(references, others or references, strict=True)]
        rolled, states["prediction, rolling"] = _rolling(predictions, references, pixel_nm, blocks)
        records["rolling_frc_nm"] = rolled
        if others is not None:
            best_rolled, states["references, rolling"] = _rolling(references, others, pixel_nm, blocks)
            records["rolling_frc_ratio"] = list(zip(rolled, best_rolled, strict=True))
    return records, states


def _scaled(predictions: Sequence[Image], references: Sequence[Image]) -> Records:
    """What error maps say."""
    maps = [error_map(prediction, image) for prediction, image in zip(predictions, references, strict=True)]
    return {"rsp": [each.rsp for each in maps], "rse": [each.rse for each in maps]}


def _frc(
    images: Sequence[Image], references: Sequence[Image], pixel_nm: float
) -> tuple[Records, Mapping[str, int]]:
    curves = [fourier_rings(a, b) for a, b in zip(images, references, strict=True)]
    found = [resolution(curve, pixel_nm) for curve in curves]
    strict = [resolution(curve, pixel_nm, "3-sigma") for curve in curves]
    states = Counter(each.state for each in found)
    return {
        "frc_nm": [_nm(each.nm) for each in found],
        "frc_3sigma_nm": [_nm(each.nm) for each in strict],
    }, {state: states[state] for state in STATES}


def _rolling(
    images: Sequence[Image],
    references: Sequence[Image],
    pixel_nm: float,
    blocks: Sequence[NDArray[np.bool_]],
) -> tuple[list[float], Mapping[str, int]]:
    maps = [
        rolling_frc(a, b, pixel_nm, foreground=chosen)
        for a, b, chosen in zip(images, references, blocks, strict=True)
    ]
    beyond = sum(each.beyond_nyquist for each in maps)
    none = sum(each.no_correlation for each in maps)
    resolved = sum(each.foreground for each in maps) - beyond - none
    return [each.mean_nm for each in maps], dict(zip(STATES, (resolved, beyond, none), strict=True))


def resolution_tests(
    records: Mapping[str, Sequence[Any]], specimens: Sequence[int]
) -> dict[str, dict[str, Any]]:
    """Mann-Whitney tests of the predictions' resolution against the references', specimen by specimen.

    Takes records of `against_references`; Holm's correction is over the tests returned.
    """
    found = {}
    for name in ("frc", "rolling_frc"):
        pairs = np.array(records.get(f"{name}_ratio", ()), np.float64).reshape(-1, 2)
        units = by_specimen(pairs, specimens)
        test = mann_whitney(mean(units[..., :1]), mean(units[..., 1:]))
        if test is not None:
            found[name] = test
    corrected = holm({name: test.p for name, test in found.items()})
    return {name: asdict(test) | {"p_holm": corrected[name]} for name, test in found.items()}


def _nm(found: float | None) -> float:
    return float("nan") if found is None else found

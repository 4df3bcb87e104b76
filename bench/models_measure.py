"""One method on the frames of one level: `judge`, detection pixel by pixel, the mean FRC curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.classical import Image
from bench.models_methods import Method, Packaged, Remembered
from streamer.analysis import HeldOut, compare, judge
from streamer.analysis.faint import FAINT, FALSE_MAX
from streamer.analysis.judge import empty_fields
from streamer.analysis.measures import number, share
from streamer.metrics import box_sum
from streamer.metrics.fourier import fourier_rings, smoothed
from streamer.metrics.statistics import interval_95, picks, standing

#: Shares of an empty field's pixels that are drawn, at which the curve is read.
FALSE_SHARES = tuple(float(f"{share:.3g}") for share in np.geomspace(1e-5, 0.1, 21))
#: Measures that the results keep, and those in which every method is compared with ours.
KEPT = (
    "psnr",
    "ssim",
    "ms_ssim",
    "frc_nm",
    "frc_ratio",
    "rolling_frc_ratio",
    "intensity_slope",
    "intensity_r",
    "coverage_foreground",
    "coverage_background",
    "coverage_all",
    "empty_false",
    "dark_false",
    "faint_kept",
)
COMPARED = ("psnr", "ssim", "ms_ssim", "frc_nm")
PIXELS_KEPT = "pixels_kept_at_1_percent"
#: Points of the mean FRC curve, evenly spaced up to 0.5 cycles per pixel.
CURVE_POINTS = 60


def measured(
    method: Method, frames: Sequence[HeldOut], seed: int, structure: str | None = "er"
) -> tuple[dict[str, Any], Remembered]:
    """The report of a method and its predictions, remembered; `structure` None is a specimen at rest."""
    if isinstance(method.denoise, Packaged):
        method.denoise.remember(frames, structure)
    denoise = Remembered(method.denoise)
    report = judge(denoise, frames, seed)
    predictions = [denoise(frame.counts)[0] for frame in frames]
    empty = np.concatenate([denoise(*field)[0].ravel() for field in empty_fields(frames, seed)[0]])
    report["pixels"] = detection(predictions, frames, empty, seed)
    report["frc_curve"] = frc_curve(predictions, [frame.reference_a for frame in frames])
    return report, denoise


def detection(
    predictions: Sequence[Image], frames: Sequence[HeldOut], empty: NDArray[np.float32], seed: int
) -> dict[str, Any]:
    """Kept pixels of faint structure against drawn pixels of empty fields, threshold by threshold.

    As `streamer.analysis.faint`, but on single pixels instead of 10x10 boxes, which forgive speckle: every
    filter passes there. `empty`: predicted photons of all pixels of empty fields.
    """
    faint = [_faint_pixels(image, frame) for image, frame in zip(predictions, frames, strict=True)]
    thresholds = np.quantile(empty, [1.0 - share for share in FALSE_SHARES], method="higher")
    together = np.concatenate(faint)
    own = np.quantile(empty, 1.0 - FALSE_MAX, method="higher")
    records = np.array([(np.count_nonzero(values > own), values.size) for values in faint], np.float64)
    interval = interval_95(share(records[picks(len(records), seed)]))
    return {
        "curve": [
            [false, number(float(np.mean(together > threshold)))] if together.size else [false, None]
            for false, threshold in zip(FALSE_SHARES, thresholds, strict=True)
        ],
        "value": number(float(share(records))),
        "interval_95": _rounded(interval),
        "per_frame": records.tolist(),
    }


def _faint_pixels(prediction: Image, frame: HeldOut) -> Image:
    sums = box_sum(frame.truth)
    found: Image = prediction[(frame.labels != 0) & (sums >= FAINT[0]) & (sums <= FAINT[1])]
    return found


def frc_curve(predictions: Sequence[Image], references: Sequence[Image]) -> list[list[float]]:
    """Mean FRC over frames as points (cycles per pixel, correlation)."""
    found = [fourier_rings(a, b) for a, b in zip(predictions, references, strict=True)]
    mean = smoothed(np.mean([rings.correlation for rings in found], axis=0))
    frequency = np.linspace(found[0].frequency[0], 0.5, CURVE_POINTS)
    values = np.interp(frequency, found[0].frequency, mean)
    return [[round(float(f), 4), round(float(v), 4)] for f, v in zip(frequency, values, strict=True)]


def row(method: Method, report: Mapping[str, Any], ours: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """What the results file keeps of a method: values, intervals, and the paired difference to ours."""
    metrics = report["metrics"] | {PIXELS_KEPT: report["pixels"]}
    return {
        "method": method.name,
        "kind": method.kind,
        "setting": method.setting,
        "metrics": {
            name: {key: metrics[name][key] for key in ("value", "interval_95")}
            for name in (*KEPT, PIXELS_KEPT)
            if name in metrics
        },
        "against": {name: compare(report, ours, name, seed) for name in COMPARED}
        | {PIXELS_KEPT: _compare_pixels(report["pixels"], ours["pixels"], seed)},
        "fit": report["fit"],
        "frc_states": report["frc_states"],
    }


def curves(report: Mapping[str, Any]) -> dict[str, Any]:
    """What the picture of curves shows of a method."""
    return {"pixel_curve": report["pixels"]["curve"], "frc_curve": report["frc_curve"]}


def _compare_pixels(a: Mapping[str, Any], b: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Kept share of a method less that of ours, paired over frames."""
    first, second = (np.array(each["per_frame"]) for each in (a, b))
    chosen = picks(len(first), seed)
    interval = interval_95(share(first[chosen]) - share(second[chosen]))
    return {
        "difference": number(float(share(first) - share(second))),
        "interval_95": _rounded(interval),
        "standing": standing(interval),
    }


def _rounded(interval: tuple[float, float] | None) -> list[float | None] | None:
    return None if interval is None else [number(end) for end in interval]

"""How good a trained network is on specimens of the test range, which no training has seen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import nn

from streamer.metrics.quality import gain_interval_db, linear_fit_psnr, median_box_sum
from streamer.simulation import Exposure, Scene, sample_settings
from streamer.training.recipe import CLASSES
from streamer.training.tasks import intersection_over_union, predict, predict_labels

#: Haze of a field without a cell, photons per pixel: the most that is drawn (0.09) of a sheet at low dose.
EMPTY_FIELD_PHOTONS = 0.03


def low_dose_exposures(count: int, seed: int, field_px: int) -> tuple[Exposure, ...]:
    """Frames of the test range, at the low dose it draws."""

    def one(index: int) -> Exposure:
        settings, light, time_s = sample_settings("test", seed * 1_000_000 + index, (field_px, field_px))
        return Scene(settings).expose(0, time_s, light)

    return tuple(one(index) for index in range(count))


def judge_denoiser(network: nn.Module, exposures: tuple[Exposure, ...], seed: int) -> Mapping[str, object]:
    """PSNR of raw and denoised frames, one linear fit per method over all frames, with a 95 % interval."""
    truth = [exposure.signal for exposure in exposures]
    counts = [exposure.counts.astype(np.float32) for exposure in exposures]
    raw = linear_fit_psnr(counts, truth)
    denoised = linear_fit_psnr([predict(network, image) for image in counts], truth)
    interval = gain_interval_db(denoised, raw, np.random.default_rng(seed))
    empty = predict(network, empty_field(seed, counts[0].shape))
    return {
        "frames": len(exposures),
        "median_box_sum": [round(value, 1) for value in _box_sums(exposures)],
        "psnr_raw_db": round(raw.psnr_db, 3),
        "psnr_denoised_db": round(denoised.psnr_db, 3),
        "gain_db": round(denoised.psnr_db - raw.psnr_db, 3),
        "gain_db_interval_95": [round(value, 3) for value in interval],
        "fitted_gain": round(denoised.gain, 4),
        "fitted_offset_photons": round(denoised.offset, 5),
        "empty_field_photons": {
            "shown": EMPTY_FIELD_PHOTONS,
            "mean": round(float(empty.mean()), 5),
            "max": round(float(empty.max()), 4),
        },
    }


def judge_segmenter(
    denoiser: nn.Module, segmenter: nn.Module, exposures: tuple[Exposure, ...], seed: int
) -> Mapping[str, object]:
    """Intersection over union of each class over all frames, its interval over frames, and empty fields."""

    def labels(photons: NDArray[np.float32]) -> NDArray[np.uint8]:
        return predict_labels(segmenter, predict(denoiser, photons))

    found = [labels(exposure.counts.astype(np.float32)) for exposure in exposures]
    truth = [exposure.labels for exposure in exposures]
    overlap = intersection_over_union(found, truth)
    empty = labels(empty_field(seed, truth[0].shape))
    return {
        "frames": len(exposures),
        "median_box_sum": [round(value, 1) for value in _box_sums(exposures)],
        "iou": {name: round(value, 4) for name, value in zip(CLASSES, overlap, strict=True)},
        "iou_interval_95": _iou_intervals(found, truth, np.random.default_rng(seed)),
        "empty_field_foreground_fraction": round(float((empty != 0).mean()), 6),
    }


def empty_field(seed: int, shape_yx: tuple[int, ...]) -> NDArray[np.float32]:
    """[y, x] counts where there is no cell, only haze."""
    return np.random.default_rng((seed, 23)).poisson(EMPTY_FIELD_PHOTONS, shape_yx).astype(np.float32)


def _box_sums(exposures: tuple[Exposure, ...]) -> tuple[float, float]:
    sums = [median_box_sum(exposure.counts, exposure.labels) for exposure in exposures]
    return float(np.nanmin(sums)), float(np.nanmax(sums))


def _iou_intervals(
    found: list[NDArray[np.uint8]],
    truth: list[NDArray[np.uint8]],
    rng: np.random.Generator,
    draws: int = 1000,
) -> Mapping[str, list[float]]:
    """95 % percentile bootstrap over frames; intersections and unions are summed before they are divided."""
    kinds = range(len(CLASSES))
    pairs = list(zip(found, truth, strict=True))
    both = np.array([[np.sum((a == k) & (b == k)) for k in kinds] for a, b in pairs])
    either = np.array([[np.sum((a == k) | (b == k)) for k in kinds] for a, b in pairs])
    picks = rng.integers(len(pairs), size=(draws, len(pairs)))
    overlap = both[picks].sum(1) / np.maximum(either[picks].sum(1), 1)
    low, high = np.quantile(overlap, [0.025, 0.975], axis=0)
    return {name: [round(float(low[k]), 4), round(float(high[k]), 4)] for k, name in enumerate(CLASSES)}

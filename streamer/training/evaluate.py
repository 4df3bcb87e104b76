"""How good a trained network is on images that trained nothing: simulated specimens, or recorded pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import nn

from streamer.analysis import TEST_SEED, Denoise, HeldOut, held_out, held_out_stacks, judge, laid_out
from streamer.analysis.held_out import poisson
from streamer.analysis.measures import by_specimen, decibel
from streamer.metrics.quality import Quality, gain_interval_db, linear_fit_psnr, median_box_sum
from streamer.simulation import Exposure, Scene, sample_settings
from streamer.training.pairs import Exposed
from streamer.training.recipe import CLASSES
from streamer.training.tasks import expected, intersection_over_union, predict, predict_labels

#: Haze of a field without a cell, photons per pixel: the most that is drawn (0.09) of a sheet at low dose.
EMPTY_FIELD_PHOTONS = 0.03

_Image = NDArray[np.float32]
Tick = Callable[[int, int], None]


def as_denoise(network: nn.Module, frames: int, multiple: int = 16) -> Denoise:
    """A network as a function of an image: expected photons, and their deviation where it states one.

    A network that is shown several frames takes them behind the image; where they are missing it gets the
    nearest one in their place, as at the start of a run.
    """

    def denoise(*shown: _Image) -> tuple[_Image, _Image | None]:
        output = predict(network, laid_out(shown, frames), multiple)
        return (output, None) if output.ndim == 2 else (output[0], output[1])

    return denoise


def judge_denoiser(
    denoise: Denoise,
    structures: Sequence[str],
    count: int,
    field_px: int,
    tick: Tick = lambda done, of: None,
    *,
    slices: bool = False,
) -> dict[str, object]:
    """`streamer.analysis.judge` on `count` held-out specimens of each structure at the paper's low dose.

    With `slices` they are whole stacks, of about as wide a piece of cell as a frame of `field_px` shows.
    Each report also has the PSNR of the raw frames, and the gain over them with its interval.
    """
    reports: dict[str, object] = {}
    specimens, size_px = (held_out_stacks, field_px // 2) if slices else (held_out, field_px)
    for number, structure in enumerate(structures):
        tick(number, len(structures))
        frames = specimens(structure, count, TEST_SEED, size_px=size_px)
        report = judge(denoise, frames, TEST_SEED)
        reports[structure] = report | _gain(report, frames)
    tick(len(structures), len(structures))
    return {"frames": count, "seed": TEST_SEED, "size_px": size_px, "structures": reports}


def judge_joint(
    network: nn.Module,
    structures: Sequence[str],
    count: int,
    field_px: int,
    tick: Tick = lambda done, of: None,
) -> dict[str, object]:
    """As `judge_denoiser`, channel by channel, of a network that takes all of them; without bleed-through.

    Channels of the same structure show the same specimens, each with photons of its own.
    """
    seeds = [TEST_SEED + structures.index(structure) for structure in structures]
    frames = [
        held_out(structure, count, seed, size_px=field_px)
        for structure, seed in zip(structures, seeds, strict=True)
    ]
    counts = [
        [poisson(frame.truth + frame.background, frame.seed, 34 + number) for frame in each]
        for number, each in enumerate(frames)
    ]
    reports: dict[str, object] = {}
    for number, structure in enumerate(structures):
        tick(number, len(structures))
        shown = [
            replace(frame, counts=counts[number][index], beside=_others(counts, number, index))
            for index, frame in enumerate(frames[number])
        ]
        report = judge(partial(_one_of, network, number, len(structures)), shown, TEST_SEED)
        reports[f"{structure}, channel {number + 1}"] = report | _gain(report, shown)
    tick(len(structures), len(structures))
    return {"frames": count, "seed": TEST_SEED, "size_px": field_px, "structures": reports}


def _others(counts: Sequence[Sequence[_Image]], number: int, index: int) -> tuple[_Image, ...]:
    return tuple(each[index] for other, each in enumerate(counts) if other != number)


def _one_of(
    network: nn.Module, number: int, channels: int, own: _Image, *others: _Image
) -> tuple[_Image, _Image | None]:
    """Expected photons of one channel and their deviation; the others' counts are in their order.

    An empty field comes alone, and is then shown in every channel.
    """
    shown = list(others or [own] * (channels - 1))
    shown.insert(number, own)
    output = predict(network, np.stack(shown))
    return output[number], output[channels + number] if len(output) > channels else None


def _gain(report: Mapping[str, object], frames: Sequence[HeldOut]) -> dict[str, object]:
    """How much higher the PSNR is than that of the raw frames, each under its own fit."""
    metrics = report["metrics"]
    assert isinstance(metrics, Mapping)
    psnr = metrics["psnr"]
    raw = linear_fit_psnr([frame.counts for frame in frames], [frame.truth for frame in frames])
    specimens = [frame.seed for frame in frames]
    ours, theirs = (
        decibel(by_specimen(np.array(values, np.float64)[:, None], specimens))
        for values in (psnr["per_frame"], raw.frame_psnr_db)
    )
    found = Quality(psnr_db=psnr["value"], frame_psnr_db=ours, gain=1.0, offset=0.0, peak=raw.peak)
    return _gain_words(found, replace(raw, frame_psnr_db=theirs))


def _gain_words(found: Quality, raw: Quality, sizes: Sequence[int] | None = None) -> dict[str, object]:
    """The gain, and its interval over several frames; `sizes` in pixels where they differ."""
    several = len(raw.frame_psnr_db) > 1
    interval = gain_interval_db(found, raw, np.random.default_rng(TEST_SEED), sizes=sizes)
    return {
        "psnr_raw_db": round(raw.psnr_db, 3),
        "gain_db": round(found.psnr_db - raw.psnr_db, 3),
        "gain_db_interval_95": [round(value, 3) for value in interval] if several else None,
    }


def judge_pairs(denoise: Denoise, pairs: Sequence[Exposed]) -> dict[str, object]:
    """PSNR against the high-dose frames of validation pairs, whose own noise every error includes."""
    targets = [pair.target for pair in pairs]
    found = linear_fit_psnr([denoise(pair.photons)[0] for pair in pairs], targets)
    raw = linear_fit_psnr([pair.photons for pair in pairs], targets)
    sizes = [target.size for target in targets]
    return {
        "frames": len(pairs),
        "psnr_denoised_db": round(found.psnr_db, 3),
        **_gain_words(found, raw, sizes),
    }


def low_dose_exposures(count: int, seed: int, field_px: int) -> tuple[Exposure, ...]:
    """Frames of the test range, at the low dose it draws."""

    def one(index: int) -> Exposure:
        settings, light, time_s = sample_settings("test", seed * 1_000_000 + index, (field_px, field_px))
        return Scene(settings).expose(0, time_s, light)

    return tuple(one(index) for index in range(count))


def judge_segmenter(
    denoiser: nn.Module, segmenter: nn.Module, exposures: tuple[Exposure, ...], seed: int
) -> dict[str, object]:
    """Intersection over union of each class over all frames, its interval over frames, and empty fields."""

    def labels(photons: _Image) -> NDArray[np.uint8]:
        return predict_labels(segmenter, expected(denoiser, photons))

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


def empty_field(seed: int, shape_yx: tuple[int, ...]) -> _Image:
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

"""How good a denoiser is on frames whose truth is known: one report, from which methods are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.faint import (
    BACKGROUND_MAX,
    FALSE_MAX,
    detection_curve,
    drawn,
    faint_box_sums,
    threshold_at,
)
from streamer.analysis.held_out import HeldOut
from streamer.analysis.intensity import covered, intensity_sums
from streamer.analysis.measures import compare, number, summarise
from streamer.analysis.resolution import against_images, against_references, resolution_tests
from streamer.errors import UsageError
from streamer.metrics import box_sum, ssim
from streamer.metrics.multiscale import ms_ssim
from streamer.metrics.perceptual import lpips_distance, why_no_lpips
from streamer.metrics.quality import (
    linear_fit,
    mean_absolute_error,
    median_box_sum,
    normalised_root_mean_square_error,
    pearson,
    psnr_db,
)

__all__ = ["Denoise", "compare", "judge", "judge_images"]

Image = NDArray[np.float32]
#: [y, x] photons, and what is shown beside them where a frame has that, to expected photons [y, x] and their
#: standard deviation where the method states one.
Denoise = Callable[..., tuple[Image, Image | None]]
Records = dict[str, list[Any]]

#: Haze of a field without a cell at the low dose, photons per pixel: that of the haziest test specimens.
EMPTY_FIELD_PHOTONS = 0.03
#: Median box sum of the low dose, at which that haze is stated.
LOW_DOSE_BOX_SUM = 28.0
#: Dark counts of a frame, photons per pixel: 300 counts per second for 0.5 us.
DARK_PHOTONS = 1.5e-4
#: One empty field for so many specimens, at least `EMPTY_MIN`.
FRAMES_PER_EMPTY, EMPTY_MIN = 4, 2


def judge(denoise: Denoise, frames: Sequence[HeldOut], seed: int) -> dict[str, Any]:
    """A denoiser on held-out frames; `seed` is of the bootstrap and of the empty fields.

    Slices of a stack, which share the seed of their specimen, stand in a row; they have no NRMSE.

    Returns a report that JSON can hold:
        frames, specimens (seeds), median_box_sum (by frame), size_yx, pixel_nm, seed;
        fit: gain and offset in photons, least squares over all frames, under which PSNR, SSIM, MS-SSIM, MAE
            and NRMSE are taken (truth is about gain x prediction + offset): scales differ between methods;
        metrics: by name of `streamer.analysis.MEASURES`, each with value, interval_95 (percentile bootstrap
            over specimens: a frame, or all slices of a stack), undefined (frames that have no value),
            per_frame (records, for `compare`);
        resolution_tests: for frc and rolling_frc, the Mann-Whitney test (u, p, p_holm over both, effect,
            method) of the frames' resolution against that of the two references. Null hypothesis: predictions
            resolve as often finer as coarser than the ground truth (the comparison of Rahm et al.);
        frc_states: for prediction against reference and for the two references, how many frames are resolved,
            beyond-nyquist or no-correlation;
        absent: measures that could not be taken on this machine, by name, and why;
        empty: threshold and curve of false against kept (see `streamer.analysis.faint`), and the mean and
            highest predicted photons per pixel of an empty field.

    Measures that need a standard deviation are left out where the method states none.

    Raises:
        UsageError: fewer than two frames, frames of different sizes, or a prediction that is not finite or
            has another size.
    """
    _require_frames(frames)
    predicted = [_checked(denoise(*frame.shown), frame) for frame in frames]
    predictions = [prediction for prediction, _ in predicted]
    fit, records = _against_truth(predictions, [frame.truth for frame in frames])
    resolved, states = against_references(predictions, frames)
    records |= resolved
    records |= _intensity(predictions, frames)
    records |= _coverage(predicted, frames)
    specimens = [frame.seed for frame in frames]
    tests = resolution_tests(records, specimens)
    empty_records, empty = _empty(denoise, predictions, frames, seed)
    records |= empty_records
    if len(set(specimens)) < len(specimens):
        del records["nrmse"]  # some slices of a stack hold next to nothing, and no error is relative to that
    return {
        "frames": len(frames),
        "specimens": specimens,
        "median_box_sum": [number(frame.median_box_sum) for frame in frames],
        "size_yx": list(frames[0].counts.shape),
        "pixel_nm": frames[0].pixel_nm,
        "seed": seed,
        "fit": fit,
        "metrics": {name: summarise(name, rows, seed, specimens) for name, rows in records.items()},
        "frc_states": states,
        "resolution_tests": tests,
        "absent": _absent(),
        "empty": empty,
    }


def judge_images(
    predictions: Sequence[Image], references: Sequence[Image], pixel_nm: float, seed: int
) -> dict[str, Any]:
    """Predictions against measured reference frames, where no truth is known; a report as of `judge`.

    References hold noise of their own, which every error includes, and their own background and scale, which
    the fit takes away: values compare methods on these frames, they are not errors against the truth.

    Raises:
        UsageError: fewer than two pairs, sizes that differ, or values that are not finite.
    """
    if len(predictions) < 2 or len(predictions) != len(references):
        raise UsageError(
            f"{len(predictions)} predictions, {len(references)} references; give a pair for each, at least 2"
        )
    for index, (prediction, reference) in enumerate(zip(predictions, references, strict=True)):
        _require_pair(prediction, reference, f"image {index}")
    fit, records = _against_truth(predictions, references)
    resolved, states = against_images(predictions, references, pixel_nm)
    records |= resolved
    return {
        "frames": len(predictions),
        "specimens": list(range(len(predictions))),
        "median_box_sum": [None] * len(predictions),
        "size_yx": list(predictions[0].shape),
        "pixel_nm": pixel_nm,
        "seed": seed,
        "fit": fit,
        "metrics": {name: summarise(name, rows, seed) for name, rows in records.items()},
        "frc_states": states,
        "absent": _absent(),
    }


def empty_fields(
    frames: Sequence[HeldOut], seed: int
) -> tuple[list[tuple[Image, ...]], list[tuple[Image, ...]]]:
    """Counts of fields without a cell (haze, at the dose of the frames), and without light (dark counts).

    Each with as many further draws of it beside it as the frames have. The dose of a stack is that of its
    fullest slice.
    """
    shape = len(frames[0].shown), *frames[0].counts.shape
    levels: dict[int, float] = {}
    for frame in frames:
        level = median_box_sum(frame.truth + frame.background, frame.labels)
        levels[frame.seed] = float(np.fmax(levels.get(frame.seed, np.nan), level))
    known = [level for level in levels.values() if np.isfinite(level)]
    haze = EMPTY_FIELD_PHOTONS * (float(np.median(known)) if known else LOW_DOSE_BOX_SUM) / LOW_DOSE_BOX_SUM
    number_of_fields = max(EMPTY_MIN, -(-len(levels) // FRAMES_PER_EMPTY))

    def fields(photons: float, stream: int) -> list[tuple[Image, ...]]:
        rng = np.random.default_rng((seed, stream))
        return [tuple(rng.poisson(photons, shape).astype(np.float32)) for _ in range(number_of_fields)]

    return fields(haze, 23), fields(DARK_PHOTONS, 24)


def _against_truth(
    predictions: Sequence[Image], truths: Sequence[Image]
) -> tuple[dict[str, float | None], Records]:
    gain, offset = linear_fit(predictions, truths)
    peak = float(max(image.max() for image in truths)) - float(min(image.min() for image in truths))
    if not peak > 0:
        raise UsageError("the true images are all constant; errors have no scale there, use other frames")
    names = ("psnr", "ssim", "ms_ssim", "mae", "nrmse", "pearson")
    records: Records = {name: [] for name in names}
    if why_no_lpips() is None:
        records["lpips"] = []
    for prediction, truth in zip(predictions, truths, strict=True):
        fitted = np.asarray(gain * prediction.astype(np.float64) + offset)
        single, true = fitted.astype(np.float32), truth.astype(np.float32)
        values = (
            psnr_db(fitted, truth, peak),
            ssim(single, true, data_range=peak),
            ms_ssim(fitted, truth, data_range=peak),
            mean_absolute_error(fitted, truth),
            normalised_root_mean_square_error(fitted, truth),
            pearson(prediction, truth),
        )
        for name, value in zip(names, values, strict=True):
            records[name].append(value)
        if "lpips" in records:
            records["lpips"].append(lpips_distance()(fitted, truth, peak))
    return {"gain": number(gain), "offset_photons": number(offset)}, records


def _absent() -> dict[str, str]:
    missing = why_no_lpips()
    return {} if missing is None else {"lpips": missing}


def _intensity(predictions: Sequence[Image], frames: Sequence[HeldOut]) -> Records:
    sums = [intensity_sums(p, f.truth, f.labels) for p, f in zip(predictions, frames, strict=True)]
    return {"intensity_slope": sums, "intensity_r": sums}


def _coverage(predicted: Sequence[tuple[Image, Image | None]], frames: Sequence[HeldOut]) -> Records:
    records: Records = {"coverage_foreground": [], "coverage_background": [], "coverage_all": []}
    for (prediction, deviation), frame in zip(predicted, frames, strict=True):
        if deviation is None:
            return {}
        there = frame.labels != 0
        for name, chosen in zip(records, (there, ~there, np.ones_like(there)), strict=True):
            records[name].append(covered(prediction, deviation, frame.truth, chosen))
    return records


def _empty(
    denoise: Denoise, predictions: Sequence[Image], frames: Sequence[HeldOut], seed: int
) -> tuple[Records, dict[str, Any]]:
    hazy, dark = ([denoise(*field)[0] for field in fields] for fields in empty_fields(frames, seed))
    hazy_sums, dark_sums = ([box_sum(field) for field in fields] for fields in (hazy, dark))
    faint = [faint_box_sums(p, f.truth, f.labels) for p, f in zip(predictions, frames, strict=True)]
    empty = np.concatenate([np.ravel(sums) for sums in hazy_sums])
    own = threshold_at(empty, FALSE_MAX)
    records: Records = {
        "empty_false": [drawn(sums, BACKGROUND_MAX) for sums in hazy_sums],
        "dark_false": [drawn(sums, BACKGROUND_MAX) for sums in dark_sums],
        "faint_kept": [drawn(sums, BACKGROUND_MAX) for sums in faint],
        "faint_kept_at_1_percent": [drawn(sums, own) for sums in faint],
    }
    return records, {
        "background_max_photons": BACKGROUND_MAX,
        "threshold_at_1_percent": number(own),
        "mean_photons": number(float(np.mean(hazy))),
        "max_photons": number(float(np.max(hazy))),
        "curve": detection_curve(empty, faint),
    }


def _require_frames(frames: Sequence[HeldOut]) -> None:
    if len({frame.seed for frame in frames}) < 2:
        what = "frames" if len(frames) < 2 else f"slices of {frames[0].seed} alone"
        raise UsageError(f"{len(frames)} {what}; a judgement with intervals needs at least 2")
    if len(set(Counter(frame.seed for frame in frames).values())) > 1:
        raise UsageError("stacks of different numbers of slices; judge them apart")
    shapes = sorted({frame.counts.shape for frame in frames})
    if len(shapes) > 1:
        raise UsageError(f"frames of different sizes, {shapes[0]} and {shapes[1]}; judge them apart")


def _checked(predicted: tuple[Image, Image | None], frame: HeldOut) -> tuple[Image, Image | None]:
    prediction, deviation = predicted
    for image in (prediction, deviation):
        if image is not None:
            _require_pair(image, frame.truth, f"prediction of specimen {frame.seed}")
    return prediction, deviation


def _require_pair(prediction: Image, reference: Image, place: str) -> None:
    if prediction.shape != reference.shape:
        raise UsageError(
            f"{place}: {prediction.shape} pixels against {reference.shape}; both must have the same size"
        )
    for image in (prediction, reference):
        if not np.isfinite(image.sum(dtype=np.float64)):
            raise UsageError(f"{place}: holds values that are not finite; take such frames out")

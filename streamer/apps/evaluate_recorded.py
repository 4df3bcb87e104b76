"""Judging on recorded images: pairs of low and high dose, or predictions of any method beside the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamer
from streamer.analysis import judge_images, pictures
from streamer.apps.evaluate_methods import level_of, methods_of, versions
from streamer.apps.evaluate_options import EvaluateOptions
from streamer.core import Calibration
from streamer.errors import SourceError, UsageError
from streamer.profile import load_profile

if TYPE_CHECKING:
    from streamer.training.images import Image as Recorded

Tick = Callable[[str, int, int], None]


def of_pairs(options: EvaluateOptions, folder: Path, tick: Tick) -> dict[str, Any]:
    """Low-dose frames denoised, against their high-dose partners."""
    # Their reader belongs to training, which needs torch: simulated specimens are judged without it.
    from streamer.training.pairing import dose_folders, read_pairs

    calibration, floats = _calibration(options), options.gain_e_per_adu is not None
    pixel_nm = _pixel_nm(options)
    found = [
        read_pairs(low, high, calibration, day=day, floats=floats) for day, low, high in dose_folders(folder)
    ]
    pairs = [pair for pairing in found for pair in pairing.pairs]
    refused = [line for pairing in found for line in pairing.refused]
    if len(pairs) < 2:
        why = f"; {len(refused)} do not fit, the first: {refused[0]}" if refused else ""
        raise SourceError(f"{folder}: {len(pairs)} pairs that can be judged, at least 2 are needed{why}")
    lows, highs = [pair.low for pair in pairs], [pair.high for pair in pairs]
    methods, seed, reports = methods_of(options), options.seed or 0, {}
    for number, method in enumerate(methods):
        tick("judging", number, len(methods))
        predictions = [method.denoise(low)[0] for low in lows]
        reports[method.name] = judge_images(predictions, highs, pixel_nm, seed)
    tick("judging", len(methods), len(methods))
    if options.out is not None:
        shown = {method.name: method.denoise(lows[0])[0] for method in methods}
        pictures.draw_frame(options.out, "pairs", shown, highs[0], None, pixel_nm, "high dose")
    about = {"pairs": folder.name, "refused": refused, "seed": seed, "frames": len(pairs)}
    about |= versions(options)
    judged = {
        "structure": None,
        "level": None,
        **level_of(options, methods, reports, [(low,) for low in lows], seed),
    }
    return {"about": about, "levels": [judged]}


def of_images(options: EvaluateOptions, predicted: Path, truth: Path) -> dict[str, Any]:
    """Images on disk, in natural order of their names."""
    from streamer.training.images import read_images  # needs torch, as pairs do

    told = (options.profile, options.offset_adu, options.gain_e_per_adu)
    calibration = Calibration() if all(value is None for value in told) else _calibration(options)
    pixel_nm = _pixel_nm(options)
    ours, theirs = (read_images(path, calibration, floats=True) for path in (predicted, truth))
    notes = _paired_up(ours, theirs, predicted, truth)
    found, expected = ([image.photons for image in images] for images in (ours, theirs))
    seed = options.seed or 0
    report = judge_images(found, expected, pixel_nm, seed)
    if options.out is not None:
        shown = {"predicted": found[0]}
        pictures.draw_frame(options.out, "images", shown, expected[0], None, pixel_nm)
    about = {"predicted": predicted.name, "truth": truth.name, "seed": seed, "frames": len(found)}
    about |= {"notes": notes}
    level: dict[str, Any] = {
        "structure": None,
        "level": None,
        "methods": {"predicted": report},
        "comparisons": [],
        "range": {},
    }
    return {"about": about | {"scope-streamer": streamer.__version__}, "levels": [level]}


def _paired_up(
    found: Sequence[Recorded], expected: Sequence[Recorded], predicted: Path, truth: Path
) -> list[str]:
    """What the user should know of pairs by order.

    Errors: SourceError for too few, for numbers, and for sizes that differ.
    """
    from streamer.training.images import is_stack

    if len(found) != len(expected):
        raise SourceError(
            f"{predicted}: {len(found)} images, but {truth} holds {len(expected)}; pair them up"
        )
    if len(found) < 2:
        raise SourceError(f"{predicted}: 1 image; intervals need at least 2")
    pairs = list(zip(found, expected, strict=True))
    for one, other in pairs:
        (y, x), (other_y, other_x) = one.photons.shape, other.photons.shape
        if (y, x) != (other_y, other_x):
            raise SourceError(
                f"{predicted}: {one.name} is {x}x{y} pixels, {other.name} of {truth} {other_x}x{other_y}; "
                "both must have the same size"
            )
    apart = [(one.name, other.name) for one, other in pairs if one.name != other.name]
    if not apart or (is_stack(predicted) and is_stack(truth)):  # pages pair by number
        return []
    count = f"{len(apart)} pair{'s' * (len(apart) > 1)}"
    return [f"paired by order, names differ in {count}: the first is {apart[0][0]} with {apart[0][1]}"]


def _calibration(options: EvaluateOptions) -> Calibration:
    """As in training."""
    from streamer.apps.train_options import TrainOptions  # needs torch: simulated specimens do without
    from streamer.apps.train_recorded import calibration_of

    told = TrainOptions(
        out=Path(),
        profile=options.profile,
        offset_adu=options.offset_adu,
        gain_e_per_adu=options.gain_e_per_adu,
    )
    return calibration_of(told)


def _pixel_nm(options: EvaluateOptions) -> float:
    known = options.pixel_nm
    if known is None and options.profile is not None:
        known = load_profile(options.profile).pixel_nm
    if known is None:
        raise UsageError("nm need the pixel size: give --pixel-nm, or a --profile that states it")
    return known

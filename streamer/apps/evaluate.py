"""Judge model packages, or any method's predictions, where the truth is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

import streamer
from streamer.analysis import Denoise, HeldOut, compare_all, held_out, judge, judge_images, pictures
from streamer.analysis.tables import write_tables
from streamer.apps.evaluated import Judged, RangeOpinion, denoise_by, judged_on, remembered
from streamer.core import Calibration
from streamer.engines import Precision
from streamer.errors import SourceError, UsageError
from streamer.package import ModelPackage, load_package
from streamer.profile import load_profile
from streamer.simulation.sampling import STRUCTURES

if TYPE_CHECKING:
    from streamer.training.images import Image as Recorded

Image = NDArray[np.float32]
Tick = Callable[[str, int, int], None]

#: Method that every table holds beside the models: the frame as it is.
RAW = "raw"
#: Smaller fields hold too little structure to be judged.
SMALLEST_PX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions:
    """What the user asked for; None takes what the first model's card was judged on.

    Attributes:
        models: ids or folders of denoiser packages.
        structures: what is simulated, one table of each; empty for the card's.
        levels: median photon sums of foreground 10x10 boxes; empty for the low dose of the test range.
        frames: specimens of each structure and level.
        seed: of specimens, noise and bootstrap.
        size_px: height and width of a field.
        pairs: folder of recorded pairs (`low` and `high`) instead of simulated specimens.
        predicted, truth: images that some method predicted, and what they should be, instead of models.
        profile: hardware profile whose calibration makes photons of recorded grey levels.
        offset_adu, gain_e_per_adu: the same as two numbers; the offset also instead of the profile's.
        pixel_nm: pixel size of recorded images; None takes the profile's.
        out: folder for tables and pictures; made where it is not there.
        engine, precision, threads: of the networks.
    """

    models: tuple[str, ...] = ()
    structures: tuple[str, ...] = ()
    levels: tuple[float, ...] = ()
    frames: int | None = None
    seed: int | None = None
    size_px: int | None = None
    pairs: Path | None = None
    predicted: Path | None = None
    truth: Path | None = None
    profile: str | None = None
    offset_adu: float | None = None
    gain_e_per_adu: float | None = None
    pixel_nm: float | None = None
    out: Path | None = None
    engine: str = "auto"
    precision: Precision | Literal["auto"] = "f32"
    threads: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method under judgement; the raw frame has no package."""

    name: str
    denoise: Denoise
    package: ModelPackage | None = None


def evaluate(options: EvaluateOptions, tick: Tick = lambda *_: None) -> dict[str, Any]:
    """Judge, compare in pairs, and write tables and pictures where a folder is given.

    Returns what evaluation.json holds:
        about: seed, frames, size, and how the networks were run;
        levels: for each structure and level (None: not told, or not simulated), `methods` (name -> report of
            `streamer.analysis.judge`), `comparisons` (first, second, metrics as of `compare_all`), `range`
            (what the range guard says, by model).

    Errors: UsageError, SourceError for input that cannot be judged; PackageError, EngineError for models that
    cannot be run.
    """
    _require_one_kind_of_input(options)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    if options.predicted is not None and options.truth is not None:
        evaluation = _of_images(options, options.predicted, options.truth)
    elif options.pairs is not None:
        evaluation = _of_pairs(options, options.pairs, tick)
    else:
        evaluation = _of_specimens(options, tick)
    if options.out is not None:
        write_tables(evaluation, options.out)
    return evaluation


def _require_one_kind_of_input(options: EvaluateOptions) -> None:
    files = options.predicted is not None or options.truth is not None
    if files and (options.predicted is None or options.truth is None):
        raise UsageError("--predicted and --truth: belong together; give both")
    if files and (options.models or options.pairs):
        raise UsageError("--predicted: holds the predictions already; leave models and --pairs out")
    if not files and not options.models:
        raise UsageError("no model given; name a denoiser, or give images with --predicted and --truth")
    _require_no_ignored_option(options)
    if any(not level > 0 or not np.isfinite(level) for level in options.levels):
        raise UsageError(f"--levels {options.levels}: use photon sums above 0, as 9.3,28,84")
    for structure in options.structures:
        if structure not in STRUCTURES:
            raise UsageError(f"--simulate {structure}: unknown; use {', '.join(STRUCTURES)}")
    if options.frames is not None and options.frames < 2:
        raise UsageError(f"--frames {options.frames}: intervals need at least 2")
    if options.size_px is not None and options.size_px < SMALLEST_PX:
        raise UsageError(f"--size-px {options.size_px}: too small to be judged; use at least {SMALLEST_PX}")
    if options.out is not None and options.out.exists() and not options.out.is_dir():
        raise UsageError(f"--out {options.out}: is a file; name a folder")
    if options.pixel_nm is not None and not 0 < options.pixel_nm < np.inf:
        raise UsageError(f"--pixel-nm {options.pixel_nm:g}: use the size of a pixel in nm, above 0")


def _require_no_ignored_option(options: EvaluateOptions) -> None:
    of_specimens = {
        "--simulate": options.structures or None,
        "--levels": options.levels or None,
        "--frames": options.frames,
        "--size-px": options.size_px,
    }
    of_images = {
        "--profile": options.profile,
        "--offset": options.offset_adu,
        "--gain": options.gain_e_per_adu,
        "--pixel-nm": options.pixel_nm,
    }
    kind = "--pairs" if options.pairs is not None else "--predicted" if options.predicted is not None else ""
    told = [name for name, value in (of_specimens if kind else of_images).items() if value is not None]
    if told:
        what = f"of simulated specimens, not of {kind}" if kind else "of --pairs and --predicted"
        raise UsageError(f"{', '.join(told)}: only {what}; leave out")


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


def _methods(options: EvaluateOptions) -> list[Method]:
    """Raw and every model, under names that differ."""
    packages = [load_package(name).require("denoiser") for name in options.models]
    ids = [package.id for package in packages]
    methods = [Method(name=RAW, denoise=remembered(lambda photons: (photons, None)))]
    for index, package in enumerate(packages):
        name = package.id if ids.count(package.id) == 1 else f"{package.id} ({index + 1})"
        methods.append(
            Method(name=name, denoise=remembered(denoise_by(package, **_how(options))), package=package)
        )
    return methods


def _how(options: EvaluateOptions) -> dict[str, Any]:
    return {"engine": options.engine, "precision": options.precision, "threads": options.threads}


def _of_specimens(options: EvaluateOptions, tick: Tick) -> dict[str, Any]:
    methods = _methods(options)
    package = methods[1].package
    assert package is not None
    wanted = _as_asked(options, judged_on(package))
    doses = options.levels or (None,)
    levels = [
        _simulated(options, wanted, methods, structure, level, tick)
        for structure, level in product(wanted.structures, doses)
    ]
    return {"about": _about(options, wanted), "levels": levels}


def _simulated(
    options: EvaluateOptions,
    wanted: Judged,
    methods: Sequence[Method],
    structure: str,
    level: float | None,
    tick: Tick,
) -> dict[str, Any]:
    """All methods on the specimens of one structure at one dose."""
    stage = f"{structure}, {'low dose' if level is None else f'level {level:g}'}"
    tick(f"{stage}: simulating", 0, wanted.frames)
    frames = held_out(structure, wanted.frames, wanted.seed, level, wanted.size_px)
    tick(f"{stage}: simulating", wanted.frames, wanted.frames)
    reports = {}
    for number, method in enumerate(methods):
        tick(f"{stage}: judging", number, len(methods))
        reports[method.name] = judge(method.denoise, frames, wanted.seed)
    tick(f"{stage}: judging", len(methods), len(methods))
    if options.out is not None:
        _draw(options.out, f"{structure}-{_stem(level)}", methods, frames, reports)
    shown = [frame.counts for frame in frames]
    judged = _level(options, methods, reports, shown, wanted.seed)
    return {"structure": structure, "level": level, **judged}


def _as_asked(options: EvaluateOptions, card: Judged) -> Judged:
    return Judged(
        frames=options.frames or card.frames,
        seed=card.seed if options.seed is None else options.seed,
        size_px=options.size_px or card.size_px,
        structures=options.structures or card.structures,
    )


def _of_pairs(options: EvaluateOptions, folder: Path, tick: Tick) -> dict[str, Any]:
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
    methods, seed, reports = _methods(options), options.seed or 0, {}
    for number, method in enumerate(methods):
        tick("judging", number, len(methods))
        predictions = [method.denoise(low)[0] for low in lows]
        reports[method.name] = judge_images(predictions, highs, pixel_nm, seed)
    tick("judging", len(methods), len(methods))
    if options.out is not None:
        shown = {method.name: method.denoise(lows[0])[0] for method in methods}
        pictures.draw_frame(options.out, "pairs", shown, highs[0], None, pixel_nm, "high dose")
    about = {"pairs": folder.name, "refused": refused, "seed": seed, "frames": len(pairs)}
    about |= _versions(options)
    judged = {"structure": None, "level": None, **_level(options, methods, reports, lows, seed)}
    return {"about": about, "levels": [judged]}


def _of_images(options: EvaluateOptions, predicted: Path, truth: Path) -> dict[str, Any]:
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


def _level(
    options: EvaluateOptions,
    methods: Sequence[Method],
    reports: Mapping[str, Mapping[str, Any]],
    shown: Sequence[Image],
    seed: int,
) -> dict[str, Any]:
    pairs = [(first, second) for second, first in combinations(reports, 2)]
    opinions = {
        method.name: RangeOpinion(method.package, **_how(options)).of(shown, method.denoise)
        for method in methods
        if method.package is not None
    }
    return {
        "methods": dict(reports),
        "comparisons": [
            {"first": a, "second": b, "metrics": compare_all(reports[a], reports[b], seed)} for a, b in pairs
        ],
        "range": opinions,
    }


def _about(options: EvaluateOptions, wanted: Judged) -> dict[str, Any]:
    told = {"seed": wanted.seed, "frames": wanted.frames, "size_px": wanted.size_px}
    return told | _versions(options)


def _versions(options: EvaluateOptions) -> dict[str, Any]:
    packages = {name: load_package(name) for name in options.models}
    return {
        "scope-streamer": streamer.__version__,
        "precision": options.precision,
        "models": {package.id: package.hashes() for package in packages.values()},
    }


def _stem(level: float | None) -> str:
    return "low-dose" if level is None else f"level-{level:g}"


def _draw(
    out: Path,
    stem: str,
    methods: Sequence[Method],
    frames: Sequence[HeldOut],
    reports: Mapping[str, Mapping[str, Any]],
) -> None:
    """Pictures of the first frame, and of all frames where they add up."""
    first = frames[0]
    shown = {method.name: method.denoise(first.counts)[0] for method in methods}
    references = first.reference_a, first.reference_b
    pictures.draw_frame(out, stem, shown, first.truth, references, first.pixel_nm)
    pictures.draw_faint(reports, out / f"faint-{stem}.png")
    stated = dict(_with_deviation(methods, frames))
    if stated:
        pictures.draw_reliability(stated, [frame.truth for frame in frames], out / f"reliability-{stem}.png")


def _with_deviation(
    methods: Sequence[Method], frames: Sequence[HeldOut]
) -> Iterator[tuple[str, list[tuple[Image, Image]]]]:
    for method in methods:
        predicted = [method.denoise(frame.counts) for frame in frames]
        known = [(image, deviation) for image, deviation in predicted if deviation is not None]
        if len(known) == len(predicted):
            yield method.name, known

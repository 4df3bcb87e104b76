"""What a user asks of a judgement, and which wishes do not go together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from streamer.engines import Precision
from streamer.errors import UsageError
from streamer.simulation.sampling import STRUCTURES

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


def require_one_kind_of_input(options: EvaluateOptions) -> None:
    """Refuse wishes that do not go together, and values that nothing can be judged by.

    Errors: UsageError.
    """
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

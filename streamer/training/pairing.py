"""From folders of low-dose and high-dose images to registered pairs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.core import Calibration
from streamer.errors import SourceError
from streamer.training.images import DaySource, Image, is_stack, read_images
from streamer.training.register import LEAST_LIKENESS, Shift, align, find_shift
from streamer.training.split import counted

#: Largest shift between the images of a pair, pixels.
MAX_SHIFT_PX = 10.0
#: Share of the pairs that may be refused before the folders are taken for misaligned as a whole.
MOST_REFUSED = 0.25
#: Height and width below which nothing can be registered.
LEAST_PX = 64
#: Names of the sub-folders that hold the two doses.
LOW, HIGH = "low", "high"

_DOSE = re.compile(r"[-_. ]?(low|high)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two exposures of one field, registered and cropped to what they share.

    Attributes:
        name: of the low-dose image.
        low, high: [y, x] float32 photons of one shape.
        day: when they were taken.
        day_from: what says so.
        shift: how they lay before.
    """

    name: str
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    day: str
    day_from: DaySource
    shift: Shift


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """The pairs that can be used, and a line for each that cannot."""

    pairs: tuple[Pair, ...]
    refused: tuple[str, ...]


def dose_folders(folder: Path) -> list[tuple[str, Path, Path]]:
    """Day ("" where it is not told), low and high folder of `folder`: its own, or those of each sub-folder.

    Errors: SourceError where neither it nor a sub-folder holds `low` and `high`.
    """
    if not folder.is_dir():
        raise SourceError(f"{folder}: no folder; give one with {LOW}/ and {HIGH}/, or use --low and --high")
    inner = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    found = [("", folder / LOW, folder / HIGH), *((path.name, path / LOW, path / HIGH) for path in inner)]
    whole = [(day, low, high) for day, low, high in found if low.is_dir() and high.is_dir()]
    if not whole:
        raise SourceError(
            f"{folder}: holds no {LOW}/ and {HIGH}/, nor do its sub-folders; name both with --low and --high"
        )
    return whole


def read_pairs(
    low: Path,
    high: Path,
    calibration: Calibration,
    *,
    day: str = "",
    floats: bool = False,
    max_shift_px: float = MAX_SHIFT_PX,
    tick: Callable[[int, int], None] = lambda done, of: None,
) -> Pairing:
    """Pairs of two folders, matched by name below the folder, or of two stacks, matched page by page.

    Names match without extension, case, and a `low` or `high` at their end: low/cell1_low.tif and
    high/cell1_high.ome.tif are a pair. `day`, where given, is that of all.

    Errors: SourceError for images without a partner, of different sizes, or too small; see `read_images`.
    """
    stacks = is_stack(low) and is_stack(high)
    dim, bright = (
        _keyed(read_images(path, calibration, floats=floats), path, stacks) for path in (low, high)
    )
    _require_partners(dim, bright, low, high)
    pairs, refused = [], []
    for number, (key, image) in enumerate(dim.items()):
        partner = bright[key]
        _require_one_size(image, partner)
        shift = find_shift(image.photons, partner.photons)
        if problem := _problem(image.name, shift, max_shift_px):
            refused.append(problem)
        else:
            pairs.append(_paired(image, partner, shift, day))
        tick(number + 1, len(dim))
    return Pairing(pairs=tuple(pairs), refused=tuple(refused))


def require_aligned(pairing: Pairing) -> None:
    """Refuse folders of which too many pairs do not fit.

    Errors: SourceError with the first of them.
    """
    refused, total = pairing.refused, len(pairing.pairs) + len(pairing.refused)
    if len(refused) > MOST_REFUSED * total:
        raise SourceError(
            f"{len(refused)} of {total} pairs do not fit, the first: {refused[0]}; "
            "check that both folders show the same fields"
        )


def shifts_in_words(pairs: Sequence[Pair]) -> str:
    """The shifts of all pairs in one line."""
    lengths = np.array([pair.shift.px for pair in pairs])
    moved = sum(pair.shift.is_worth_moving for pair in pairs)
    errors = float(np.median([pair.shift.error_px for pair in pairs]))
    return (
        f"shifts of {counted(len(pairs), 'pair')}: median {np.median(lengths):.2f} px, "
        f"largest {lengths.max():.2f} px, "
        f"known to about {errors:.2f} px; {moved} moved and cropped"
    )


def _keyed(images: Sequence[Image], path: Path, stacks: bool) -> Mapping[str, Image]:
    keyed: dict[str, Image] = {}
    for number, image in enumerate(images):
        stem, _, page = image.name.partition("#")
        key = str(number) if stacks else f"{_DOSE.sub('', stem).lower()}#{page}"
        if key in keyed:
            raise SourceError(
                f"{path}: {image.name} and {keyed[key].name} would both pair with one image; rename one"
            )
        keyed[key] = image
    return keyed


def _require_partners(
    low: Mapping[str, Image], high: Mapping[str, Image], low_path: Path, high_path: Path
) -> None:
    for these, those, here, there in ((low, high, low_path, high_path), (high, low, high_path, low_path)):
        lonely = [image.name for key, image in these.items() if key not in those]
        if lonely:
            more = f" and {len(lonely) - 1} more" if len(lonely) > 1 else ""
            raise SourceError(
                f"{here}: {lonely[0]}{more} without a partner in {there}; images pair by name (without a "
                "low or high at its end), pages of stacks by number"
            )


def _require_one_size(low: Image, high: Image) -> None:
    (y, x), (high_y, high_x) = low.photons.shape, high.photons.shape
    if (y, x) != (high_y, high_x):
        raise SourceError(
            f"{low.name}: {x}x{y} pixels at low dose, {high_x}x{high_y} at high dose; "
            "record both with one field of view"
        )
    if min(y, x) < LEAST_PX:
        raise SourceError(f"{low.name}: {x}x{y} pixels, too small to register; use {LEAST_PX} or more")


def _paired(low: Image, high: Image, shift: Shift, day: str) -> Pair:
    first, second = align(low.photons, high.photons, shift)
    day_from: DaySource = "folder" if day else low.day_from
    return Pair(name=low.name, low=first, high=second, day=day or low.day, day_from=day_from, shift=shift)


def _problem(name: str, shift: Shift, max_shift_px: float) -> str:
    """Why a pair cannot be used; empty where it can."""
    if shift.is_chance:
        return (
            f"{name}: its two images have no more in common than unrelated ones "
            f"(likeness {shift.likeness:.2f}, at least {LEAST_LIKENESS:g})"
        )
    if shift.px > max_shift_px:
        return f"{name}: shifted by {shift.px:.1f} px (--max-shift-px {max_shift_px:g})"
    return ""

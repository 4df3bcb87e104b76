"""Recorded images to learn from, in photons, each with its name and the day it was taken."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tifffile
from numpy.typing import NDArray

from streamer.core import Calibration
from streamer.errors import SourceError
from streamer.sources import open_recording
from streamer.sources.ome_zarr import is_zarr
from streamer.sources.tiff import find_tiffs

#: Share of pixels at the top of the scale from which an image counts as saturated.
SATURATED_SHARE = 1e-3
#: Bits of detectors: an image whose highest value is the top of one of these may be saturated.
_BIT_DEPTHS = range(8, 17)

DaySource = Literal["folder", "metadata", "modification date"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One recorded image.

    Attributes:
        name: path below the folder given, without extension; pages of a stack are numbered, `name#3`.
        photons: [y, x] float32.
        day: when it was taken.
        day_from: what says so: the sub-folder it lies in, its own metadata, or the file's modification date.
    """

    name: str
    photons: NDArray[np.float32]
    day: str
    day_from: DaySource


def read_images(path: Path, calibration: Calibration, *, floats: bool = False) -> list[Image]:
    """Every plane of an image file, an OME-Zarr image, or a folder of them, in natural order.

    Grey levels become photons by `calibration`. Floating-point TIFFs are read where `floats` says that the
    user has told what their values are.

    Errors: SourceError for what is not there or cannot be read, for colour, floats, values that are not
    numbers, saturated and empty images.
    """
    if not path.exists():
        raise SourceError(f"{path}: does not exist; give an image or a folder of images")
    files = _files(path)
    if not files:
        raise SourceError(f"{path}: holds no image; give TIFF or OME-Zarr images")
    root = path if path.is_dir() and not is_zarr(path) else path.parent
    return [image for file in files for image in _read(file, root, calibration, floats)]


def is_stack(path: Path) -> bool:
    """Whether `path` is one image file (of any number of pages), and no folder of them."""
    return path.is_file() or is_zarr(path)


def _files(path: Path) -> list[Path]:
    if is_stack(path):
        return [path]
    zarrs = sorted(inner for inner in path.rglob("*.zarr") if is_zarr(inner))
    return [*find_tiffs(path), *zarrs]


def _read(file: Path, root: Path, calibration: Calibration, floats: bool) -> Iterator[Image]:
    day, day_from = _day(file, root)
    inside = file.relative_to(root)
    name = inside.with_name(re.sub(r"(\.ome)?\.(tiff?|zarr)$", "", inside.name, flags=re.I)).as_posix()
    planes = list(_planes(file, floats))
    for number, plane in enumerate(planes):
        place = f"{file}: page {number}" if len(planes) > 1 else str(file)
        _require_sound(place, plane)
        photons = calibration.to_photons(plane)
        _require_light(place, photons)
        page = f"#{number}" if len(planes) > 1 else ""
        yield Image(name=name + page, photons=photons, day=day, day_from=day_from)


def _planes(file: Path, floats: bool) -> Iterator[NDArray[Any]]:
    """Stored grey levels; what a reader added to make them unsigned is taken off again."""
    if floats and (planes := _float_planes(file)) is not None:
        yield from planes
        return
    recording = open_recording((file,))
    for frame in recording:
        levels = frame.pixels
        yield levels.astype(np.int32) - recording.shift_adu if recording.shift_adu else levels


def _float_planes(file: Path) -> NDArray[Any] | None:
    """[page, y, x] of a floating-point TIFF of grey-level pages; None for anything else."""
    if not file.is_file():
        return None
    try:
        with tifffile.TiffFile(file) as tif:
            first = tif.pages[0]
            if first.dtype is None or first.dtype.kind != "f" or len(first.shape) != 2:
                return None
            return np.stack([page.asarray() for page in tif.pages]).astype(np.float32)
    except Exception:  # a damaged header can raise nearly anything; the usual reader says it in words
        return None


def _require_sound(place: str, levels: NDArray[Any]) -> None:
    if levels.dtype.kind == "f":
        bad = int(np.count_nonzero(~np.isfinite(levels)))
        if bad:
            raise SourceError(f"{place}: {bad} pixels are not numbers (NaN or infinite); leave the image out")
    top = float(levels.max())
    if top == levels.min():
        state = "saturated" if any(top == 2**bits - 1 for bits in _BIT_DEPTHS) else "empty"
        raise SourceError(f"{place}: {state}, every pixel is {top:g}; leave the image out")
    share = float(np.mean(levels == top))
    if share > SATURATED_SHARE and any(top == 2**bits - 1 for bits in _BIT_DEPTHS):
        raise SourceError(
            f"{place}: saturated, {share:.1%} of the pixels are {top:g}, the top of the scale; "
            "leave the image out, or record it with less light"
        )


def _require_light(place: str, photons: NDArray[np.float32]) -> None:
    mean = float(photons.mean(dtype=np.float64))
    if mean <= 0:
        raise SourceError(
            f"{place}: {mean:.3g} photons per pixel on average; correct the offset (--profile or --offset)"
        )


def _day(file: Path, root: Path) -> tuple[str, DaySource]:
    inside = file.relative_to(root)
    if len(inside.parts) > 1:
        return inside.parts[0], "folder"
    stated = _stated_day(file)
    if stated is not None:
        return stated, "metadata"
    return time.strftime("%Y-%m-%d", time.localtime(file.stat().st_mtime)), "modification date"


def _stated_day(file: Path) -> str | None:
    """Acquisition day in OME's words or in the TIFF's own tag; None where neither says one."""
    try:
        with tifffile.TiffFile(file) as tif:
            ome = re.search(r"AcquisitionDate>\s*(\d{4}-\d\d-\d\d)", tif.ome_metadata or "")
            tag = tif.pages.first.tags.get("DateTime")
            stated = str(tag.value) if tag else ""
    except Exception:  # no TIFF, or a damaged one: reading its pixels will say so
        return None
    found = ome or re.match(r"(\d{4}[:-]\d\d[:-]\d\d)", stated)
    return found.group(1).replace(":", "-") if found else None

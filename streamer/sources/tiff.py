"""TIFF, OME-TIFF and ImageJ stacks: every page of every file is a frame."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from streamer.errors import SourceError
from streamer.sources.planes import Plane, Planes, check_plane

SUFFIXES = (".tif", ".tiff")

_AXES = {"T": "time", "Z": "z", "C": "channel", "I": "time", "Q": "time"}
_NM_PER = {"nm": 1.0, "um": 1e3, "µm": 1e3, "micron": 1e3, "\\u00b5m": 1e3, "mm": 1e6, "cm": 1e7}
_UNCOMPRESSED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """What the headers of one file say."""

    path: Path
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    axes: tuple[Mapping[str, int | str], ...]  # one a frame
    pixel_nm: float | None
    zero_level: float

    def __str__(self) -> str:
        return f"{self.path}: {self.shape[1]}x{self.shape[0]} {self.dtype.name}"


def find_tiffs(folder: Path) -> list[Path]:
    """TIFF files in `folder` and below in natural order (2 before 10), hidden ones left out."""
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES]
    visible = (path for path in found if not any(part.startswith(".") for part in path.parts))
    return [folder / path for path in sorted(visible, key=_natural)]


def open_tiffs(files: Sequence[Path]) -> Planes:
    """Check the headers of all `files`; pixels are read later, page by page.

    Raises:
        SourceError: a file that is damaged, or of another size or pixel type than the first one.
    """
    heads = [_head(path) for path in files]
    first = heads[0]
    for head in heads:
        if head.shape != first.shape or head.dtype.itemsize != first.dtype.itemsize:
            raise SourceError(f"{head}, but {first}; replay files of one camera mode at a time")
    signed = next((head.dtype for head in heads if head.dtype.kind == "i"), None)
    sizes = {head.pixel_nm for head in heads}
    return Planes(
        kind="TIFF",
        shape=first.shape,
        dtype=signed or first.dtype,
        count=sum(len(head.axes) for head in heads),
        read=lambda: _read(heads),
        pixel_nm=sizes.pop() if len(sizes) == 1 else None,
        notes=_notes(heads),
    )


def _read(heads: Sequence[_Head]) -> Iterator[Plane]:
    frames = 0
    for head in heads:
        with _opened(head.path) as tif:
            for number, (pixels, axes) in enumerate(zip(_pixels(tif, head), head.axes, strict=True)):
                place = axes if axes and len(heads) == 1 else {"time": frames}
                yield pixels, place, {"file": head.path.name, "page": number}
                frames += 1


def _pixels(tif: tifffile.TiffFile, head: _Head) -> Iterator[NDArray[Any]]:
    if len(tif.pages) == len(head.axes):
        yield from (page.asarray() for page in tif.pages)
        return
    stored = head.dtype.newbyteorder(tif.byteorder)
    start = tif.series[0].dataoffset or 0
    planes = tif.filehandle.memmap_array(stored, (len(head.axes), *head.shape), offset=start)
    yield from (np.array(plane) for plane in planes)


def _head(path: Path) -> _Head:
    with _opened(path) as tif:
        shape, dtype = _check_pages(path, tif)
        axes = _places(tif) or _one_page_stack(path, tif) or tuple({"time": n} for n in range(len(tif.pages)))
        imagej = tif.imagej_metadata or {}
        return _Head(
            path=path,
            shape=shape,
            dtype=dtype,
            axes=axes,
            pixel_nm=_pixel_nm(tif),
            zero_level=-float(imagej["c0"]) / float(imagej["c1"]) if imagej.get("cf") == 0 else 0.0,
        )


def _check_pages(path: Path, tif: tifffile.TiffFile) -> tuple[tuple[int, int], np.dtype[Any]]:
    """Size and pixel type of all pages; refuses planes that are no counts, and pixels that are not there."""
    first = tif.pages[0]
    dtype = first.dtype or np.dtype(np.void)
    shape = check_plane(str(path), first.shape, dtype)
    for number, page in enumerate(tif.pages):
        place = f"{path}: page {number}"
        if page.shape != shape or page.dtype != dtype:
            raise SourceError(f"{place}: another size or pixel type than page 0; save it as its own file")
        segments = zip(page.dataoffsets, page.databytecounts, strict=True)
        end = max((offset + count for offset, count in segments), default=0)
        stored = sum(page.databytecounts)
        short = page.compression == _UNCOMPRESSED and stored < page.nbytes
        if end > tif.filehandle.size or stored == 0 or short:
            raise SourceError(f"{place}: the file ends before the pixels do; restore it from a copy")
    return shape, dtype


def _places(tif: tifffile.TiffFile) -> tuple[Mapping[str, int | str], ...]:
    """Axes of every page, in the order of the pages; empty if the file does not state them for all."""
    places: dict[int, Mapping[str, int | str]] = {}
    for position, series in enumerate(tif.series):
        names = [_AXES.get(letter, "") for letter in series.axes[:-2]]
        if not series.axes.endswith("YX") or len(set(names) - {""}) < len(names):
            return ()
        series_place = {"position": position} if len(tif.series) > 1 else {}
        for steps, page in zip(np.ndindex(*series.shape[:-2]), series.pages, strict=False):
            if page is not None and page.parent is tif:
                places[page.index] = dict(zip(names, steps, strict=True)) | series_place
    complete = sorted(places) == list(range(len(tif.pages))) and not _is_one_page_stack(tif)
    return tuple(places[index] for index in sorted(places)) if complete else ()


def _is_one_page_stack(tif: tifffile.TiffFile) -> bool:
    """Whether one page heads a stack that has no pages of its own (ImageJ beyond 4 GB)."""
    return len(tif.pages) == 1 and bool(tif.series[0].size > tif.pages[0].size)


def _one_page_stack(path: Path, tif: tifffile.TiffFile) -> tuple[Mapping[str, int | str], ...]:
    if not _is_one_page_stack(tif):
        return ()
    series = tif.series[0]
    if series.dataoffset is None or series.dataoffset + series.nbytes > tif.filehandle.size:
        raise SourceError(f"{path}: the file ends before the pixels do; restore it from a copy")
    return tuple({"time": frame} for frame in range(series.size // tif.pages[0].size))


def _pixel_nm(tif: tifffile.TiffFile) -> float | None:
    """Pixel size where OME or ImageJ state one with its unit; the bare resolution tags mean printing."""
    if tif.ome_metadata:
        size = re.search(r'\bPhysicalSizeX="([0-9.eE+-]+)"', tif.ome_metadata)
        unit = re.search(r'\bPhysicalSizeXUnit="([^"]+)"', tif.ome_metadata)
        nm = _NM_PER.get(unit.group(1) if unit else "µm")
        return round(float(size.group(1)) * nm, 4) if size and nm else None
    nm = _NM_PER.get(str((tif.imagej_metadata or {}).get("unit", "")))
    pixels_per_unit = tif.pages[0].resolution[0]
    return round(nm / pixels_per_unit, 4) if nm and pixels_per_unit > 0 else None


def _notes(heads: Sequence[_Head]) -> tuple[str, ...]:
    levels = [head.zero_level for head in heads]
    return tuple(
        f"{levels.count(level)} of {len(heads)} files state {level:g} as the grey level of no light "
        f"(ImageJ); replay these apart with --offset {level:g}"
        for level in sorted(set(levels) - {0.0})
    )


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """An open file; whatever a damaged one makes the reader say or raise becomes one SourceError."""
    complaints = _Complaints()
    logger = logging.getLogger("tifffile")
    logger.addFilter(complaints)
    try:
        with tifffile.TiffFile(path) as tif:
            if len(tif.pages) == 0 or complaints.said:
                raise SourceError(f"{path}: damaged TIFF; restore it from a copy")
            yield tif
    except SourceError:
        raise
    except Exception as error:  # a damaged header can raise nearly anything
        reason = str(error).strip("'\"").splitlines()[0] if str(error) else type(error).__name__
        cure = "pip install imagecodecs" if "imagecodecs" in reason else "restore it from a copy"
        raise SourceError(f"{path}: cannot be read as TIFF ({reason}); {cure}") from error
    finally:
        logger.removeFilter(complaints)


class _Complaints(logging.Filter):
    """Keeps tifffile's errors, which it only logs, from the terminal, and remembers that there were some."""

    said = False

    def filter(self, record: logging.LogRecord) -> bool:
        self.said |= record.levelno >= logging.ERROR
        return False


def _natural(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", path.as_posix().lower())
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]

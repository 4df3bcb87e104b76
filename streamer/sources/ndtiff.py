"""NDTiff, the format of Pycro-Manager and Micro-Manager 2; frames come in the order of acquisition."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import closing, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from ndstorage import NDTiffDataset

from streamer.errors import SourceError
from streamer.sources.planes import Plane, Planes, check_plane

#: Pixel types of the index: 8 and 16 bit, and 10, 12, 14 and 11 bit in 16; 2 is colour.
_TYPES: dict[int, np.dtype[Any]] = {0: np.dtype(np.uint8)} | dict.fromkeys(
    (1, 3, 4, 5, 6), np.dtype(np.uint16)
)


def is_ndtiff(path: Path) -> bool:
    """Whether `path` is the folder of an NDTiff dataset."""
    return (path / "NDTiff.index").is_file()


def open_ndtiff(path: Path) -> Planes:
    """Read the index of the dataset `path`; images are read later, one by one.

    Raises:
        SourceError: an index that is damaged, names pixels beyond the files' ends, or mixes image sizes.
    """
    with closing(_dataset(path)) as dataset:
        entries, summary = list(dataset.index.values()), dataset.summary_metadata
    if not entries:
        raise SourceError(f"{path}: NDTiff index names no image; give another recording")
    first = entries[0]
    shape, dtype = (first.image_height, first.image_width), _TYPES.get(first.pixel_type, np.dtype(np.void))
    check_plane(str(path), shape, dtype)
    sizes = {file.name: file.stat().st_size for file in path.glob("*.tif")}
    for number, entry in enumerate(entries):
        if (entry.image_height, entry.image_width, entry.pixel_type) != (*shape, first.pixel_type):
            raise SourceError(f"{path}: image {number} has another size or pixel type than image 0; split it")
        if entry.pix_offset + shape[0] * shape[1] * dtype.itemsize > sizes.get(entry.filename, 0):
            raise SourceError(f"{path}: {entry.filename} ends before image {number}; restore it from a copy")
    size_um = summary.get("PixelSize_um") or 0.0
    return Planes(
        kind="NDTiff",
        shape=shape,
        dtype=dtype,
        count=len(entries),
        read=lambda: _read(path),
        pixel_nm=round(float(size_um) * 1e3, 4) if size_um else None,
    )


def _read(path: Path) -> Iterator[Plane]:
    with closing(_dataset(path)) as dataset:
        for axes in dataset.get_image_coordinates_list():
            try:
                pixels, metadata = dataset.read_image(**axes), dataset.read_metadata(**axes)
            except Exception as error:  # a damaged block can raise nearly anything
                raise SourceError(
                    f"{path}: image {axes} is damaged ({error}); restore it from a copy"
                ) from error
            yield np.array(pixels), axes, metadata


def _dataset(path: Path) -> NDTiffDataset:
    """Opens the dataset without its progress bar, which would tear the terminal view."""
    try:
        with redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
            return NDTiffDataset(str(path))
    except Exception as error:  # a damaged index can raise nearly anything
        raise SourceError(f"{path}: cannot be read as NDTiff ({error}); restore it from a copy") from error

"""What every reader of files hands up: planes, one after the other, with their place and pixel type."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import SourceError

#: A plane beyond this is a damaged header, not an image: 1 GB of uint16, five times the largest sCMOS mosaic.
MAX_PIXELS = 2**29

#: Added to int16 levels below zero: the whole range of int16 then fits uint16, and subtracts out exactly.
INT16_SHIFT = 32768

#: One plane as it is stored, its axes, and what is known of it.
Plane = tuple[NDArray[Any], Mapping[str, int | str], Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planes:
    """An opened set of images of one size and pixel type, not yet read.

    Attributes:
        kind: the format in words.
        shape: [y, x] of every plane.
        dtype: pixel type as it is stored.
        count: number of planes.
        read: starts reading from the first plane, one plane at a time.
        pixel_nm: pixel size the files state, None if they state none.
        notes: what the user should know of these files, a sentence each.
    """

    kind: str
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    count: int
    read: Callable[[], Iterator[Plane]]
    pixel_nm: float | None = None
    notes: tuple[str, ...] = ()


def check_plane(place: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[int, int]:
    """The [y, x] shape of a plane that can become a frame.

    Raises:
        SourceError: colour, an impossible size, or a pixel type that no detector delivers.
    """
    if len(shape) != 2:
        raise SourceError(f"{place}: plane has shape {shape}; give grey-level images, one channel a plane")
    if not 0 < shape[0] * shape[1] <= MAX_PIXELS:
        raise SourceError(f"{place}: claims {shape[1]} x {shape[0]} pixels; restore the file from a copy")
    if dtype.newbyteorder("=") not in (np.uint8, np.uint16, np.int16):
        raise SourceError(f"{place}: pixel type {dtype.name}; convert it to counts in uint8, uint16 or int16")
    return shape[0], shape[1]


def shift_of(planes: Planes) -> int:
    """What must be added to make every grey level unsigned: 0, or `INT16_SHIFT` if int16 goes below zero.

    Looks through all planes of an int16 recording, since one shift must hold for all of it.

    Raises:
        SourceError: files that need the shift beside files that cannot take it.
    """
    if planes.dtype.kind != "i":
        return 0
    below_zero = unsigned_file = None
    for pixels, axes, metadata in planes.read():
        if pixels.dtype.kind == "u":
            unsigned_file = metadata.get("file", axes)
        elif (pixels < 0).any():
            below_zero = metadata.get("file", axes)
    if below_zero is not None and unsigned_file is not None:
        raise SourceError(
            f"{below_zero}: int16 with levels below zero, but {unsigned_file} is uint16; replay them apart"
        )
    return 0 if below_zero is None else INT16_SHIFT


def unsigned(pixels: NDArray[Any], shift: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Pixels as frames hold them: native byte order, int16 as uint16 with `shift` added, without loss."""
    native = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))
    if native.dtype == np.int16:
        return native.view(np.uint16) ^ np.uint16(shift)  # flipping the top bit of int16 adds 32768
    return native

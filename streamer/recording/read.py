"""Reading a run back: its parts, their images, and stacks of raw planes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from streamer.errors import SourceError
from streamer.recording.array import Place, chunk_file, covering
from streamer.recording.frames import iter_frames
from streamer.recording.lines import Row
from streamer.recording.parts import Name, Part, part_named
from streamer.recording.run import RunFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """One part of a recording as its rows know it.

    Attributes:
        part: position, segment, names of the images.
        frames: frames in its raw image.
        extent: places along t, c, z that its rows name in the annotated image, (0, 0, 0) without any.
    """

    part: Part
    frames: int
    extent: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One raw z-stack.

    Attributes:
        pixels: [z, y, x] counts of the planes that were recorded.
        z: the engine's z of each of them.
        missing: z that the recording has of this position and channel, but not at this time.
    """

    pixels: NDArray[Any]
    z: tuple[Name, ...]
    missing: tuple[Name, ...]


def parts(run: RunFolder) -> tuple[StoredPart, ...]:
    """The parts of a recording, in the order in which they began.

    Raises:
        SourceError: no rows, or damaged ones.
    """
    return parts_of(iter_frames(run), str(run.frames))


def parts_of(rows: Iterable[Row], place: str = "frames.jsonl") -> tuple[StoredPart, ...]:
    """The parts that `rows` name."""
    found: dict[str, StoredPart] = {}
    for number, row in enumerate(rows, start=1):
        try:
            index, image, places = row["raw_index"], row["image"], row["annotated_place"]
            before = found.get(image) or StoredPart(
                part=part_named(image, row["axes"].get("position")), frames=0, extent=(0, 0, 0)
            )
            extent = covering([tuple(places)], before.extent) if places else before.extent
            frames = max(before.frames, index + 1)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            words = f"lacks {error}" if isinstance(error, KeyError) else "is damaged"
            raise SourceError(f"{place}: line {number} {words}; restore it from a copy") from error
        found[image] = StoredPart(part=before.part, frames=frames, extent=extent)
    return tuple(found.values())


def open_raw(run: RunFolder, part: StoredPart | None = None) -> zarr.Array[Any]:
    """The raw frames of `part` (None takes the first), [t, c, z, y, x]; every acknowledged frame is in it.

    Raises:
        SourceError: nothing was recorded, or the array is shorter than its rows say.
    """
    chosen = part or _first(run)
    return _open(run.path / chosen.part.raw, (chosen.frames, 1, 1))


def open_annotated(run: RunFolder, part: StoredPart | None = None) -> zarr.Array[Any]:
    """The denoised planes of `part` (None takes the first), [t, c, z, y, x]; holes are not a number.

    Raises:
        SourceError: no frame was processed, or the array is smaller than its rows say.
    """
    chosen = part or _first(run)
    return _open(run.path / chosen.part.annotated, chosen.extent)


def open_labels(run: RunFolder, name: str, part: StoredPart | None = None) -> zarr.Array[Any]:
    """The label image `name` (segmentation or trust), [t, c, z, y, x], aligned with the annotated image."""
    chosen = part or _first(run)
    return _open(run.path / chosen.part.annotated / "labels" / name, chosen.extent)


def read_volume(run: RunFolder, *, time: Name = None, position: Name = None, channel: Name = None) -> Volume:
    """The raw z-stack of one time point, in the order of z; of a plane taken twice the last one.

    Raises:
        SourceError: nothing was recorded there, its camera mode changed within, or pixels are missing.
    """
    found: dict[Name, Row] = {}
    seen: dict[Name, None] = {}
    for row in iter_frames(run):
        axes: Mapping[str, Name] = row["axes"]
        if (axes.get("position"), axes.get("channel")) == (position, channel):
            seen[axes.get("z")] = None
            if axes.get("time") == time:
                found[axes.get("z")] = row
    if not found:
        raise SourceError(f"{run.path}: no frame at time {time}, position {position}, channel {channel}")
    names = {row["image"] for row in found.values()}
    images = {name: open_image(run.path / part_named(name).raw) for name in names}
    if len({(array.shape[-2:], array.dtype) for array in images.values()}) > 1:
        raise SourceError(f"{run.path}: frames of time {time} have several sizes; read them one by one")
    order = sorted(found, key=_in_order)
    planes = [read_raw(run, images[found[z]["image"]], found[z]) for z in order]
    missing = sorted(seen.keys() - found.keys(), key=_in_order)
    return Volume(pixels=np.stack(planes), z=tuple(order), missing=tuple(missing))


def read_raw(run: RunFolder, raw: zarr.Array[Any], row: Row) -> NDArray[Any]:
    """[y, x] counts of the frame of `row`, from its raw image `raw`.

    Raises:
        SourceError: they are missing or damaged.
    """
    image, index = run.path / part_named(row["image"]).raw, row["raw_index"]
    if not chunk_file(image / "0", index).is_file():  # Zarr would read it as zeros
        raise SourceError(f"{image}: pixels of frame {row['seq']} are missing; restore it from a copy")
    return read_plane(image, raw, (index, 0, 0))


def read_plane(image: Path, array: zarr.Array[Any], place: tuple[int, ...]) -> NDArray[Any]:
    """One [y, x] plane of an array.

    Raises:
        SourceError: the plane is damaged.
    """
    try:
        return np.asarray(array[place])
    except Exception as error:  # codecs raise what they like
        raise SourceError(f"{image}: plane {place} is damaged ({error}); restore it from a copy") from error


def open_image(image: Path) -> zarr.Array[Any]:
    """The pixels [t, c, z, y, x] of an OME-Zarr image of a recording.

    Raises:
        SourceError: it is missing or damaged.
    """
    if not (image / "0" / "zarr.json").is_file():
        raise SourceError(f"{image}: is missing; restore it from a copy")
    try:
        array = zarr.open_array(image / "0", mode="r")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{image}: damaged ({error}); restore it from a copy") from error
    if array.ndim != 5:
        raise SourceError(f"{image}: {array.ndim} dimensions, not t, c, z, y, x; restore it from a copy")
    return array


def _first(run: RunFolder) -> StoredPart:
    return next(iter(parts(run)), StoredPart(part=Part(), frames=0, extent=(0, 0, 0)))


def _open(image: Path, needed: Place) -> zarr.Array[Any]:
    if not needed[0] and not image.exists():
        raise SourceError(f"{image}: no frame was recorded; give another recording")
    array = open_image(image)
    if any(length < end for length, end in zip(array.shape, needed, strict=False)):
        named = f"{needed[0]} frames" if needed[1:] == (1, 1) else f"{needed} t, c, z"
        raise SourceError(f"{image}: shape {array.shape}, but rows name {named}; restore it from a copy")
    return array


def _in_order(z: Name) -> tuple[bool, int, str]:
    return (False, z, "") if isinstance(z, int) else (True, 0, str(z))

"""The pixels of one frame as they are shown: counts, what the networks made of them, and trust in it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from streamer.errors import SourceError
from streamer.reading.chunks import is_ours, read_chunk
from streamer.reading.index import Entry
from streamer.reading.names import NAME_MAX, number, several, table, text
from streamer.recording import Place, RunFolder, chunk_file, open_image, part_named, read_plane

#: [y, x, height, width] on the sensor.
Region = tuple[int, int, int, int]
Stamp = tuple[int, int, int]

_BETWEEN = " / "  # between the engine's own channel and the detection channel of a splitter
_OPEN_MAX = 64  # images kept open


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planes:
    """What is known of one frame in one channel.

    Attributes:
        seq: number of the frame.
        raw: [y, x] counts as the detector gave them; of an image splitter the channel's part of the sensor,
            which is not registered to the other channels.
        denoised: [y, x] float32 expected photons, registered to the first channel; 0 where a registered
            channel does not reach.
        uncertainty: [y, x] float32 standard deviation of `denoised` in photons, where the model gives one.
        segmentation, trust: [y, x] uint8 classes.
        pixel_um: size of a pixel in the specimen, None if nobody stated it.
    """

    seq: int
    raw: NDArray[Any]
    denoised: NDArray[np.float32] | None = None
    uncertainty: NDArray[np.float32] | None = None
    segmentation: NDArray[np.uint8] | None = None
    trust: NDArray[np.uint8] | None = None
    pixel_um: float | None = None


def read_planes(
    run: RunFolder,
    entry: Entry,
    channel: str = "",
    region_px: Region | None = None,
    only: Collection[str] | None = None,
) -> Planes:
    """The planes of the frame of `entry` in `channel`; all but `raw` are None where it was not processed.

    Args:
        run: the recording, growing or closed.
        entry: from `FrameIndex`.
        channel: as in `View.channel`.
        region_px: the channel's part of the sensor, of a splitter that `run.json` does not describe.
        only: attributes of `Planes` to read beside `raw`; the others are None. None reads all.

    Raises:
        SourceError: pixels are missing or damaged.
    """
    regions, pixel_um = _optics(run.info, _stamp(run.info))
    region = region_px or regions.get(channel.rpartition(_BETWEEN)[2])
    raw = _cropped(_plane(_image(run, entry.image), (entry.raw_index, 0, 0)), region)
    if entry.annotated_image is None or entry.place is None:
        return Planes(seq=entry.seq, raw=raw, pixel_um=pixel_um)
    image = _image(run, entry.annotated_image)
    t, _, z = entry.place

    def drawn(kind: str) -> Place | None:
        c = _c_of(image, entry, f"{kind} {channel}".rstrip())
        return None if c is None else (t, c, z)

    def if_wanted(name: str, place: Place | None) -> Place | None:
        return place if only is None or name in only else None

    denoised, labels = drawn("denoised"), image / "labels"
    return Planes(
        seq=entry.seq,
        raw=raw,
        denoised=_shown(image, if_wanted("denoised", denoised)),
        uncertainty=_shown(image, if_wanted("uncertainty", drawn("uncertainty"))),
        segmentation=_classes(labels / "segmentation", if_wanted("segmentation", denoised)),
        trust=_classes(labels / "trust", if_wanted("trust", denoised)),
        pixel_um=pixel_um,
    )


def _image(run: RunFolder, name: str) -> Path:
    """The image called `name`; a name that leads out of the recording is refused."""
    part_named(f"raw{name.removeprefix('annotated').removeprefix('raw')}")
    return run.path / name


def _shown(image: Path, place: Place | None) -> NDArray[np.float32] | None:
    if place is None:
        return None
    plane = _plane(image, place).astype(np.float32, copy=False)
    if np.isfinite(plane).all():
        return plane
    return np.nan_to_num(plane, copy=True, nan=0.0, posinf=0.0, neginf=0.0)


def _classes(image: Path, place: Place | None) -> NDArray[np.uint8] | None:
    if place is None or not image.is_dir():  # recordings of the first layout need not have both
        return None
    return _plane(image, place).astype(np.uint8, copy=False)


def _plane(image: Path, place: Place) -> NDArray[Any]:
    """One [y, x] plane of the image as it is now."""
    if not chunk_file(image / "0", *place).is_file():  # Zarr would read it as the fill value
        raise SourceError(f"{image}: plane {place} is missing; restore it from a copy")
    shape, layout = _layout_of(image, _stamp(image / "0" / "zarr.json"))
    if not all(at < end for at, end in zip(place, shape, strict=False)):
        raise SourceError(f"{image}: shape {shape}, but rows name {place}; restore it from a copy")
    plane = read_chunk(image / "0", layout, place) if layout is not None else None
    return read_plane(image, open_image(image), place) if plane is None else plane


@lru_cache(maxsize=_OPEN_MAX)
def _layout_of(image: Path, stamp: Stamp) -> tuple[tuple[int, ...], zarr.Array[Any] | None]:
    """Shape of the pixels now, and an array like them where they lie as we write them, else None.

    A live image grows with every frame, and zarr-python takes milliseconds to open it: that is done once for
    all its lengths.
    """
    said = dict(_document(image / "0" / "zarr.json"))
    match said.pop("shape", None):
        case [int(), int(), int(), int(height), int(width)] as shape:
            return tuple(shape), _layout(image, json.dumps([said, height, width], sort_keys=True))
    return open_image(image).shape, None


@lru_cache(maxsize=_OPEN_MAX)
def _layout(image: Path, metadata: str) -> zarr.Array[Any] | None:
    """The image as it was when it first had this `metadata`, its length left out; None if it is not ours."""
    array = open_image(image)
    return array if is_ours(array) else None


def _cropped(raw: NDArray[Any], region: Region | None) -> NDArray[Any]:
    """The channel's part of a sensor frame; the whole where the part does not lie in it."""
    if region is None:
        return raw
    y, x, height, width = region
    fits = y + height <= raw.shape[0] and x + width <= raw.shape[1]
    return raw[y : y + height, x : x + width] if fits else raw


def _c_of(image: Path, entry: Entry, plane: str) -> int | None:
    """Place on the c axis of a frame's plane; None where the frame has none of that name."""
    if plane not in entry.channels or entry.place is None:
        return None
    names = _channels(image, _stamp(image / "zarr.json"))
    return names.index(plane) if plane in names else entry.place[1] + entry.channels.index(plane)


@lru_cache(maxsize=_OPEN_MAX)
def _channels(image: Path, stamp: Stamp) -> tuple[str, ...]:
    """Names along the c axis of an annotated image."""
    attributes = table(_document(image / "zarr.json").get("attributes"))
    return tuple(map(str, several(table(attributes.get("streamer")).get("channels"))))


@lru_cache(maxsize=_OPEN_MAX)
def _optics(path: Path, stamp: Stamp) -> tuple[Mapping[str, Region], float | None]:
    """The part of the sensor of each channel of a splitter, and the size of a pixel, as `run.json` says."""
    info = _document(path)
    pixel_nm = number(info.get("pixel_nm"))
    return regions_of(info.get("profile")), pixel_nm / 1e3 if pixel_nm > 0 else None


def regions_of(profile: object) -> dict[str, Region]:
    """The part of the sensor of each channel; none where frames are not cut, as one region is unknown."""
    regions: dict[str, Region] = {}
    for channel in several(table(table(profile).get("detector")).get("channels")):
        match several(table(channel).get("region_px")):
            case [int(y), int(x), int(height), int(width)] if min(y, x) >= 0 and min(height, width) > 0:
                regions[text(table(channel).get("name"), NAME_MAX)] = (y, x, height, width)
            case _:
                return {}
    return regions


def _stamp(path: Path) -> Stamp:
    """Another one whenever the file was replaced."""
    try:
        state = path.stat()
    except OSError:
        return (0, 0, 0)
    return state.st_ino, state.st_size, state.st_mtime_ns


def _document(path: Path) -> Mapping[str, Any]:
    try:
        return table(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError):
        return {}

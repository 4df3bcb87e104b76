"""One way into every recording: find out what the paths are, check them, and give their frames one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from streamer.core import Frame
from streamer.errors import SourceError
from streamer.recording import RunFolder, is_run, open_raw, parts, read_info
from streamer.sources.ndtiff import is_ndtiff, open_ndtiff
from streamer.sources.ome_zarr import is_zarr, open_ome_zarr
from streamer.sources.planes import Planes, check_plane, shift_of, unsigned
from streamer.sources.run import run_frames
from streamer.sources.tiff import SUFFIXES, find_tiffs, open_tiffs
from streamer.wire import SPOOL_SUFFIX, read_spool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Frames that lie on disk, and what is known of them before one is read. Can be iterated again.

    Attributes:
        kind: the format in words.
        paths: the paths given.
        shape: [y, x] of every frame; of a RUN whose camera mode changed, of the first.
        dtype: pixel type as it is stored, likewise; frames are uint8 or uint16.
        count: number of frames.
        pixel_nm: pixel size the recording states, None if it states none.
        shift_adu: added to stored grey levels to make them unsigned; subtract it to have them back.
        notes: what the user should know, a sentence each.
    """

    kind: str
    paths: tuple[Path, ...]
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    count: int
    pixel_nm: float | None
    shift_adu: int = 0
    notes: tuple[str, ...] = ()
    frames: Callable[[], Iterator[Frame]] = field(repr=False)

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def __len__(self) -> int:
        return self.count


def open_recording(paths: Sequence[Path]) -> Recording:
    """Open a RUN, an OME-Zarr image, an NDTiff dataset, a hook's spool, or TIFF files and folders of them.

    Nothing but headers is read, except of int16 files, which are looked through for levels below zero.

    Raises:
        SourceError: nothing there, nothing readable, or a mixture that no single run can hold.
    """
    if not paths:
        raise SourceError("no path given; give a recording, an image or a folder of images")
    for path in paths:
        if not path.exists():
            raise SourceError(f"{path}: does not exist; give a recording, an image or a folder of images")
    if len(paths) == 1 and is_run(paths[0]):
        return _of_run(RunFolder(paths[0]))
    if len(paths) == 1 and paths[0].suffix == SPOOL_SUFFIX:
        return _of_spool(paths[0])
    return _of_planes(tuple(paths), _open_planes(paths))


def _open_planes(paths: Sequence[Path]) -> Planes:
    """The reader of the format that `paths` have in common."""
    for path in paths:
        reader = open_ndtiff if is_ndtiff(path) else open_ome_zarr if is_zarr(path) else None
        if (reader or is_run(path)) and len(paths) > 1:
            raise SourceError(f"{path}: one of {len(paths)} paths; replay one recording at a time")
        if reader:
            return reader(path)
        if inner := sorted(path.rglob("NDTiff.index")):
            raise SourceError(f"{path}: holds NDTiff datasets; replay one of them, such as {inner[0].parent}")
    files = [file for path in paths for file in (find_tiffs(path) if path.is_dir() else [path])]
    if not files:
        raise SourceError(
            f"{paths[0]}: holds no image; give a RUN, OME-Zarr, NDTiff, TIFF ({', '.join(SUFFIXES)})"
        )
    return open_tiffs(files)


def _of_planes(paths: tuple[Path, ...], planes: Planes) -> Recording:
    shift = shift_of(planes)
    note = (f"int16 levels below zero: {shift} added to every pixel and to the offset",) if shift else ()
    return Recording(
        kind=planes.kind,
        paths=paths,
        shape=planes.shape,
        dtype=planes.dtype,
        count=planes.count,
        pixel_nm=planes.pixel_nm,
        shift_adu=shift,
        notes=planes.notes + note,
        frames=lambda: _frames(planes, shift),
    )


def _frames(planes: Planes, shift: int) -> Iterator[Frame]:
    stated = {"shift_adu": shift} if shift else {}
    for seq, (pixels, axes, metadata) in enumerate(planes.read()):
        yield Frame(pixels=unsigned(pixels, shift), seq=seq, axes=axes, metadata={**metadata, **stated})


def _of_spool(path: Path) -> Recording:
    """What a hook kept because no processor acknowledged it."""
    frames = read_spool(path)
    first = next(frames, None)
    if first is None:
        raise SourceError(f"{path}: holds no frame; there is nothing to replay")
    return Recording(
        kind="spool",
        paths=(path,),
        shape=check_plane(str(path), first.pixels.shape, first.pixels.dtype),
        dtype=first.pixels.dtype,
        count=1 + sum(1 for _ in frames),
        pixel_nm=None,
        frames=lambda: read_spool(path),
    )


def _of_run(run: RunFolder) -> Recording:
    found = parts(run)
    if not found:
        raise SourceError(f"{run.path}: no frame was recorded; give another recording")
    images = {one.part.raw: open_raw(run, one) for one in found}
    first = next(iter(images.values()))
    shapes = [check_plane(name, array.shape[-2:], np.dtype(array.dtype)) for name, array in images.items()]
    count = sum(one.frames for one in found)
    beyond = sum(array.shape[0] for array in images.values()) - count
    modes = len({(shape, array.dtype) for shape, array in zip(shapes, images.values(), strict=True)})
    return Recording(
        kind="RUN",
        paths=(run.path,),
        shape=shapes[0],
        dtype=np.dtype(first.dtype),
        count=count,
        pixel_nm=read_info(run).pixel_nm,
        notes=(
            *((f"{beyond} frames at the end have no row and are left out",) if beyond else ()),
            *((f"frames have {modes} sizes or pixel types; the first is stated",) if modes > 1 else ()),
        ),
        frames=lambda: run_frames(run, images),
    )

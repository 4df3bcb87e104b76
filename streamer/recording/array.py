"""Arrays [t, c, z, y, x] that grow plane by plane and are whole at every moment.

`zarr.Array.append` resizes first and writes then: a process killed in between leaves an array that claims
planes nobody wrote. Here a plane is on disk before the array's `zarr.json` covers its place, and that file is
replaced in one step. zarr-python owns the metadata; the chunk is encoded by the codec it names.

One chunk is one plane, so the array grows along t, c and z by metadata alone. A place that was covered and
never written reads as the fill value: not a number in float images, 0 (nothing drawn) in label images.
NGFF wants `/` between chunk indices: a plane is a file in four folders of its own. Shards would need fewer
files, but are written whole: adding a plane would rewrite what was acknowledged before.

Surviving `kill -9` needs no fsync, which would cost 1-5 ms a frame; a power cut may lose the last seconds.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numcodecs import Blosc
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from streamer.errors import RecordingError
from streamer.recording.files import replace_file, writing
from streamer.recording.ngff import AXES

#: Place of a plane, or the number of places along each axis: t, c, z.
Place = tuple[int, int, int]

_LEVEL = 5  # of lz4 after bitshuffle: low counts shrink 8 times in 0.4 ms per 600x600 plane, floats 1.3 times


def chunk_file(array: Path, t: int, c: int = 0, z: int = 0) -> Path:
    """Where the plane at t, c, z lies in the array folder `array`."""
    return array / "c" / str(t) / str(c) / str(z) / "0" / "0"


def create_array(path: Path, *, plane: tuple[int, int], dtype: np.dtype[Any]) -> None:
    """Create a [t=0, c=1, z=1, y, x] array."""
    zarr.create_array(
        path,
        shape=(0, 1, 1, *plane),
        chunks=(1, 1, 1, *plane),
        dtype=dtype,
        compressors=BloscCodec(cname="lz4", clevel=_LEVEL, shuffle="bitshuffle", typesize=dtype.itemsize),
        dimension_names=AXES,
        fill_value=math.nan if dtype.kind == "f" else 0,
    )


class PlaneArray:
    """The array in folder `path`, open for writing. One writer at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._metadata: dict[str, Any] = json.loads((path / "zarr.json").read_bytes())
        self._plane = tuple(self._metadata["shape"][3:])
        self._dtype = np.dtype(self._metadata["data_type"]).newbyteorder("<")
        self._codec = Blosc(cname="lz4", clevel=_LEVEL, shuffle=Blosc.BITSHUFFLE)

    @property
    def extent(self) -> Place:
        """Places along t, c, z."""
        t, c, z = self._metadata["shape"][:3]
        return t, c, z

    @property
    def plane(self) -> tuple[int, int]:
        """[y, x] of a plane."""
        height, width = self._plane
        return height, width

    @property
    def dtype(self) -> str:
        """Name of the pixel type."""
        return str(self._dtype.name)

    def put(self, planes: Mapping[Place, NDArray[Any]], extent: Place = (0, 0, 0)) -> None:
        """Write [y, x] planes, then cover their places and at least `extent`. On an error nothing is covered.

        Raises:
            RecordingError: a plane of another shape or type, or a disk that will not have it.
        """
        for plane in planes.values():
            self._check(plane)
        covered = self.extent
        with writing(self.path):
            for place, plane in planes.items():
                target = chunk_file(self.path, *place)
                target.parent.mkdir(parents=True, exist_ok=True)
                data = self._codec.encode(np.ascontiguousarray(plane, dtype=self._dtype))
                if all(at < end for at, end in zip(place, covered, strict=True)):
                    replace_file(target, data)  # readers look there already
                else:
                    target.write_bytes(data)
        self.resize(covering(planes, covered, extent))

    def resize(self, extent: Place) -> None:
        """Cover `extent`, by metadata alone."""
        if extent == self.extent:
            return
        resized = self._metadata | {"shape": [*extent, *self._plane]}
        with writing(self.path):
            replace_file(self.path / "zarr.json", json.dumps(resized, indent=2).encode())
        self._metadata = resized

    def discard(self, beyond_t: int, unless: Mapping[int, Iterable[tuple[int, int]]]) -> None:
        """Delete planes: those from t = `beyond_t` on, and those at a t in `unless` whose (c, z) it lacks."""
        with writing(self.path):
            for folder in _numbered(self.path / "c"):
                if int(folder.name) >= beyond_t:
                    shutil.rmtree(folder)
            for t, kept in unless.items():
                for channel in _numbered(self.path / "c" / str(t)):
                    for plane in _numbered(channel):
                        if (int(channel.name), int(plane.name)) not in kept:
                            shutil.rmtree(plane)

    def _check(self, plane: NDArray[Any]) -> None:
        if plane.shape != self._plane or plane.dtype.newbyteorder("<") != self._dtype:
            got = "x".join(map(str, plane.shape))
            held = "x".join(map(str, self._plane))
            raise RecordingError(
                f"{self.path}: plane is {got} {plane.dtype}, this image holds {held} {self._dtype.name}; "
                "planes of another camera mode belong into another image"
            )


def covering(places: Iterable[Place], *extents: Place) -> Place:
    """The smallest extent that covers `places` and `extents`."""
    ends = [*extents, *((t + 1, c + 1, z + 1) for t, c, z in places)]
    t, c, z = (max(along) for along in zip(*ends, strict=True))
    return t, c, z


def _numbered(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.isdecimal()] if folder.is_dir() else []

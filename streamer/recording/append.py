"""Arrays that grow by one frame at a time and are whole at every moment.

`zarr.Array.append` resizes first and writes then: a process killed in between leaves an array that claims
a frame of zeros. Here the pixels of frame n are on disk before the array's `zarr.json` says n + 1, and that
file is replaced in one step. zarr-python owns the metadata; the chunk is encoded by the codec it names.

One chunk is one plane of one frame: 5,480 frames of one channel are 5,480 files in 21,920 folders, because
NGFF wants `/` between chunk indices; raw, denoised and two label images make it four times as many. Shards
would need fewer files, but are written whole: appending a frame would rewrite what was acknowledged before.

Surviving `kill -9` needs no fsync, which would cost 1-5 ms a frame; a power cut may lose the last seconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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

_LEVEL = 5  # of lz4 after bitshuffle: low counts shrink 8 times in 0.4 ms per 600x600 plane, floats 1.3 times


def chunk_file(array: Path, frame: int, channel: int = 0) -> Path:
    """Where the plane of `frame` and `channel` lies in the array folder `array`."""
    return array / "c" / str(frame) / str(channel) / "0" / "0" / "0"


def write_group(path: Path, attributes: Mapping[str, Any]) -> None:
    """Create the Zarr group `path`; what it describes should be there before."""
    path.mkdir(parents=True, exist_ok=True)
    document = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    replace_file(path / "zarr.json", json.dumps(document, indent=2).encode())


def create_array(path: Path, *, plane: tuple[int, int], dtype: np.dtype[Any], channels: int) -> None:
    """Create an empty [t=0, c, z=1, y, x] array."""
    zarr.create_array(
        path,
        shape=(0, channels, 1, *plane),
        chunks=(1, 1, 1, *plane),
        dtype=dtype,
        compressors=BloscCodec(cname="lz4", clevel=_LEVEL, shuffle="bitshuffle", typesize=dtype.itemsize),
        dimension_names=AXES,
        fill_value=0,
    )


class AppendArray:
    """The array in folder `path`, open for appending. One writer at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._metadata: dict[str, Any] = json.loads((path / "zarr.json").read_bytes())
        self._plane = tuple(self._metadata["shape"][3:])
        self._dtype = np.dtype(self._metadata["data_type"]).newbyteorder("<")
        self._codec = Blosc(cname="lz4", clevel=_LEVEL, shuffle=Blosc.BITSHUFFLE)

    def __len__(self) -> int:
        return int(self._metadata["shape"][0])

    def append(self, planes: Sequence[NDArray[Any]]) -> int:
        """Write one frame of [y, x] planes, one per channel; its index. On an error the array is as before.

        Raises:
            RecordingError: a plane of another shape or type, or a disk that will not have it.
        """
        index, channels = len(self), self._metadata["shape"][1]
        if len(planes) != channels:
            raise RecordingError(f"{self.path}: frame has {len(planes)} channels, this recording {channels}")
        for plane in planes:
            self._check(plane)
        with writing(self.path):
            for channel, plane in enumerate(planes):
                target = chunk_file(self.path, index, channel)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(self._codec.encode(np.ascontiguousarray(plane, dtype=self._dtype)))
            grown = self._metadata | {"shape": [index + 1, *self._metadata["shape"][1:]]}
            replace_file(self.path / "zarr.json", json.dumps(grown, indent=2).encode())
        self._metadata = grown
        return index

    def _check(self, plane: NDArray[Any]) -> None:
        if plane.shape != self._plane or plane.dtype.newbyteorder("<") != self._dtype:
            got = "x".join(map(str, plane.shape))
            held = "x".join(map(str, self._plane))
            raise RecordingError(
                f"{self.path}: frame is {got} {plane.dtype}, this recording holds {held} {self._dtype.name}; "
                "start a new recording for another camera mode"
            )

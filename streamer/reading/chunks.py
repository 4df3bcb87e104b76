"""A plane straight from its file, without the time that zarr-python takes to hand it from thread to thread.

Only planes as this package writes them; whoever finds None asks zarr-python, which also says what is wrong.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numcodecs import Blosc
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, BytesCodec
from zarr.core.metadata import ArrayV3Metadata

from streamer.recording import Place, chunk_file

_HEADER = struct.Struct("<4xI4xI")  # of blosc: how many bytes come out, and how many there are


def is_ours(array: zarr.Array[Any]) -> bool:
    """Whether an array holds one plane a file, little-endian, compressed by blosc and nothing else."""
    metadata = array.metadata
    if not isinstance(metadata, ArrayV3Metadata) or array.chunks != (1, 1, 1, *array.shape[3:]):
        return False
    match metadata.codecs:
        case (BytesCodec(endian=endian), BloscCodec()):
            return array.dtype.itemsize == 1 or (endian is not None and endian.value == "little")
    return False


def read_chunk(folder: Path, array: zarr.Array[Any], place: Place) -> NDArray[Any] | None:
    """The plane [y, x] of an array that `is_ours`, read-only; None where its file does not hold one."""
    height, width = array.shape[3:]
    dtype = np.dtype(array.dtype).newbyteorder("<")
    try:
        data = chunk_file(folder, *place).read_bytes()
        if _HEADER.unpack_from(data) != (height * width * dtype.itemsize, len(data)):
            return None  # before so much is allocated
        return np.frombuffer(Blosc().decode(data), dtype).reshape(height, width)
    except (OSError, RuntimeError, ValueError, struct.error):
        return None

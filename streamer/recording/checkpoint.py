"""States of the guards at a frame, so that a resumed run need not judge everything again.

`checkpoint.npz` is a plain archive of numeric arrays, replaced in one step. Nothing rests on it: one that is
missing or damaged costs time, because the states are then made again from the first frame.
"""

from __future__ import annotations

import io
import logging
import math
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from streamer.recording.files import replace_file, writing
from streamer.recording.run import RunFolder

#: A checkpoint beyond this is damaged: states are a few numbers and images.
MAX_BYTES = 1 << 30

_SEQ = "seq"
_STATE = "state/"

_log = logging.getLogger(__name__)


def write_checkpoint(run: RunFolder, seq: int, arrays: Mapping[str, Any]) -> None:
    """Keep `arrays` as the states after the frame `seq`, whose row must stand.

    Raises:
        RecordingError: the disk will not have it.
        ValueError: something that is no array of numbers or text.
    """
    stream = io.BytesIO()
    stated = {_SEQ: np.int64(seq)} | {_STATE + name: value for name, value in arrays.items()}
    with zipfile.ZipFile(stream, "w") as archive:
        for name, value in stated.items():
            with archive.open(f"{name}.npy", "w") as member:
                npy.write_array(member, np.asarray(value), version=(1, 0), allow_pickle=False)
    with writing(run.checkpoint):
        replace_file(run.checkpoint, stream.getvalue())


def read_checkpoint(run: RunFolder) -> tuple[int, dict[str, NDArray[Any]]] | None:
    """The last frame in the states, and the states; None if there is no checkpoint that can be read."""
    try:
        with zipfile.ZipFile(run.checkpoint) as archive:
            members = archive.infolist()
            if any(one.compress_type for one in members) or sum(one.file_size for one in members) > MAX_BYTES:
                raise ValueError("its size is none that was written")
            read = {one.filename.removesuffix(".npy"): _read(archive, one) for one in members}
        return int(read.pop(_SEQ)), {name.removeprefix(_STATE): array for name, array in read.items()}
    except FileNotFoundError:
        return None
    except Exception as error:  # a damaged archive can raise nearly anything
        _log.warning("%s: damaged (%s); states are made again from the first frame", run.checkpoint, error)
        return None


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """One array, whose header may not claim more than there is."""
    with archive.open(member) as stream:
        if npy.read_magic(stream) != (1, 0):
            raise ValueError(f"{member.filename} is in a format that was not written")
        shape, by_columns, dtype = npy.read_array_header_1_0(stream)
        if dtype.hasobject or min(shape, default=0) < 0:
            raise ValueError(f"{member.filename} holds no numbers")
        data = stream.read()
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{member.filename} is not as long as it says")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if by_columns else "C").copy()

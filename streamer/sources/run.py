"""An earlier run: its acknowledged frames with their numbers, axes, clocks and metadata, as they were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import zarr

from streamer.core import Frame
from streamer.errors import SourceError
from streamer.recording import Row, RunFolder, chunk_file, iter_lines
from streamer.sources.ome_zarr import read_plane


def run_frames(run: RunFolder, raw: zarr.Array[Any]) -> Iterator[Frame]:
    """Every acknowledged frame of `run`, in the order in which it was acknowledged.

    Raises:
        SourceError: a frame whose pixels are missing or damaged.
    """
    for number, row in enumerate(iter_lines(run.frames), start=1):
        try:
            yield _frame(run, raw, row)
        except KeyError as error:
            raise SourceError(f"{run.frames}: line {number} lacks {error}; restore it from a copy") from error


def _frame(run: RunFolder, raw: zarr.Array[Any], row: Row) -> Frame:
    index = row["raw_index"]
    if not chunk_file(run.raw / "0", index).is_file():  # Zarr would read it as zeros
        raise SourceError(f"{run.raw}: pixels of frame {row['seq']} are missing; restore it from a copy")
    return Frame(
        pixels=read_plane(run.raw, raw, (index, 0, 0)),
        seq=row["seq"],
        axes=row["axes"],
        hook_ns=row["hook_ns"],
        received_ns=row["received_ns"],
        wall_time_s=row["wall_time_s"],
        metadata=row["metadata"],
        superseded=not row["processed"],  # what the guards did not see then, they must not see again
    )

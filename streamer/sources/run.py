"""An earlier run: its acknowledged frames with their numbers, axes, clocks and states, as they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import zarr

from streamer.core import Frame
from streamer.errors import SourceError
from streamer.recording import Row, RunFolder, iter_frames, open_raw, parts, read_raw


def raw_images(run: RunFolder) -> dict[str, zarr.Array[Any]]:
    """The raw images of `run` by name, as long as its rows say at least.

    Raises:
        SourceError: one is missing, damaged or too short.
    """
    return {one.part.raw: open_raw(run, one) for one in parts(run)}


def run_frames(run: RunFolder, images: Mapping[str, zarr.Array[Any]], *, after: int = -1) -> Iterator[Frame]:
    """Every acknowledged frame of `run`, in the order in which it was acknowledged, whatever image holds it.

    Args:
        run: the recording.
        images: its raw images, `raw_images`.
        after: leave out the frames up to this number.

    Raises:
        SourceError: a frame whose pixels are missing or damaged.
    """
    for number, row in enumerate(iter_frames(run), start=1):
        try:
            if row["seq"] <= after:
                continue
            yield _frame(run, images[row["image"]], row)
        except KeyError as error:
            raise SourceError(f"{run.frames}: line {number} lacks {error}; restore it from a copy") from error


def _frame(run: RunFolder, raw: zarr.Array[Any], row: Row) -> Frame:
    return Frame(
        pixels=read_raw(run, raw, row),
        seq=row["seq"],
        axes=row["axes"],
        hook_ns=row["hook_ns"],
        received_ns=row["received_ns"],
        wall_time_s=row["wall_time_s"],
        metadata=row["metadata"],
        superseded=not row["processed"],  # what the guards did not see then, they must not see again
        exposure_ms=row["exposure_ms"],
        bit_depth=row["bit_depth"],
        state=row["state"],
    )

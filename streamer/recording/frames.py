"""Rows of `frames.jsonl` and `decisions.jsonl`, and reading a run back.

A frame is acknowledged when its row stands. A row says where its pixels are: `raw_index` on the t axis of
the raw image; `annotated_index` on that of the annotated image, which holds processed frames only, or null.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import zarr

from streamer.core import Outcome
from streamer.errors import SourceError
from streamer.recording.lines import Row, iter_lines
from streamer.recording.run import RunFolder


def frame_row(
    outcome: Outcome, *, raw_index: int, annotated_index: int | None, dose: Mapping[str, float]
) -> Row:
    """The row of one frame; `dose` is the dose so far, by laser line with unit."""
    frame = outcome.frame
    return {
        "seq": frame.seq,
        "raw_index": raw_index,
        "annotated_index": annotated_index,
        "axes": frame.axes,
        "wall_time_s": frame.wall_time_s,
        "hook_ns": frame.hook_ns,
        "received_ns": frame.received_ns,
        "processed": outcome.result is not None,
        "decision": outcome.decision.action,
        "reason": outcome.decision.reason,
        "verdicts": [asdict(verdict) for verdict in outcome.verdicts],
        "timings_ms": outcome.timings_ms,
        "lag_ms": outcome.lag_ms,
        "waiting": outcome.waiting,
        "dose": dose,
        "metadata": frame.metadata,
    }


def decision_row(outcome: Outcome) -> Row:
    """The row of a decision with the evidence it rests on."""
    frame = outcome.frame
    return {"seq": frame.seq, "wall_time_s": frame.wall_time_s, **asdict(outcome.decision)}


def read_frames(run: RunFolder) -> list[Row]:
    """Rows of all acknowledged frames, in order."""
    return list(iter_lines(run.frames))


def read_decisions(run: RunFolder) -> list[Row]:
    """Rows of all decisions other than to continue, in order."""
    return list(iter_lines(run.decisions))


def open_raw(run: RunFolder, rows: Iterable[Row] | None = None) -> zarr.Array[Any]:
    """The raw frames, [t, c, z, y, x]; every acknowledged frame is in it.

    Raises:
        SourceError: nothing was recorded, or the array is shorter than its rows say.
    """
    return _open(run.raw, rows if rows is not None else iter_lines(run.frames), "raw_index")


def open_annotated(run: RunFolder, rows: Iterable[Row] | None = None) -> zarr.Array[Any]:
    """The denoised frames, [t, c, z, y, x], channel 0 denoised; its t axis is `annotated_index`.

    Raises:
        SourceError: no frame was processed, or the array is shorter than its rows say.
    """
    return _open(run.annotated, rows if rows is not None else iter_lines(run.frames), "annotated_index")


def open_labels(run: RunFolder, name: str) -> zarr.Array[Any]:
    """The label image `name` (segmentation or trust), [t, c, z, y, x], aligned with the annotated image."""
    return _open(run.annotated / "labels" / name, iter_lines(run.frames), "annotated_index")


def _open(image: Path, rows: Iterable[Row], index: str) -> zarr.Array[Any]:
    if not (image / "0" / "zarr.json").is_file():
        raise SourceError(f"{image}: no frame was recorded; give another recording")
    try:
        array = zarr.open_array(image / "0", mode="r")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{image}: damaged ({error}); restore it from a copy") from error
    needed = max((row[index] + 1 for row in rows if row.get(index) is not None), default=0)
    if array.ndim != 5 or array.shape[0] < needed:
        raise SourceError(
            f"{image}: shape {array.shape}, but rows name {needed} frames; restore it from a copy"
        )
    return array

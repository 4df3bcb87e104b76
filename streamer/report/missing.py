"""What a recording no longer tells, because files of it are gone or damaged: a report must not deny it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from streamer.reading import WatchedRun

_OVER = ("stopped", "finished", "left")


def unknown(run: WatchedRun) -> str:
    """Why nothing can be known of the frames of a run that is over; empty where its rows tell."""
    folder = run.folder
    if len(run.index) or run.state not in _OVER:
        return ""
    if not folder.frames.is_file():
        if run.info.state != "closed" and not folder.decisions.is_file():
            return ""  # it broke off before it opened them
        kept = "still holds them as a table" if folder.table.is_file() else "is missing too"
        return f"the rows of all frames (frames.jsonl) are missing; frames.parquet {kept}"
    if run.damaged_rows:
        return "the rows of all frames (frames.jsonl) are damaged: none of their lines can be read"
    if folder.table.is_file() and _rows_of(folder.table) != 0:
        return "the rows of all frames are gone: frames.jsonl is empty, and frames.parquet is not"
    return ""


def damaged(lines: int) -> str:
    """What it means that so many lines of the rows are damaged."""
    if lines == 1:
        return "one line of the rows is damaged, so that its frame's row cannot be read"
    return f"{lines:,} lines of the rows are damaged, so that the rows of their frames cannot be read"


def _rows_of(table: Path) -> int | None:
    """How many it holds; None where it cannot be read."""
    try:
        return int(pq.read_metadata(table).num_rows)
    except (OSError, pa.ArrowException):
        return None

"""What a RUN and OME are, for readers and writers.

A run is a folder: `raw.ome.zarr`, `annotated.ome.zarr`, `frames.jsonl` (and `frames.parquet` once closed),
`decisions.jsonl`, `run.json`. Pixels are written before the row that acknowledges them, an array's length
after its pixels: whatever moment the writer dies at, every row's frame is whole and no array is too long.
"""

from streamer.recording.append import chunk_file
from streamer.recording.frames import (
    decision_row,
    frame_row,
    open_annotated,
    open_labels,
    open_raw,
    read_decisions,
    read_frames,
)
from streamer.recording.image import GrowingImage, create_image
from streamer.recording.lines import LineWriter, Row, iter_lines
from streamer.recording.ngff import Channel, Scale
from streamer.recording.run import (
    PackageUsed,
    RunFolder,
    RunInfo,
    create_run,
    is_run,
    profile_hash,
    read_info,
    write_info,
)
from streamer.recording.table import close_run, write_table

__all__ = [
    "Channel",
    "GrowingImage",
    "LineWriter",
    "PackageUsed",
    "Row",
    "RunFolder",
    "RunInfo",
    "Scale",
    "chunk_file",
    "close_run",
    "create_image",
    "create_run",
    "decision_row",
    "frame_row",
    "is_run",
    "iter_lines",
    "open_annotated",
    "open_labels",
    "open_raw",
    "profile_hash",
    "read_decisions",
    "read_frames",
    "read_info",
    "write_info",
    "write_table",
]

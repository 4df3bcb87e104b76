"""What a RUN and OME are, for readers and writers.

A run is a folder: raw and annotated images (`raw.ome.zarr`, `annotated.ome.zarr`, and one more pair for each
further position and camera mode), `frames.jsonl` (and `frames.parquet` once closed), `decisions.jsonl`,
`run.json`. Pixels are written before the row that acknowledges them, an array's extent after its pixels:
whatever moment the writer dies at, every row's frame is whole and no array claims what nobody wrote.
"""

from streamer.recording.array import Place, PlaneArray, chunk_file
from streamer.recording.checkpoint import read_checkpoint, write_checkpoint
from streamer.recording.frames import (
    Stored,
    decision_row,
    done_row,
    frame_row,
    iter_frames,
    read_decisions,
    read_frames,
)
from streamer.recording.image import GrowingImage, create_image
from streamer.recording.lines import LineWriter, Row, iter_lines
from streamer.recording.lock import WriterLock
from streamer.recording.ngff import Channel, Scale
from streamer.recording.parts import Name, Part, Parts, part_named
from streamer.recording.read import (
    StoredPart,
    Volume,
    open_annotated,
    open_image,
    open_labels,
    open_raw,
    parts,
    parts_of,
    read_plane,
    read_raw,
    read_volume,
)
from streamer.recording.resume import Resumed, resume_run
from streamer.recording.run import (
    PackageUsed,
    RunFolder,
    RunInfo,
    Session,
    Stacks,
    create_run,
    is_run,
    profile_hash,
    read_info,
    write_info,
)
from streamer.recording.stacks import Support, supported_slices
from streamer.recording.table import close_run, write_table
from streamer.recording.volumes import Places, Volumes

__all__ = [
    "Channel",
    "GrowingImage",
    "LineWriter",
    "Name",
    "PackageUsed",
    "Part",
    "Parts",
    "Place",
    "Places",
    "PlaneArray",
    "Resumed",
    "Row",
    "RunFolder",
    "RunInfo",
    "Scale",
    "Session",
    "Stacks",
    "Stored",
    "StoredPart",
    "Support",
    "Volume",
    "Volumes",
    "WriterLock",
    "chunk_file",
    "close_run",
    "create_image",
    "create_run",
    "decision_row",
    "done_row",
    "frame_row",
    "is_run",
    "iter_frames",
    "iter_lines",
    "open_annotated",
    "open_image",
    "open_labels",
    "open_raw",
    "part_named",
    "parts",
    "parts_of",
    "profile_hash",
    "read_checkpoint",
    "read_decisions",
    "read_frames",
    "read_info",
    "read_plane",
    "read_raw",
    "read_volume",
    "resume_run",
    "supported_slices",
    "write_checkpoint",
    "write_info",
    "write_table",
]

"""Going on in a recording that was interrupted or closed.

The rows decide. What has no row was never acknowledged and comes again, so it is cut off: the torn last line
first, then images, lengths before planes, so that no reader is promised more than there is. The state of the
writers is made by placing every row's frame again. Each step may be repeated: a process killed in the middle
of a resumption leaves a recording that can be resumed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from streamer.core import CameraMode
from streamer.errors import SourceError, UsageError
from streamer.recording.array import Place, PlaneArray, covering
from streamer.recording.files import replace_file, writing
from streamer.recording.frames import iter_frames, read_decisions
from streamer.recording.image import GrowingImage, discard_image
from streamer.recording.lines import Row, drop_torn_line
from streamer.recording.lock import WriterLock
from streamer.recording.parts import Part, Parts, part_named
from streamer.recording.run import FORMAT_VERSION, RunFolder, RunInfo, Session, is_run, read_info, write_info
from streamer.recording.volumes import Volumes


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A recording that is open for writing again, and what its writers must know.

    Attributes:
        run: the folder, locked.
        info: its provenance, with this session in it.
        next_seq: number of the first frame that has no row.
        frames: frames that have one.
        processed: of these, those that were processed.
        last_row: row of the last frame, with the dose so far; None where there is no frame yet.
        parts: which image a frame belongs to.
        volumes: where planes go, by name of the annotated image.
    """

    run: RunFolder
    info: RunInfo
    next_seq: int
    frames: int
    processed: int
    last_row: Row | None
    parts: Parts
    volumes: Mapping[str, Volumes]


def resume_run(
    path: Path,
    *,
    engine_keys: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
) -> Resumed:
    """Open the recording `path` for appending; it is locked, and `run.json` says that it is running again.

    Args:
        path: the folder of a run, interrupted or closed.
        engine_keys, versions: what this session computes with.

    Raises:
        UsageError: no recording, or one of an older layout.
        RecordingError: somebody writes it at this moment, or the disk will not have it.
        SourceError: its rows or images are damaged.
    """
    if not is_run(path):
        raise UsageError(f"{path}: holds no recording; leave out --resume to begin one")
    run = RunFolder(path, WriterLock(path))
    info = read_info(run)
    if info.format_version != FORMAT_VERSION:
        raise UsageError(f"{path}: recorded by an older version; replay it, or begin a new recording")
    found = _replaced(run, info)
    session = Session(
        first_seq=found.next_seq, engine_keys=dict(engine_keys or {}), versions=dict(versions or {})
    )
    info = info.model_copy(
        update={
            "state": "running",
            "ended_wall_s": None,
            "stacks": None,
            "sessions": (*info.sessions, session),
        }
    )
    write_info(run, info)
    with writing(run.table):
        run.table.unlink(missing_ok=True)  # the rows outgrow it
    return replace(found, info=info)


def _replaced(run: RunFolder, info: RunInfo) -> Resumed:
    """The state of the writers after the last row, and `run` cut back to it."""
    run.frames.touch()
    drop_torn_line(run.frames)
    replay = _Replay(run)
    for row in iter_frames(run):
        replay.place(row)
    with writing(run.path):
        for draft in run.path.glob("*.ome.zarr.new"):
            shutil.rmtree(draft)
    for path in run.path.glob("raw*.ome.zarr"):
        length = replay.lengths.get(path.name, 0)
        _cut(path, (length, 1, 1), {})
    for path in {*run.path.glob("annotated*.ome.zarr"), *(run.path / name for name in replay.volumes)}:
        volumes = replay.volumes.get(path.name, Volumes())
        _cut(path, volumes.extent, volumes.taken)
    _cut_decisions(run, replay.next_seq)
    return Resumed(
        run=run,
        info=info,
        next_seq=replay.next_seq,
        frames=replay.frames,
        processed=replay.processed,
        last_row=replay.last_row,
        parts=replay.parts,
        volumes=replay.volumes,
    )


class _Replay:
    """Places the frames of rows again, which makes the writers' state as it was."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self.parts = Parts()
        self.volumes: dict[str, Volumes] = {}
        self.lengths: dict[str, int] = {}  # frames by raw image
        self.frames = self.processed = self.next_seq = 0
        self.last_row: Row | None = None
        self._images: dict[str, PlaneArray] = {}

    def place(self, row: Row) -> None:
        """Place the frame of the next row; SourceError if it was not placed so."""
        self.frames += 1
        try:
            part = self._part(row)
            agrees = (part.raw, self.lengths.get(part.raw, 0)) == (row["image"], row["raw_index"])
            if row["annotated_place"] is not None:
                self.processed += 1
                volumes = self.volumes.setdefault(part.annotated, Volumes())
                axes = row["axes"]
                places = volumes.place(axes.get("time"), axes.get("z"), row["annotated_channels"])
                agrees = agrees and list(places.first) == row["annotated_place"]
            self.next_seq = max(self.next_seq, row["seq"] + 1)
        except (KeyError, TypeError, AttributeError, StopIteration):
            agrees = False
        if not agrees:
            raise SourceError(
                f"{self._run.frames}: line {self.frames} contradicts those before; restore it from a copy"
            )
        self.lengths[part.raw] = row["raw_index"] + 1
        self.last_row = row

    def _part(self, row: Row) -> Part:
        name = part_named(row["image"]).raw
        if name not in self._images:
            self._images[name] = _open(self._run.path / name).pixels
        image, axes = self._images[name], row["axes"]
        mode = CameraMode(
            shape_yx=image.plane,
            dtype=image.dtype,
            exposure_ms=row["exposure_ms"],
            bit_depth=row["bit_depth"],
        )
        return self.parts.part_of(axes.get("position"), axes.get("channel"), mode)


def _cut(path: Path, extent: Place, unless: Mapping[int, Iterable[tuple[int, int]]]) -> None:
    """Leave `extent` of the image `path`, nothing of an image without rows."""
    if not extent[0]:
        discard_image(path)
        return
    image = _open(path)
    for array in (image.pixels, *image.labels.values()):
        if covering((), array.extent, extent) != array.extent:
            raise SourceError(
                f"{array.path}: {array.extent} planes, but rows name {extent}; restore it from a copy"
            )
    image.cut(extent, unless)


def _open(path: Path) -> GrowingImage:
    try:
        return GrowingImage(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{path}: damaged ({error}); restore it from a copy") from error


def _cut_decisions(run: RunFolder, next_seq: int) -> None:
    """Drop decisions on frames that have no row: those frames come again, and so do the decisions."""
    if not run.decisions.exists():
        return
    drop_torn_line(run.decisions)
    lines = run.decisions.read_bytes().splitlines(keepends=True)
    kept = [
        line
        for line, row in zip(lines, read_decisions(run), strict=True)
        if row.get("kind") != "decision" or row["seq"] < next_seq
    ]
    if len(kept) < len(lines):
        with writing(run.decisions):
            replace_file(run.decisions, b"".join(kept))

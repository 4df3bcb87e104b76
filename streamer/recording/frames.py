"""Rows of `frames.jsonl` and `decisions.jsonl`.

A frame is acknowledged when its row stands. A row says where its pixels are: `image` and `raw_index`, the
frame's place on the t axis of that raw image; `annotated_image` and `annotated_place`, the [t, c, z] of its
first plane there, and `annotated_channels`, the channels that its planes fill at that t and z. They are null
and empty for a frame that was not processed. `labels_seq` says of each of its channels from which earlier
frame the labels are carried, null where they were drawn in this one. Older rows lack it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from streamer.core import Outcome
from streamer.recording.lines import Row, iter_lines
from streamer.recording.parts import Part
from streamer.recording.run import RunFolder
from streamer.recording.volumes import Places


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Where the pixels of one frame are; `places` is None where it was not processed."""

    part: Part
    raw_index: int
    places: Places | None = None


def frame_row(
    outcome: Outcome, stored: Stored, *, light: Mapping[str, float], dose: Mapping[str, float]
) -> Row:
    """The row of one frame; `light` of this frame and `dose` so far are by laser line with unit."""
    frame, places = outcome.frame, stored.places
    return {
        "seq": frame.seq,
        "image": stored.part.raw,
        "raw_index": stored.raw_index,
        "annotated_image": stored.part.annotated if places else None,
        "annotated_place": places.first if places else None,
        "annotated_channels": list(places.c) if places else [],
        "axes": frame.axes,
        "wall_time_s": frame.wall_time_s,
        "hook_ns": frame.hook_ns,
        "received_ns": frame.received_ns,
        "exposure_ms": frame.exposure_ms,
        "bit_depth": frame.bit_depth,
        "state": frame.state,
        "processed": bool(outcome.results),
        "labels_seq": [result.labels_seq for result in outcome.results],
        "decision": outcome.decision.action,
        "reason": outcome.decision.reason,
        "verdicts": [asdict(verdict) for verdict in outcome.verdicts],
        "timings_ms": outcome.timings_ms,
        "lag_ms": outcome.lag_ms,
        "waiting": outcome.waiting,
        "light": light,
        "dose": dose,
        "metadata": frame.metadata,
    }


def decision_row(outcome: Outcome) -> Row:
    """The row of a decision with the evidence it rests on."""
    frame = outcome.frame
    decided = asdict(outcome.decision)
    return {"kind": "decision", "seq": frame.seq, "wall_time_s": frame.wall_time_s, **decided}


def done_row(done: Mapping[str, Any]) -> Row:
    """The row of what the microscope really did."""
    return {"kind": "carried out", **done}


def read_frames(run: RunFolder) -> list[Row]:
    """Rows of all acknowledged frames, in order."""
    return list(iter_frames(run))


def iter_frames(run: RunFolder) -> Iterator[Row]:
    """Rows of all acknowledged frames one by one, in order; those of older layouts as they would be now."""
    return map(as_now, iter_lines(run.frames))


def read_decisions(run: RunFolder) -> list[Row]:
    """Rows of all decisions other than to continue and of what became of them, in order."""
    return list(iter_lines(run.decisions))


def as_now(row: Row) -> Row:
    """A row of an older layout as it would be written now."""
    if "image" in row or "raw_index" not in row:
        return row
    index = row.get("annotated_index")
    judged = [{"view": ""} | verdict for verdict in row.get("verdicts", ())]
    then: Row = {
        "image": Part().raw,
        "annotated_image": None if index is None else Part().annotated,
        "annotated_place": None if index is None else [index, 0, 0],
        "annotated_channels": [] if index is None else ["denoised"],
        "exposure_ms": None,
        "bit_depth": None,
        "state": {},
        "light": {},
    }
    return then | row | {"verdicts": judged}

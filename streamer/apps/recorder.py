"""The sinks of a recording, in the one order that makes a row mean that its pixels stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from streamer.guards import trust
from streamer.profile import HardwareProfile
from streamer.recording import RunFolder, Scale
from streamer.sinks import AnnotatedSink, Background, DecisionsSink, FramesSink, RawSink, Sink

#: Frames and outcomes that may wait for the disk before the pipeline does.
WRITE_AHEAD = 16


def open_recorder(
    run: RunFolder,
    profile: HardwareProfile,
    *,
    pixel_nm: float | None,
    dose: Callable[[int], Mapping[str, float]],
    further: Sequence[Sink] = (),
) -> Background:
    """A writer for `run`; `further` sinks see an outcome after its row stands.

    Args:
        run: the folder, created.
        profile: its thresholds make the trust map.
        pixel_nm: size of a pixel in the specimen, None if unknown.
        dose: light so far by laser line, given the frames exposed so far.
    """
    scale = Scale(
        pixel_um=pixel_nm / 1e3 if pixel_nm else None,
        interval_s=profile.scan.frame_ms / 1e3 if profile.scan.frame_ms else None,
    )
    said = profile.guards.signal_map
    raw = RawSink(run, scale)
    annotated = AnnotatedSink(
        run, scale, partial(trust, background_max=said.background_max, signal_min=said.signal_min)
    )
    rows = FramesSink(
        run,
        raw_index=raw.index_of,
        annotated_index=annotated.index_of,
        dose=lambda seq: dose(seq + 1),
    )
    return Background(raw, (annotated, rows, DecisionsSink(run), *further), capacity=WRITE_AHEAD)

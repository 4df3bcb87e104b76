"""The sinks of a recording, in the one order that makes a row mean that its pixels stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from streamer.core import Result
from streamer.guards import trust, trust_probability
from streamer.pipeline import registered
from streamer.profile import Channel, HardwareProfile
from streamer.recording import Resumed, RunFolder, Scale
from streamer.sinks import (
    AnnotatedSink,
    Background,
    CheckpointSink,
    DecisionsSink,
    Dose,
    Drawn,
    FramesSink,
    RawSink,
    Sink,
)

#: Frames and outcomes that may wait for the disk before the pipeline does.
WRITE_AHEAD = 16


def open_recorder(
    run: RunFolder,
    profile: HardwareProfile,
    *,
    pixel_nm: float | None,
    dose: Dose,
    channels: Sequence[Channel] = (),
    with_trust: bool = True,
    resumed: Resumed | None = None,
    decisions: DecisionsSink | None = None,
    further: Sequence[Sink] = (),
) -> Background:
    """A writer for `run`.

    Args:
        run: the folder, created or resumed.
        profile: its thresholds make the trust map.
        pixel_nm: size of a pixel in the specimen, None if unknown.
        dose: light of a frame and dose so far by laser line, asked once a frame, in their order.
        channels: into which each frame is split.
        with_trust: draw how far photons support each pixel; not where nobody knows what a photon is.
        resumed: the state in which an earlier session left the recording.
        decisions: where decisions go; given by who has more to write there.
        further: see an outcome after its row stands. One that answers the hook must be the last: with the
            acknowledgement the frame's memory belongs to the hook again, which then writes the next frame
            there, so nobody may look at its pixels after that.
    """
    scale = Scale(
        pixel_um=pixel_nm / 1e3 if pixel_nm else None,
        interval_s=profile.frame_ms / 1e3 if profile.frame_ms else None,
    )
    said = profile.guards.signal_map
    trusted = partial(trust, background_max=said.background_max, signal_min=said.signal_min)
    supported = trusted if with_trust else None
    raw = RawSink(run, scale, resumed.parts if resumed else None)
    annotated = AnnotatedSink(
        run,
        scale,
        draw=partial(_draw, channels=channels, supported=supported),
        part_of=raw.part_of,
        volumes=resumed.volumes if resumed else None,
    )
    rows = FramesSink(run, raw=raw.take, annotated=annotated.take, dose=dose)
    decided = decisions or DecisionsSink(run)
    return Background(raw, (annotated, decided, rows, CheckpointSink(run), *further), capacity=WRITE_AHEAD)


def _draw(
    result: Result,
    *,
    channels: Sequence[Channel],
    supported: Callable[[Result], NDArray[np.uint8]] | None,
) -> Drawn:
    """What is recorded of a result, as it lies in the first detection channel."""
    images = {"denoised": result.denoised}
    if result.uncertainty is not None:
        images["uncertainty"] = result.uncertainty
    labels = {"segmentation": result.labels}
    if supported is not None:
        images["trust"] = trust_probability(result)
        labels["trust"] = supported(result)
    return Drawn(
        images=dict(zip(images, registered(result, tuple(images.values()), channels), strict=True)),
        labels=dict(zip(labels, registered(result, tuple(labels.values()), channels), strict=True)),
    )

"""A small recorder for tests; run as a program it records until it is killed, and says what it acknowledged.

The content of frame n follows from n alone, so that a reader can tell whether it is whole.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.core import Decision, Frame, Outcome, Result, Verdict
from streamer.recording import (
    Resumed,
    Row,
    RunFolder,
    RunInfo,
    Scale,
    StoredPart,
    create_run,
    is_run,
    open_annotated,
    open_labels,
    open_raw,
    parts,
    resume_run,
)
from streamer.sinks import (
    AnnotatedSink,
    Background,
    CheckpointSink,
    DecisionsSink,
    Drawn,
    FramesSink,
    RawSink,
    Sink,
)

PLANE = (256, 256)
SMALL = (20, 24)
SCALE = Scale(pixel_um=0.02, interval_s=0.6)


def pixels(seq: int, plane: tuple[int, int] = PLANE) -> NDArray[np.uint16]:
    return np.random.default_rng(seq).poisson(3, plane).astype(np.uint16)


def denoised(seq: int, plane: tuple[int, int] = PLANE) -> NDArray[np.float32]:
    return pixels(seq, plane) * np.float32(0.37)


def labels(seq: int, plane: tuple[int, int] = PLANE) -> NDArray[np.uint8]:
    return (pixels(seq, plane) % 3).astype(np.uint8)


def draw(result: Result) -> Drawn:
    images = {"denoised": result.denoised}
    if result.uncertainty is not None:
        images["uncertainty"] = result.uncertainty
    supported = (result.labels > 0).astype(np.uint8) * np.uint8(2)
    return Drawn(images=images, labels={"segmentation": result.labels, "trust": supported})


def frame_of(
    seq: int, plane: tuple[int, int] = PLANE, axes: Mapping[str, int | str] | None = None, **known: object
) -> Frame:
    """Frame `seq`, by default the next time point of a plain time-lapse."""
    place = {"time": seq} if axes is None else axes
    return Frame(pixels=pixels(seq, plane), seq=seq, axes=place, metadata={"Camera": "simulated"}, **known)


def outcome_of(
    seq: int, plane: tuple[int, int] = PLANE, *, processed: bool = True, frame: Frame | None = None
) -> Outcome:
    frame = frame or frame_of(seq, plane)
    if not processed:
        return Outcome(frame=frame)
    plane = frame.pixels.shape
    image = denoised(seq, plane)
    verdict = Verdict(guard="ssim", status="pass", measured=1 / (seq + 1), limit=0.2, meaning="steady")
    stop = Decision(action="stop", reason="faded", evidence=(verdict,))
    return Outcome(
        frame=frame,
        results=(Result(frame=frame, photons=image, denoised=image, labels=labels(seq, plane)),),
        verdicts=(verdict,),
        timings_ms={"denoise": 1.0},
        checkpoint={"seen": np.array([seq])} if seq % 3 == 2 else None,
        **({"decision": stop} if seq % 10 == 9 else {}),
    )


def dose_of(frame: Frame) -> tuple[dict[str, float], dict[str, float]]:
    return {"excitation_uj": 0.1}, {"excitation_uj": 0.1 * (frame.seq + 1)}


def sinks_of(run: RunFolder, resumed: Resumed | None = None) -> tuple[RawSink, list[Sink]]:
    raw = RawSink(run, SCALE, resumed.parts if resumed else None)
    annotated = AnnotatedSink(run, SCALE, draw, raw.part_of, resumed.volumes if resumed else None)
    rows = FramesSink(run, raw=raw.take, annotated=annotated.take, dose=dose_of)
    return raw, [annotated, DecisionsSink(run), rows, CheckpointSink(run)]


def record(run: RunFolder, *outcomes: Outcome, resumed: Resumed | None = None) -> None:
    """Hand every outcome to the sinks, then close them."""
    raw, sinks = sinks_of(run, resumed)
    try:
        for outcome in outcomes:
            raw.put(outcome.frame)
            for sink in sinks:
                sink.put(outcome)
    finally:
        for sink in sinks:
            sink.close()


def check_pixels(run: RunFolder, rows: list[Row]) -> None:
    """Every row's planes are those of its frame, in all images."""
    stored = {one.part.raw: one for one in parts(run)}
    raw = {name: open_raw(run, one) for name, one in stored.items()}
    annotated = {name: open_annotated(run, one) for name, one in stored.items() if one.extent[0]}
    kinds = [
        {name: open_labels(run, kind, stored[name]) for name in annotated}
        for kind in ("segmentation", "trust")
    ]
    for row in rows:
        seq, image, place = row["seq"], row["image"], row["annotated_place"]
        plane = raw[image].shape[-2:]
        np.testing.assert_array_equal(raw[image][row["raw_index"], 0, 0], pixels(seq, plane))
        assert (place is not None) == row["processed"]
        if place is not None:
            np.testing.assert_array_equal(annotated[image][tuple(place)], denoised(seq, plane))
            drawn = labels(seq, plane)
            for kind, expected in zip(kinds, (drawn, (drawn > 0) * np.uint8(2)), strict=True):
                np.testing.assert_array_equal(kind[image][tuple(place)], expected)


def check_holes(run: RunFolder, part: StoredPart, rows: list[Row]) -> None:
    """The annotated image of `part` is as large as its rows say, and holds no plane without a row."""
    if not part.extent[0]:
        assert not (run.path / part.part.annotated).exists()
        return
    places = [row["annotated_place"] for row in rows if row["image"] == part.part.raw]
    filled = {tuple(place) for place in places if place}
    image = open_annotated(run, part)
    kinds = [open_labels(run, kind, part) for kind in ("segmentation", "trust")]
    assert {array.shape[:3] for array in (image, *kinds)} == {part.extent}
    for at in np.ndindex(part.extent):
        if at not in filled:
            assert np.isnan(image[at]).all()
            assert not any(np.asarray(kind[at]).any() for kind in kinds)


class Announce:
    """Says aloud which frames are acknowledged."""

    def put(self, outcome: Outcome) -> None:
        print(outcome.frame.seq, flush=True)

    def close(self) -> None:
        pass


def simple(seq: int) -> Outcome:
    """A time-lapse in which every fourth frame is passed over."""
    return outcome_of(seq, processed=seq % 4 != 3)


def complex_(seq: int) -> Outcome:
    """Two positions, two channels, three z in an order that jumps; the camera mode changes now and then."""
    axes = {
        "time": seq // 12,
        "position": ("a/../b", 7)[seq % 2],
        "channel": ("red", "blue")[seq // 2 % 2],
        "z": (2, 0, 1)[seq // 4 % 3],
    }
    frame = frame_of(seq, SMALL, axes, exposure_ms=10.0 + 5.0 * (seq // 50 % 3), state={"Focus-State": "on"})
    return outcome_of(seq, processed=seq % 5 != 3, frame=frame)


SCRIPTS: dict[str, Callable[[int], Outcome]] = {"simple": simple, "complex": complex_}


def main(folder: Path, script: str) -> None:
    resumed = resume_run(folder) if is_run(folder) else None
    run = resumed.run if resumed else create_run(folder, RunInfo())
    raw, sinks = sinks_of(run, resumed)
    with Background(raw, [*sinks, Announce()], capacity=8) as background:
        for seq in count(resumed.next_seq if resumed else 0):
            outcome = SCRIPTS[script](seq)
            background.put_raw(outcome.frame)
            background.put(outcome)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

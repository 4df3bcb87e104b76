"""A small recorder for tests; run as a program it records until it is killed, and says what it acknowledged.

The content of frame n follows from n alone, so that a reader can tell whether it is whole.
"""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.core import Decision, Frame, Outcome, Result, Verdict
from streamer.recording import RunFolder, RunInfo, Scale, create_run
from streamer.sinks import AnnotatedSink, Background, DecisionsSink, FramesSink, RawSink, Sink

PLANE = (256, 256)
SCALE = Scale(pixel_um=0.02, interval_s=0.6)


def pixels(seq: int, plane: tuple[int, int] = PLANE) -> NDArray[np.uint16]:
    return np.random.default_rng(seq).poisson(3, plane).astype(np.uint16)


def denoised(seq: int, plane: tuple[int, int] = PLANE) -> NDArray[np.float32]:
    return pixels(seq, plane) * np.float32(0.37)


def labels(seq: int, plane: tuple[int, int] = PLANE) -> NDArray[np.uint8]:
    return (pixels(seq, plane) % 3).astype(np.uint8)


def trust(result: Result) -> NDArray[np.uint8]:
    return (result.labels > 0).astype(np.uint8) * np.uint8(2)


def outcome_of(seq: int, plane: tuple[int, int] = PLANE, *, processed: bool = True) -> Outcome:
    frame = Frame(pixels=pixels(seq, plane), seq=seq, axes={"time": seq}, metadata={"Camera": "simulated"})
    if not processed:
        return Outcome(frame=frame)
    image = denoised(seq, plane)
    verdict = Verdict(guard="ssim", status="pass", measured=1 / (seq + 1), limit=0.2, meaning="steady")
    stop = Decision(action="stop", reason="faded", evidence=(verdict,))
    return Outcome(
        frame=frame,
        result=Result(frame=frame, photons=image, denoised=image, labels=labels(seq, plane)),
        verdicts=(verdict,),
        timings_ms={"denoise": 1.0},
        **({"decision": stop} if seq % 10 == 9 else {}),
    )


def sinks_of(run: RunFolder) -> tuple[RawSink, list[Sink]]:
    raw, annotated = RawSink(run, SCALE), AnnotatedSink(run, SCALE, trust)
    rows = FramesSink(
        run,
        raw_index=raw.index_of,
        annotated_index=annotated.index_of,
        dose=lambda seq: {"excitation_uj": 0.1 * (seq + 1)},
    )
    return raw, [annotated, rows, DecisionsSink(run)]


class Announce:
    """Says aloud which frames are acknowledged."""

    def put(self, outcome: Outcome) -> None:
        print(outcome.frame.seq, flush=True)

    def close(self) -> None:
        pass


def main(folder: Path) -> None:
    raw, sinks = sinks_of(create_run(folder, RunInfo()))
    with Background(raw, [*sinks, Announce()], capacity=8) as background:
        for seq in count():
            outcome = outcome_of(seq, processed=seq % 4 != 3)
            background.put_raw(outcome.frame)
            background.put(outcome)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

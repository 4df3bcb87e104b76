"""The heart: what happens to a frame. Live runs, replays and benchmarks share it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import ParamSpec, Protocol, TypeVar

from streamer.core import Decision, Frame, Outcome, Result, Verdict
from streamer.pipeline.stages import Denoised

P = ParamSpec("P")
R = TypeVar("R")


class Sink(Protocol):
    """Where outcomes go."""

    def put(self, outcome: Outcome) -> None: ...


class Waiting(Protocol):
    """How far behind the pipeline is."""

    def __call__(self, frame: Frame) -> tuple[float, int]:
        """Lag of this frame in ms, and how many frames wait behind it."""
        ...


def process(
    frames: Iterable[Frame],
    *,
    record: Callable[[Frame], None],
    denoise: Callable[[Frame], Denoised],
    segment: Callable[[Denoised], Result],
    guards: Sequence[Callable[[Result], Verdict]],
    policy: Callable[[Sequence[Verdict]], Decision],
    sinks: Sequence[Sink],
    lag: Waiting,
) -> None:
    """Record, denoise, segment, judge and decide, frame by frame.

    `record` keeps the camera's frame, untouched, before anything else happens to it. Concurrency lives inside
    what is passed in: sources receive ahead, sinks write behind.
    """
    for frame in frames:
        record(frame)
        if frame.superseded:
            outcome = Outcome(frame=frame)
        else:
            watch = Stopwatch()
            denoised = watch.time("denoise", denoise, frame)
            result = watch.time("segment", segment, denoised)
            verdicts = tuple(watch.time("guards", guard, result) for guard in guards)
            decision = policy(verdicts)
            lag_ms, waiting = lag(frame)
            outcome = Outcome(
                frame=frame,
                result=result,
                verdicts=verdicts,
                decision=decision,
                timings_ms=watch.ms,
                lag_ms=lag_ms,
                waiting=waiting,
            )
        for sink in sinks:
            sink.put(outcome)


class Stopwatch:
    """Durations by stage name, summed over calls of the same name."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    def time(self, stage: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `function` and book its duration under `stage`."""
        started_ns = time.monotonic_ns()
        value = function(*args, **kwargs)
        self.ms[stage] = self.ms.get(stage, 0.0) + (time.monotonic_ns() - started_ns) / 1e6
        return value

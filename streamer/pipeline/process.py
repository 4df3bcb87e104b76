"""The heart: what happens to a frame. Live runs, replays and benchmarks share it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar

from numpy.typing import NDArray

from streamer.core import CONTINUE, Decision, Frame, Outcome, Result, Verdict
from streamer.pipeline.neighbours import Cut
from streamer.pipeline.stages import Denoised
from streamer.pipeline.turns import Take, Turn

P = ParamSpec("P")
R = TypeVar("R")


class Sink(Protocol):
    """Where outcomes go."""

    def put(self, outcome: Outcome) -> None: ...


class Halving(Protocol):
    """Deals a frame's photons out to two halves now and then; see `streamer.pipeline.halves`."""

    def due(self, frame: Frame) -> bool:
        """Whether it is this frame's turn; asked once of every frame, or part of one, that is processed."""
        ...

    def __call__(self, denoised: Denoised, result: Result) -> Result:
        """The result with its halves."""
        ...


class Waiting(Protocol):
    """How far behind the pipeline is."""

    def __call__(self, frame: Frame) -> tuple[float, int]:
        """Lag of this frame in ms, and how many frames wait behind it."""
        ...


def process(
    frames: Iterable[Frame],
    *,
    record: Callable[[Frame], None],
    split: Callable[[Frame], tuple[tuple[Frame, ...], tuple[Verdict, ...]]],
    turns: Callable[[Iterable[Frame], Take], Iterable[Turn]],
    denoise: Callable[..., Denoised],
    segment: Callable[[Denoised], Result],
    judge: Callable[[Result], tuple[Verdict, ...]],
    policy: Callable[[Frame, Sequence[Verdict]], Decision],
    checkpoint: Callable[[], Mapping[str, NDArray[Any]] | None],
    sinks: Sequence[Sink],
    lag: Waiting,
    halves: Halving | None = None,
    together: Callable[[Sequence[Frame]], Sequence[Denoised]] | None = None,
) -> None:
    """Record, split into channels, denoise, segment, judge and decide, frame by frame.

    `record` keeps the camera's frame, untouched, before anything else happens to it. `split` says of what it
    could not cut. `turns` gives the frames back in their order, each as soon as what it is denoised with is
    there. `halves` adds to the results of some frames what guards need of a second inference. `together`,
    where given, denoises all channels of a frame at once in place of `denoise`. `judge` has one set of guards
    per view. Concurrency lives inside what is passed in: sources receive ahead, sinks write behind.
    """

    def take(frame: Frame) -> Cut:
        record(frame)
        parts, misfits = split(frame)
        return Cut(frame=frame, parts=parts, misfits=misfits)

    for turn in turns(frames, take):
        frame = turn.cut.frame
        if frame.superseded:
            outcome = Outcome(frame=frame)
        else:
            watch = Stopwatch()
            if together and turn.cut.parts:
                denoised = list(watch.time("denoise", together, turn.cut.parts))
            else:
                denoised = [watch.time("denoise", denoise, *part) for part in turn.parts]
            results = tuple(watch.time("segment", segment, image) for image in denoised)
            if halves:
                results = tuple(
                    watch.time("halves", halves, image, result) if halves.due(result.frame) else result
                    for image, result in zip(denoised, results, strict=True)
                )
            judged = [watch.time("guards", judge, result) for result in results]
            verdicts = (*turn.verdicts, *(verdict for each in judged for verdict in each))
            decision = policy(frame, verdicts) if results else CONTINUE
            lag_ms, waiting = lag(frame)
            outcome = Outcome(
                frame=frame,
                results=results,
                verdicts=verdicts,
                decision=decision,
                timings_ms=watch.ms,
                lag_ms=lag_ms,
                waiting=waiting + turn.behind,
                checkpoint=checkpoint(),
            )
        for sink in () if turn.again else sinks:
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

"""Contenders that compute the same frame in turns, each in a process of its own.

No runtime then inherits another's threads or memory settings, and a busy moment of the machine hits all.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import EngineError, StreamerError

Image = NDArray[np.float32]
#: Percentiles of the two tails need so many frames.
FRAMES_FOR_TAILS = 10
TOO_SMALL = "n too small"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What a contender has made in its process.

    Attributes:
        run: the frame to its output.
        frame: that all contenders of a comparison share.
        threads: it computes with.
        tolerance: relative RMS from the oracle that is allowed.
        warm_up: frames before the first that counts: first touches, thread pools.
        key: what its numbers depend on, for the record.
    """

    run: Callable[[Image], Image]
    frame: Image
    threads: int
    tolerance: float
    warm_up: int = 3
    key: Mapping[str, object] = field(default_factory=dict)


class Runner:
    """The parent's end of one contender's process."""

    def __init__(self, pipe: Connection, name: str) -> None:
        self._pipe, self._name = pipe, name
        self.threads, self.tolerance, self.key, self.compile_s = self._ask(None)
        self.times_ms: list[float] = []

    def frame(self) -> float:
        """Milliseconds of one frame."""
        return float(self._ask("frame"))

    def output(self) -> Image:
        """The output for the common frame."""
        output: Image = self._ask("output")
        return output

    def _ask(self, question: str | None) -> Any:
        if question:
            self._pipe.send(question)
        try:
            kind, answer = self._pipe.recv()
        except EOFError:
            raise EngineError(f"{self._name}: its process ended; look above for the reason") from None
        if kind == "error":
            raise EngineError(f"{self._name}: {answer}")
        return answer


@contextmanager
def running(name: str, make: Callable[[], Ready]) -> Iterator[Runner]:
    """A contender in its own process, made and warm; `make` must be a function that can be sent there."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, make), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Runner(ours, name)
    finally:
        ours.close()
        process.join(timeout=10)
        process.terminate()


def serve(pipe: Connection, make: Callable[[], Ready]) -> None:
    """Make it, warm up, then answer questions until the pipe closes (runs in the contender's process)."""
    try:
        begun = time.perf_counter()
        ready = make()
        compile_s = time.perf_counter() - begun
        for _ in range(ready.warm_up):
            ready.run(ready.frame)
    except StreamerError as error:
        pipe.send(("error", str(error)))
        return
    pipe.send(("ready", (ready.threads, ready.tolerance, dict(ready.key), compile_s)))
    while True:
        try:
            question = pipe.recv()
        except EOFError:
            return
        begun = time.perf_counter()
        output = ready.run(ready.frame)
        taken_ms = 1e3 * (time.perf_counter() - begun)
        pipe.send(("answer", output if question == "output" else taken_ms))


def tails(times_ms: list[float]) -> tuple[float | str, float | str]:
    """10th and 90th percentile, where the sample carries them."""
    if len(times_ms) < FRAMES_FOR_TAILS:
        return TOO_SMALL, TOO_SMALL
    low, high = np.percentile(times_ms, [10, 90])
    return float(low), float(high)

"""Engines in turn on the same frame, so that a busy moment of the machine hits all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamer.engines.key import Engine

#: A trial ends after so many rounds or so much time of all engines together, warm-up aside.
ROUNDS, TRIAL_S = 7, 1.5


@dataclass(frozen=True, slots=True)
class Timed:
    """Median time of one engine for one frame, and of how many frames."""

    ms: float
    n: int


def timed(engines: Sequence[Engine], *, rounds: int = ROUNDS, budget_s: float = TRIAL_S) -> list[Timed]:
    """Time of each engine after a warm-up: once at least, then until its share of the time is spent."""
    frames = [np.ones(engine.key.shape, dtype=np.float32) for engine in engines]
    for engine, frame in zip(engines, frames, strict=True):
        engine(frame)
    taken: list[list[float]] = [[] for _ in engines]
    for _ in range(rounds):
        for times, engine, frame in zip(taken, engines, frames, strict=True):
            if sum(times) * len(engines) >= budget_s:
                continue
            begun = time.perf_counter()
            engine(frame)
            times.append(time.perf_counter() - begun)
    return [Timed(1e3 * statistics.median(times), len(times)) for times in taken]


def in_ms(ms: float) -> str:
    """A time in words: `0.8 ms`, `18 ms`, `1,570 ms`."""
    return f"{ms:.2g} ms" if ms < 10 else f"{ms:,.0f} ms"

"""The real processor with stopwatches inside: its own turns, engines and guards, timed where they are called.

Nothing is replaced but by itself: every wrapper calls what it wraps, once, with the same arguments.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.apps import compose
from streamer.apps.processor import ProcessorSettings, processor_process
from streamer.apps.summary import Tally
from streamer.core import Frame, Outcome, Result, Verdict
from streamer.engines import Engine
from streamer.guards import Guard
from streamer.pipeline import Compiled, Turns
from streamer.pipeline.neighbours import Cut
from streamer.pipeline.turns import Take, Turn

#: What is booked beside the stages that the pipeline times by itself.
INFERENCE, TAKE, HAND_OVER = "inference", "take", "hand-over"


class Stamps:
    """Times of each frame by sequence number; one for a processor, filled by its two threads.

    Durations in ms by name, and monotonic clocks in ns: "taken" when the source gave the frame, "done" when
    the pipeline turned to the next one, "row" when the frame's row stood.
    """

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        self._now: int | None = None

    def row(self, seq: int) -> dict[str, Any]:
        """That of a frame; one that is not known yet is begun."""
        return self.rows.setdefault(seq, {"seq": seq, "ms": {}})

    def begin(self, seq: int) -> None:
        """The pipeline turns to a frame."""
        self._now = seq

    def end(self) -> None:
        """It is handed over; the pipeline asks for the next one."""
        if self._now is not None:
            self.row(self._now)["done"] = time.monotonic_ns()
        self._now = None

    def book(self, name: str, started_ns: int) -> None:
        """Add the time since `started_ns` to the present frame; outside of frames nothing counts."""
        if self._now is not None:
            ms = self.row(self._now)["ms"]
            ms[name] = ms.get(name, 0.0) + (time.monotonic_ns() - started_ns) / 1e6

    def write(self, path: Path) -> None:
        """One JSON line for each frame."""
        text = "".join(json.dumps(row) + "\n" for row in self.rows.values())
        path.write_text(text, encoding="utf-8")


class TimedEngine:
    """An engine whose calls are booked as inference."""

    def __init__(self, engine: Engine, stamps: Stamps) -> None:
        self._engine, self._stamps = engine, stamps

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """As the engine."""
        started_ns = time.monotonic_ns()
        output = self._engine(tensor)
        self._stamps.book(INFERENCE, started_ns)
        return output

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


class TimedNetwork(Compiled):
    """A compiled package that gives timed engines."""

    def __init__(self, network: Compiled, stamps: Stamps) -> None:
        self._network, self._stamps = network, stamps

    def __call__(self, shape_yx: tuple[int, int]) -> Engine:
        """As the package."""
        timed: Any = TimedEngine(self._network(shape_yx), self._stamps)
        engine: Engine = timed
        return engine

    def __getattr__(self, name: str) -> Any:  # all that it knows, the one inside knows
        return getattr(self._network, name)


class TimedGuard:
    """A guard whose steps are booked under its name."""

    def __init__(self, guard: Guard[Any], stamps: Stamps) -> None:
        self._guard, self._stamps = guard, stamps
        self.name = guard.name

    def start(self) -> Any:
        """As the guard."""
        return self._guard.start()

    def step(self, state: Any, result: Result) -> tuple[Any, Verdict]:
        """As the guard."""
        started_ns = time.monotonic_ns()
        said = self._guard.step(state, result)
        self._stamps.book(f"guard {self.name}", started_ns)
        return said

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guard, name)


class TimedTurns(Turns):
    """Turns that note when a frame is taken and when the pipeline asks for the next one."""

    def __init__(self, turns: Turns, stamps: Stamps) -> None:
        self._turns, self._stamps = turns, stamps

    def __call__(self, frames: Iterable[Frame], take: Take) -> Iterator[Turn]:
        """As the turns."""
        for turn in self._turns(self._taken(frames), self._timed(take)):
            self._stamps.begin(turn.cut.frame.seq)
            yield turn
            self._stamps.end()

    def _taken(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        for frame in frames:
            self._stamps.row(frame.seq)["taken"] = time.monotonic_ns()
            yield frame

    def _timed(self, take: Take) -> Take:
        def timed(frame: Frame) -> Cut:
            started_ns = time.monotonic_ns()
            cut = take(frame)
            self._stamps.row(frame.seq)["ms"][TAKE] = (time.monotonic_ns() - started_ns) / 1e6
            return cut

        return timed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._turns, name)


class StampingTally(Tally):
    """The tally, which sees an outcome as soon as its row stands: that moment is noted."""

    def __init__(self, stamps: Stamps, session: Any = None) -> None:
        super().__init__(session)
        self._stamps = stamps

    def put(self, outcome: Outcome) -> None:
        """Note and count one outcome."""
        row = self._stamps.row(outcome.frame.seq)
        row["row"] = time.monotonic_ns()
        row["hook"], row["received"] = outcome.frame.hook_ns, outcome.frame.received_ns
        row["processed"], row["lag_ms"] = bool(outcome.results), outcome.lag_ms
        row["stages"] = dict(outcome.timings_ms)
        super().put(outcome)


def timed_composer(stamps: Stamps) -> type[compose.Composer]:
    """The composer, whose stages carry stopwatches."""

    class TimedComposer(compose.Composer):
        def __init__(self, profile: Any, models: compose.Models, **further: Any) -> None:
            timed = compose.Models(
                denoiser=TimedNetwork(models.denoiser, stamps),
                segmenter=TimedNetwork(models.segmenter, stamps),
            )
            super().__init__(profile, timed, **further)

        def stages(self, **how: Any) -> compose.Stages:
            stages = super().stages(**how)
            return replace(stages, turns=TimedTurns(stages.turns, stamps))

        def guards(self, *, planned: int) -> tuple[Guard[Any], ...]:
            return tuple(TimedGuard(guard, stamps) for guard in super().guards(planned=planned))

    return TimedComposer


def timed_processor(told: tuple[ProcessorSettings, Path], link: Connection) -> None:
    """Target of a spawned process: the processor as `streamer live` starts it, with stopwatches.

    They are written to the path that comes with the settings, once the recording is closed.
    """
    settings, path = told
    stamps = Stamps()
    processor_process(
        settings, link, composer_of=timed_composer(stamps), tally_of=partial(StampingTally, stamps)
    )
    stamps.write(path)

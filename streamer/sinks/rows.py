"""Sinks that write rows: one for each frame, one for each decision, and the states to go on from."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from streamer.core import Frame, Outcome
from streamer.recording import (
    LineWriter,
    Part,
    Places,
    Row,
    RunFolder,
    Stored,
    decision_row,
    done_row,
    frame_row,
    write_checkpoint,
)

#: Light of a frame and dose so far, by laser line with unit.
Dose = Callable[[Frame], tuple[Mapping[str, float], Mapping[str, float]]]


class FramesSink:
    """Acknowledges frames: writes a frame's row after its pixels.

    `raw` and `annotated` tell by number where a frame's pixels are (`RawSink.take`, `AnnotatedSink.take`);
    `dose` is asked once a frame, in their order.
    """

    def __init__(
        self,
        run: RunFolder,
        *,
        raw: Callable[[int], tuple[Part, int]],
        annotated: Callable[[int], Places | None],
        dose: Dose,
    ) -> None:
        self._raw = raw
        self._annotated = annotated
        self._dose = dose
        self._lines = LineWriter(run.frames)

    def put(self, outcome: Outcome) -> None:
        """Write the frame's row; the frame is acknowledged when this returns."""
        seq = outcome.frame.seq
        part, index = self._raw(seq)
        stored = Stored(part=part, raw_index=index, places=self._annotated(seq))
        light, dose = self._dose(outcome.frame)
        self._lines.put(frame_row(outcome, stored, light=light, dose=dose))

    def close(self) -> None:
        """Close the stream; `close_run` makes the table."""
        self._lines.close()


class DecisionsSink:
    """Writes decisions with their evidence, and what became of them.

    Those to continue are left out, except where a dry run withheld something. A decision stands before its
    frame's row: of a frame that has no row yet, and so comes again, a resumption drops the decision.
    """

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._lock = threading.Lock()
        LineWriter(run.decisions).close()

    def put(self, outcome: Outcome) -> None:
        """Write the outcome's decision, if there is something to do; `decided_wall_s` says when that was.

        A run that lags decides on a frame long after the frame's own `wall_time_s`.
        """
        if outcome.decision.action != "continue" or outcome.decision.withheld:
            self._append({**decision_row(outcome), "decided_wall_s": time.time()})

    def put_done(self, done: Mapping[str, Any]) -> None:
        """Write what the microscope really did; from any thread, also after the close."""
        self._append(done_row(done))

    def put_row(self, row: Mapping[str, object]) -> None:
        """Write what people asked for, marked and were told; from any thread, also after the close."""
        self._append(dict(row))

    def close(self) -> None:
        """Nothing is held open: decisions are rare, and their consequences arrive late."""

    def _append(self, row: Row) -> None:
        with self._lock:
            lines = LineWriter(self._run.decisions)
            try:
                lines.put(row)
            finally:
                lines.close()


class CheckpointSink:
    """Keeps the states that an outcome carries; must come after the sink that writes the frame's row."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run

    def put(self, outcome: Outcome) -> None:
        """Replace the last checkpoint, if there is a newer one."""
        if outcome.checkpoint is not None:
            write_checkpoint(self._run, outcome.frame.seq, outcome.checkpoint)

    def close(self) -> None:
        """Nothing is held open."""

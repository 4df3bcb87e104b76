"""Sinks that write rows: one for each frame, one for each decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from streamer.core import Outcome
from streamer.recording import LineWriter, RunFolder, decision_row, frame_row


class FramesSink:
    """Acknowledges frames: writes a frame's row after its pixels.

    `raw_index` and `annotated_index` tell where a frame's pixels are (`RawSink.index_of`,
    `AnnotatedSink.index_of`); `dose` tells the dose so far by laser line, both by sequence number.
    """

    def __init__(
        self,
        run: RunFolder,
        *,
        raw_index: Callable[[int], int],
        annotated_index: Callable[[int], int | None],
        dose: Callable[[int], Mapping[str, float]],
    ) -> None:
        self._raw_index = raw_index
        self._annotated_index = annotated_index
        self._dose = dose
        self._lines = LineWriter(run.frames)

    def put(self, outcome: Outcome) -> None:
        """Write the frame's row; the frame is acknowledged when this returns."""
        seq = outcome.frame.seq
        row = frame_row(
            outcome,
            raw_index=self._raw_index(seq),
            annotated_index=self._annotated_index(seq),
            dose=self._dose(seq),
        )
        self._lines.put(row)

    def close(self) -> None:
        """Close the stream; `close_run` makes the table."""
        self._lines.close()


class DecisionsSink:
    """Writes every decision other than to continue, and those a dry run withheld, with their evidence."""

    def __init__(self, run: RunFolder) -> None:
        self._lines = LineWriter(run.decisions)

    def put(self, outcome: Outcome) -> None:
        """Write the outcome's decision, if there is something to do."""
        if outcome.decision.action != "continue" or outcome.decision.withheld:
            self._lines.put(decision_row(outcome))

    def close(self) -> None:
        """Close the stream."""
        self._lines.close()

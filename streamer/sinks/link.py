"""Between recording and microscope: verdicts back, the acknowledgement, and what was done about decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict

from streamer.core import Outcome
from streamer.sinks.rows import DecisionsSink
from streamer.wire import Done


class LinkSink:
    """Answers the hook; must be the last sink: the frame's memory is then the hook's again.

    Args:
        reply: sends one outcome to the hook.
    """

    def __init__(self, reply: Callable[[Outcome], None]) -> None:
        self._reply = reply

    def put(self, outcome: Outcome) -> None:
        """Acknowledge the frame."""
        self._reply(outcome)

    def close(self) -> None:
        """Nothing: the source closes the link once the recording is closed."""


class DeedsSink:
    """Records what the microscope really did about decisions, as soon as a frame or the end comes by.

    Args:
        carried_out: what it has done since this was last asked.
        decisions: where decisions are recorded.
    """

    def __init__(self, carried_out: Callable[[], Iterable[Done]], decisions: DecisionsSink) -> None:
        self._carried_out, self._decisions = carried_out, decisions

    def put(self, outcome: Outcome) -> None:
        """Record what was done meanwhile."""
        self.close()

    def close(self) -> None:
        """Record what was done last."""
        for done in self._carried_out():
            self._decisions.put_done(asdict(done))

"""Between recording and microscope: verdicts back, the acknowledgement, and what was done about decisions."""

from __future__ import annotations

import threading
import time
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
    """Records what the microscope really did about decisions and orders.

    As soon as a frame or the end comes by, or somebody looks; a run that is paused has no frames.

    Args:
        carried_out: what it has done since this was last asked.
        decisions: where decisions are recorded.
        on_done: told of everything first, whether or not it can be recorded.
    """

    def __init__(
        self,
        carried_out: Callable[[], Iterable[Done]],
        decisions: DecisionsSink,
        on_done: Callable[[Done], None] = lambda done: None,
    ) -> None:
        self._carried_out, self._decisions, self._on_done = carried_out, decisions, on_done
        self._lock = threading.Lock()

    def put(self, outcome: Outcome) -> None:
        """Record what was done meanwhile."""
        self.look()

    def close(self) -> None:
        """Record what was done last."""
        self.look()

    def look(self) -> None:
        """Record what was done by now; from any thread."""
        with self._lock:  # taken and recorded as one, so that the rows keep their order
            for done in self._carried_out():
                self._on_done(done)
                self._decisions.put_done({**asdict(done), "wall_time_s": time.time()})

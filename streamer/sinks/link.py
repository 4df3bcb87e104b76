"""Verdicts back to the microscope; the acknowledgement that a frame is safe."""

from __future__ import annotations

from collections.abc import Callable

from streamer.core import Outcome


class LinkSink:
    """Answers the hook; must come after the sink that writes the frame's row.

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

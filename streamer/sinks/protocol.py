"""What every sink is."""

from __future__ import annotations

from typing import Protocol

from streamer.core import Outcome


class Sink(Protocol):
    """Somewhere outcomes go."""

    def put(self, outcome: Outcome) -> None:
        """Take one outcome. Raises RecordingError if it cannot be kept."""

    def close(self) -> None:
        """Finish; nothing is put afterwards."""

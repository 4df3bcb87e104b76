"""When the next event is due."""

from __future__ import annotations

import time

from streamer.hook.events import Event, resets_clock, start_s, time_point


class Pace:
    """The clock of a run: start times as the events state them, or a fixed interval between time points.

    Args:
        interval_s: time between the starts of time points; 0 for what the events say.
    """

    def __init__(self, interval_s: float) -> None:
        self._origin_s = time.monotonic()
        self._point: object = None
        self._point_s: float | None = None
        self.interval_s = interval_s

    def left_s(self, event: Event) -> float:
        """Time until `event` is due; 0 or less when it is."""
        return self._due_s(event) - time.monotonic()

    def started(self, event: Event) -> None:
        """`event` goes to the engine now."""
        now_s = time.monotonic()
        if resets_clock(event) and start_s(event) in (None, 0):
            self._origin_s = now_s
        if self._point_s is None or time_point(event) is None or time_point(event) != self._point:
            self._point, self._point_s = time_point(event), now_s

    def shift(self, seconds: float) -> None:
        """A pause moves what follows."""
        self._origin_s += seconds

    def _due_s(self, event: Event) -> float:
        if not self.interval_s:
            return self._origin_s + (start_s(event) or 0.0)
        if self._point_s is None or (time_point(event) is not None and time_point(event) == self._point):
            return self._origin_s
        return self._point_s + self.interval_s

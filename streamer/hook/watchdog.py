"""Sees that a run is watched: that verdicts come while frames wait for them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Watchdog(threading.Thread):
    """Tells when no verdict has come for too long, and when all are there again; on a thread of its own.

    Args:
        unwatched_s: how long a verdict is overdue; 0 while none is.
        after_s: how long it may be.
        on_unwatched: called once for every time that a verdict is overdue for longer.
        on_watched: called when all verdicts are there after that.
    """

    def __init__(
        self,
        *,
        unwatched_s: Callable[[], float],
        after_s: float,
        on_unwatched: Callable[[float], None],
        on_watched: Callable[[], None],
    ) -> None:
        super().__init__(name="streamer-watchdog", daemon=True)
        self._unwatched_s, self._after_s = unwatched_s, after_s
        self._on_unwatched, self._on_watched = on_unwatched, on_watched
        self._closing = threading.Event()
        self._overdue = self._unwatched = False

    def close(self, timeout_s: float) -> bool:
        """End the watch; False if what it called, a laser's driver maybe, does not return in time."""
        self._closing.set()
        if self.is_alive():
            self.join(timeout_s)
        return not self.is_alive()

    def run(self) -> None:
        """The thread: look a few times within the time that a verdict may be overdue."""
        while not self._closing.wait(min(self._after_s / 5, 0.5)):
            try:
                self.look()
            except Exception:  # a watchdog that dies of its own report would watch nothing
                _log.exception("the watchdog met with an error; it goes on watching")

    def look(self) -> None:
        """Tell of a change, if there is one."""
        overdue_s = self._unwatched_s()
        # While frames flow one waits at any time, so 0 may never be seen: the next outage must be told, too.
        noticed, self._overdue = self._overdue, overdue_s > self._after_s
        if self._overdue and not noticed:
            self._unwatched = True
            self._on_unwatched(overdue_s)
        elif self._unwatched and overdue_s == 0:
            self._unwatched = False
            self._on_watched()

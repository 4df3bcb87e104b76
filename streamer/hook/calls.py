"""Calls for the sender's thread, handed over by the engine's at no cost to it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from streamer.wire.waker import Waker

Call = Callable[[], None]


class Calls:
    """Runs calls in order on another thread, which may wait for them and for sockets at once.

    `put` must not let go of the interpreter lock: another thread then keeps it for up to a switch interval,
    5 ms, and the engine waits for so long. A simple queue keeps it; ringing what can be polled does not, so a
    thread of its own rings.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._rings: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._waker = Waker()
        self._ringer = threading.Thread(target=self._ring, name="streamer-bell", daemon=True)
        self._ringer.start()

    def put(self, call: Call) -> None:
        """Have it run soon; never blocks."""
        self._calls.put(call)
        self._rings.put(True)

    def fileno(self) -> int:
        """What to poll."""
        return self._waker.fileno()

    def empty(self) -> bool:
        """Whether no call waits."""
        return self._calls.empty()

    def run_all(self) -> None:
        """Run what has come."""
        self._waker.clear()
        while not self._calls.empty():
            self._calls.get()()

    def run_one(self, timeout_s: float | None = None) -> bool:
        """Wait for a call and run it; False where none comes in time."""
        try:
            call = self._calls.get(timeout=timeout_s)
        except queue.Empty:
            return False
        call()
        return True

    def close(self) -> None:
        """Ring no more; calls are still taken."""
        self._rings.put(False)
        self._ringer.join()
        self._waker.close()

    def _ring(self) -> None:
        while self._rings.get():
            self._waker.wake()

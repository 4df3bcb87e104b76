"""Wakes a thread that polls sockets, from any other thread."""

from __future__ import annotations

import contextlib
import socket


class Waker:
    """A pair of sockets: one end rings, the other can be polled together with ZeroMQ sockets."""

    def __init__(self) -> None:
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)

    def fileno(self) -> int:
        """What to poll."""
        return self._ear.fileno()

    def wake(self) -> None:
        """Ring; never blocks. A full pipe wakes the thread just as well, a closed one needs no waking."""
        with contextlib.suppress(BlockingIOError, OSError):
            self._bell.send(b"\0")

    def clear(self) -> None:
        """Forget the rings so far."""
        with contextlib.suppress(BlockingIOError):
            while self._ear.recv(4096):
                pass

    def close(self) -> None:
        """Close both ends."""
        self._bell.close()
        self._ear.close()

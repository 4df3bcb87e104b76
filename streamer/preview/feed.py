"""The newest snapshot of a run from its publisher; older ones are dropped, junk is counted."""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import Self

import zmq

from streamer.errors import LinkError
from streamer.preview.snapshot import Snapshot, parse_snapshot

#: Longest message that is taken; a longer one ends the connection, and a new one is made.
MESSAGE_MAX = 1 << 20


class Feed:
    """A subscription to one run's snapshots.

    Args:
        endpoint: ZeroMQ address of the publisher; it need not be there yet.

    Raises:
        LinkError: the address is not one.
    """

    def __init__(self, endpoint: str) -> None:
        #: Messages that were no snapshots.
        self.junk = 0
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.CONFLATE, 1)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_MAX)
        self._socket.setsockopt(zmq.SUBSCRIBE, b"")
        self._endpoint, self._lost = endpoint, self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        try:
            self._socket.connect(endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise LinkError(f"{endpoint}: {error}; use an address such as tcp://127.0.0.1:5556") from None

    def newest(self, timeout_s: float) -> Snapshot | None:
        """The newest snapshot not seen yet; None when none came in time, or what came was junk."""
        if not self._socket.poll(0):  # a new connection would discard what the old one has brought
            self._connect_again()
        if not self._socket.poll(round(timeout_s * 1000)):
            return None
        try:
            return parse_snapshot(self._socket.recv())
        except ValueError:
            self.junk += 1
            return None

    def _connect_again(self) -> None:
        """Replace a connection that broke: after a message beyond the bound ZeroMQ leaves it closed."""
        while self._lost.poll(0):
            self._lost.recv_multipart()
            with suppress(zmq.ZMQError):  # where ZeroMQ has already let go of it
                self._socket.disconnect(self._endpoint)
            self._socket.connect(self._endpoint)

    def close(self) -> None:
        """Give the connection back."""
        self._socket.disable_monitor()
        self._lost.close()
        self._socket.close()
        self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

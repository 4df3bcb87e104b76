"""The run's own snapshots, as they come: a thread that waits for them, and knows whether anybody is there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

import zmq
from zmq.utils.monitor import recv_monitor_message

from streamer.errors import LinkError
from streamer.preview.feed import MESSAGE_MAX
from streamer.preview.snapshot import Snapshot, parse_snapshot

_EVENTS = zmq.EVENT_CONNECTED | zmq.EVENT_DISCONNECTED
_POLL_MS = 200
#: So many snapshots in a row that say that frames wait: one alone is of a frame that took longer than others.
BEHIND_AFTER = 3
#: After a snapshot of a run that is behind: it needs the machine more than its viewers do, and of all that
#: come meanwhile the newest is kept.
BEHIND_S = 0.9


class Publisher:
    """A subscription that calls back.

    Args:
        endpoint: ZeroMQ address of the publisher; it need not be there yet.
        on_news: called in a thread of its own, with the newest snapshot, or with None when the publisher
            came or went.

    Raises:
        LinkError: the address is not one.
    """

    def __init__(self, endpoint: str, on_news: Callable[[Snapshot | None], None]) -> None:
        #: Whether it is there now.
        self.connected = False
        #: Messages that were no snapshots.
        self.junk = 0
        self._waiting = 0  # snapshots in a row that say that frames wait
        self._endpoint, self._on_news = endpoint, on_news
        self._over = threading.Event()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        for option, value in ((zmq.LINGER, 0), (zmq.CONFLATE, 1), (zmq.MAXMSGSIZE, MESSAGE_MAX)):
            self._socket.setsockopt(option, value)
        self._socket.setsockopt(zmq.SUBSCRIBE, b"")
        self._monitor = self._socket.get_monitor_socket(_EVENTS)
        self._thread = threading.Thread(target=self._listen, name="streamer-page-feed", daemon=True)
        try:
            self._socket.connect(endpoint)
        except zmq.ZMQError as error:
            self._give_back()
            raise LinkError(f"{endpoint}: {error}; use an address such as tcp://127.0.0.1:5556") from None
        self._thread.start()

    @property
    def behind(self) -> bool:
        """Whether frames of the run wait, and have waited for some snapshots."""
        return self._waiting >= BEHIND_AFTER

    def close(self) -> None:
        """End the thread and give the connection back."""
        self._over.set()
        self._thread.join()

    def _listen(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        while not self._over.is_set():
            ready = dict(poller.poll(_POLL_MS))
            if self._socket in ready:
                self._receive()
            if self._monitor in ready:
                self._follow_connection()
        self._give_back()

    def _receive(self) -> None:
        try:
            snapshot = parse_snapshot(self._socket.recv(zmq.NOBLOCK))
        except (ValueError, zmq.ZMQError):
            self.junk += 1
            return
        self.connected = True
        self._waiting = self._waiting + 1 if snapshot.waiting else 0
        self._on_news(snapshot)
        if self.behind:
            self._over.wait(BEHIND_S)

    def _follow_connection(self) -> None:
        event = recv_monitor_message(self._monitor)["event"]
        self.connected = event == zmq.EVENT_CONNECTED
        if not self.connected and not self._socket.poll(0):
            # After a message beyond the bound ZeroMQ leaves a connection closed.
            with suppress(zmq.ZMQError):
                self._socket.disconnect(self._endpoint)
            self._socket.connect(self._endpoint)
        self._on_news(None)

    def _give_back(self) -> None:
        self._socket.disable_monitor()
        self._monitor.close()
        self._socket.close()
        self._context.term()

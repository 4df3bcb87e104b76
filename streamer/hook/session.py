"""One connection to a processor, from the first attempt until it breaks."""

from __future__ import annotations

import time
from collections.abc import Iterator

import zmq
from zmq.utils.monitor import parse_monitor_message

from streamer.wire import HookKeys, Message, Parts, decode, encode

#: Messages in flight before the socket says wait; the backlog holds the others.
IN_FLIGHT = 4
#: How often a processor that is not there is tried, and how long an attempt may take.
RECONNECT_MS, CONNECT_TIMEOUT_MS = 200, 2000
#: A peer whose machine says nothing for so long is gone; a frame over a slow link may take a while.
HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS = 2000, 10_000

_NEW_KEYS = "give both sides keys that were made together (streamer keys new), or on one machine none"
_BROKEN = {
    int(zmq.EVENT_DISCONNECTED): "the connection broke",
    int(zmq.EVENT_HANDSHAKE_FAILED_AUTH): (
        "it does not know this hook's key; add the public key to hooks in processor.key and start it again"
    ),
    int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL): f"it does not take this side's keys; {_NEW_KEYS}",
    int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL): f"it broke off while keys were exchanged; {_NEW_KEYS}",
}


class Session:
    """A socket of its own for every connection: nothing of a broken one can reach the next.

    Args:
        context: what the socket belongs to.
        endpoint: where the processor listens; it need not be there yet.
        keys: the hook's keys; None where none are needed.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str, keys: HookKeys | None) -> None:
        self.socket = context.socket(zmq.DEALER)
        # Without a peer a message stays in the backlog, where it is counted, not in the socket.
        self.socket.setsockopt(zmq.IMMEDIATE, 1)
        self.socket.setsockopt(zmq.SNDHWM, IN_FLIGHT)
        self.socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        self.socket.setsockopt(zmq.CONNECT_TIMEOUT, CONNECT_TIMEOUT_MS)
        self.socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
        self.socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
        if keys:
            keys.guard(self.socket)
        events = 0
        for event in _BROKEN:
            events |= event
        self.monitor = self.socket.get_monitor_socket(events)
        self.socket.connect(endpoint)
        self.heard_s = time.monotonic()
        #: Introductions that are not yet answered.
        self.hellos = 0

    def send(self, message: Message) -> bool:
        """Send a message; False if it cannot go now."""
        return self.send_parts(encode(message))

    def send_parts(self, parts: Parts, *, copy: bool = True) -> bool:
        """Send a message; without `copy` its memory must stay as it is until the processor has it."""
        try:
            self.socket.send_multipart(parts, zmq.NOBLOCK, copy=copy)
        except zmq.Again:
            return False
        return True

    def can_send(self) -> bool:
        """Whether there is a peer that takes a message now."""
        return bool(self.socket.poll(0, zmq.POLLOUT))

    def messages(self) -> Iterator[Message]:
        """What has arrived.

        Raises:
            WireError: the other side does not speak our wire.
        """
        while self.socket.poll(0):
            message = decode(self.socket.recv_multipart(zmq.NOBLOCK))
            self.heard_s = time.monotonic()
            yield message

    def broken(self) -> str:
        """Why the connection is over; empty while it is not."""
        why = ""
        while self.monitor.poll(0):
            event = parse_monitor_message(self.monitor.recv_multipart(zmq.NOBLOCK))["event"]
            if not why or event != zmq.EVENT_DISCONNECTED:  # the reason beside it says more
                why = _BROKEN[event]
        return why

    def close(self, linger_ms: int = 0) -> None:
        """Let go; `linger_ms` for what is still on its way."""
        self.socket.disable_monitor()
        self.monitor.close(0)
        self.socket.close(linger_ms)

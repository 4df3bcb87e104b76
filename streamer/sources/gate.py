"""The listening socket: who may be heard, what of it may be looked at, and a bounded answer to the others."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import zmq

from streamer.errors import LinkError
from streamer.sources.strangers import TOO_MANY, Doorman, Refusals
from streamer.wire import (
    MAX_PIXEL_BYTES,
    Hello,
    Message,
    Refused,
    SharedSlots,
    WireError,
    check_endpoint,
    decode,
    encode,
    load_processor_keys,
)

NO_HELLO = "say hello first"
#: What a sender who has not introduced itself may make us read.
_MAX_STRANGER_HEADER_BYTES = 1 << 14
#: A peer whose machine says nothing for so long is gone; a frame over a slow link may take a while.
_HEARTBEAT_MS, _HEARTBEAT_TIMEOUT_MS = 2000, 10_000
#: Messages of one peer that wait in the socket; credit keeps a hook far below.
_MAX_QUEUED = 256


class Gate:
    """Hears checked messages, says others; one peer, the hook, is known, all else are strangers.

    One thread owns it; `refused` may be asked on any.

    Args:
        endpoint: address to listen at; port `*` takes a free one.
        keys: key file of the processor; needed for any address but loopback.

    Attributes:
        endpoint: the address really listened at.
        peer: the socket identity of the hook; None before one is let in.

    Raises:
        LinkError: the port is in use.
        UsageError: the endpoint or the keys cannot be used.
    """

    def __init__(self, endpoint: str, keys: Path | None) -> None:
        check_endpoint(endpoint, keys=keys is not None, listen=True)
        own = load_processor_keys(keys) if keys else None
        self._context = zmq.Context()
        self._link = self._context.socket(zmq.ROUTER)
        self._doorman = Doorman(self._context, self._link, own.hooks if own else frozenset())
        if own:
            own.guard(self._link)
        self._listen(endpoint)
        self.endpoint = self._link.getsockopt_string(zmq.LAST_ENDPOINT)
        self.peer: bytes | None = None
        self._slots: SharedSlots | None = None
        self._refusals, self._lock = Refusals(), threading.Lock()

    def watch(self, poller: zmq.Poller) -> None:
        """Let `poller` wait for whoever comes."""
        for socket in (self._link, self._doorman.zap, self._doorman.monitor):
            poller.register(socket, zmq.POLLIN)

    def let_in(self, peer: bytes, slots: SharedSlots | None) -> None:
        """This peer is the hook from now on; its frames may lie in `slots`."""
        self.peer, self._slots = peer, slots
        with self._lock:
            self._refusals.forget(NO_HELLO)  # it spoke before it knew us, and has introduced itself since

    def refused(self) -> dict[str, int]:
        """How many messages and connections were refused, by reason."""
        with self._lock:
            return dict(self._refusals.by_reason)

    def hear(self, most: int, act: Callable[[bytes, Message, bool], None]) -> None:
        """Decide on connections, then pass on what has come.

        Args:
            most: messages to hear at a time; a flood must not hold up what is to be said.
            act: called with the peer, its message, and whether that has brought pixels along; a WireError
                refuses the message.
        """
        with self._lock:
            self._doorman.attend(self._refusals)
        for _ in range(most):
            if not self._link.poll(0):
                return
            peer, *frames = self._link.recv_multipart(zmq.NOBLOCK, copy=False)
            parts = [frame.buffer for frame in frames]
            with self._refusing(peer.bytes):
                act(peer.bytes, self._checked(peer.bytes, parts), len(parts) == 3)

    def say(self, peer: bytes | None, message: Message) -> None:
        """Send, where there is anybody."""
        if peer is not None:
            self._link.send_multipart([peer, *encode(message)], zmq.NOBLOCK)

    def close(self) -> None:
        """Listen no more."""
        self._doorman.close()
        self._link.close()
        self._context.term()

    def _listen(self, endpoint: str) -> None:
        self._link.setsockopt(zmq.LINGER, 1000)
        self._link.setsockopt(zmq.MAXMSGSIZE, MAX_PIXEL_BYTES)
        self._link.setsockopt(zmq.RCVHWM, _MAX_QUEUED)
        self._link.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
        self._link.setsockopt(zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS)
        try:
            self._link.bind(endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise LinkError(
                f"--endpoint {endpoint}: {zmq.strerror(error.errno or 0)}; use another port, or end its owner"
            ) from None

    def _checked(self, peer: bytes, parts: list[memoryview]) -> Message:
        """The message; of a stranger only so much of it as is safe to look at."""
        if peer == self.peer:
            return decode(parts, slots=self._slots)
        with self._lock:
            may_look = self._refusals.may_look(peer, time.monotonic())
        if not may_look:
            raise WireError(TOO_MANY)
        message = decode(parts, max_header_bytes=_MAX_STRANGER_HEADER_BYTES)
        if not isinstance(message, Hello):
            raise WireError(NO_HELLO)
        return message

    @contextlib.contextmanager
    def _refusing(self, peer: bytes) -> Iterator[None]:
        """Count what is refused, and answer it where that is not too much."""
        try:
            yield
        except WireError as error:
            with self._lock:
                self._refusals.count(str(error))
                may_answer = self._refusals.may_answer(peer, time.monotonic())
            if may_answer:
                self.say(peer, Refused(reason=str(error)))

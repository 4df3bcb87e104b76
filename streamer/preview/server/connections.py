"""Connections that nobody uses: a stranger may open thousands, and must not keep a page out.

uvicorn lets a connection wait for a request for ever, and asyncio one for the end of its TLS handshake for a
minute. Ours wait a while, and where too many wait, the one that has waited longest makes room. A WebSocket
that answers no ping is cut off at once: what it has not taken would lie in memory until the network gives up,
which may take hours.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol, cast

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

#: Connections without a request, and how long one may be so, or shake hands.
WAITING_MAX, FIRST_REQUEST_S = 128, 10.0
#: What was sent may be taken for so long, also after a connection has ended.
LAST_WORDS_S = 15.0
#: A TLS connection that is closed may take so long to say so.
GOODBYE_S = 1.0


class Waits(Protocol):
    """Something that can be cut off."""

    def cut_off(self) -> None:
        """End it at once."""


class Waiting:
    """Who waits, in the order of their coming: a bounded number, each for a bounded time."""

    def __init__(self) -> None:
        self._timers: OrderedDict[Waits, asyncio.TimerHandle] = OrderedDict()

    def begin(self, who: Waits) -> None:
        """It waits from now on, if it does not already."""
        if who in self._timers:
            return
        self._timers[who] = asyncio.get_running_loop().call_later(FIRST_REQUEST_S, self._end, who)
        if len(self._timers) > WAITING_MAX:
            self._end(next(iter(self._timers)))

    def done(self, who: Waits) -> None:
        """It waits no more."""
        timer = self._timers.pop(who, None)
        if timer is not None:
            timer.cancel()

    def end_all(self) -> None:
        """Cut all of them off."""
        for who in tuple(self._timers):
            self._end(who)

    def _end(self, who: Waits) -> None:
        self.done(who)
        who.cut_off()


class BoundedHttp(H11Protocol):
    """HTTP whose connections have to ask for something, and to take the answer."""

    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._settle()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._settle()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        waiting_of(self.server_state).done(self)
        self._is_read()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._is_read()
        self._unread = self.loop.call_later(LAST_WORDS_S, self.cut_off)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._is_read()

    def cut_off(self) -> None:
        self.transport.abort()

    def _settle(self) -> None:
        """Waiting is: no whole request is being answered. One that became a WebSocket is no longer here."""
        is_answered = self.cycle is None or self.cycle.response_complete
        if is_answered and self in self.connections and not self.transport.is_closing():
            waiting_of(self.server_state).begin(self)
        else:
            waiting_of(self.server_state).done(self)

    def _is_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


class Handshake(asyncio.Protocol):
    """A connection that is not encrypted yet; becomes one of `inner` when it is.

    Args:
        context: with the certificate.
        waiting: where it waits.
        inner: makes what speaks over the encrypted connection.
    """

    def __init__(
        self, context: ssl.SSLContext, waiting: Waiting, inner: Callable[[], asyncio.Protocol]
    ) -> None:
        self._context, self._waiting, self._inner = context, waiting, inner
        self._early, self._is_lost = bytearray(), False
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._waiting.begin(self)
        self._task = asyncio.get_running_loop().create_task(self._shake(self._transport))

    def data_received(self, data: bytes) -> None:
        self._early += data  # came with the end of the handshake

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True

    def cut_off(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        if self._task is not None:
            self._task.cancel()

    async def _shake(self, transport: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        try:
            with contextlib.suppress(OSError):  # of ssl, too: not a browser, or one that does not trust us
                made = await loop.start_tls(
                    transport,
                    self,
                    self._context,
                    server_side=True,
                    ssl_handshake_timeout=FIRST_REQUEST_S,
                    ssl_shutdown_timeout=GOODBYE_S,
                )
                if made is not None and not self._is_lost:
                    self._hand_over(made)
        finally:
            self._waiting.done(self)

    def _hand_over(self, made: asyncio.Transport) -> None:
        inner = self._inner()
        made.set_protocol(inner)
        inner.connection_made(made)
        if self._early:
            inner.data_received(bytes(self._early))


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket that is cut off when it answers no ping, or does not take its last words."""

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self.loop.call_later(LAST_WORDS_S, self.transport.abort)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()


def waiting_of(state: Any) -> Waiting:
    """Connections of one server that wait."""
    if not hasattr(state, "waiting"):
        state.waiting = Waiting()
    waiting: Waiting = state.waiting
    return waiting

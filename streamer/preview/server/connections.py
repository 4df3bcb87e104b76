"""Connections that nobody uses: a stranger may open thousands, and must not keep a page out.

uvicorn lets a connection wait for its first request for ever. Ours waits a while, and where too many wait,
the one that has waited longest makes room. A WebSocket that answers no ping is cut off at once: what it has
not taken would lie in memory until the network gives up, which may take hours.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

#: Connections without a request yet, and how long one may be so.
WAITING_MAX, FIRST_REQUEST_S = 128, 10.0
#: What was sent may be taken for so long after a connection has ended.
LAST_WORDS_S = 15.0


class BoundedHttp(H11Protocol):
    """HTTP whose connections have to ask for something."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        waiting = _waiting(self.server_state)
        waiting[self] = self.loop.call_later(FIRST_REQUEST_S, self._cut_off)
        if len(waiting) > WAITING_MAX:
            next(iter(waiting))._cut_off()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.scope is not None:  # a whole request was read
            self._no_longer_waits()

    def connection_lost(self, exc: Exception | None) -> None:
        self._no_longer_waits()
        super().connection_lost(exc)

    def _cut_off(self) -> None:
        self._no_longer_waits()
        self.transport.abort()

    def _no_longer_waits(self) -> None:
        timer = _waiting(self.server_state).pop(self, None)
        if timer is not None:
            timer.cancel()


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket that is cut off when it answers no ping, or does not take its last words."""

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self.loop.call_later(LAST_WORDS_S, self.transport.abort)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()


def _waiting(state: Any) -> OrderedDict[BoundedHttp, asyncio.TimerHandle]:
    """Connections of one server that have not asked for anything, in the order of their coming."""
    if not hasattr(state, "waiting"):
        state.waiting = OrderedDict()
    waiting: OrderedDict[BoundedHttp, asyncio.TimerHandle] = state.waiting
    return waiting

"""The page server: one event loop in the process that calls it, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from urllib.parse import quote

import uvicorn

from streamer.errors import UsageError
from streamer.preview.server.app import page_app
from streamer.preview.server.connections import BoundedHttp, BoundedWebSocket, Handshake, waiting_of
from streamer.preview.server.settings import PageSettings, check
from streamer.preview.server.watcher import Watcher

#: Longest message that is read at all; what a page may say is shorter still, see `messages`.
FRAME_MAX = 1 << 14
#: A page is asked so often whether it is still there, and may take so long to answer: a slow line first has
#: to take the image before.
PING_S, PONG_S = 20.0, 40.0
#: Requests under way at the end may take so long.
_END_S = 2
_BACKLOG = 256


def serve(settings: PageSettings, *, on_ready: Callable[[str], None], stop: Callable[[], bool]) -> None:
    """Serve the page of one run until `stop` says so; it is asked ten times a second.

    Args:
        settings: what to serve, and to whom.
        on_ready: gets the link with the token as soon as the page can be opened.
        stop: whether to end.

    Raises:
        UsageError: the port is taken, the host is none of this machine, the certificate cannot be used, other
            hosts would be served without encryption, or there is no recording to look back at.
        LinkError: the publisher's address is not one.
    """
    check(settings)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(_listening(settings))
        port = listener.getsockname()[1]
        watcher = stack.enter_context(Watcher(settings))
        config = uvicorn.Config(
            page_app(settings, port, watcher),
            http=BoundedHttp,
            ws=BoundedWebSocket,
            loop="asyncio",
            lifespan="on",
            log_config=None,
            log_level="error",  # lower ones hold addresses with their tokens
            access_log=False,
            server_header=False,
            proxy_headers=settings.behind_proxy,
            ssl_certfile=settings.certificate,
            ssl_keyfile=settings.certificate_key,
            ws_max_size=FRAME_MAX,
            ws_ping_interval=PING_S,
            ws_ping_timeout=PONG_S,
            ws_per_message_deflate=False,  # images are compressed, and the processor needs the machine
            timeout_graceful_shutdown=_END_S,
        )
        _Server(config, on_ready=lambda: on_ready(link(settings, port)), stop=stop).run(sockets=[listener])


def link(settings: PageSettings, port: int) -> str:
    """The link that opens the page, with its token."""
    scheme = "https" if settings.certificate is not None else "http"
    host = settings.host
    if host in ("0.0.0.0", "::", ""):
        host = socket.gethostname()
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}:{port}/?token={quote(settings.token, safe='')}"


class _Server(uvicorn.Server):
    """Says when it listens, and ends when it is told to; signals are the caller's."""

    def __init__(
        self, config: uvicorn.Config, *, on_ready: Callable[[], None], stop: Callable[[], bool]
    ) -> None:
        super().__init__(config)
        self._on_ready, self._stop = on_ready, stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([])
        loop, context = asyncio.get_running_loop(), self.config.ssl
        make = self._encrypted(context) if context else self._http
        # Not by uvicorn, whose connections may shake hands as long and as many as they like.
        for listener in sockets or []:
            self.servers.append(await loop.create_server(make, sock=listener, backlog=_BACKLOG))
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        waiting_of(self.server_state).end_all()  # the others may end what they are at
        await super().shutdown(sockets)

    def _http(self) -> BoundedHttp:
        return BoundedHttp(self.config, self.server_state, self.lifespan.state)

    def _encrypted(self, context: ssl.SSLContext) -> Callable[[], Handshake]:
        return lambda: Handshake(context, waiting_of(self.server_state), self._http)

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._stop()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def _listening(settings: PageSettings) -> Iterator[socket.socket]:
    host, port = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, else asyncio would leave Nagle's algorithm on, which holds back the end of an
    # image for 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        if os.name == "posix":  # on Windows it would let two listen at the same port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(_BACKLOG)
        except (OSError, OverflowError) as error:
            words = getattr(error, "strerror", None) or str(error)
            raise UsageError(
                f"page at {host} port {port}: {words}; choose another --page port, or 0 for a free one"
            ) from None
        yield listener

"""Addresses of the page: itself, its files, the report, the newest numbers, and the live connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from html import escape
from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from streamer.preview.server.access import Access
from streamer.preview.server.asking import Asker
from streamer.preview.server.settings import PageSettings
from streamer.preview.server.viewer import CLOSE_FULL, CLOSE_ORIGIN, CLOSE_TOKEN, Viewer
from streamer.preview.server.watcher import Watcher

#: What the page is made of.
PAGE_FOLDER = Path(__file__).parents[1] / "page"
#: Kinds of files that are given out; all else in the folder is not the page's.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
    ".wav": "audio/wav",
}
#: Only what lies here, no foreign page around it; scripts may set styles of single elements (charts do).
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: A report carries its pictures and styles in itself, and no script.
REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}
_NO_TOKEN = (
    "This page needs its link. Open the link that the run has printed, with everything behind "
    "“?token=”, or type “streamer attach” on the computer of the run."
)
_NO_REPORT = (
    "There is no report yet. It is made when the run ends, or by “streamer report” and the folder of the run."
)


def page_app(settings: PageSettings, port: int, watcher: Watcher) -> ASGIApp:
    """The page of one run as an ASGI application; it follows the run while it lives."""
    access = Access(settings, port)
    routes = _Routes(settings, access, watcher)

    @contextlib.asynccontextmanager
    async def following(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(watcher.follow())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        routes.close()

    return Starlette(
        routes=[
            Route("/", routes.page),
            Route("/health", routes.health),
            Route("/report", routes.report),
            Route("/snapshot.json", routes.snapshot),
            Route("/static/{path:path}", routes.static),
            WebSocketRoute("/ws", routes.live),
        ],
        middleware=[Middleware(Guard, access=access)],
        exception_handlers={HTTPException: _as_words},
        lifespan=following,
    )


class Guard:
    """In front of all addresses but the live connection: who may look, how often, and with which headers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(HTTPConnection(scope))
        await (refusal or self._app)(scope, receive, with_headers)

    def _refusal(self, request: HTTPConnection) -> Response | None:
        if not self._access.may_ask(request):
            return PlainTextResponse("Too many requests. Wait a few seconds.", 429)
        if request.url.path == "/health" or self._access.knows(request):
            return None
        if not self._access.may_err(request):
            return PlainTextResponse("Too many wrong links. Wait a minute.", 429)
        return _words(_NO_TOKEN, 403)


class _Routes:
    def __init__(self, settings: PageSettings, access: Access, watcher: Watcher) -> None:
        self._settings, self._access, self._watcher = settings, access, watcher
        self._asker = Asker(settings.requests, settings.requests_secret)
        self._open = 0

    def close(self) -> None:
        self._asker.close()

    async def page(self, request: Request) -> Response:
        response = _file(PAGE_FOLDER / "index.html")
        if self._access.by_link(request):
            response.headers["set-cookie"] = self._access.cookie()
        return response

    async def health(self, request: Request) -> Response:
        return JSONResponse({"ok": True})

    async def static(self, request: Request) -> Response:
        return _file(PAGE_FOLDER / request.path_params["path"])

    async def report(self, request: Request) -> Response:
        path = self._settings.report
        if not path.is_file():
            raise HTTPException(404, _NO_REPORT)
        headers = {"content-security-policy": REPORT_POLICY}
        return FileResponse(path, media_type="text/html; charset=utf-8", headers=headers)

    async def snapshot(self, request: Request) -> Response:
        now = await self._watcher.in_thread(self._watcher.now)
        return JSONResponse(now.snapshot)

    async def live(self, socket: WebSocket) -> None:
        if not self._access.may_connect(socket):
            return await socket.close(CLOSE_FULL)  # before it is accepted: the cheapest answer there is
        await socket.accept()
        refusal = self._refusal(socket)
        if refusal is not None:
            return await socket.close(*refusal)
        self._open += 1
        try:
            await Viewer(socket, self._watcher, self._asker).run()
        finally:
            self._open -= 1
        return None

    def _refusal(self, socket: WebSocket) -> tuple[int, str] | None:
        if not self._access.knows(socket):
            if not self._access.may_err(socket):
                return CLOSE_FULL, "too many wrong links"
            return CLOSE_TOKEN, "this needs the link that the run has printed"
        if not self._access.right_origin(socket):
            return CLOSE_ORIGIN, "a page of another address"
        if self._open >= self._settings.viewers_max:
            return CLOSE_FULL, f"{self._open} pages are open already"
        return None


def _file(path: Path) -> FileResponse:
    """A file of the page.

    Raises:
        HTTPException: 404, also for what lies elsewhere or is no part of the page.
    """
    try:
        found = path.resolve()
        is_ours = found.is_relative_to(PAGE_FOLDER.resolve()) and found.is_file()
    except (OSError, ValueError):  # such as a zero byte, or a name that is too long
        is_ours = False
    if not is_ours or found.suffix not in TYPES:
        raise HTTPException(404, "There is nothing here.")
    return FileResponse(found, media_type=TYPES[found.suffix])


async def _as_words(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _words(error.detail, error.status_code, error.headers)


def _words(words: str, code: int, headers: Mapping[str, str] | None = None) -> Response:
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>streamer</title>'
        '<body style="background:#111;color:#ddd;font:1.1rem/1.5 system-ui;margin:3rem auto;max-width:36rem;'
        f'padding:0 1rem"><p>{escape(words)}</p></body></html>'
    )
    return HTMLResponse(page, code, dict(headers) if headers else None)

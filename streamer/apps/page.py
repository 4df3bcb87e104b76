"""The page of a run: a process of its own at lower priority, kept up beside the run, which it cannot hurt."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from streamer.apps.children import Child, ignore_terminal_signals
from streamer.errors import ProcessDiedError, StreamerError, UsageError

if TYPE_CHECKING:
    from streamer.preview.server import PageSettings

#: Where the page of the first run on a machine is found; a further one takes a free port.
DEFAULT_PORT = 8765
#: How much the page gives way to the run (POSIX nice), and what keeps libraries of numbers that are loaded
#: from then on from starting a thread for each core.
NICENESS = 14
_ONE_THREAD = {
    f"{library}_THREADS": "1"
    for library in ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "NUMBA_NUM", "VECLIB_MAXIMUM", "NUMEXPR_NUM")
}
#: A page that lived so long was sound; one that dies sooner is started again after a growing pause.
SOUND_S = 30.0
#: Pauses before the page is started again; after as many early deaths in a row it is given up.
PAUSES_S = (0.0, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0)
#: How long a page that is told to end may take.
ENDS_WITHIN_S = 5.0

Target = Callable[["PageOrder", Connection], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """What a user asks of the page.

    Attributes:
        port: this one and no other; None or 0 takes `DEFAULT_PORT`, or a free one.
        host: address to listen at.
        certificate, certificate_key: PEM files; with them the page speaks TLS.
        origins: further addresses that browsers may come from, such as a proxy's.
        behind_proxy: a proxy in front of the page speaks TLS.
    """

    port: int | None = None
    host: str = "127.0.0.1"
    certificate: Path | None = None
    certificate_key: Path | None = None
    origins: tuple[str, ...] = ()
    behind_proxy: bool = False

    def check(self) -> None:
        """Look before a run begins at what would keep its page from coming up.

        Raises:
            UsageError: the port is taken, a file is missing, or the page would leave the machine unprotected.
        """
        for origin in self.origins:
            _check_origin(origin)
        if self != PageOptions(port=self.port):
            with contextlib.suppress(ImportError):  # the page will say itself what is missing
                from streamer.preview.server.settings import check

                check(_settings(PageOrder(run=Path(), options=self)))
        trouble = port_trouble(self.host, self.port or 0)
        if trouble:
            asked = f"--page {self.port}" if self.port else f"--page-host {self.host}"
            raise UsageError(f"{asked}: {trouble}; choose another, or leave the option out")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOrder:
    """What the page process is to show, and how; plain values, so that it survives a spawn.

    Attributes:
        run: folder of the recording.
        options: what the user asked for; its port is the one to take, 0 a free one.
        token: who has it may look.
        publisher: where the run's snapshots come from; None shows the recording alone.
        requests, secret: where wishes from the page go; None makes it one for looking only.
    """

    run: Path
    options: PageOptions = field(default_factory=PageOptions)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    publisher: str | None = None
    requests: str | None = None
    secret: str = ""


def page_process(order: PageOrder, link: Connection) -> None:
    """Target of a spawned process: serves the page until its parent says so, or is gone.

    Sends {"ready": URL with token} once it can be looked at, or {"error": one line, "exit_code": int}.
    """
    ignore_terminal_signals()
    give_way()

    def say(message: dict[str, object]) -> None:
        with contextlib.suppress(OSError):
            link.send_bytes(json.dumps(message).encode())

    try:
        _serve(order, lambda url: say({"ready": url}), lambda: _told_to_end(link))
    except StreamerError as error:
        say({"error": str(error), "exit_code": error.exit_code})
    except ImportError as error:
        cure = "pip install 'scope-streamer[processor]'"
        say({"error": f"{error.name or error} is not installed; {cure}", "exit_code": 1})
    except Exception as error:  # a traceback would tear the view of the run in the terminal
        say({"error": f"the page failed: {type(error).__name__}: {error}", "exit_code": 1})


def _serve(order: PageOrder, on_ready: Callable[[str], None], stop: Callable[[], bool]) -> None:
    from streamer.preview.server import serve  # not in the base install

    serve(_settings(order), on_ready=on_ready, stop=stop)


def _settings(order: PageOrder) -> PageSettings:
    from streamer.preview.server import PageSettings

    options = order.options
    return PageSettings(
        run=order.run,
        publisher=order.publisher,
        host=options.host,
        port=options.port or 0,
        token=order.token,
        certificate=options.certificate,
        certificate_key=options.certificate_key,
        origins=options.origins,
        behind_proxy=options.behind_proxy,
        requests=order.requests,
        requests_secret=order.secret,
    )


def _told_to_end(link: Connection) -> bool:
    try:
        return link.poll(0)  # the end of the pipe counts: nobody is left to show a run to
    except OSError:
        return True


def give_way() -> None:
    """Let everything else on the machine go first, and take one core at most for numbers."""
    os.environ.update(_ONE_THREAD)
    if sys.platform == "win32":
        import ctypes

        below_normal = 0x4000
        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), below_normal)
    else:
        os.nice(NICENESS)


class Page:
    """Keeps the page of a run up: a page that dies comes back at the same address, with the same token.

    Nothing here raises or waits for the page: what goes wrong with it is said in words.

    Args:
        order: what to show, and how.
        on_ready: told the address with its token when the page is up for the first time.
        on_words: told what the user should know, a line each.
        on_given_up: told why, when the page will not come up any more.
        target: what runs in the process.
        pauses_s: see `PAUSES_S`.
    """

    def __init__(
        self,
        order: PageOrder,
        *,
        on_ready: Callable[[str], None] = lambda url: None,
        on_words: Callable[[list[str]], None] = lambda lines: None,
        on_given_up: Callable[[StreamerError], None] = lambda trouble: None,
        target: Target = page_process,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        #: Address with its token, once the page is up.
        self.url = ""
        self._insisted = bool(order.options.port)
        self._order = replace(order, options=replace(order.options, port=_port(order.options)))
        self._on_ready, self._on_words, self._on_given_up = on_ready, on_words, on_given_up
        self._target, self._pauses_s = target, pauses_s
        self._changing, self._over, self._renewals = threading.Lock(), threading.Event(), 0
        self._child: Child | None = None
        self._thread = threading.Thread(target=self._keep_up, name="streamer-page", daemon=True)

    @property
    def pid(self) -> int | None:
        """Its process; None while there is none."""
        child = self._child
        return child.process.pid if child else None

    def start(self) -> None:
        """Bring it up; returns at once."""
        self._thread.start()

    def follow(self, *, publisher: str | None, requests: str | None = None, secret: str = "") -> None:
        """Where the run is heard from now on: another processor may have gone on with it."""
        with self._changing:
            renewed = replace(self._order, publisher=publisher, requests=requests, secret=secret)
            if renewed == self._order:
                return
            self._order, self._renewals = renewed, self._renewals + 1
            if self._child:
                self._child.finish()

    def close(self) -> None:
        """End the page."""
        self._over.set()
        with self._changing:
            child = self._child
            if child:
                child.finish()
        self._thread.join(ENDS_WITHIN_S)
        if child and self._thread.is_alive():
            child.process.kill()
            self._thread.join(ENDS_WITHIN_S)

    def _keep_up(self) -> None:
        early_deaths = 0
        while not self._over.is_set():
            renewals, started_s = self._renewals, time.monotonic()
            trouble = self._show(renewals)
            if self._over.is_set():
                return
            if self._renewals != renewals:
                continue  # it ended because something else is to be shown
            early_deaths = early_deaths + 1 if time.monotonic() - started_s < SOUND_S else 1
            if self._is_hopeless(trouble) or early_deaths > len(self._pauses_s):
                self._on_given_up(trouble)
                return
            if self.url:
                self._on_words([f"{trouble}; another one takes its place"])
            self._over.wait(self._pauses_s[early_deaths - 1])

    def _show(self, renewals: int) -> StreamerError:
        """One life of the page; what it ended of."""
        try:
            with self._changing:
                if self._over.is_set() or self._renewals != renewals:
                    return ProcessDiedError("the page is no longer wanted")
                words = "the recording is untouched"
                child = self._child = Child("page", self._target, self._order, if_it_dies=words)
            try:
                self._is_up(child.expect("ready"))
                while True:
                    child.hear()
            finally:
                self._child = None
                child.end(ENDS_WITHIN_S)
        except StreamerError as error:
            return error
        except OSError as error:
            return ProcessDiedError(f"the page process cannot be started: {error.strerror}")

    def _is_up(self, url: str) -> None:
        again, self.url = bool(self.url), url
        port = urlsplit(url).port
        with self._changing:
            self._order = replace(self._order, options=replace(self._order.options, port=port))
        if again:
            return
        if port != DEFAULT_PORT and not self._insisted:
            self._on_words([f"port {DEFAULT_PORT} is taken; the page is at port {port}"])
        self._on_ready(url)

    def _is_hopeless(self, trouble: StreamerError) -> bool:
        """Whether another try would end as the first has: the page has said itself why it cannot be."""
        if self.url or isinstance(trouble, ProcessDiedError):
            return False
        if self._order.options.port and not self._insisted:  # the port was free a moment ago
            with self._changing:
                self._order = replace(self._order, options=replace(self._order.options, port=0))
            return False
        return True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def port_trouble(host: str, port: int) -> str:
    """Why nothing can listen at this port; empty if something can. Port 0 asks about the host alone."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            if sys.platform != "win32":  # there it would let two processes listen at one port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror:
        return "no address of this machine"
    except (OSError, OverflowError) as error:
        return str(getattr(error, "strerror", None) or error)
    return ""


def _port(options: PageOptions) -> int:
    if options.port:
        return options.port
    return 0 if port_trouble(options.host, DEFAULT_PORT) else DEFAULT_PORT


def _check_origin(origin: str) -> None:
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
        raise UsageError(f"--page-origin {origin}: not an origin; give one such as https://scope.example.org")

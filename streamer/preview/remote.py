"""The newest snapshot of a run from its page, here or elsewhere: what a terminal needs to show the same."""

from __future__ import annotations

import json
import ssl
import time
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import SplitResult, parse_qs, urlsplit, urlunsplit

from streamer.errors import LinkError, UsageError
from streamer.preview.glance import Glance
from streamer.preview.snapshot import Snapshot
from streamer.preview.told import Told

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

#: Longest message that is taken.
MESSAGE_MAX = 1 << 25
#: Longest wait for a connection, and between two attempts.
CONNECT_S, RETRY_MAX_S = 5.0, 10.0
#: Size of the images that are asked for, in pixels: a little more than half-blocks can show.
IMAGE_PX = 192
#: What a page closes a connection with that no further attempt would change.
_REFUSED = {4401: "the token is not right", 4403: "it does not let this program in"}

_IMAGE = {"type": "view", "seq": None, "width": IMAGE_PX, "height": IMAGE_PX, "region": None}
_LAYERS = ["raw", "denoised", "trust"]


#: What OpenSSL calls a certificate for another name or address, and one whose time is over.
_OTHER_NAME, _EXPIRED = (62, 64), 10


class UntrustedError(LinkError):
    """A page whose certificate this machine has no reason to trust."""


class RemoteFeed:
    """The snapshots, and the glances beside them, of the page at `url`; a lost connection is made again.

    Args:
        url: the page's link with its token, as the run prints it.
        timeout_s: how long to try at first.

    Raises:
        UsageError: the link is none, or has no token.
        UntrustedError: its certificate is not trusted on this machine.
        LinkError: nobody answers there, or the token is not right.
    """

    def __init__(self, url: str, *, timeout_s: float = CONNECT_S) -> None:
        self._place, self._socket_url, self._token = _parsed(url)
        self._told = Told()
        self._connection = ExitStack()
        self._socket: ClientConnection | None = None
        self._wait_s, self._next_s = 0.5, 0.0
        self._image_waits = False
        self._looks_at: dict[str, Any] | None = None
        #: Messages that could not be understood.
        self.junk = 0
        try:
            self._connect(timeout_s)
        except ssl.SSLCertVerificationError as error:
            raise UntrustedError(f"{self._place}: {_not_trusted(error)}") from None
        except OSError as error:
            words = f"{self._place}: nobody answers ({error}); is the run still going on, and the link right?"
            raise LinkError(words) from None

    @property
    def ended(self) -> bool:
        """Whether the page says that nothing follows."""
        return self._told.link == "closed"

    def check(self, timeout_s: float) -> None:
        """Wait until the page has said something, at most `timeout_s`: a token is refused only then.

        Raises:
            LinkError: the page does not let this program in.
        """
        deadline_s = time.monotonic() + timeout_s
        while self._socket is not None and (left_s := deadline_s - time.monotonic()) > 0:
            if (message := self._heard(left_s)) is not None:
                self._take(message)
                return

    def newest(self, timeout_s: float) -> Snapshot | None:
        """The newest snapshot not seen yet; None when none came in time.

        Raises:
            LinkError: the page does not let this program in any more.
        """
        deadline_s = time.monotonic() + timeout_s
        found = False
        while True:
            left_s = 0.0 if found else max(deadline_s - time.monotonic(), 0.0)
            message = self._heard(left_s)
            if message is not None:
                found |= self._take(message)
            elif found or time.monotonic() >= deadline_s:
                return self._told.snapshot if found else None

    def glance(self) -> Glance | None:
        """What is known beside the snapshot; None where nothing has changed. The next image is asked for."""
        if self._image_waits and self._told.pictures:
            self._image_waits = False
            self._say({"type": "drawn", "seq": self._told.pictures[0].seq})
        return self._told.glance()

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()
        self._socket = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, message: str | bytes) -> bool:
        """Take a message; whether it brought a snapshot."""
        if isinstance(message, bytes):
            self._image_waits = self._told.take_image(message) or self._image_waits
            return False
        try:
            fields = json.loads(message)
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            self.junk += 1
            return False
        brought = self._told.take(fields)
        self._look()
        return brought

    def _look(self) -> None:
        """Ask for images of the first position, channel and z, once they are known."""
        wanted = {
            axis: next(iter(self._told.views.get(f"{axis}s", [])), None) for axis in ("position", "channel")
        }
        wanted["z"] = next(iter(self._told.views.get("z", [])), None)
        if self._told.views and wanted != self._looks_at:
            self._looks_at = wanted
            self._say({**_IMAGE, **wanted, "layers": _LAYERS})

    def _heard(self, timeout_s: float) -> str | bytes | None:
        """The next message; None when none came in time, or the connection is lost."""
        from websockets.exceptions import ConnectionClosed

        if self._socket is None and not self._connected_again(timeout_s):
            return None
        assert self._socket is not None
        try:
            return self._socket.recv(timeout=timeout_s)
        except TimeoutError:
            return None
        except ConnectionClosed as closed:
            self.close()
            code = closed.rcvd.code if closed.rcvd is not None else 0
            if code in _REFUSED:
                raise LinkError(self._refusal(code)) from None
            return None

    def _connected_again(self, timeout_s: float) -> bool:
        """One attempt, if it is time for one; the pauses between them grow."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            time.sleep(min(timeout_s, self._next_s - now_s))
            return False
        try:
            self._connect(CONNECT_S)
        except OSError:
            self._next_s = time.monotonic() + self._wait_s
            self._wait_s = min(2 * self._wait_s, RETRY_MAX_S)
            return False
        return True

    def _connect(self, timeout_s: float) -> None:
        """Connect, with everything that was told before forgotten: the page tells it again.

        Raises:
            OSError: nobody answers there.
            LinkError: who answers does not let this program in, or is no page of ours.
        """
        from websockets.exceptions import InvalidHandshake, InvalidStatus
        from websockets.sync.client import connect

        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            connection = connect(
                self._socket_url,
                additional_headers=headers,
                max_size=MESSAGE_MAX,
                open_timeout=timeout_s,
                close_timeout=1.0,
                proxy=None,
            )
            self._socket = self._connection.enter_context(connection)
        except InvalidStatus as refused:
            if refused.response.status_code in (401, 403):
                raise LinkError(self._refusal(4401)) from None
            raise OSError(f"status {refused.response.status_code}") from None
        except InvalidHandshake as error:
            raise OSError(str(error)) from None
        self._wait_s, self._looks_at, self._image_waits = 0.5, None, False

    def _say(self, message: dict[str, Any]) -> None:
        """Send `message`; a lost connection is noticed by who listens."""
        from websockets.exceptions import ConnectionClosed

        with suppress(ConnectionClosed):
            if self._socket is not None:
                self._socket.send(json.dumps(message))

    def _refusal(self, code: int) -> str:
        return f"{self._place}: {_REFUSED[code]}; copy the whole link that the run prints behind `watch:`"


def _not_trusted(error: ssl.SSLCertVerificationError) -> str:
    """Why a page's certificate is not trusted, and what to do."""
    why = error.verify_message.rstrip(".")
    if error.verify_code in _OTHER_NAME:
        return f"its certificate is for another name ({why}); use a link with the name that it was made for"
    if error.verify_code == _EXPIRED:
        return f"its certificate is out of date ({why}); start the run with a new one"
    cure = "copy the certificate here and trust it: SSL_CERT_FILE=cert.pem in the environment of this command"
    return f"its certificate is not trusted on this machine ({why}); {cure}"


def _parsed(url: str) -> tuple[str, str, str]:
    """The place in words, the address of the socket, and the token of a link."""
    try:
        parts = urlsplit(url)
        host, tokens = parts.hostname, parse_qs(parts.query).get("token", [])
    except ValueError as error:
        raise UsageError(f"{url}: {error}; give the link that the run prints behind `watch:`") from None
    if parts.scheme not in ("http", "https") or not host or len(tokens) != 1:
        cure = "give the link that the run prints behind `watch:`, such as http://127.0.0.1:8765/?token=..."
        raise UsageError(f"{url}: no link to a page with its token; {cure}")
    scheme = "wss" if parts.scheme == "https" else "ws"
    path = f"{parts.path.rstrip('/')}/ws"
    place = urlunsplit(SplitResult(parts.scheme, parts.netloc, parts.path, "", ""))
    return place, urlunsplit(SplitResult(scheme, parts.netloc, path, "", "")), tokens[0]

"""Who may look: token, the cookie that stands for it, origin of a page, and how often one may knock."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from streamer.preview.server.settings import PageSettings

#: Addresses whose rate is remembered; those that were quiet for longest are forgotten.
ADDRESSES_MAX = 4096
#: What may be asked for, opened and got wrong: how often a second for ever, and how many at once.
REQUESTS, CONNECTS, WRONG = (100.0, 300), (20.0, 60), (0.2, 20)
#: The cookie outlives the browser, so that a phone that closed it may still look.
COOKIE_S = 7 * 24 * 3600


class Rate:
    """At most so many of something a second by address, and so many more at once.

    Args:
        per_s: what may go on for ever.
        burst: what may come at once.
    """

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s, self._burst = per_s, float(burst)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # left, when

    def allows(self, address: str, now_s: float | None = None) -> bool:
        """Whether one more may come from there now; it is counted."""
        now_s = time.monotonic() if now_s is None else now_s
        left, then_s = self._left.pop(address, (self._burst, now_s))
        left = min(self._burst, left + (now_s - then_s) * self._per_s)
        allowed = left >= 1
        self._left[address] = (left - 1 if allowed else left, now_s)
        while len(self._left) > ADDRESSES_MAX:
            self._left.popitem(last=False)
        return allowed


class Access:
    """Whether a request may be answered.

    Args:
        settings: token, origins, whether a proxy encrypts.
        port: that the page is served at; names the cookie, which all ports of a host share.
    """

    def __init__(self, settings: PageSettings, port: int) -> None:
        self._token = _digest(settings.token)
        self._origins = {origin.rstrip("/").lower() for origin in settings.origins}
        self._encrypted = settings.certificate is not None
        # Behind a proxy a browser speaks to that, and tells us nothing of how.
        self._secure = self._encrypted or any(origin.startswith("https://") for origin in self._origins)
        self._behind_proxy = settings.behind_proxy
        self.cookie_name = f"streamer-{port}"
        self._cookie_value = hashlib.sha256(b"streamer page\0" + settings.token.encode()).hexdigest()
        # Who has the token shares nothing with strangers: behind a proxy all come from one address.
        self._requests = {knows: Rate(*REQUESTS) for knows in (True, False)}
        self._connects = {knows: Rate(*CONNECTS) for knows in (True, False)}
        self._wrong = Rate(*WRONG)

    def may_ask(self, request: HTTPConnection) -> bool:
        """Whether one more request may be answered; it is counted, with or without the token apart."""
        return self._requests[self.knows(request)].allows(address_of(request))

    def may_connect(self, request: HTTPConnection) -> bool:
        """Whether one more live connection may be opened; it is counted in the same way."""
        return self._connects[self.knows(request)].allows(address_of(request))

    def may_err(self, request: HTTPConnection) -> bool:
        """Whether one more from there may come without the token; it is counted."""
        return self._wrong.allows(address_of(request))

    def knows(self, request: HTTPConnection) -> bool:
        """Whether it carries the token: in the link, in a header, or by its cookie."""
        return self.by_link(request) or self.by_bearer(request) or self._by_cookie(request)

    def by_link(self, request: HTTPConnection) -> bool:
        """Whether the token stands in the address."""
        return self._is_token(request.query_params.get("token"))

    def by_bearer(self, request: HTTPConnection) -> bool:
        """Whether the token stands in the header for it, which no page of another origin can set."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and self._is_token(token.strip())

    def _by_cookie(self, request: HTTPConnection) -> bool:
        try:
            found = SimpleCookie(request.headers.get("cookie", "")).get(self.cookie_name)
        except CookieError:
            return False
        return found is not None and hmac.compare_digest(found.value.encode(), self._cookie_value.encode())

    def _is_token(self, token: str | None) -> bool:
        return token is not None and hmac.compare_digest(_digest(token), self._token)

    def cookie(self) -> str:
        """The header that lets a browser look from now on."""
        secure = "; Secure" if self._secure else ""
        value = f"{self.cookie_name}={self._cookie_value}"
        return f"{value}; Path=/; Max-Age={COOKIE_S}; HttpOnly; SameSite=Strict{secure}"

    def right_origin(self, request: HTTPConnection) -> bool:
        """Whether a WebSocket comes from our own page, an allowed one, or no browser at all.

        Who names no origin needs the token in the header: a browser always names one.
        """
        origin = request.headers.get("origin")
        if origin is None:
            return self.by_bearer(request)
        origin = origin.lower()
        if origin in self._origins:
            return True
        try:
            scheme, host = urlsplit(origin).scheme, urlsplit(origin).netloc
        except ValueError:
            return False
        schemes = {"https"} if self._encrypted else {"http"}
        if self._behind_proxy:
            schemes = {"http", "https"}
        return scheme in schemes and host != "" and host == request.headers.get("host", "").lower()


def address_of(request: HTTPConnection) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()

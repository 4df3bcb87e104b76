"""What the hook and a processor say to each other: introductions, frames, verdicts, the end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from streamer.hook.outbox import Outbox
from streamer.hook.patience import Patience
from streamer.hook.session import Session
from streamer.wire import (
    Alive,
    Bye,
    Closed,
    Credit,
    End,
    Hello,
    Message,
    Order,
    Parcel,
    Refused,
    Report,
    Welcome,
    WireError,
)

_log = logging.getLogger(__name__)

Asked = TypeVar("Asked", Report, Order)

ALIVE_S = 1.0
#: A processor that says nothing for so long, although it should once a second, is left.
DEAF_S = 5.0


class Dialogue:
    """Hears and speaks on one connection after the other; on the sender's thread.

    Args:
        hello: how the hook introduces itself.
        outbox: what there is to say.
        patience: told of what comes and what does not.
        endpoint: the processor's address, for messages.
        counts: what an `Alive` tells.
        on_report: called with every report that asks for something, once.
        on_order: called with every order, once.
        on_unshared: called when the processor does not read the hook's ring.

    Attributes:
        hello: how the hook introduces itself now.
        shares_ring: whether the processor reads the hook's ring.
        closed: the processor has closed the recording after our end.
        stopped_at, stop_reason: the frame at which it asked for a stop, and why.
    """

    def __init__(
        self,
        hello: Hello,
        *,
        outbox: Outbox,
        patience: Patience,
        endpoint: str,
        counts: Callable[[], Alive],
        on_report: Callable[[Report], None],
        on_order: Callable[[Order], None],
        on_unshared: Callable[[], None],
    ) -> None:
        self.hello = hello
        self._outbox, self._patience, self._endpoint = outbox, patience, endpoint
        self._counts, self._on_report, self._on_order = counts, on_report, on_order
        self._on_unshared = on_unshared
        self._session: Session
        self._hello_s: float | None = None
        self._told_s = 0.0
        self.shares_ring = self.closed = False
        self.stopped_at: int | None = None
        self.stop_reason = ""

    def begin(self, session: Session) -> None:
        """Go on with a new connection."""
        self._session, self._hello_s = session, None

    def announce(self, hello: Hello) -> None:
        """Introduce ourselves anew: frames wait for the welcome, so that none is sent twice."""
        self.hello, self._hello_s = hello, None
        self._outbox.leave()

    @property
    def wants_to_speak(self) -> bool:
        """Whether `speak` has something to say."""
        return self._outbox.may_send or self._hello_s is None

    def hear(self) -> str:
        """Act on what has arrived; why the connection is over, if it is."""
        session = self._session
        try:
            for message in session.messages():
                if reason := self._act_on(message):
                    return reason
        except WireError as error:
            return f"the processor at {self._endpoint} does not speak our wire: {error}"
        if self.closed:
            return ""  # that it goes away now is as it should be
        if reason := session.broken():
            return f"the processor at {self._endpoint} went away: {reason}"
        silent_s = time.monotonic() - max(session.heard_s, self._hello_s or time.monotonic())
        if silent_s > DEAF_S:
            return f"the processor at {self._endpoint} has said nothing for {silent_s:.0f} s"
        return ""

    def speak(self) -> str:
        """Send what may be sent; why the connection is over, if it is."""
        session = self._session
        if self._hello_s is None:
            if session.can_send():
                self._introduce()
            return ""
        while self._outbox.may_send and session.can_send():
            if not self._send_next():
                return f"the processor at {self._endpoint} went away"
        if self._outbox.welcomed and time.monotonic() - self._told_s >= ALIVE_S:
            self._told_s = time.monotonic()
            session.send(self._counts())
        return ""

    def _act_on(self, message: Message) -> str:
        match message:
            case Welcome():
                self._session.hellos -= 1
                # With a newer hello on its way, that one's answer counts.
                if not self._session.hellos and self._hello_s is not None:
                    self._take_welcome(message)
            case Credit(until=until):
                self._outbox.credit(until)
            case Report():
                self._take_report(message)
            case Order():
                if self._outbox.order(message):
                    self._obey(message, self._on_order)
            case Refused(reason=reason):
                self._patience.refused()
                return reason
            case Closed(error=error):
                return self._take_closed(error)
        return ""

    def _take_welcome(self, welcome: Welcome) -> None:
        self._outbox.welcome(welcome)
        self.shares_ring = welcome.shared
        if self.hello.ring and not welcome.shared:
            self._on_unshared()
        self._patience.welcomed()

    def _take_report(self, report: Report) -> None:
        new = self._outbox.report(report, time.monotonic_ns())
        self._patience.verdict()
        if not new:
            return
        self._obey(report, self._on_report)

    def _obey(self, message: Asked, obey: Callable[[Asked], None]) -> None:
        if message.action == "stop" and self.stopped_at is None:
            self.stopped_at, self.stop_reason = message.seq, message.reason
        try:
            obey(message)
        except Exception:  # the frames must go on
            _log.exception("the decision %s at frame %d was not carried out", message.action, message.seq)

    def _take_closed(self, error: str) -> str:
        self._patience.problem = error
        self._session.send(Bye())
        # Closed before our end: frames go on being collected, another processor may take over.
        self.closed = self._outbox.end is not None
        self._patience.deserted = not self.closed
        return "" if self.closed else error or "the processor has closed its recording"

    def _introduce(self) -> None:
        if self._session.send(replace(self.hello, first_seq=self._outbox.backlog.first_seq)):
            self._hello_s = time.monotonic()
            self._session.hellos += 1

    def _send_next(self) -> bool:
        item = self._outbox.next()
        if isinstance(item, End):
            self._session.send(self._counts())
        self._patience.progress()
        if not isinstance(item, Parcel):
            return item is None or self._session.send(item)
        if item.slot is None:
            return self._session.send_parts(item.parts, copy=False)
        # A slot is written again once it is acknowledged: what the socket holds must be a copy.
        return self._session.send_parts(item.parts[:-1] if self.shares_ring else item.parts)

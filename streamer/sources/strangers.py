"""Who is refused: counted always, answered at a bounded rate, so that frames get through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from typing import Any

import zmq
from zmq.utils import z85
from zmq.utils.monitor import parse_monitor_message

#: Refusals answered in one second, to one peer and to all together.
ANSWERS_PER_PEER, ANSWERS = 5, 50
#: Messages of one stranger that are looked at in one second; the others are counted only.
LOOKS_PER_PEER = 20
#: Reasons told apart: a stranger chooses them.
MAX_REASONS = 50

UNKNOWN_KEY = "connection with a key that is not allowed"
NO_HANDSHAKE = "connection that does not speak ZeroMQ, or not with the right keys"
TOO_MANY = "more bad messages in a second than are looked at"

_BROKEN = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL


class Refusals:
    """Counts what is refused and says what is still answered within this second."""

    def __init__(self) -> None:
        self.by_reason: Counter[str] = Counter()
        self._second = 0
        self._answers: Counter[bytes] = Counter()
        self._looks: Counter[bytes] = Counter()

    def count(self, reason: str) -> None:
        """One more of these."""
        known = reason in self.by_reason or len(self.by_reason) < MAX_REASONS
        self.by_reason[reason if known else "further reasons"] += 1

    def forget(self, reason: str) -> None:
        """It has turned out to be nothing."""
        self.by_reason.pop(reason, None)

    def may_look(self, peer: bytes, now_s: float) -> bool:
        """Whether a message of an unknown peer is worth a look."""
        self._begin(now_s)
        self._looks[peer] += 1
        return self._looks[peer] <= LOOKS_PER_PEER

    def may_answer(self, peer: bytes, now_s: float) -> bool:
        """Whether a refusal is said, not only counted."""
        self._begin(now_s)
        if self._answers[peer] >= ANSWERS_PER_PEER or self._answers.total() >= ANSWERS:
            return False
        self._answers[peer] += 1
        return True

    def _begin(self, now_s: float) -> None:
        if int(now_s) != self._second:
            self._second = int(now_s)
            self._answers.clear()
            self._looks.clear()


class Doorman:
    """Sees connections before they may say anything: their keys (ZAP, ZeroMQ RFC 27) and broken handshakes.

    Must be made before the socket it watches is bound.

    Args:
        link: the listening socket.
        allowed: public keys that may connect.
    """

    def __init__(self, context: zmq.Context[Any], link: zmq.Socket[bytes], allowed: Set[str]) -> None:
        self._allowed = allowed
        self.zap = context.socket(zmq.REP)
        self.zap.setsockopt(zmq.LINGER, 0)
        self.zap.bind("inproc://zeromq.zap.01")
        self._link = link
        self.monitor = link.get_monitor_socket(_BROKEN)

    def attend(self, refusals: Refusals) -> None:
        """Decide on those who wait; count whom it sends away."""
        while self.zap.poll(0):
            request = self.zap.recv_multipart(zmq.NOBLOCK)
            # version, request, domain, address, identity, mechanism, credentials...
            version, number, mechanism, credentials = request[0], request[1], request[5], request[6:]
            known = mechanism == b"CURVE" and z85.encode(credentials[0]).decode() in self._allowed
            if not known:
                refusals.count(UNKNOWN_KEY)
            status = [b"200", b"OK"] if known else [b"400", b"key not allowed"]
            self.zap.send_multipart([version, number, *status, b"", b""])
        while self.monitor.poll(0):
            parse_monitor_message(self.monitor.recv_multipart(zmq.NOBLOCK))
            refusals.count(NO_HANDSHAKE)

    def close(self) -> None:
        """Leave."""
        self._link.disable_monitor()
        self.monitor.close(0)
        self.zap.close(0)

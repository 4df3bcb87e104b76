"""What a watcher may ask of a run: a stop, a pause, its end, a mark. Loopback only, and only with the secret.

One ZeroMQ REQ/REP exchange a request, each way one JSON object of at most `MAX_BYTES`. See `docs/wire.md`.
"""

from __future__ import annotations

import hmac
import json
import time
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import zmq

from streamer.wire.checks import as_header, shown
from streamer.wire.endpoint import is_loopback
from streamer.wire.errors import WireError

RequestAction = Literal["stop", "pause", "resume", "mark"]
#: Everything that can be asked for.
REQUEST_ACTIONS: tuple[RequestAction, ...] = get_args(RequestAction)

#: Neither a request nor its answer is longer.
MAX_BYTES = 4096
#: Characters of a note, of who asks, and of an answer.
NOTE_MAX, BY_MAX, ANSWER_MAX = 500, 80, 800
#: Who asks, where nobody says.
BY = "the page"
#: A processor is given so long: it hears what the microscope has done before it answers.
TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Something asked of a run by a person.

    Attributes:
        action: what is asked for.
        note: why, or what is marked, in the person's own words.
        by: where it was asked, in words that follow "from".
    """

    action: RequestAction
    note: str = ""
    by: str = BY


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a request.

    Attributes:
        ok: whether it was taken, and carried out as far as is known by now.
        text: the same in words for the person who asked.
    """

    ok: bool
    text: str


def encode_request(secret: str, request: Request) -> bytes:
    """A request as it travels; its texts are cut to what is allowed."""
    texts = {"note": cleaned(request.note, NOTE_MAX), "by": cleaned(request.by, BY_MAX)}
    return _encoded({"secret": secret, **asdict(request), **texts})


def decode_request(data: bytes, secret: str) -> Request:
    """One message of a stranger to a request; `secret` is compared in constant time, before other fields.

    Raises:
        WireError: too long, malformed, an unknown field or action, or another secret.
    """
    fields = _fields(data)
    theirs = fields.pop("secret", None)
    if not isinstance(theirs, str) or not hmac.compare_digest(theirs.encode(), secret.encode()):
        raise WireError("the secret is another run's; open the page again with its newest link")
    if unknown := sorted(fields.keys() - {"action", "note", "by"}):
        raise WireError(f"unknown field {shown(unknown[0])}; use action, note, by")
    action = fields.get("action")
    if action not in REQUEST_ACTIONS:
        raise WireError(f"action {shown(action)}; use {', '.join(REQUEST_ACTIONS)}")
    return Request(
        action=action,
        note=_text(fields, "note", NOTE_MAX),
        by=_text(fields, "by", BY_MAX) or BY,
    )


def encode_answer(answer: Answer) -> bytes:
    """An answer as it travels."""
    return _encoded({"ok": answer.ok, "text": cleaned(answer.text, ANSWER_MAX)})


def decode_answer(data: bytes) -> Answer:
    """What came back.

    Raises:
        WireError: too long or malformed.
    """
    fields = _fields(data)
    if not isinstance(fields.get("ok"), bool):
        raise WireError("an answer without ok")
    return Answer(ok=fields["ok"], text=_text(fields, "text", ANSWER_MAX))


def ask(endpoint: str, secret: str, request: Request, timeout_s: float = TIMEOUT_S) -> Answer:
    """Ask the run at `endpoint` (loopback); waits for its answer, at most so long.

    Never raises: that the run cannot be reached is an answer, too. May be called from any thread.
    """
    if not is_loopback(endpoint):
        return Answer(ok=False, text=f"{shown(endpoint)} is no address on this machine; ask on the run's own")
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    try:
        with context.socket(zmq.REQ) as socket:
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.MAXMSGSIZE, MAX_BYTES)
            socket.connect(endpoint)
            socket.send(encode_request(secret, request), zmq.NOBLOCK)
            return _awaited(socket, timeout_s)
    except (zmq.ZMQError, WireError) as error:
        return Answer(ok=False, text=f"the run cannot be asked: {error}")


def cleaned(text: str, at_most: int) -> str:
    """The text without what could steer a terminal or forge a line, cut to what is allowed."""
    return "".join(c if c.isprintable() else " " for c in text[:at_most]).strip()


def _awaited(socket: zmq.Socket[bytes], timeout_s: float) -> Answer:
    until_s = time.monotonic() + timeout_s
    while (left_s := until_s - time.monotonic()) > 0:
        if socket.poll(round(min(left_s, 1.0) * 1000)):
            return decode_answer(socket.recv(zmq.NOBLOCK))
    words = "look whether it stands in the log before asking again; in doubt switch the light off by hand"
    return Answer(ok=False, text=f"the run has not answered within {timeout_s:g} s; {words}")


def _encoded(fields: dict[str, Any]) -> bytes:
    # Half a surrogate pair, which a browser can send, is no text.
    return json.dumps(fields, ensure_ascii=False).encode(errors="replace")


def _fields(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise WireError(f"{len(data)} bytes; at most {MAX_BYTES} are read")
    return as_header(data)


def _text(fields: dict[str, Any], name: str, at_most: int) -> str:
    text = fields.get(name, "")
    if not isinstance(text, str) or len(text) > at_most:
        raise WireError(f"{name} is no text of at most {at_most} characters")
    return cleaned(text, at_most)

"""Where people ask something of a run: told to the microscope, recorded, answered with what it did."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from streamer.core import Decision
from streamer.errors import StreamerError
from streamer.sinks import DecisionsSink
from streamer.sinks.link import DeedsSink
from streamer.sinks.notify import Notifier
from streamer.sinks.preview import PreviewSink
from streamer.sources.live import LiveSource
from streamer.sources.requests import RequestsSource
from streamer.wire import Done, Order
from streamer.wire.requests import Answer, Request, RequestAction

_log = logging.getLogger(__name__)

#: For so long an answer waits for what the microscope does; an exposure in progress may take longer.
ANSWER_S = 3.0
#: How often it is looked what the microscope has done.
LOOK_S = 0.1

_PAST_TENSE: Mapping[str, str] = {"stop": "stopped", "pause": "paused", "resume": "resumed"}


class Desk:
    """Takes requests, and looks meanwhile what the microscope has done: a run that is paused has no frames.

    Args:
        source: the link to the microscope.
        decisions: where requests and deeds are recorded.
        preview: shown what was asked and done.
        notifier: told of what was asked.
        control: whether anything can be asked; else there is no address to ask at.
        dry_run: nothing but marks is taken.
        stopped: whether an earlier processor of this run was asked to stop it, or decided to.
        on_stop: told of the stop that a person asked for, as `Summary.stop` has it.
    """

    def __init__(
        self,
        *,
        source: LiveSource,
        decisions: DecisionsSink,
        preview: PreviewSink,
        notifier: Notifier,
        control: bool,
        dry_run: bool,
        stopped: bool,
        on_stop: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._source, self._decisions, self._preview, self._notifier = source, decisions, preview, notifier
        self._dry_run, self._on_stop = dry_run, on_stop
        #: Sink that records what the microscope did, also when nobody looks.
        self.deeds = DeedsSink(source.carried_out, decisions, self._heard)
        self._answers: deque[Done] = deque(maxlen=16)
        self._stopped, self._stopping = stopped, threading.Lock()
        self._closing = threading.Event()
        self._requests = RequestsSource(self.take) if control else None
        self._thread = threading.Thread(target=self._look, name="streamer-desk", daemon=True)
        self._thread.start()

    @property
    def address(self) -> dict[str, str | None]:
        """Where requests go and the secret that they need; none without control."""
        if self._requests is None:
            return {"requests": None, "secret": ""}
        return {"requests": self._requests.endpoint, "secret": self._requests.secret}

    def take(self, request: Request) -> Answer:
        """Carry out one request, on any thread; returns when the microscope answers, or after `ANSWER_S`."""
        if request.action == "mark":
            return self._mark(request)
        if why_not := self._why_not(request.action):
            return Answer(ok=False, text=why_not)
        reason = f"{_PAST_TENSE[request.action]} from {request.by}"
        reason = f"{reason}: {request.note}" if request.note else reason
        order = self._source.order(request.action, reason)
        # Recorded then: a disk that stalls must not keep the light on.
        trouble = self._recorded(_request_row(request, order))
        self._show(request, order)
        answer = self._awaited(order)
        return Answer(ok=answer.ok, text="; ".join(filter(None, (answer.text, trouble))))

    def close(self) -> None:
        """Take no more requests; what the microscope does yet is recorded by `deeds`."""
        if self._requests:
            self._requests.close()
        self._closing.set()
        self._thread.join()

    def _mark(self, request: Request) -> Answer:
        seq = self._source.newest_seq
        row = {"kind": "mark", "seq": seq, "wall_time_s": time.time(), "note": request.note, "by": request.by}
        if trouble := self._recorded(row):
            return Answer(ok=False, text=trouble)
        return Answer(ok=True, text=f"marked at frame {seq}")

    def _why_not(self, action: RequestAction) -> str:
        if self._dry_run:
            return f"{action} refused: a dry run leaves the microscope alone; start it without --dry-run"
        if self._source.is_over:
            return f"{action} refused: the run has ended"
        if self._stopped and action != "stop":
            return f"{action} refused: the run is being stopped"
        return ""

    def _recorded(self, row: Mapping[str, object]) -> str:
        """Why it could not be; empty if it could."""
        try:
            self._decisions.put_row(row)
        except StreamerError as error:
            return f"it could not be recorded: {error}"
        return ""

    def _show(self, request: Request, order: Order) -> None:
        if order.action == "stop":
            with self._stopping:
                first, self._stopped = not self._stopped, True
            if first:
                self._on_stop({"frame": order.seq, "reason": order.reason, "evidence": [], "by": request.by})
        if request.action in ("stop", "pause"):
            self._preview.asked(Decision(action=request.action, reason=order.reason))
        self._notifier.asked(order, by=request.by)

    def _awaited(self, order: Order) -> Answer:
        """What the microscope has done about it, in words."""
        until_s = time.monotonic() + ANSWER_S
        while (done := self._answer_to(order)) is None and time.monotonic() < until_s:
            if self._source.is_over or self._closing.wait(0.02):
                self._look_once()
                done = self._answer_to(order)
                break
            self._look_once()
        if done is None:
            cure = "; in doubt switch the light off by hand" if order.action == "stop" else ""
            words = f"{order.action} is asked for; the microscope has not answered yet{cure}"
            return Answer(ok=True, text=words)
        if not done.ok:
            return Answer(ok=False, text=f"{order.action} was NOT carried out: {done.detail}")
        return Answer(ok=True, text=_words(done))

    def _answer_to(self, order: Order) -> Done | None:
        return next((done for done in tuple(self._answers) if done.order == order.number), None)

    def _heard(self, done: Done) -> None:
        self._answers.append(done)
        self._preview.done(done)

    def _look(self) -> None:
        while not self._closing.wait(LOOK_S):
            self._look_once()
            self._preview.beat()

    def _look_once(self) -> None:
        try:
            self.deeds.look()
        except StreamerError:  # the recording itself meets it too, and says so
            _log.exception("what the microscope did could not be recorded")


def _request_row(request: Request, order: Order) -> dict[str, object]:
    return {
        "kind": "request",
        "seq": order.seq,
        "wall_time_s": time.time(),
        "order": order.number,
        "action": order.action,
        "reason": order.reason,
        "note": request.note,
        "by": request.by,
    }


def _words(done: Done) -> str:
    word = _PAST_TENSE.get(done.action, done.action)
    if done.safe_ms is not None:
        return f"{word}: the light was safe after {done.safe_ms:.0f} ms"
    return f"{word}: {done.detail}" if done.detail else word

"""Tells a command or a web address what was decided, without the run ever waiting for it."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Literal

from streamer.core import Outcome
from streamer.errors import StreamerError
from streamer.sinks.targets import Notice, is_address, post, run_command, shown
from streamer.wire import Order
from streamer.wire.requests import cleaned

#: A command or an address is given so long; all that are left at the end of a run, together.
TIMEOUT_S = 10.0
#: Notices that may wait; further ones are not sent, and that is recorded.
WAITING_MAX = 16
#: Addresses that hang at the same time, in a name server say, before further ones are not tried.
HANGING_MAX = 4
#: Characters of a reason that are passed on.
REASON_MAX = 2000

On = Literal["stop", "decision"]


class Notifier:
    """Tells of decisions and requests on a thread of its own; a sink for outcomes.

    Args:
        run: folder of the recording.
        on_stop, on_decision: a command with its arguments, or an http(s) address; empty for none. The first
            is told of stops and of the run's failure, the second of whatever is not "continue".
        record: takes a row about each notice.
        say: told the same in words for the user.
        timeout_s: for each notice, and for all that are left at the end.
    """

    def __init__(
        self,
        *,
        run: str,
        on_stop: str,
        on_decision: str,
        record: Callable[[Mapping[str, object]], None],
        say: Callable[[Sequence[str]], None],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._run, self._record, self._say, self._timeout_s = run, record, say, timeout_s
        targets: dict[On, str] = {"stop": on_stop, "decision": on_decision}
        self._targets = {on: target for on, target in targets.items() if target}
        self._queue: queue.Queue[tuple[On, Notice] | None] = queue.Queue(WAITING_MAX)
        self._last_s = float("inf")
        self._hanging: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._work, name="streamer-notify", daemon=True)
        if self._targets:
            self._thread.start()

    def put(self, outcome: Outcome) -> None:
        """Tell of the outcome's decision, if there is something to do."""
        decision = outcome.decision
        if decision.action != "continue":
            evidence = [asdict(verdict) for verdict in decision.evidence]
            self._tell(
                decision.action, decision.reason, by="guards", seq=outcome.frame.seq, evidence=evidence
            )

    def asked(self, order: Order, *, by: str) -> None:
        """Tell of what a person asked for."""
        self._tell(order.action, order.reason, by=by, seq=order.seq)

    def failed(self, error: str, *, seq: int) -> None:
        """Tell that the run could not go on."""
        self._tell("failed", error, by="run", seq=seq)

    def close(self) -> None:
        """Nothing yet: the rows come first, see `finish`."""

    def finish(self) -> None:
        """Wait for what is still to be told, at most `timeout_s`; then it is given up."""
        if not self._thread.is_alive():
            return
        self._last_s = time.monotonic() + self._timeout_s
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=self._timeout_s)
        # Beyond the time-out only what kills a command and records it.
        self._thread.join(max(0.0, self._last_s - time.monotonic()) + 2.0)

    def _tell(
        self,
        action: str,
        reason: str,
        *,
        by: str,
        seq: int,
        evidence: Sequence[Mapping[str, object]] = (),
    ) -> None:
        reason = cleaned(reason, REASON_MAX)
        notice = Notice(run=self._run, action=action, reason=reason, by=by, seq=seq, evidence=evidence)
        for on in self._targets:
            if (on == "decision" and action != "failed") or (action in ("stop", "failed") and on == "stop"):
                try:
                    self._queue.put_nowait((on, notice))
                except queue.Full:
                    self._came_of(on, notice, f"{WAITING_MAX} others wait", 0.0)

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            on, notice = item
            started_s = time.monotonic()
            left_s = min(self._timeout_s, self._last_s - started_s)
            try:
                trouble = self._sent(self._targets[on], notice, left_s) if left_s > 0 else "the run is over"
            except Exception as error:  # nothing that is told may hurt who tells
                trouble = f"{type(error).__name__}: {error}"
            self._came_of(on, notice, trouble, time.monotonic() - started_s)

    def _sent(self, target: str, notice: Notice, timeout_s: float) -> str:
        """Why it could not be told; empty if it could."""
        if is_address(target):
            return self._posted(target, notice, timeout_s)
        return run_command(target, notice, timeout_s, over=lambda: time.monotonic() > self._last_s)

    def _posted(self, url: str, notice: Notice, timeout_s: float) -> str:
        """As `post`, but never longer: a name server or a server that drips has no time-out of its own."""
        self._hanging = [thread for thread in self._hanging if thread.is_alive()]
        if len(self._hanging) >= HANGING_MAX:
            return f"{HANGING_MAX} earlier notices still hang"
        trouble = [f"no answer within {timeout_s:.1f} s"]

        def attempt() -> None:
            try:
                trouble[0] = post(url, notice, timeout_s)
            except Exception as error:  # of a thread nobody would hear it
                trouble[0] = f"{type(error).__name__}: {error}"

        thread = threading.Thread(target=attempt, name="streamer-post", daemon=True)
        thread.start()
        until_s = time.monotonic() + timeout_s
        while thread.is_alive() and time.monotonic() < min(until_s, self._last_s):
            thread.join(0.05)
        if thread.is_alive():
            self._hanging.append(thread)
            return f"no answer within {timeout_s:.1f} s"
        return trouble[0]

    def _came_of(self, on: On, notice: Notice, trouble: str, took_s: float) -> None:
        target = shown(self._targets[on])
        row = {
            "kind": "notified",
            "seq": notice.seq,
            "wall_time_s": time.time(),
            "on": on,
            "target": target,
            "action": notice.action,
            "ok": not trouble,
            "detail": trouble,
            "took_s": took_s,
        }
        became = f"NOT told of it: {trouble}" if trouble else "told of it"
        with contextlib.suppress(StreamerError):  # the recording itself meets it, too
            self._record(row)
        self._say([f"--on-{on} ({notice.action} at frame {notice.seq}): {target} was {became}"])

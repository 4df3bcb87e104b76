"""Tells a command or a web address what was decided, without the run ever waiting for it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Literal

from streamer.core import Outcome
from streamer.errors import StreamerError
from streamer.sinks.targets import Notice, is_address, post, run_command, shown
from streamer.wire import Order
from streamer.wire.requests import cleaned

#: A command or an address is given so long; at the end of a run, all that are left for it together.
TIMEOUT_S = 10.0
#: Notices that may wait; further ones are not sent, and that is recorded.
WAITING_MAX = 16
#: Addresses that hang at the same time, in a name server say, before further ones are not tried.
HANGING_MAX = 4
#: Characters of a reason that are passed on.
REASON_MAX = 2000

On = Literal["stop", "decision"]

#: Notices that are told at the same time. A stop must not wait for one that hangs, not even for another stop;
#: decisions are told one after the other, in their order.
AT_ONCE: Mapping[On, int] = {"stop": HANGING_MAX, "decision": 1}

#: Less than this is no time to tell anything in.
_TOO_SHORT_S = 0.05
#: So much less than its time is hardly less.
_HARDLY_S = 0.5
_NO_TIME = "earlier notices took all the time that was left at the end of the run"

#: Told of each notice: the notice, why it could not be told (empty if it could), and the seconds it took.
CameOf = Callable[[Notice, str, float], None]


class Notifier:
    """Tells of decisions and requests on threads of its own; a sink for outcomes.

    Stops and decisions go separate ways: one that hangs over decisions keeps nobody from hearing of a stop.

    Args:
        run: folder of the recording.
        on_stop, on_decision: a command with its arguments, or an http(s) address; empty for none. The first
            is told of stops and of the run's failure, the second of whatever is not "continue".
        record: takes a row about each notice; on several threads.
        say: told the same in words for the user; on several threads.
        timeout_s: for each notice, and for all that are left at the end for one target.
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
        self._run, self._record, self._say = run, record, say
        targets: dict[On, str] = {"stop": on_stop, "decision": on_decision}
        self._ways = {on: self._way(on, target, timeout_s) for on, target in targets.items() if target}

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
        for way in self._ways.values():
            way.end()
        for way in self._ways.values():
            way.join()

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
        for on, way in self._ways.items():
            if (on == "decision" and action != "failed") or (action in ("stop", "failed") and on == "stop"):
                way.put(notice)

    def _way(self, on: On, target: str, timeout_s: float) -> _Way:
        def came_of(notice: Notice, trouble: str, took_s: float) -> None:
            self._came_of(on, shown(target), notice, trouble, took_s)

        return _Way(target, timeout_s, at_once=AT_ONCE[on], came_of=came_of)

    def _came_of(self, on: On, target: str, notice: Notice, trouble: str, took_s: float) -> None:
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


class _Way:
    """The way to one target: notices that wait, and threads that tell them."""

    def __init__(self, target: str, timeout_s: float, *, at_once: int, came_of: CameOf) -> None:
        self._target, self._timeout_s, self._came_of = target, timeout_s, came_of
        self._waiting: deque[Notice] = deque()
        self._changed = threading.Condition()
        self._last_s = float("inf")
        self._hanging: list[threading.Thread] = []
        self._threads = [
            threading.Thread(target=self._work, name="streamer-notify", daemon=True) for _ in range(at_once)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, notice: Notice) -> None:
        """Have it told as soon as may be; with too many before it, it is not."""
        with self._changed:
            fits = len(self._waiting) < WAITING_MAX
            if fits:
                self._waiting.append(notice)
                self._changed.notify()
        if not fits:
            self._came_of(notice, f"{WAITING_MAX} others wait", 0.0)

    def end(self) -> None:
        """Nothing more is told; what is left has its time from now on."""
        with self._changed:
            self._last_s = min(self._last_s, time.monotonic() + self._timeout_s)
            self._changed.notify_all()

    def join(self) -> None:
        """Wait for what is left, until its time is over."""
        until_s = self._last_s + 2.0  # beyond its time only what kills a command and records it
        for thread in self._threads:
            thread.join(max(0.0, until_s - time.monotonic()))

    def _next(self) -> Notice | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._last_s < float("inf"))
            return self._waiting.popleft() if self._waiting else None

    def _work(self) -> None:
        while (notice := self._next()) is not None:
            started_s = time.monotonic()
            left_s = min(self._timeout_s, self._last_s - started_s)
            trouble = "" if left_s > _TOO_SHORT_S else _NO_TIME
            try:
                trouble = trouble or self._sent(notice, left_s)
            except Exception as error:  # nothing that is told may hurt who tells
                trouble = f"{type(error).__name__}: {error}"
            took_s = time.monotonic() - started_s
            if trouble and _TOO_SHORT_S < left_s < self._timeout_s - _HARDLY_S and took_s >= left_s:
                # It may well have answered in the time that others had before it.
                trouble = f"{trouble}; no more time was left at the end of the run"
            self._came_of(notice, trouble, took_s)

    def _sent(self, notice: Notice, timeout_s: float) -> str:
        """Why it could not be told; empty if it could."""
        if is_address(self._target):
            return self._posted(notice, timeout_s)
        return run_command(self._target, notice, timeout_s)

    def _posted(self, notice: Notice, timeout_s: float) -> str:
        """As `post`, but never longer: a name server or a server that drips has no time-out of its own."""
        trouble = [""]

        def attempt() -> None:
            try:
                trouble[0] = post(self._target, notice, timeout_s)
            except Exception as error:  # of a thread nobody would hear it
                trouble[0] = f"{type(error).__name__}: {error}"

        thread = threading.Thread(target=attempt, name="streamer-post", daemon=True)
        with self._changed:
            self._hanging = [one for one in self._hanging if one.is_alive()]
            if len(self._hanging) >= HANGING_MAX:
                return f"{HANGING_MAX} earlier notices still hang"
        thread.start()
        thread.join(timeout_s)
        if not thread.is_alive():
            return trouble[0]
        with self._changed:
            self._hanging.append(thread)
        return f"no answer within {timeout_s:.1f} s"

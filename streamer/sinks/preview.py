"""The newest outcome for whoever watches; nobody watching costs nothing and blocks nobody."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict

import zmq

from streamer.core import CONTINUE, Decision, Outcome
from streamer.wire import Done

#: Without news the last is said again after so long: for who comes late, and to be seen to be there.
BEAT_S = 1.0


class PreviewSink:
    """Publishes one JSON snapshot per outcome, and when a pause begins or ends.

    Args:
        run: name of the recording.
        dose: light dose so far by laser line.
        counts: frames planned (None when open-ended), received and dropped so far.
        before: frames recorded and processed by earlier processors of this recording.
        stopped: why one of them has stopped the run; empty where none has.
    """

    def __init__(
        self,
        *,
        run: str,
        dose: Callable[[], Mapping[str, float]],
        counts: Callable[[], Mapping[str, int | None]],
        before: tuple[int, int] = (0, 0),
        stopped: str = "",
    ) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUB)
        self._socket.setsockopt(zmq.LINGER, 500)
        self._socket.setsockopt(zmq.SNDHWM, 2)
        self._socket.bind("tcp://127.0.0.1:*")
        #: Loopback address that it publishes at.
        self.endpoint = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._run, self._dose, self._counts = run, dose, counts
        self._started_s = 0.0
        self._before, (self._recorded, self._processed) = before[0], before
        self._decision = Decision(action="stop", reason=stopped) if stopped else CONTINUE
        self._last: dict[str, object] = {}
        self._lock = threading.RLock()  # frames come on one thread, what people ask for on another
        self._paused = self._closed = False
        self._said_s = -BEAT_S

    def put(self, outcome: Outcome) -> None:
        """Publish an outcome; a decision to stop stays on show."""
        with self._lock:
            self._put(outcome)

    def asked(self, decision: Decision) -> None:
        """Publish what a person has asked for; from any thread."""
        with self._lock:
            self._decide(decision)
            self._publish_now()

    def done(self, done: Done) -> None:
        """Publish that a pause has begun or is over; from any thread."""
        with self._lock:
            before = self._paused
            if done.action == "pause":
                self._paused = self._paused or done.ok
            elif done.action == "resume":
                self._paused = self._paused and not done.ok
            if self._paused != before:
                self._publish_now()

    def beat(self) -> None:
        """Say again what was said last, if that is a while ago; from any thread."""
        with self._lock:
            if time.monotonic() - self._said_s >= BEAT_S:
                self._publish_now()

    def _put(self, outcome: Outcome) -> None:
        self._recorded += 1
        if outcome.decision.action != "continue":
            self._decide(outcome.decision)
        if not outcome.results:
            return
        self._processed += 1
        self._started_s = self._started_s or time.monotonic()
        elapsed_s = time.monotonic() - self._started_s
        self._last = {
            "seq": outcome.frame.seq,
            "lag_ms": outcome.lag_ms,
            "fps": (self._recorded - self._before - 1) / elapsed_s if elapsed_s else 0.0,
            "timings_ms": dict(outcome.timings_ms),
            "waiting": outcome.waiting,
            "dose": dict(self._dose()),
            "verdicts": [asdict(verdict) for verdict in outcome.verdicts],
        }
        self._publish_now()

    def _decide(self, decision: Decision) -> None:
        if self._decision.action != "stop":
            self._decision = decision

    def _publish_now(self) -> None:
        if self._decision.action == "stop":
            self.publish("stopping")
        elif self._paused:
            self.publish("paused")
        else:
            self.publish("running" if self._started_s else "waiting")

    def publish(self, state: str) -> None:
        """Publish the last outcome under `state`."""
        with self._lock:
            if not self._closed:
                self._said_s = time.monotonic()
                self._publish(state)

    def _publish(self, state: str) -> None:
        snapshot = {
            "run": self._run,
            "state": state,
            "seq": -1,
            "lag_ms": 0.0,
            "fps": 0.0,
            "timings_ms": {},
            "waiting": 0,
            "dose": {},
            "verdicts": [],
            **self._last,
            **self._counts(),
            "recorded": self._recorded,
            "processed": self._processed,
            "decision": {"action": self._decision.action, "reason": self._decision.reason},
            "elapsed_s": time.monotonic() - self._started_s if self._started_s else 0.0,
        }
        with contextlib.suppress(zmq.ZMQError):  # who watches must not hurt the recording
            self._socket.send(json.dumps(snapshot).encode(), zmq.NOBLOCK)

    def close(self) -> None:
        """Nothing yet: how the run ended is known after the last sink is closed, see `end`."""

    def end(self, *, failed: bool) -> None:
        """Publish how the run ended, and stop."""
        ended = "stopped" if self._decision.action == "stop" else "finished"
        self.publish("failed" if failed else ended)
        with self._lock:
            self._closed = True
        self._socket.close()
        self._context.term()

"""The newest outcome for whoever watches; nobody watching costs nothing and blocks nobody."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict

import zmq

from streamer.core import CONTINUE, Decision, Outcome


class PreviewSink:
    """Publishes one JSON snapshot per outcome.

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

    def put(self, outcome: Outcome) -> None:
        """Publish an outcome; a decision to stop stays on show."""
        self._recorded += 1
        if outcome.decision.action != "continue":
            self._decision = outcome.decision
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
        self.publish("stopping" if self._decision.action == "stop" else "running")

    def publish(self, state: str) -> None:
        """Publish the last outcome under `state`."""
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
        self._socket.close()
        self._context.term()

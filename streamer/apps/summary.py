"""A run in numbers, gathered while it goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamer.apps.sessions import Session
from streamer.core import Outcome
from streamer.recording import RunFolder, read_info
from streamer.sources.live import LinkCounts

#: Of a longer run, percentiles are those of its newest frames.
TIMINGS_KEPT = 100_000
#: Frames before which waiting does not count: caches, clocks and the first link settle.
WARM_UP_FRAMES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What became of a run.

    Attributes:
        recording: folder of the recording.
        received: frames that arrived at the last processor.
        first_seq: the recording's first frame; those before it are in an earlier recording.
        sent, resent, spooled: frames that the hook sent, sent again, and kept on disk meanwhile.
        duplicates: frames that arrived again at the last processor and were refused.
        resumed: processors that went on after the first one.
        recorded: frames whose row stands.
        processed: frames that were denoised, segmented and judged.
        dropped: frames that were acquired and are in no recording.
        refused: messages that were not ours, by reason.
        lag_ms: "p50", "p99", "max" and "n" over processed frames.
        waiting_max: longest queue behind a frame after the first `WARM_UP_FRAMES`.
        stage_ms: "p50" and "p99" by stage.
        stop: frame, reason and evidence of the decision that stopped the run, and "by" whom where a person
            has asked for it; None without one.
        silent: the hook vanished without an end.
        stacks: "slices" of z-stacks, and of these "border", beyond what signal supports; None without stacks.
    """

    recording: str
    received: int
    first_seq: int
    sent: int
    resent: int
    spooled: int
    duplicates: int
    resumed: int
    recorded: int
    processed: int
    dropped: int
    refused: dict[str, int]
    lag_ms: dict[str, float]
    waiting_max: int
    stage_ms: dict[str, dict[str, float]]
    stop: Mapping[str, Any] | None
    silent: bool
    stacks: Mapping[str, int] | None


class Tally:
    """A sink that counts what has been written; put it behind the one that writes rows.

    Args:
        session: what a recording that goes on holds already.
    """

    def __init__(self, session: Session | None = None) -> None:
        self.recorded, self.processed = session.before if session else (0, 0)
        self.waiting_max = 0
        self.stop = session.stop if session else None
        self._resumed = len(session.info.sessions) if session else 0
        self.lag_ms: deque[float] = deque(maxlen=TIMINGS_KEPT)
        self._timings_ms: dict[str, deque[float]] = {}

    def put(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.recorded += 1
        if not outcome.results:
            return
        self.processed += 1
        self.lag_ms.append(outcome.lag_ms)
        for stage, ms in outcome.timings_ms.items():
            self._timings_ms.setdefault(stage, deque(maxlen=TIMINGS_KEPT)).append(ms)
        if self.processed > WARM_UP_FRAMES:
            self.waiting_max = max(self.waiting_max, outcome.waiting)
        if outcome.decision.action == "stop" and self.stop is None:
            evidence = [asdict(verdict) for verdict in outcome.decision.evidence]
            self.stop = {"frame": outcome.frame.seq, "reason": outcome.decision.reason, "evidence": evidence}

    def stopped(self, stop: Mapping[str, Any]) -> None:
        """Note a stop that a person has asked for, unless the run was being stopped already."""
        self.stop = self.stop or stop

    def close(self) -> None:
        """Nothing to close."""

    def summary(self, recording: Path, counts: LinkCounts) -> Summary:
        """The run in numbers, once it is closed."""
        stacks = read_info(RunFolder(recording)).stacks
        return Summary(
            recording=str(recording),
            received=counts.received,
            first_seq=counts.first_seq,
            sent=counts.sent,
            resent=counts.resent,
            spooled=counts.spooled,
            duplicates=counts.duplicates,
            resumed=self._resumed,
            recorded=self.recorded,
            processed=self.processed,
            dropped=counts.dropped,
            refused=counts.refused,
            lag_ms=percentiles(self.lag_ms),
            waiting_max=self.waiting_max,
            stage_ms={stage: percentiles(ms) for stage, ms in self._timings_ms.items()},
            stop=self.stop,
            silent=counts.silent,
            stacks=stacks.model_dump() if stacks else None,
        )


def percentiles(values: Collection[float]) -> dict[str, float]:
    """p50, p99, max and n; with fewer than 1000 values p99 is close to the max, and n says so."""
    if not values:
        return {"n": 0}
    p50, p99 = np.percentile(list(values), (50, 99))
    return {"p50": float(p50), "p99": float(p99), "max": float(max(values)), "n": len(values)}

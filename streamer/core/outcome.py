"""Everything the processor has to say about one frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from streamer.core.frame import Frame
from streamer.core.judgement import CONTINUE, Decision, Verdict
from streamer.core.result import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One frame's way through the processor: what every sink is handed.

    Attributes:
        frame: the frame.
        results: what the networks made of it, one per detection channel on the sensor; empty where it was
            recorded but not processed.
        verdicts: of what could not be cut from the frame, then one per guard and result, in their order.
        decision: what the policy wants done.
        timings_ms: duration of each stage by name, monotonic clock.
        lag_ms: from the hook (same host) or from receipt (another host) to the verdict.
        waiting: frames that were waiting behind this one when its verdict stood.
        checkpoint: all states of guards and policy after this frame, from which a run can go on with the
            same verdicts; given now and then, None in between.
    """

    frame: Frame
    results: tuple[Result, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    decision: Decision = CONTINUE
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    lag_ms: float = 0.0
    waiting: int = 0
    checkpoint: Mapping[str, NDArray[Any]] | None = None

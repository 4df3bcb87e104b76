"""What guards say of a result, and what the policy makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["pass", "flag", "reject"]
Action = Literal["continue", "pause", "stop", "adjust"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One guard's judgement of one result.

    Attributes:
        guard: name of the guard.
        status: pass, flag (worth a look) or reject (do not believe this frame).
        measured: the number judged; None where nothing could be measured.
        limit: the limit it was judged against; None while there is none (a baseline still forming).
        meaning: what it means, in words for the user.
        values: further numbers the guard saw, by name with unit.
        view: which of several views of the specimen was judged, as in `position 2, channel red`; empty
            where the run has only one.
    """

    guard: str
    status: Status
    measured: float | None
    limit: float | None
    meaning: str
    values: Mapping[str, float] = field(default_factory=dict)
    view: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the policy wants done after a frame, and the verdicts it rests on.

    Attributes:
        action: what is to be done.
        reason: why, in words for the user.
        evidence: the verdicts that asked for it.
        withheld: what a dry run would have done instead of continuing.
        change: new value of each quantity that "adjust" sets, such as {"excitation_uw": 6.0}.
        pause_s: how long a "pause" lasts; 0 until somebody resumes the run.
    """

    action: Action
    reason: str = ""
    evidence: tuple[Verdict, ...] = ()
    withheld: Action | None = None
    change: Mapping[str, float] = field(default_factory=dict)
    pause_s: float = 0.0


CONTINUE = Decision(action="continue")

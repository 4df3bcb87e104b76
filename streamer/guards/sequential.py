"""Evidence that gathers over a run, with an error rate for the whole of it."""

from __future__ import annotations

import math


def evidence_limit(planned_frames: int, false_alarm_rate: float, tests: int = 1) -> float:
    """Log evidence that a healthy run reaches, in any of `tests`, with at most the stated probability.

    An e-process started afresh at every frame passes 1 / p, ever, with a probability of at most p (Ville's
    inequality); the union over starts and tests gives the limit (Shin, Ramdas, Rinaldo, "E-detectors", 2022).
    """
    return math.log(tests * planned_frames / false_alarm_rate)


def gathered(evidence: float, gained: float, limit: float) -> float:
    """Log evidence after a frame: never below 0, where a new start begins, nor above its limit.

    The cap lets a specimen that recovers be believed at once.
    """
    return min(max(evidence + gained, 0.0), limit)


def log_e_value(value: float, tolerated: float, expected: float, error: float) -> float:
    """Log evidence of one measurement that its expectation lies beyond `tolerated`.

    The likelihood ratio of a normal distribution about `expected` against one about `tolerated`, with the
    same standard deviation `error`: multiplied by at most 1 on average where the true expectation is
    `tolerated`, or lies on the side away from `expected`.
    """
    step = expected - tolerated
    return step * (value - (tolerated + expected) / 2.0) / error**2

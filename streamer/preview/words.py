"""A run in one line, and in a few lines at its end."""

from __future__ import annotations

from streamer.core import Verdict
from streamer.preview.glance import clock
from streamer.preview.snapshot import Snapshot
from streamer.reading.words import titled

#: Guards whose `measured` is drawn over time, and what they measure.
MEASURES = {"photons": "photons per box", "similarity": "similarity"}


def line(now: Snapshot) -> str:
    """The newest frame in one line without control codes, for a pipe or a log."""
    words = [f"{now.state}: frame {of(now.seq + 1, now.planned)}"]
    for verdict in now.verdicts:
        if verdict.guard in MEASURES and verdict.measured is not None:
            value = value_and_limit(verdict.measured, verdict.limit)
            words.append(f"{MEASURES[verdict.guard]}{_in(verdict)} {value}")
    words += [f"lag {now.lag_ms:.0f} ms", f"waiting {now.waiting}", f"dropped {now.dropped}"]
    words += [
        f"{titled(each.guard)}{_in(each)} {each.status}" for each in now.verdicts if each.status != "pass"
    ]
    left_s = time_left_s(now)
    return ", ".join(words if left_s is None else [*words, f"{clock(left_s)} left"])


def summary(last: Snapshot) -> str:
    """How a run ended, in two or three lines."""
    counts = f"{last.recorded} frames recorded, {last.processed} processed, {last.dropped} dropped"
    lines = [f"{last.run}: {last.state} after {clock(last.elapsed_s)}", counts]
    return "\n".join([*lines, last.decision.reason] if last.decision.reason else lines)


def time_left_s(now: Snapshot) -> float | None:
    """Until the planned frames are recorded at the present rate; None where nobody knows."""
    if now.planned is None or now.state != "running" or now.fps <= 0:
        return None
    return max(now.planned - now.recorded, 0) / now.fps


def value_and_limit(value: float, limit: float | None) -> str:
    """A measured value as text, with its limit where there is one."""
    return f"{value:.3g}" if limit is None else f"{value:.3g} (limit {limit:.3g})"


def of(count: int, planned: int | None) -> str:
    """Frames so far, of how many."""
    return f"{count}" if planned is None else f"{count}/{planned}"


def _in(verdict: Verdict) -> str:
    return f" ({verdict.view})" if verdict.view else ""

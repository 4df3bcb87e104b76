"""A run in a terminal of 80 x 24, in one line, and in a few lines at its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from streamer.core import Verdict
from streamer.preview.snapshot import Snapshot
from streamer.preview.sparkline import Sparkline

#: Frames that a curve reaches back.
HISTORY = 600
#: Most verdicts that are shown, and most that are remembered: one per guard and view.
VERDICTS_SHOWN, VERDICTS_KEPT = 8, 4096
#: Guards whose `measured` is drawn over time, for the view that was seen first.
CURVES = {"photons": "photons per box", "similarity": "similarity"}

_STATE_STYLE = {
    "waiting": "yellow",
    "running": "green",
    "stopping": "yellow",
    "stopped": "bold yellow",
    "finished": "bold green",
    "failed": "bold red",
}
#: The gravest first.
_STATUS_STYLE = {"reject": "bold red", "flag": "yellow", "pass": "green"}


class View:
    """The newest snapshot and the curves so far, as something that rich can print."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self._curves = _empty_curves()
        self._verdicts: dict[tuple[str, str], Verdict] = {}

    def update(self, snapshot: Snapshot) -> None:
        """Take a snapshot; only a new frame lengthens the curves."""
        known = self.snapshot
        if known is not None and known.run != snapshot.run:
            known, self._curves = None, _empty_curves()  # another run began at the same address
            self._verdicts.clear()
        self.snapshot = snapshot
        if known is None or known.seq != snapshot.seq:
            for verdict in snapshot.verdicts:
                self._take(verdict)

    def _take(self, verdict: Verdict) -> None:
        if len(self._verdicts) < VERDICTS_KEPT or (verdict.guard, verdict.view) in self._verdicts:
            self._verdicts[verdict.guard, verdict.view] = verdict
        first = next(iter(self._verdicts.values()))
        if verdict.guard in self._curves and verdict.view == first.view and verdict.measured is not None:
            self._curves[verdict.guard].append((verdict.measured, verdict.limit))

    def render(self) -> RenderableType:
        """The view, at most 22 lines high for the guards of this version."""
        now = self.snapshot
        if now is None:
            return Panel("waiting for the first news of the run", title="streamer", border_style="yellow")
        style = _STATE_STYLE[now.state]
        title = Text.assemble((now.run, "bold"), " ", (now.state, style))
        parts = [_progress(now), _numbers(now), self._drawn(), _verdicts(tuple(self._verdicts.values()))]
        if now.decision.reason:
            parts.append(Text(now.decision.reason, style="bold yellow", overflow="ellipsis"))
        return Panel(Group(*parts), title=title, border_style=style, padding=(0, 1))

    def _drawn(self) -> Table:
        """One row per curve, of the view that was seen first: name, line, last value and limit."""
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(no_wrap=True, style="bold")
        table.add_column(ratio=1)
        table.add_column(no_wrap=True, justify="right")
        for guard, name in CURVES.items():
            curve = self._curves[guard]
            values, limits = [value for value, _ in curve], [limit for _, limit in curve]
            table.add_row(name, Sparkline(values, limits), _value_and_limit(*curve[-1]) if curve else "-")
        return table


def _empty_curves() -> dict[str, deque[tuple[float, float | None]]]:
    return {guard: deque(maxlen=HISTORY) for guard in CURVES}


def line(now: Snapshot) -> str:
    """The newest frame in one line without control codes, for a pipe or a log."""
    words = [f"{now.state}: frame {_of(now.seq + 1, now.planned)}"]
    for verdict in now.verdicts:
        if verdict.guard in CURVES and verdict.measured is not None:
            value = _value_and_limit(verdict.measured, verdict.limit)
            words.append(f"{CURVES[verdict.guard]}{_in(verdict)} {value}")
    words += [f"lag {now.lag_ms:.0f} ms", f"waiting {now.waiting}", f"dropped {now.dropped}"]
    words += [f"{each.guard}{_in(each)} {each.status}" for each in now.verdicts if each.status != "pass"]
    left_s = time_left_s(now)
    return ", ".join(words if left_s is None else [*words, f"{_clock(left_s)} left"])


def summary(last: Snapshot) -> str:
    """How a run ended, in two or three lines."""
    counts = f"{last.recorded} frames recorded, {last.processed} processed, {last.dropped} dropped"
    lines = [f"{last.run}: {last.state} after {_clock(last.elapsed_s)}", counts]
    return "\n".join([*lines, last.decision.reason] if last.decision.reason else lines)


def time_left_s(now: Snapshot) -> float | None:
    """Until the planned frames are recorded at the present rate; None where nobody knows."""
    if now.planned is None or now.state != "running" or now.fps <= 0:
        return None
    return max(now.planned - now.recorded, 0) / now.fps


def _progress(now: Snapshot) -> RenderableType:
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True, justify="right")
    left_s = time_left_s(now)
    words = f"frame {_of(now.seq + 1, now.planned)}, {_clock(now.elapsed_s)}"
    bar = ProgressBar(total=now.planned, completed=now.recorded) if now.planned else Text("open end")
    grid.add_row(bar, words if left_s is None else f"{words}, {_clock(left_s)} left")
    return grid


def _numbers(now: Snapshot) -> Table:
    """Frames, speed and light, each in one line."""
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    counted = f"{now.received} received, {now.recorded} recorded, {now.processed} processed"
    dropped = Text(f", {now.dropped} dropped", style="bold red" if now.dropped else "")
    grid.add_row("frames", Text.assemble(counted, dropped, f", {now.waiting} waiting"))
    stages = ", ".join(f"{stage} {ms:.0f}" for stage, ms in now.timings_ms.items())
    grid.add_row("speed", Text(f"{now.fps:.2f} frames/s, lag {now.lag_ms:.0f} ms ({stages})"))
    doses = ", ".join(f"{line} {dose:.3g}" for line, dose in now.dose.items())
    grid.add_row("dose", Text(doses or "unknown"))
    return grid


def _verdicts(verdicts: Sequence[Verdict]) -> Table:
    """The gravest of the newest verdict of every guard and view, and how many others there are."""
    gravest = list(_STATUS_STYLE)
    ordered = sorted(verdicts, key=lambda verdict: gravest.index(verdict.status))
    shown, others = ordered[:VERDICTS_SHOWN], ordered[VERDICTS_SHOWN:]
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for verdict in shown:
        status = Text(verdict.status, style=_STATUS_STYLE[verdict.status])
        words = f"{verdict.view}: {verdict.meaning}" if verdict.view else verdict.meaning
        table.add_row(Text(verdict.guard), status, Text(words))
    if others:
        counts = {status: sum(verdict.status == status for verdict in others) for status in gravest}
        words = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        table.add_row("", "", Text(f"and of other guards and views {words}", style="dim"))
    return table


def _in(verdict: Verdict) -> str:
    return f" ({verdict.view})" if verdict.view else ""


def _value_and_limit(value: float, limit: float | None) -> str:
    return f"{value:.3g}" if limit is None else f"{value:.3g} (limit {limit:.3g})"


def _of(count: int, planned: int | None) -> str:
    return f"{count}" if planned is None else f"{count}/{planned}"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

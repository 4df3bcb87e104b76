"""A run in a terminal: whole in 80 x 24, with more and larger pictures and curves in a larger one."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from streamer.core import Verdict
from streamer.preview import panels
from streamer.preview.blocks import Picture, can_show, fitting
from streamer.preview.glance import SHOWN, Glance, Trace
from streamer.preview.snapshot import Snapshot
from streamer.preview.words import MEASURES
from streamer.reading.words import titled

#: Frames that a curve reaches back where nothing but snapshots is known.
HISTORY = 600
#: Most verdicts that are remembered: one per guard and view.
VERDICTS_KEPT = 4096
#: Below this size of what is inside the frame there is no picture.
PICTURE_COLUMNS_MIN, PICTURE_ROWS_MIN = 60, 8
#: What curves, numbers and verdicts need beside pictures, and how much pictures take of a wide terminal.
FACTS_COLUMNS_MIN, MOST_OF_WIDTH = 45, 0.7
#: From this width on there are two pictures.
TWO_PICTURES_COLUMNS = 110
#: Fewest seconds without news, and least part of what lies between two frames, that are worth a word.
SILENT_S, SILENT_FRAMES = 10.0, 5.0

_SMALLEST = 12  # rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Room:
    """How the lines inside the frame are shared out: `body` beside the pictures, `log` below."""

    columns: int
    body: int
    log: int


class View:
    """The newest snapshot and what is known beside it, as something that rich can print."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        #: Seconds since the newest snapshot came.
        self.silent_s = 0.0
        #: Words on an end of which no snapshot tells.
        self.over = ""
        self._glance = Glance()
        self._points = _no_points()
        self._verdicts: dict[tuple[str, str], Verdict] = {}

    def update(self, snapshot: Snapshot) -> None:
        """Take a snapshot; only a new frame lengthens the curves."""
        known = self.snapshot
        if known is not None and known.run != snapshot.run:
            known, self._points = None, _no_points()  # another run began at the same address
            self._verdicts.clear()
        self.snapshot, self.silent_s = snapshot, 0.0
        if known is None or known.seq != snapshot.seq:
            for verdict in snapshot.verdicts:
                self._take(verdict)
            if snapshot.seq >= 0:
                self._points["lag"].append((snapshot.lag_ms, None))

    def look(self, glance: Glance) -> None:
        """Take what is known beside the snapshots."""
        self._glance = glance

    def render(self, console: Console) -> RenderableType:
        """The view in one line less than `console` is high."""
        now = self.snapshot
        height = max(console.height - 1, _SMALLEST)
        if now is None:
            words = Text(self.over or "waiting for the first news of the run")
            return Panel(words, title="streamer", border_style="yellow", height=None if self.over else 3)
        columns = max(console.width - 4, 20)
        state, why = self._state(now)
        bar = panels.state_lines(state, why, columns)
        room = self._room(columns, height - 2 - len(bar) - 1)
        parts = [*bar, panels.progress(now), self._body(now, room, console)]
        parts.append(panels.Fixed(self._said(room.log), room.log))
        border = panels.STATE_STYLE[state].rpartition(" ")[2]
        return Panel(
            Group(*parts), title=Text(now.run, "bold"), border_style=border, padding=(0, 1), height=height
        )

    def _room(self, columns: int, rows: int) -> _Room:
        said = len(self._glance.log) + bool(self._glance.notice)
        log = min(said, max(rows // 4, 3))
        return _Room(columns=columns, body=rows - log, log=log)

    def _state(self, now: Snapshot) -> tuple[str, str]:
        """The state in one word, and why: the decision, silence, or the gravest verdict."""
        if now.decision.reason and now.state != "running":
            return now.state, now.decision.reason.removeprefix(f"{now.state}: ")
        if now.state not in ("running", "stopping"):
            return now.state, ""
        if self.over:
            return "warning", self.over
        usual_s = SILENT_FRAMES / now.fps if now.fps > 0 else 0.0
        if self.silent_s > max(SILENT_S, usual_s):
            return "warning", f"no news for {self.silent_s:.0f} s"
        doubts = [each for each in self._verdicts.values() if each.status != "pass"]
        doubts.sort(key=lambda verdict: list(panels.STATUS_STYLE).index(verdict.status))
        if not doubts:
            return now.state, now.decision.reason
        worst = doubts[0]
        return "warning", now.decision.reason or f"{titled(worst.guard)}: {worst.meaning}"

    def _body(self, now: Snapshot, room: _Room, console: Console) -> RenderableType:
        """Pictures on the left, curves, numbers and verdicts on the right."""
        shown = self._pictures(room) if can_show(console) else []
        grid = Table.grid(padding=(0, 1), expand=True)
        for _, columns in shown:
            grid.add_column(width=columns)
        grid.add_column(ratio=1)
        drawn = [panels.Fixed(panels.picture(each, columns, room.body), room.body) for each, columns in shown]
        grid.add_row(*drawn, panels.Fixed(self._facts(now, room.body), room.body))
        return grid

    def _pictures(self, room: _Room) -> list[tuple[Picture, int]]:
        """The pictures there is room for, each with its columns."""
        if room.columns < PICTURE_COLUMNS_MIN or room.body < PICTURE_ROWS_MIN:
            return []
        wanted = 2 if room.columns >= TWO_PICTURES_COLUMNS else 1
        widest = min((room.columns - FACTS_COLUMNS_MIN) // wanted - 1, MOST_OF_WIDTH * room.columns // wanted)
        return [
            (each, max(fitting(each.values.shape, round(widest), room.body - 2)[1], 16))
            for each in self._glance.pictures[:wanted]
        ]

    def _facts(self, now: Snapshot, rows: int) -> Group:
        """Curves, numbers and verdicts; lines that are left over make the curves higher."""
        traces = self.traces
        taken = len(traces) + bool(self._glance.left) + 2 + max(min(len(now.dose), 2), 1)
        spare = max(rows - taken - min(len(self._verdicts), 10), 0)
        higher = min(spare // max(len(traces), 1), 5)
        left = rows - taken - higher * len(traces)
        return Group(
            panels.curves(traces, self._glance.left, 1 + higher),
            panels.numbers(now),
            panels.verdicts(tuple(self._verdicts.values()), left),
        )

    def _said(self, rows: int) -> Group:
        notice = self._glance.notice
        lines = panels.log_lines(self._glance.log, rows - bool(notice))
        return (
            Group(lines, Text(notice, style="yellow", no_wrap=True, overflow="ellipsis")) if notice else lines
        )

    @property
    def traces(self) -> dict[str, Trace]:
        """The curves: of the whole run where they are known, else of what was seen."""
        own = {name: self._seen(name) for name in self._points}
        known = {**own, **{name: trace for name, trace in self._glance.traces.items() if trace.values}}
        return {name: known[name] for name in SHOWN if name in known}

    def _seen(self, name: str) -> Trace:
        points = self._points[name]
        unit = "ms" if name == "lag" else ""
        return Trace(unit=unit, values=[value for value, _ in points], limits=[limit for _, limit in points])

    def _take(self, verdict: Verdict) -> None:
        if len(self._verdicts) < VERDICTS_KEPT or (verdict.guard, verdict.view) in self._verdicts:
            self._verdicts[verdict.guard, verdict.view] = verdict
        first = next(iter(self._verdicts.values()))
        if verdict.guard in MEASURES and verdict.view == first.view and verdict.measured is not None:
            self._points[verdict.guard].append((verdict.measured, verdict.limit))


def _no_points() -> dict[str, deque[tuple[float, float | None]]]:
    return {name: deque(maxlen=HISTORY) for name in (*MEASURES, "lag")}

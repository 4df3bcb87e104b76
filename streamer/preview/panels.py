"""Pieces of the terminal view: state, progress, numbers, verdicts, log."""

from __future__ import annotations

import math
import textwrap
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from streamer.core import Verdict
from streamer.preview.blocks import DOUBTFUL_RGB, HalfBlocks, Picture, fitting
from streamer.preview.glance import Line, Trace, clock, short
from streamer.preview.snapshot import Snapshot
from streamer.preview.sparkline import Sparkline
from streamer.preview.words import of, time_left_s
from streamer.reading.words import titled

STATE_STYLE = {
    "waiting": "black on yellow",
    "running": "black on green",
    "warning": "black on yellow",
    "paused": "black on yellow",
    "stopping": "black on yellow",
    "stopped": "white on red",
    "finished": "black on cyan",
    "failed": "white on red",
}
#: The gravest first.
STATUS_STYLE = {"reject": "bold red", "flag": "yellow", "pass": "green"}
_NAME_COLUMNS, _VALUE_COLUMNS = 10, 17
_DOUBTFUL_STYLE = f"rgb({','.join(map(str, DOUBTFUL_RGB))})"
_GRAVITY_STYLE = {"info": "", "warning": "yellow", "alarm": "bold red"}


@dataclass(frozen=True, slots=True)
class Fixed:
    """Something in exactly `rows` lines: what is beyond is cut off, what is missing is blank."""

    inner: RenderableType
    rows: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        lines = console.render_lines(self.inner, options.update(height=None, width=width), pad=True)
        for row in Segment.set_shape(lines, width, self.rows):
            yield from row
            yield Segment.line()


def state_lines(state: str, why: str, width: int, at_most: int = 2) -> list[Text]:
    """The state and why, as a bar over the whole width."""
    words = textwrap.wrap(why, max(width - len(state) - 4, 10), max_lines=at_most, placeholder=" …") or [""]
    heads = [f" {state.upper()}  ", *[" " * (len(state) + 3)] * (len(words) - 1)]
    style = f"bold {STATE_STYLE[state]}"
    return [Text((head + word).ljust(width), style=style) for head, word in zip(heads, words, strict=True)]


def progress(now: Snapshot) -> RenderableType:
    """How far the plan is done, in one line."""
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True, justify="right")
    left_s = time_left_s(now)
    words = f"frame {of(now.seq + 1, now.planned)}, {clock(now.elapsed_s)}"
    bar = (
        ProgressBar(total=now.planned, completed=now.recorded, complete_style="cyan")
        if now.planned
        else Text("open end")
    )
    grid.add_row(bar, words if left_s is None else f"{words}, {clock(left_s)} left")
    return grid


def curves(traces: Mapping[str, Trace], left: str, rows: int) -> Group:
    """One row per curve: name, line, last value and limit; how long the signal lasts below the photons."""
    shown: list[RenderableType] = []
    for name, trace in traces.items():
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(no_wrap=True, style="bold", width=_NAME_COLUMNS)
        table.add_column(ratio=1)
        table.add_column(no_wrap=True, justify="right", width=_VALUE_COLUMNS)
        drawn = Sparkline(trace.values, trace.limits, trace.seq, trace.ahead, trace.ahead_frames, rows)
        table.add_row(name, drawn, _last(trace))
        shown.append(table)
        if name == "photons" and left:
            shown.append(Text(left, style="cyan", no_wrap=True, overflow="ellipsis"))
    return Group(*shown)


def _last(trace: Trace) -> Text:
    known = [(value, limit) for value, limit in zip(trace.values, trace.limits, strict=True)]
    value, limit = next(
        ((value, limit) for value, limit in reversed(known) if value is not None), (None, None)
    )
    if value is None:
        return Text("-")
    words = (
        f"{short(value)} {trace.unit}".strip() if limit is None else f"{short(value)} (min {short(limit)})"
    )
    return Text(words, style="bold red" if limit is not None and value < limit else "")


def numbers(now: Snapshot) -> Table:
    """Frames, speed and light, each in one line."""
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    behind = f", {now.processed} processed" if now.processed < now.recorded else ""
    dropped = Text(f"{now.dropped} dropped", style="bold red" if now.dropped else "")
    grid.add_row(
        "frames", Text.assemble(f"{now.recorded} recorded, ", dropped, f", {now.waiting} waiting{behind}")
    )
    stages = ", ".join(f"{stage} {ms:.0f}" for stage, ms in now.timings_ms.items())
    grid.add_row("speed", Text(f"{now.fps:.2f}/s, ms: {stages}" if stages else f"{now.fps:.2f}/s"))
    for index, (line, dose) in enumerate(list(now.dose.items())[:2] or [("", None)]):
        words = "unknown" if dose is None else f"{line} {short(dose)}"
        grid.add_row("" if index else "dose", Text(words))
    return grid


def verdicts(newest: Sequence[Verdict], rows: int) -> Table:
    """The gravest of the newest verdict of every guard and view, and how many others there are."""
    gravest = list(STATUS_STYLE)
    ordered = sorted(newest, key=lambda verdict: gravest.index(verdict.status))
    room = rows if len(ordered) <= rows else max(rows - 1, 1)
    shown, others = ordered[:room], ordered[room:]
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for verdict in shown:
        status = Text(verdict.status, style=STATUS_STYLE[verdict.status])
        words = f"{verdict.view}: {verdict.meaning}" if verdict.view else verdict.meaning
        table.add_row(Text(titled(verdict.guard)), status, Text(words))
    if others:
        counts = {status: sum(verdict.status == status for verdict in others) for status in gravest}
        words = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        table.add_row("", "", Text(f"and {words}", style="dim"))
    return table


def log_lines(lines: Sequence[Line], rows: int) -> Group:
    """The newest lines of the log, the newest last."""
    shown = []
    for line in lines[-rows:] if rows else ():
        at = time.strftime("%H:%M:%S", time.localtime(line.wall_time_s)) if line.wall_time_s else " " * 8
        words = Text.assemble((at, "dim"), " ", (line.text, _GRAVITY_STYLE[line.gravity]))
        words.no_wrap, words.overflow = True, "ellipsis"
        shown.append(words)
    return Group(*shown)


def picture(shown: Picture, columns: int, rows: int) -> Group:
    """An image over its caption and its scale bar."""
    words = f"{shown.name} {shown.seq + 1}" + (f", {shown.view}" if shown.view else "")
    caption = Text(words, style="dim", no_wrap=True, overflow="ellipsis")
    _, width = fitting(shown.values.shape, columns, rows - 2)
    below = _scale_bar(shown, width)
    if shown.doubtful is not None and shown.doubtful.any():
        below.append("  ■ unsupported" if below else "■ unsupported", style=_DOUBTFUL_STYLE)
    return Group(HalfBlocks(shown, columns, rows - 2), caption, below)


def _scale_bar(shown: Picture, columns: int) -> Text:
    """The longest of 1, 2, 5, 10, ... that takes less than a third of the picture."""
    if not shown.width_um or shown.width_um <= 0:
        return Text("", no_wrap=True, overflow="ellipsis")
    longest = shown.width_um / 3
    step = 10.0 ** math.floor(math.log10(longest))
    length = max(step * factor for factor in (1, 2, 5) if step * factor <= longest)
    cells = max(1, round(length / shown.width_um * columns))
    return Text.assemble("━" * cells, f" {length:g} µm", no_wrap=True, overflow="ellipsis")

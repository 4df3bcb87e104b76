"""A curve in one line of text, or in a few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

BLOCKS, ASCII = "▁▂▃▄▅▆▇█", "_.-=+*#@"
#: Part of the width that what is expected may take.
AHEAD_SHARE = 0.35

_GOOD, _BAD, _AHEAD = "green", "bold red", "cyan"


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Values from the first to the last over the width at hand; what is past its limit is red.

    Attributes:
        values: in order of time; None where nothing could be measured.
        limits: for each value the limit below which it is bad; None where there is none.
        at: where each value lies on the axis of frames, rising; evenly spaced without.
        ahead: expected values, evenly spaced behind the last one; drawn in another colour, so only where the
            terminal has colours.
        ahead_frames: how far they reach on the axis.
        rows: height.
    """

    values: Sequence[float | None]
    limits: Sequence[float | None]
    at: Sequence[float] = ()
    ahead: Sequence[float] = ()
    ahead_frames: float = 0.0
    rows: int = 1

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        measured = [i for i, value in enumerate(self.values) if value is not None]
        if not measured:
            yield Text("nothing yet", style="dim")
            return
        values = np.array([self.values[i] for i in measured], float)
        limits = np.array([_or_none(self.limits[i]) for i in measured], float)
        at = np.array([self.at[i] for i in measured] if self.at else measured, float)
        width, coming = self._widths(options.max_width, len(measured), at, console.color_system is not None)
        known, bounds = _binned(values, at, width), _binned(limits, at, width, worst=True)
        expected = _resampled(self.ahead, coming)
        low, high = _scale(np.concatenate([known, expected]), bounds)
        styles = [_BAD if value < bound else _GOOD for value, bound in zip(known, bounds, strict=True)]
        levels = ASCII if options.ascii_only else BLOCKS
        yield from _painted(
            (np.concatenate([known, expected]) - low) / (high - low),
            styles + [_AHEAD] * coming,
            levels,
            max(self.rows, 1),
        )

    def _widths(self, room: int, count: int, at: NDArray[np.float64], coloured: bool) -> tuple[int, int]:
        """Columns of what was measured, and of what is expected."""
        room = max(room, 1)
        if not (coloured and self.ahead and self.ahead_frames > 0 and room >= 10):
            return min(count, room), 0
        share = self.ahead_frames / (self.ahead_frames + max(at[-1] - at[0], 1.0))
        coming = max(1, round(room * min(share, AHEAD_SHARE)))
        return min(count, room - coming), coming


def _or_none(limit: float | None) -> float:
    return -np.inf if limit is None else limit


def _binned(
    values: NDArray[np.float64], at: NDArray[np.float64], bins: int, *, worst: bool = False
) -> NDArray[np.float64]:
    """Mean, or highest, of each of `bins` equal parts of the axis; an empty part repeats the one before."""
    span = max(at[-1] - at[0], 1e-9)
    place = np.minimum(((at - at[0]) / span * bins).astype(int), bins - 1)
    found = np.full(bins, np.nan)
    for index in np.unique(place):
        part = values[place == index]
        found[index] = part.max() if worst else part.mean()
    filled = np.maximum.accumulate(np.where(np.isnan(found), 0, np.arange(bins)))
    return np.asarray(found[filled])


def _resampled(values: Sequence[float], count: int) -> NDArray[np.float64]:
    if not count:
        return np.empty(0)
    places = np.linspace(0, len(values) - 1, count)
    return np.asarray(np.interp(places, np.arange(len(values)), np.asarray(values, float)), float)


def _scale(values: NDArray[np.float64], bounds: NDArray[np.float64]) -> tuple[float, float]:
    """Ends of the scale: from the limit, or zero where there is none, so that one sees how far away it is."""
    last = float(bounds[-1])
    low, high = min(float(values.min()), last if np.isfinite(last) else 0.0), float(values.max())
    return low, high if high > low else low + 1.0


def _painted(shares: NDArray[np.float64], styles: Sequence[str], levels: str, rows: int) -> list[Text]:
    """Columns of 0 to 1, `rows` high; the lowest value is still one level high."""
    tops = 1 + np.rint(shares * (len(levels) * rows - 1)).astype(int)
    lines = []
    for row in range(rows):
        line, floor = Text(no_wrap=True), len(levels) * (rows - 1 - row)
        for top, style in zip(tops, styles, strict=True):
            filled = min(int(top) - floor, len(levels))
            line.append(levels[filled - 1] if filled > 0 else " ", style=style)
        lines.append(line)
    return lines

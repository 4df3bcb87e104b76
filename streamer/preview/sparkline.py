"""A curve in one line of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

BLOCKS, ASCII = "▁▂▃▄▅▆▇█", "_.-=+*#@"


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Values from the first to the last over the width at hand; what is past its limit is red.

    Attributes:
        values: in order of time.
        limits: for each value the limit below which it is bad; None where there is none.
    """

    values: Sequence[float]
    limits: Sequence[float | None]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.values:
            yield Text("nothing yet", style="dim")
            return
        levels = ASCII if options.ascii_only else BLOCKS
        limits = [-np.inf if limit is None else limit for limit in self.limits]
        bins = min(len(self.values), max(options.max_width, 1))
        values = [float(part.mean()) for part in np.array_split(np.asarray(self.values, float), bins)]
        bounds = [float(part.max()) for part in np.array_split(np.asarray(limits, float), bins)]
        low, high = _scale(values, bounds)
        curve = Text(no_wrap=True)
        for value, bound in zip(values, bounds, strict=True):
            level = round((value - low) / (high - low) * (len(levels) - 1))
            curve.append(levels[level], style="red" if value < bound else "green")
        yield curve


def _scale(values: Sequence[float], bounds: Sequence[float]) -> tuple[float, float]:
    """Ends of the scale: all values, and the last limit where it is not far below them."""
    low, high = min(values), max(values)
    if np.isfinite(bounds[-1]) and bounds[-1] > low - 2 * (high - low):
        low, high = min(low, bounds[-1]), max(high, bounds[-1])
    return low, high if high > low else low + 1.0

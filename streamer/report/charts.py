"""Curves of a run as SVG that stands inside the page and prints sharp.

Charts hold numbers and units only. Names come from strangers (profiles, engines), and a text in a chart may
be taken for a formula: the page says them beside the chart, escaped.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Numbers = NDArray[np.float64]

#: Okabe and Ito, told apart by the colour-blind and in grey print; the first is for a curve that is alone.
COLOURS = ("#0b5f94", "#b4540a", "#00785a", "#9b4f80", "#8a6d00", "#3d3d3d")
LIMIT, REJECTED, INK, FAINT = "#c2410c", "#f6dcd2", "#3f4750", "#d9dde2"
#: Points of a curve: at 17 cm and 600 dots an inch, more cannot be told apart.
POINTS_MAX = 1600
WIDE, NARROW = (6.9, 1.75), (3.35, 1.55)
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica Neue", "Helvetica", "Arial", "Liberation Sans", "DejaVu Sans"],
    "font.size": 7.5,
    "axes.edgecolor": "#9aa3ad",
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 0.0,
    "axes.formatter.useoffset": False,
    "text.parse_math": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve: value and limit (not a number where there is none) at frame numbers, [n] each."""

    label: str
    seq: Numbers
    value: Numbers
    limit: Numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A forecast: median and the ends of its interval at frame numbers, [n] each."""

    seq: Numbers
    median: Numbers
    low: Numbers
    high: Numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is drawn behind every curve of a run.

    Attributes:
        first_seq, last_seq: ends of the axis of frame numbers.
        rejected: ranges of frames that a guard rejected, both ends included.
        decided: frames of decisions.
    """

    first_seq: int
    last_seq: int
    rejected: Sequence[tuple[int, int]] = field(default_factory=tuple)
    decided: Sequence[int] = field(default_factory=tuple)


def draw(
    lines: Sequence[Line],
    unit: str,
    setting: Setting,
    *,
    size: tuple[float, float] = WIDE,
    from_zero: bool = False,
    whole: bool = False,
    logarithmic: bool = False,
    band: Band | None = None,
) -> str:
    """Curves over frame numbers as an `<svg>` element.

    Args:
        lines: the curves; each gets the next of `COLOURS`.
        unit: what stands above the axis of values.
        setting: what is drawn behind.
        size: inches.
        from_zero: the axis begins at 0, so that a loss is seen in proportion.
        whole: values are counts; the axis names whole numbers only.
        logarithmic: equal steps of the axis are equal factors.
        band: a forecast, whose axis may go on beyond the last frame.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02))
        axes = figure.add_subplot()
        _behind(axes, setting)
        for line, colour in zip(lines, COLOURS, strict=False):
            _curve(axes, line, colour)
        _limits(axes, lines)
        if band is not None:
            axes.fill_between(band.seq, band.low, band.high, color=COLOURS[0], alpha=0.16, linewidth=0)
            axes.plot(band.seq, band.median, color=COLOURS[0], linewidth=0.9, linestyle=(0, (1.5, 1.5)))
            axes.set_xlim(right=max(axes.get_xlim()[1], float(band.seq[-1])))
        _frame(axes, unit, whole)
        if logarithmic:
            axes.set_yscale("log")
        elif from_zero:
            axes.set_ylim(bottom=0.0)
        return _svg(figure)


def thinned(line: Line, points_max: int = POINTS_MAX) -> Line:
    """The curve with at most `points_max` points: of each bin the lowest and the highest; no peak is lost."""
    n = line.seq.size
    if n <= points_max:
        return line
    bins = np.array_split(np.arange(n), points_max // 2)
    kept = np.unique(np.concatenate([_ends(line.value, bin_) for bin_ in bins]))
    return Line(label=line.label, seq=line.seq[kept], value=line.value[kept], limit=line.limit[kept])


def _ends(value: Numbers, bin_: NDArray[np.int64]) -> NDArray[np.int64]:
    seen = value[bin_]
    if np.isnan(seen).all():
        return bin_[:1]
    return bin_[[int(np.nanargmin(seen)), int(np.nanargmax(seen))]]


def _behind(axes: Axes, setting: Setting) -> None:
    for first, last in setting.rejected:
        axes.axvspan(first - 0.5, last + 0.5, color=REJECTED, linewidth=0, zorder=0)
    for seq in setting.decided:
        axes.axvline(seq, color=LIMIT, linewidth=0.8, zorder=1)
    width = max(setting.last_seq - setting.first_seq, 1)
    axes.set_xlim(setting.first_seq - 0.01 * width, setting.last_seq + 0.01 * width)


def _curve(axes: Axes, line: Line, colour: str) -> None:
    few = line.seq.size <= 40
    axes.plot(
        line.seq,
        line.value,
        color=colour,
        linewidth=0.9,
        marker="o" if few else "",
        markersize=2.2,
        solid_joinstyle="round",
        zorder=3,
    )


def _limits(axes: Axes, lines: Sequence[Line]) -> None:
    """Dashed where the limit is; once where all curves have the same."""
    drawn: list[Numbers] = []
    for line in lines:
        known = np.isfinite(line.limit)
        if not known.any() or any(np.array_equal(line.limit, other, equal_nan=True) for other in drawn):
            continue
        drawn.append(line.limit)
        axes.plot(
            line.seq,
            line.limit,
            color=LIMIT,
            linewidth=0.9,
            linestyle=(0, (4, 2)),
            zorder=2,
            drawstyle="steps-mid",
        )


def _frame(axes: Axes, unit: str, whole: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.yaxis.set_major_locator(MaxNLocator(integer=whole, nbins=5))
    axes.set_xlabel("frame", labelpad=1, loc="right")
    axes.set_title(unit, loc="left", fontsize=7, color="#69727d", pad=4)


def _svg(figure: Any) -> str:
    """The `<svg>` element alone, as wide as its place; without what would have a script or another host."""
    held = io.StringIO()
    figure.savefig(held, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = held.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    head, rest = text.split(">", 1)
    rest = re.sub(r'<g id="[^"]*"', "<g", rest)  # the same in every chart
    view = re.search(r'viewBox="[^"]+"', head)
    return f'<svg {view[0] if view else ""} role="presentation" xmlns:xlink="http://www.w3.org/1999/xlink">{rest}'

"""What a view shows beside the newest snapshot: curves over the whole run, log, forecast, images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from streamer.preview.blocks import Picture

Gravity = Literal["info", "warning", "alarm"]

#: The curves of a terminal, in this order, by what they are called in a recording.
SHOWN = ("photons", "similarity", "resolution", "lag")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One curve.

    Attributes:
        unit: of its values, empty for plain numbers.
        seq: frame of each point, rising.
        values: one for each point; None where nothing could be measured.
        limits: for each point the limit that it is judged by; None where there is none.
        ahead: values that are expected, evenly spaced over the `ahead_frames` frames behind the last point.
        ahead_frames: how far they reach.
    """

    unit: str = ""
    seq: Sequence[float] = ()
    values: Sequence[float | None] = ()
    limits: Sequence[float | None] = ()
    ahead: Sequence[float] = ()
    ahead_frames: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a run's log: when it was said, how grave it is, and the words."""

    wall_time_s: float
    gravity: Gravity
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What is known beside the newest snapshot.

    Attributes:
        traces: curves by name, of `SHOWN`.
        log: newest lines, oldest first.
        left: how long the specimen will last, in words; empty where nobody can tell.
        pictures: newest images, the most telling first.
        notice: what is in the way of showing more, in words.
    """

    traces: Mapping[str, Trace] = field(default_factory=dict)
    log: Sequence[Line] = ()
    left: str = ""
    pictures: Sequence[Picture] = ()
    notice: str = ""


class Glances(Protocol):
    """Where glances come from: a recording, or a page elsewhere."""

    def glance(self) -> Glance | None:
        """The newest; None where there is nothing newer than the one before."""
        ...


def left_in_words(
    frames: float | None, low: float | None, high: float | None, *, per_s: float = 0.0, otherwise: str = ""
) -> str:
    """How long the signal lasts, from a forecast of the frames that are left; it fits beside a picture.

    Args:
        frames: most likely number; None beyond the horizon of the forecast.
        low, high: ends of its band; None beyond the horizon.
        per_s: frames per second, to say it in time, too; 0 where unknown.
        otherwise: what is said where there is no most likely number, or nothing is left.
    """
    if not frames:
        return otherwise
    band = f"{low or 0:.0f} or more" if high is None else f"{low or 0:.0f} to {high:.0f}"
    words = f"light for about {frames:.0f} frames ({band})"
    return f"{words}, {clock(frames / per_s)}" if per_s > 0 else words


def clock(seconds: float) -> str:
    """A duration as `1:02:05` or `2:05`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def short(value: float) -> str:
    """A number with three digits that count, and no powers of ten where a person would write none."""
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"

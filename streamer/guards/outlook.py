"""What the bleaching guard says, in words."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streamer.guards.causes import Cause, Change


def against_floor(present: float, margin: float, floor: float) -> str:
    """Photons now beside the floor; `margin` is half of a 90 % interval."""
    against = f"below the floor of {floor:g}" if present < floor else f"against a floor of {floor:g}"
    interval = f"{max(present - margin, 0.0):.3g}-{present + margin:.3g}"
    return f"{present:.3g} photons per foreground box ({interval}), {against}"


def in_sight(left: NDArray[np.float64], pace_s: float | None) -> str:
    """The forecast in words.

    Args:
        left: [4] frames left until the floor: low end, median, high end; and how far was looked. Infinite
            beyond that, and all without a forecast.
        pace_s: time between frames; None where nobody knows.
    """
    low, middle, high, horizon = left
    if np.isinf(horizon):
        return "no forecast yet"
    if np.isinf(low):
        return f"enough light for more than {_two_digits(horizon)} frames"
    if np.isinf(middle):
        return (
            f"enough light for at least {_two_digits(low)} frames, probably more than {_two_digits(horizon)}"
        )
    until = f"{_two_digits(low)}-{_two_digits(high)}" if np.isfinite(high) else f"{_two_digits(low)} or more"
    lasts = f", {_duration(middle * pace_s)}" if pace_s is not None else ""
    return f"~{_two_digits(middle)} frames ({until}){lasts} to the floor"


def _two_digits(frames: float) -> str:
    """To two digits, which is more than a forecast knows."""
    digits = max(math.floor(math.log10(frames)) - 1, 0) if frames >= 1 else 0
    return f"{round(frames / 10**digits) * 10**digits:,}"


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 1:
        return "under a minute"
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def because(cause: Cause, change: Change, fell: NDArray[np.float64], present: float) -> str:
    """The cause in words; `fell` is the frame at which the light fell at once, and the level before."""
    if cause == "sudden":
        frame, before = fell
        kept = present / before
        return f"the light fell at once at frame {frame:.0f}, to {kept:.0%}: shutter, laser or filter?"
    return {
        "steady": "steady",
        "bleaching": "bleaching",
        "focus": f"the focus is being lost (sharpness {change.sharpness:.0%} of the start)",
        "leaving": f"the cell leaves the field (area {change.area:.0%} of the start)",
        "rising": "more light than at the start: dye comes in, or the light was changed",
    }[cause]

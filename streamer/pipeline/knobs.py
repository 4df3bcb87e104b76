"""What a run may adjust: the values that its quantities have, and the next ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from streamer.core import Frame
from streamer.profile import HardwareProfile, Knob, state_key


def present_values(profile: HardwareProfile, frame: Frame) -> Mapping[str, float]:
    """What the quantity of each knob is: as the frame states it, else as the profile plans it, if it does."""
    values: dict[str, float] = {}
    for knob in profile.control.knobs:
        stated = _stated(profile, knob, frame)
        value = profile.planned(knob.quantity) if stated is None else stated
        if value is not None:
            values[knob.quantity] = value
    return values


def turn(knobs: Sequence[Knob], values: Sequence[float]) -> tuple[int, float] | None:
    """Which knob comes next and its new value: the first that is not at its limit; None where all are.

    Args:
        knobs: in the order of the profile.
        values: that they have, in the same order; a knob of unknown value, nan, is not turned.
    """
    for number, (knob, value) in enumerate(zip(knobs, values, strict=True)):
        new = min(max(value * knob.factor, knob.minimum), knob.maximum)
        if (new - value) * (knob.factor - 1.0) > 0:  # a step back inside the limits is none
            return number, new
    return None


def _stated(profile: HardwareProfile, knob: Knob, frame: Frame) -> float | None:
    """What the engine says of a quantity; None where it says nothing."""
    if knob.quantity == "exposure_ms" and frame.exposure_ms is not None:
        return frame.exposure_ms
    laser = profile.laser("excitation")
    value = _property(frame, knob.set_by)
    if value is None and knob.quantity == "excitation_uw" and laser is not None:
        return laser.stated_uw(frame.state) or None
    return value


def _property(frame: Frame, of: tuple[str, str] | None) -> float | None:
    """A device property as a number above 0; None where it is not stated or is none."""
    try:
        value = math.nan if of is None else float(frame.state[state_key(of)])
    except (KeyError, ValueError):
        return None
    return value if 0 < value < math.inf else None

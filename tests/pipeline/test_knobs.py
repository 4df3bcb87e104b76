"""Knobs begin where the microscope says it stands, and never leave their limits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from streamer.core import Frame
from streamer.pipeline import present_values
from streamer.pipeline.knobs import turn
from streamer.profile import HardwareProfile, Knob, load_profile

KNOBS = [
    {
        "quantity": "excitation_uw",
        "set_by": ["Laser", "Power"],
        "minimum": 1.0,
        "maximum": 10.0,
        "factor": 0.8,
    },
    {"quantity": "dwell_us", "set_by": ["Scanner", "Dwell"], "minimum": 0.1, "maximum": 5.0, "factor": 2.0},
    {"quantity": "exposure_ms", "minimum": 1.0, "maximum": 50.0, "factor": 2.0},
    {"quantity": "interval_s", "minimum": 0.1, "maximum": 50.0, "factor": 2.0},
]
PLANNED = {"excitation_uw": 4.8, "dwell_us": 0.5, "interval_s": 0.6}


def profile(**laser: Any) -> HardwareProfile:
    """`abberior_er_low` with all knobs; `laser` changes its excitation line."""
    fields = load_profile("abberior_er_low").to_dict()
    fields["control"] = {"knobs": KNOBS}
    first, *others = fields["lasers"]
    power = {"power_uw"} if "power_mw" in laser else set()
    fields["lasers"] = [{k: v for k, v in first.items() if k not in power} | laser, *others]
    return HardwareProfile.model_validate(fields)


@pytest.mark.parametrize(
    ("laser", "stated", "differing"),
    [
        ({}, {}, {}),
        ({}, {"exposure_ms": 7.0}, {"exposure_ms": 7.0}),
        ({}, {"state": {"Laser-Power": "3.5", "Scanner-Dwell": 2}}, {"excitation_uw": 3.5, "dwell_us": 2.0}),
        ({"stated_by": ["Meter", "uW"]}, {"state": {"Meter-uW": 4.1}}, {"excitation_uw": 4.1}),
        (
            {"stated_by": ["Meter", "mW"], "power_mw": 0.0048},
            {"state": {"Meter-mW": "0.004"}},
            {"excitation_uw": 4.0},
        ),
        ({}, {"state": {"Laser-Power": "off"}}, {}),
        ({}, {"state": {"Laser-Power": math.nan}}, {}),
        ({}, {"state": {"Laser-Power": -1}}, {}),
    ],
    ids=[
        "nothing stated",
        "the engine's exposure",
        "properties that the knobs set",
        "a power meter",
        "a power meter in mW",
        "words",
        "not a number",
        "below zero",
    ],
)
def test_values_are_those_of_the_frame_else_of_the_profile(
    laser: dict, stated: dict, differing: dict
) -> None:
    frame = Frame(pixels=np.zeros((4, 4), np.uint8), seq=0, **stated)
    assert present_values(profile(**laser), frame) == pytest.approx(PLANNED | differing)


@pytest.mark.parametrize(
    ("value", "factor", "new"),
    [
        (8.0, 0.5, 4.0),
        (3.0, 0.5, 2.0),
        (2.0, 0.5, None),
        (1.0, 0.5, None),
        (40.0, 0.5, 10.0),
        (4.0, 2.0, 8.0),
        (9.0, 2.0, 10.0),
        (10.0, 2.0, None),
        (0.1, 2.0, 2.0),
        (math.nan, 2.0, None),
    ],
    ids=[
        "down",
        "down to the limit",
        "at the lower limit",
        "already below: it is not raised",
        "from far above: into the limits",
        "up",
        "up to the limit",
        "at the upper limit",
        "from far below: into the limits",
        "unknown",
    ],
)
def test_a_knob_is_turned_within_its_limits(value: float, factor: float, new: float | None) -> None:
    knob = Knob(quantity="interval_s", minimum=2.0, maximum=10.0, factor=factor)
    assert turn([knob], [value]) == (None if new is None else (0, new))

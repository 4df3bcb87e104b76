"""The dose ledger: light on the specimen per laser line, frame and run, as the engine really gave it."""

from __future__ import annotations

from collections.abc import Mapping

from streamer.core import Frame
from streamer.profile.dose import LineDose, dose, line_dose, planned_us
from streamer.profile.light import Laser
from streamer.profile.models import HardwareProfile
from streamer.profile.tables import stated_number


class Ledger:
    """Adds up the light of a run's frames.

    The power of a frame is what the engine states by the laser's `stated_by` (or by the knob that sets it),
    the dwell what the engine states by the dwell knob, the exposure what the frame's own metadata state; what
    is not stated is taken from the profile. Numbers are by line with unit: `excitation 640 nm uJ/px` where
    the power was measured, `excitation 640 nm J/cm2` at the sample. A number that is not known for one frame
    is not known for the run: it is left out and named in `unknown`.

    Args:
        profile: the rig.
        start: the light so far of a run that goes on; None for one that begins.
    """

    def __init__(self, profile: HardwareProfile, start: Mapping[str, float] | None = None) -> None:
        self._profile = profile
        self._so_far = dict(start or {})
        lost = [key for key in _keys(profile) if start is not None and key not in start]
        self._unknown = dict.fromkeys(lost, "unknown earlier in the run")
        self._assumed: dict[str, int] = {}
        self._begun = False

    def step(self, frame: Frame) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """The light of the next frame, and the light of the run up to and including it, by line."""
        self._begun = True
        light: dict[str, float] = {}
        for laser in self._profile.lasers:
            line = self._line(laser, frame)
            light |= _numbers(line)
            self._unknown.update(_lacks(line))
        for key in self._unknown:
            self._so_far.pop(key, None)
        for key, value in light.items():
            if key not in self._unknown:
                self._so_far[key] = self._so_far.get(key, 0.0) + value
        return light, dict(self._so_far)

    @property
    def so_far(self) -> Mapping[str, float]:
        """The light of the run so far, by line."""
        return dict(self._so_far)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Numbers that cannot be given, each with what would have to be known."""
        planned = {} if self._begun else dict(lack for line in dose(self._profile) for lack in _lacks(line))
        return tuple(f"{key}: {lacks}" for key, lacks in (planned | self._unknown).items())

    @property
    def assumed(self) -> Mapping[str, int]:
        """Frames for which nobody stated the power, so that the profile's was taken, by laser line."""
        return dict(self._assumed)

    def _line(self, laser: Laser, frame: Frame) -> LineDose:
        channel = frame.axes.get("channel")
        if laser.channels is not None and channel is not None and channel not in laser.channels:
            return LineDose(
                line=laser.line, energy_pj=0.0, measured_at=laser.measured_at, sample_j_per_cm2=0.0
            )
        dwell_us = self._by_knob("dwell_us", frame)
        time_us = planned_us(self._profile, dwell_us=dwell_us, exposure_ms=frame.exposure_ms)
        return line_dose(self._profile, laser, self._power_uw(laser, frame), time_us)

    def _power_uw(self, laser: Laser, frame: Frame) -> float | None:
        stated = laser.stated_uw(frame.state)
        if stated is None and laser == self._profile.laser("excitation"):
            stated = self._by_knob("excitation_uw", frame)
        if stated is None and laser.microwatts is not None:
            self._assumed[laser.line] = self._assumed.get(laser.line, 0) + 1
        return laser.microwatts if stated is None else stated

    def _by_knob(self, quantity: str, frame: Frame) -> float | None:
        """What the engine states by the property with which `[control]` sets a quantity."""
        knobs = self._profile.control.knobs
        set_by = next((knob.set_by for knob in knobs if knob.quantity == quantity), None)
        return stated_number(frame.state, set_by)


def _numbers(line: LineDose) -> dict[str, float]:
    energy_uj = None if line.energy_pj is None else line.energy_pj * 1e-6
    both = {f"{line.line} uJ/px": energy_uj, f"{line.line} J/cm2": line.sample_j_per_cm2}
    return {key: value for key, value in both.items() if value is not None}


def _lacks(line: LineDose) -> list[tuple[str, str]]:
    both = {f"{line.line} uJ/px": line.energy_lacks, f"{line.line} J/cm2": line.sample_lacks}
    return [(key, f"{', '.join(lacks)} unknown") for key, lacks in both.items() if lacks]


def _keys(profile: HardwareProfile) -> list[str]:
    return [f"{laser.line} {unit}" for laser in profile.lasers for unit in ("uJ/px", "J/cm2")]

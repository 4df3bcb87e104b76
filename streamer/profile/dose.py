"""Light that reaches one pixel in one frame, per laser line."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.profile.models import HardwareProfile, Laser


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDose:
    """One laser line's light on one pixel in one frame; None is unknown.

    Attributes:
        line: role and wavelength, as in `excitation 640 nm`.
        energy_pj: picojoule per pixel and frame at the place where the power was measured
            (power x dwell x line accumulation; uW x us = pJ).
        measured_at: that place.
        sample_j_per_cm2: the same at the sample, over the pixel's area, where the transmission is known.
    """

    line: str
    energy_pj: float | None
    measured_at: str
    sample_j_per_cm2: float | None


def dose(profile: HardwareProfile) -> tuple[LineDose, ...]:
    """Light per pixel and frame of every laser line, in the profile's order."""
    return tuple(_line_dose(laser, profile) for laser in profile.lasers)


def dose_ratio(a: HardwareProfile, b: HardwareProfile) -> dict[str, float | None]:
    """How many times more light `a` puts on a pixel than `b`, by laser line that both have."""
    of_b = {line.line: line.energy_pj for line in dose(b)}
    return {line.line: _ratio(line.energy_pj, of_b[line.line]) for line in dose(a) if line.line in of_b}


def _ratio(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a / b


def _line_dose(laser: Laser, profile: HardwareProfile) -> LineDose:
    scan = profile.scan
    power_uw = laser.microwatts
    energy_pj = None if power_uw is None else power_uw * scan.dwell_us * scan.line_accumulation
    return LineDose(
        line=laser.line,
        energy_pj=energy_pj,
        measured_at=laser.measured_at,
        sample_j_per_cm2=_fluence(energy_pj, laser.transmission_to_sample, scan.pixel_nm),
    )


def _fluence(energy_pj: float | None, transmission: float | None, pixel_nm: float) -> float | None:
    if energy_pj is None or transmission is None:
        return None
    return energy_pj * 1e-12 * transmission / (pixel_nm * 1e-7) ** 2

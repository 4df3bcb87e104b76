"""Light that reaches one pixel in one frame, per laser line."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.profile.light import Laser
from streamer.profile.models import HardwareProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDose:
    """One laser line's light on one pixel in one frame; None is unknown.

    Attributes:
        line: role and wavelength, as in `excitation 640 nm`.
        energy_pj: picojoule per pixel and frame at the place where the power was measured: of a scan power x
            dwell x line accumulation (uW x us = pJ), of a camera power x exposure x the pixel's part of the
            illuminated area.
        measured_at: that place.
        sample_j_per_cm2: the same at the sample, over its area, where the transmission is known.
        energy_lacks, sample_lacks: what would have to be known, by its name in the profile.
    """

    line: str
    energy_pj: float | None
    measured_at: str
    sample_j_per_cm2: float | None
    energy_lacks: tuple[str, ...] = ()
    sample_lacks: tuple[str, ...] = ()


def dose(profile: HardwareProfile) -> tuple[LineDose, ...]:
    """Light per pixel and frame of every laser line as the profile plans it, in its order."""
    time_us = planned_us(profile)
    return tuple(line_dose(profile, laser, laser.microwatts, time_us) for laser in profile.lasers)


def dose_ratio(a: HardwareProfile, b: HardwareProfile) -> dict[str, float | None]:
    """How many times more light `a` puts on a pixel than `b`, by laser line that both have."""
    of_b = {line.line: line.energy_pj for line in dose(b)}
    return {line.line: _ratio(line.energy_pj, of_b[line.line]) for line in dose(a) if line.line in of_b}


def planned_us(
    profile: HardwareProfile, *, dwell_us: float | None = None, exposure_ms: float | None = None
) -> float | None:
    """Time for which one frame's light is on a pixel; what is None is as the profile says."""
    if scan := profile.scan:
        return (scan.dwell_us if dwell_us is None else dwell_us) * scan.line_accumulation
    stated_ms = profile.camera.exposure_ms if profile.camera else None
    taken_ms = stated_ms if exposure_ms is None else exposure_ms
    return None if taken_ms is None else taken_ms * 1e3


def line_dose(
    profile: HardwareProfile, laser: Laser, power_uw: float | None, time_us: float | None
) -> LineDose:
    """The light of one line that is on with `power_uw` for `time_us`."""
    pixel_um2 = None if profile.pixel_nm is None else (profile.pixel_nm / 1e3) ** 2
    # A scanner's light is on one pixel at a time, a camera's on a whole area all the time.
    lit_um2 = profile.camera.illuminated_um2 if profile.camera else pixel_um2
    time_key, area_key = ("exposure_ms", "illuminated_um2") if profile.camera else ("dwell_us", "pixel_nm")
    factors = {"power": power_uw, time_key: time_us, area_key: lit_um2}
    of_pixel = _lacks({**factors, "pixel_nm": pixel_um2})
    at_sample = _lacks({**factors, "transmission_to_sample": laser.transmission_to_sample})
    energy_pj = fluence = None
    if power_uw is not None and time_us is not None and lit_um2 is not None:
        if pixel_um2 is not None:
            energy_pj = power_uw * time_us * (pixel_um2 / lit_um2)
        if laser.transmission_to_sample is not None:
            # pJ / um2 = 1e-12 J / 1e-8 cm2
            fluence = power_uw * time_us * laser.transmission_to_sample / lit_um2 * 1e-4
    return LineDose(
        line=laser.line,
        energy_pj=energy_pj,
        measured_at=laser.measured_at,
        sample_j_per_cm2=fluence,
        energy_lacks=of_pixel,
        sample_lacks=at_sample,
    )


def _lacks(factors: dict[str, float | None]) -> tuple[str, ...]:
    return tuple(name for name, value in factors.items() if value is None)


def _ratio(a: float | None, b: float | None) -> float | None:
    return None if a is None or not b else a / b

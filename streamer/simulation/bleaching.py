"""How light wears out the fluorophores."""

from __future__ import annotations

import math

from streamer.simulation.settings import Light

#: Two populations: a share that fades fast, and the rest. Doses are uW us at the back focal plane, per pixel.
#: Chosen so that 5,480 low-dose frames (the 7 h at 4.6 s of Rahm et al.) leave about two thirds of the light.
FAST_SHARE = 0.2
FAST_DOSE_UW_US = 6_000.0
SLOW_DOSE_UW_US = 80_000.0
#: Bleaching by depletion light, per excitation light of the same power: 775 nm is far from the absorption.
DEPLETION_WEIGHT = 5e-6


def frame_dose_uw_us(light: Light) -> float:
    """Bleaching dose of one frame, per pixel: power x time, mostly of the excitation."""
    return (light.excitation_uw + DEPLETION_WEIGHT * 1000 * light.depletion_mw) * light.exposure_us


def survival_at(dose_uw_us: float) -> float:
    """Fraction of fluorophores alive after a dose: bi-exponential, as photobleaching is usually fitted."""
    fast = FAST_SHARE * math.exp(-dose_uw_us / FAST_DOSE_UW_US)
    return fast + (1.0 - FAST_SHARE) * math.exp(-dose_uw_us / SLOW_DOSE_UW_US)


def bleaching_for(survival: float, frames: int, light: Light) -> float:
    """Multiplier of the bleaching rate that leaves the fraction `survival` (0-1) after `frames` frames."""
    low, high = 0.0, SLOW_DOSE_UW_US * -math.log(survival)
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if survival_at(middle) > survival else (low, middle)
    return high / (frames * frame_dose_uw_us(light))

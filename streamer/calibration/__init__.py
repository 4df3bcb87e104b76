"""What a rig and a model do without light, and with a healthy specimen: numbers that limits rest on.

`photon_transfer` measures a camera. `GuardCalibration` is the file with the null distributions of the guards,
which belongs to one profile and one model and is refused with any other.
"""

from __future__ import annotations

from streamer.calibration.fitting import apply, calibrated, check
from streamer.calibration.numbers import Interval, Share, Spread
from streamer.calibration.photon_transfer import Estimate, PhotonTransfer, photon_transfer
from streamer.calibration.residuals import SPREADS, structure_spread
from streamer.calibration.series import Series, look_through
from streamer.calibration.stored import (
    DarkNull,
    DetectorSeen,
    GuardCalibration,
    HealthyNull,
    Source,
    default_name,
    of_now,
    read,
    write,
)
from streamer.calibration.words import in_words
from streamer.errors import CalibrationError

__all__ = [
    "SPREADS",
    "CalibrationError",
    "DarkNull",
    "DetectorSeen",
    "Estimate",
    "GuardCalibration",
    "HealthyNull",
    "Interval",
    "PhotonTransfer",
    "Series",
    "Share",
    "Source",
    "Spread",
    "apply",
    "calibrated",
    "check",
    "default_name",
    "in_words",
    "look_through",
    "of_now",
    "photon_transfer",
    "read",
    "structure_spread",
    "write",
]

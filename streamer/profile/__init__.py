"""Hardware profiles: one TOML file per rig says what the lasers, the scan and the detector do, which
numbers nobody has measured, and how far the guards may go. The only room that knows TOML.
"""

from streamer.profile.dose import LineDose, dose, dose_ratio
from streamer.profile.load import list_profiles, load_profile
from streamer.profile.models import (
    Detector,
    DetectorCalibration,
    Guards,
    HardwareProfile,
    Laser,
    PhotonGuard,
    Policy,
    RangeGuard,
    Reactions,
    Scan,
    SignalMap,
    SimilarityGuard,
)

__all__ = [
    "Detector",
    "DetectorCalibration",
    "Guards",
    "HardwareProfile",
    "Laser",
    "LineDose",
    "PhotonGuard",
    "Policy",
    "RangeGuard",
    "Reactions",
    "Scan",
    "SignalMap",
    "SimilarityGuard",
    "dose",
    "dose_ratio",
    "list_profiles",
    "load_profile",
]

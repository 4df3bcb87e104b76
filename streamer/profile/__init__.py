"""Hardware profiles: one TOML file per rig says what lasers, scan or camera and detector do, which
numbers nobody has measured, and how far guards and control may go. The only room that knows TOML.
"""

from streamer.profile.control import Control, Knob, Recorded, Watchdog
from streamer.profile.detector import Channel, Detector, DetectorCalibration, Filter
from streamer.profile.dose import LineDose, dose, dose_ratio, planned_us
from streamer.profile.judging import (
    Guards,
    PhotonGuard,
    Policy,
    RangeGuard,
    Reactions,
    SignalMap,
    SimilarityGuard,
)
from streamer.profile.ledger import Ledger
from streamer.profile.light import Camera, Laser, Scan
from streamer.profile.load import list_profiles, load_profile
from streamer.profile.micromanager import profile_from_mm
from streamer.profile.models import HardwareProfile
from streamer.profile.processing import Processing
from streamer.profile.schema import json_schema, reference
from streamer.profile.tables import state_key

__all__ = [
    "Camera",
    "Channel",
    "Control",
    "Detector",
    "DetectorCalibration",
    "Filter",
    "Guards",
    "HardwareProfile",
    "Knob",
    "Laser",
    "Ledger",
    "LineDose",
    "PhotonGuard",
    "Policy",
    "Processing",
    "RangeGuard",
    "Reactions",
    "Recorded",
    "Scan",
    "SignalMap",
    "SimilarityGuard",
    "Watchdog",
    "dose",
    "dose_ratio",
    "json_schema",
    "list_profiles",
    "load_profile",
    "planned_us",
    "profile_from_mm",
    "reference",
    "state_key",
]

"""The words of the product: frame, result, verdict, decision, outcome. No behaviour beyond them."""

from streamer.core.calibration import Calibration, Provisional
from streamer.core.frame import CameraMode, Frame
from streamer.core.judgement import CONTINUE, Action, Decision, Status, Verdict
from streamer.core.outcome import Outcome
from streamer.core.result import Result

__all__ = [
    "CONTINUE",
    "Action",
    "Calibration",
    "CameraMode",
    "Decision",
    "Frame",
    "Outcome",
    "Provisional",
    "Result",
    "Status",
    "Verdict",
]

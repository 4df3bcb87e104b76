"""The simulated microscope: Python devices in a real Micro-Manager core under Pycro-Manager's own engine.

`open_rig` opens it, `run_acquisition` takes frames through a hook without losing one, `microscope_process`
is all of it as a process of its own. Private names of the engine live in `unicore` only.
"""

from streamer.microscope.acquire import AcquisitionReport, EngineName, FrameHook, run_acquisition
from streamer.microscope.devices import ExposureRecord
from streamer.microscope.incidents import NO_INCIDENTS, Incidents
from streamer.microscope.plan import Plan
from streamer.microscope.process import MicroscopeSettings, microscope_process, run_microscope
from streamer.microscope.rig import SimulatedRig, frame_time_ms, open_rig, planned_light, scene_settings

__all__ = [
    "NO_INCIDENTS",
    "AcquisitionReport",
    "EngineName",
    "ExposureRecord",
    "FrameHook",
    "Incidents",
    "MicroscopeSettings",
    "Plan",
    "SimulatedRig",
    "frame_time_ms",
    "microscope_process",
    "open_rig",
    "planned_light",
    "run_acquisition",
    "run_microscope",
    "scene_settings",
]

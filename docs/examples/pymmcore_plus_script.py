"""A pymmcore-plus script with the hook in it: python pymmcore_plus_script.py [ENDPOINT [PROFILE]]."""

import sys
from pathlib import Path

import mm_test_adapters
import pymmcore
from pymmcore_plus import CMMCorePlus
from useq import MDASequence

from streamer import Hook

endpoint = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5555"
profile = sys.argv[2] if len(sys.argv) > 2 else "democamera"

# Micro-Manager's simulated hardware; with an installed Micro-Manager: CMMCorePlus() and your configuration.
adapters = Path(mm_test_adapters.device_adapter_path())
core = CMMCorePlus(mm_path=str(adapters))
core.loadSystemConfiguration(str(adapters / "MMConfig_demo.cfg"))
core.setProperty("Camera", "PixelType", "16bit")
core.setExposure(5)


def lasers_off() -> None:
    core.setShutterOpen(False)


sequence = MDASequence(
    time_plan={"interval": 0, "loops": 3},
    channels=["DAPI", "FITC"],
    z_plan={"range": 1, "step": 1},
)
with Hook(profile, endpoint, planned=12) as hook:
    hook.attach(core.mda, make_safe=lasers_off)  # frames come from here on
    core.mda.run(sequence)  # or core.run_mda(sequence).join(): the hook must outlive the run

print(f"{hook.report().acquired} frames, {hook.report().acknowledged} of them recorded")
# A core whose callbacks outlive the interpreter crashes about one exit in three.
pymmcore.CMMCore.registerCallback(core, None)

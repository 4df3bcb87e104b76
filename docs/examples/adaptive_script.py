"""A run that can be paused and adjusted: python adaptive_script.py [ENDPOINT [PROFILE]]."""

import sys
from pathlib import Path

import mm_test_adapters
import pymmcore
from pymmcore_plus import CMMCorePlus
from useq import MDAEvent

from streamer import Hook

endpoint = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5555"
profile = sys.argv[2] if len(sys.argv) > 2 else "democamera"

adapters = Path(mm_test_adapters.device_adapter_path())
core = CMMCorePlus(mm_path=str(adapters))
core.loadSystemConfiguration(str(adapters / "MMConfig_demo.cfg"))
core.setProperty("Camera", "PixelType", "16bit")


def lasers_off() -> None:
    core.setShutterOpen(False)


def lasers_on() -> None:
    core.setShutterOpen(True)


events = (MDAEvent(index={"t": time}, exposure=10) for time in range(60))
lasers_on()
with Hook(profile, endpoint, planned=60) as hook:
    hook.attach(core.mda, make_safe=lasers_off, make_ready=lasers_on)
    # The only difference: the events go through the hook (Pycro-Manager: acq.acquire(hook.events(events))).
    core.mda.run(hook.events(events, interval_s=0.02))
lasers_off()

print(f"{hook.report().acquired} frames, {hook.report().acknowledged} of them recorded")
pymmcore.CMMCore.registerCallback(core, None)

"""A Pycro-Manager script with the hook in it: python pycromanager_script.py [ENDPOINT [PROFILE]]."""

import sys
from pathlib import Path

import mm_test_adapters
from pycromanager import Acquisition, Core, multi_d_acquisition_events, start_headless, stop_headless

from streamer import Hook

endpoint = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5555"
profile = sys.argv[2] if len(sys.argv) > 2 else "democamera"

# Micro-Manager's simulated hardware; with an installed Micro-Manager: its folder and your configuration.
adapters = Path(mm_test_adapters.device_adapter_path())
start_headless(str(adapters), config_file=str(adapters / "MMConfig_demo.cfg"), python_backend=True)
core = Core()
core.set_property("Camera", "PixelType", "16bit")
core.set_exposure(5)


def lasers_off() -> None:
    core.set_shutter_open(False)


events = multi_d_acquisition_events(
    num_time_points=3,
    channel_group="Channel",
    channels=["DAPI", "FITC"],
    z_start=0,
    z_end=1,
    z_step=1,
)
with (
    Hook(profile, endpoint, planned=len(events)) as hook,
    Acquisition(image_process_fn=hook.image_process_fn, show_display=False) as acq,
):
    hook.attach(acq, make_safe=lasers_off, core=core)
    acq.acquire(events)

stop_headless()
print(f"{hook.report().acquired} frames, {hook.report().acknowledged} of them recorded")

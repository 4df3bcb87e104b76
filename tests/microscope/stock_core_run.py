"""A user's script: Pycro-Manager on a stock Micro-Manager core, with the three lines of the hook in it.

Prints one JSON object. Runs in a process of its own, because a stock core is never fully torn down.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import mm_test_adapters
import numpy as np
from pycromanager import Acquisition, Core, start_headless, stop_headless

from streamer import Hook

FRAMES = 12


def main(mode: str) -> dict[str, object]:
    adapters = mm_test_adapters.device_adapter_path()
    start_headless(str(adapters), config_file=str(Path(adapters) / "MMConfig_demo.cfg"), python_backend=True)
    core = Core()
    core.set_property("Camera", "PixelType", "16bit")
    core.set_exposure(2)
    events: list[dict[str, object]] = [{"axes": {"time": index}} for index in range(FRAMES)]

    def one_by_one() -> Iterator[dict[str, object]]:
        yield from events

    with Hook(
        profile="abberior_er_low", endpoint="tcp://127.0.0.1:9", spool_dir=Path(tempfile.mkdtemp())
    ) as hook:
        with Acquisition(image_process_fn=hook.image_process_fn) as acquisition:
            hook.attach(acquisition)
            acquisition.acquire(events if mode == "sequence" else one_by_one())
        report = hook.close(timeout_s=0.2)
    dataset = acquisition.get_dataset()
    images = [dataset.read_image(time=index) for index in range(FRAMES)]
    stop_headless()
    return {
        "acquired": report.acquired,
        "errors": report.errors,
        "stored": len(images),
        "dtypes": sorted({str(np.asarray(image).dtype) for image in images}),
        "kept": str(report.kept),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))

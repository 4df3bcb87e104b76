"""The camera that ships with Micro-Manager, on a real core, under Pycro-Manager's Python backend."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mm_test_adapters
from numpy.typing import NDArray
from pycromanager import Acquisition, Core, start_headless, stop_headless

#: An image processor as Pycro-Manager calls it.
ProcessFn = Callable[[NDArray[Any], dict[str, Any]], tuple[NDArray[Any], dict[str, Any]] | None]

WARM_UP_FRAMES = 20


@contextmanager
def demo_camera(*, buffer_mb: int) -> Iterator[Core]:
    """The core with its camera; once per process, because a stock core is never fully torn down."""
    adapters = mm_test_adapters.device_adapter_path()
    config = str(Path(adapters) / "MMConfig_demo.cfg")
    start_headless(str(adapters), config_file=config, python_backend=True, buffer_size_mb=buffer_mb)
    try:
        yield Core()
    finally:
        stop_headless()


def set_mode(core: Core, shape_yx: tuple[int, int], exposure_ms: float) -> None:
    """Size and exposure of 16-bit frames, and a few frames to warm up.

    The camera's quick image is taken, because rendering a new one takes longer than an exposure.
    """
    height, width = shape_yx
    settings = {"PixelType": "16bit", "FastImage": "1", "OnCameraCCDXSize": width, "OnCameraCCDYSize": height}
    for name, value in settings.items():
        core.set_property("Camera", name, str(value))
    core.set_exposure(exposure_ms)
    acquire(WARM_UP_FRAMES, lambda image, metadata: None)


def acquire(frames: int, process_fn: ProcessFn | None, attach: Callable[[Any], None] | None = None) -> float:
    """One sequence of `frames` time points; seconds until the engine has handed over the last one."""
    processor = {"image_process_fn": process_fn} if process_fn else {}
    started_s = time.monotonic()
    with Acquisition(**processor) as acquisition:
        if attach:
            attach(acquisition)
        acquisition.acquire([{"axes": {"time": index}} for index in range(frames)])
    seconds = time.monotonic() - started_s
    if (kept := acquisition.get_dataset()) is not None:
        kept.close()  # an acquisition that is over is never forgotten, nor are the frames in its store
    return seconds

"""Micro-Manager's own simulated hardware: DemoCamera and its demo configuration, from mm-test-adapters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mm_test_adapters

from streamer.microscope.unicore import EngineCore, open_core


@contextmanager
def open_demo_camera(shape_yx: tuple[int, int], exposure_ms: float) -> Iterator[EngineCore]:
    """A core with Micro-Manager's demo configuration and a 16-bit camera of this size, for either engine.

    Raises:
        MicroscopeError: another core is open in this process.
    """
    adapters = Path(mm_test_adapters.device_adapter_path())
    with open_core({}) as core:
        core.setDeviceAdapterSearchPaths([str(adapters)])
        core.loadSystemConfiguration(str(adapters / "MMConfig_demo.cfg"))
        core.setProperty("Camera", "OnCameraCCDYSize", shape_yx[0])
        core.setProperty("Camera", "OnCameraCCDXSize", shape_yx[1])
        core.setProperty("Camera", "PixelType", "16bit")
        core.setProperty("Camera", "FastImage", "1")  # it renders slowly otherwise
        core.setExposure(exposure_ms)
        yield core

"""One acquisition in which every exposed frame reaches the hook, however it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from streamer.errors import MicroscopeError
from streamer.hook.hook import Acquisition
from streamer.microscope.devices import ExposureRecord
from streamer.microscope.rig import SimulatedRig
from streamer.microscope.unicore import open_acquisition, raise_engine_failure

#: How often the wait for a frame looks whether the engine has failed instead.
_CHECK_S = 0.25


class FrameHook(Protocol):
    """What an acquisition needs of a hook; `streamer.Hook` is one."""

    def image_process_fn(
        self, image: NDArray[Any], metadata: dict[str, Any]
    ) -> tuple[NDArray[Any], dict[str, Any]]: ...

    def attach(
        self,
        acquisition: Acquisition,
        *,
        make_safe: Callable[[], None] | None = None,
        end: Callable[[], None] | None = None,
    ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquisitionReport:
    """What was exposed and what reached the hook.

    Attributes:
        planned: frames asked for.
        exposed: frames the camera exposed, by its own counter.
        acquired: frames the engine handed to the hook.
        stopped: whether the acquisition was ended before its plan.
        safe: both lasers read back dark after the last frame.
        exposures: the camera's log of these frames.
        latency_ms: of each frame, from the end of its exposure to the hook.
    """

    planned: int
    exposed: int
    acquired: int
    stopped: bool
    safe: bool
    exposures: tuple[ExposureRecord, ...]
    latency_ms: tuple[float, ...]


def run_acquisition(
    rig: SimulatedRig, hook: FrameHook, frames: int, *, stop: threading.Event | None = None
) -> AcquisitionReport:
    """Expose up to `frames` frames through Pycro-Manager's engine and hand each to the hook.

    Ends early when the hook ends it or `stop` is set: no further exposure begins, the one in progress is
    finished and reaches the hook. Lasers are dark afterwards.

    The engine's own `abort()` is not used, because it drops what it has just exposed: in snap mode the image
    being snapped (and an event already taken up is still exposed), in sequence mode whatever waits in the
    core's buffer. Instead there is never more than one event with the engine: the next is submitted when the
    frame before it has reached the hook, which costs about a millisecond per frame and leaves nothing to
    abort. Single submissions also keep the engine from merging events into a sequence.

    Raises:
        MicroscopeError: the engine, a device or the hook failed, or a laser did not go dark.
    """
    stop = stop or threading.Event()
    first = rig.camera.exposed
    handed = threading.Semaphore(0)
    latency_ms: list[float] = []
    failures: list[Exception] = []

    def process(image: NDArray[Any], metadata: dict[str, Any]) -> None:
        hook_ns = time.monotonic_ns()
        try:
            hook.image_process_fn(image, metadata)
        except Exception as error:  # the engine would abort itself, and forget that it is to finish
            failures.append(error)
        latency_ms.append((hook_ns - rig.camera.log[metadata["Camera-ExposureIndex"]].end_ns) / 1e6)
        handed.release()
        # Returning nothing keeps the frame out of the engine's store in memory, which never forgets.

    try:
        rig.arm()
        with open_acquisition(process) as acquisition:
            hook.attach(acquisition, make_safe=rig.make_safe, end=stop.set)
            for index in range(frames):
                if stop.is_set():
                    break
                acquisition.acquire({"axes": {"time": index}})
                while not handed.acquire(timeout=_CHECK_S):
                    raise_engine_failure(acquisition)
                if failures:
                    raise MicroscopeError(f"the hook failed: {failures[0]}") from failures[0]
    finally:
        rig.make_safe()
    exposures = tuple(rig.camera.log[first:])
    return AcquisitionReport(
        planned=frames,
        exposed=len(exposures),
        acquired=len(latency_ms),
        stopped=len(exposures) < frames,
        safe=rig.safe,
        exposures=exposures,
        latency_ms=tuple(latency_ms),
    )

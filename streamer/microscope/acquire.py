"""One acquisition in which every exposed frame reaches the hook, however it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from streamer.errors import MicroscopeError
from streamer.microscope.devices import ExposureRecord
from streamer.microscope.plan import Plan, pycromanager_events, useq_events
from streamer.microscope.rig import SimulatedRig
from streamer.microscope.unicore import open_acquisition, raise_engine_failure

#: Acquisition engines that the simulated rig runs under.
EngineName = Literal["pycromanager", "pymmcore-plus"]

#: How often a running acquisition is looked at.
_CHECK_S = 0.05


class FrameHook(Protocol):
    """What an acquisition needs of a hook; `streamer.Hook` is one."""

    def image_process_fn(
        self, image: NDArray[Any], metadata: dict[str, Any]
    ) -> tuple[NDArray[Any], dict[str, Any]]: ...

    def attach(
        self,
        engine: Any,
        *,
        make_safe: Callable[[], None] | None = None,
        make_ready: Callable[[], None] | None = None,
        core: Any = None,
    ) -> None: ...

    def events(self, events: Iterable[Any]) -> Generator[Any, None, None]: ...

    def stop(self) -> None: ...


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
    rig: SimulatedRig,
    hook: FrameHook,
    plan: Plan,
    *,
    engine: EngineName = "pycromanager",
    stop: threading.Event | None = None,
) -> AcquisitionReport:
    """Carry out `plan` with an acquisition engine and hand each frame to the hook.

    Ends early when the hook ends it or `stop` is set: no further exposure begins, the one in progress is
    finished and reaches the hook. Lasers are dark afterwards.

    The events go through the hook, so there is never more than one with the engine, and the engine's own
    abort is not used. Pycro-Manager's drops what it has just exposed: in snap mode the image being snapped
    (and an event already taken up is still exposed), in sequence mode whatever waits in the core's buffer.

    Raises:
        MicroscopeError: the engine, a device or the hook failed, or a laser did not go dark.
    """
    stop = stop or threading.Event()
    first, latency_ms = rig.camera.exposed, list[float]()

    def arrived() -> None:
        latency_ms.append((time.monotonic_ns() - rig.camera.log[-1].end_ns) / 1e6)

    run = _with_pycromanager if engine == "pycromanager" else _with_pymmcore_plus
    try:
        rig.arm()
        run(rig, hook, plan, stop, arrived)
    finally:
        rig.make_safe()
    exposures = tuple(rig.camera.log[first:])
    return AcquisitionReport(
        planned=plan.frames,
        exposed=len(exposures),
        acquired=len(latency_ms),
        stopped=len(exposures) < plan.frames,
        safe=rig.safe,
        exposures=exposures,
        latency_ms=tuple(latency_ms),
    )


def _with_pycromanager(
    rig: SimulatedRig, hook: FrameHook, plan: Plan, stop: threading.Event, arrived: Callable[[], None]
) -> None:
    failures: list[Exception] = []
    over = threading.Event()

    def process(image: NDArray[Any], metadata: dict[str, Any]) -> None:
        arrived()
        try:
            hook.image_process_fn(image, metadata)
        except Exception as error:  # the engine would abort itself, and forget that it is to finish
            failures.append(error)
        # Returning nothing keeps the frame out of the engine's store in memory, which never forgets.

    def until_over(events: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        try:
            yield from events
        finally:
            over.set()

    with open_acquisition(process) as acquisition:
        hook.attach(acquisition, make_safe=rig.make_safe, make_ready=rig.arm, core=rig.core)
        acquisition.acquire(until_over(hook.events(_unless(stop, pycromanager_events(plan)))))
        while not over.wait(_CHECK_S):
            if stop.is_set():
                hook.stop()
            if failures:
                acquisition.abort()  # nothing can be lost to a hook that fails
            raise_engine_failure(acquisition)
    if failures:
        raise MicroscopeError(f"the hook failed: {failures[0]}") from failures[0]


def _with_pymmcore_plus(
    rig: SimulatedRig, hook: FrameHook, plan: Plan, stop: threading.Event, arrived: Callable[[], None]
) -> None:
    runner = rig.core.mda

    def ready(*_: object) -> None:
        arrived()

    runner.events.frameReady.connect(ready)
    hook.attach(runner, make_safe=rig.make_safe, make_ready=rig.arm)
    with ThreadPoolExecutor(1, thread_name_prefix="mda") as pool:
        running = pool.submit(runner.run, hook.events(_unless(stop, useq_events(plan))))
        while not running.done():
            if stop.wait(_CHECK_S):
                hook.stop()
    runner.events.frameReady.disconnect(ready)
    if (error := running.exception()) is not None:
        raise MicroscopeError(f"the acquisition engine failed: {error}") from error


def _unless(stop: threading.Event, events: Iterable[Any]) -> Iterator[Any]:
    for event in events:
        if stop.is_set():
            return
        yield event

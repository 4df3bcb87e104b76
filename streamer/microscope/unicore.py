"""A Micro-Manager core that holds Python devices, under Pycro-Manager's own acquisition engine.

The one file that leans on names which their authors may change at any time: `Engine.singleton` and the
engine's executors (pycromanager 1.0.2), `mmpycorex.launcher` (mmpycorex 0.3.16) and the unified core
(pymmcore-plus 0.18.1, pymmcore 12.5.1.75.0). The `demo` extra pins exactly these; move a pin with this file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pymmcore
from mmpycorex import launcher
from numpy.typing import NDArray
from pycromanager.acquisition.acq_eng_py.internal.engine import Engine
from pycromanager.acquisition.python_backend_acquisitions import PythonBackendAcquisition
from pymmcore_plus.experimental.unicore import Device, UniMMCore

from streamer.errors import MicroscopeError

#: What Pycro-Manager calls with every image; answering None keeps the image out of the engine's own store.
ProcessFn = Callable[[NDArray[Any], dict[str, Any]], tuple[NDArray[Any], dict[str, Any]] | None]

_JOIN_S = 5.0


def _in_snake_case(core_class: type) -> dict[str, Any]:
    members = {name: getattr(core_class, name) for name in dir(core_class) if not name.startswith("_")}
    renamed = {launcher._camel_to_snake(name): member for name, member in members.items() if callable(member)}
    return {name: member for name, member in renamed.items() if name not in members}


#: A base class, because the core's metaclass refuses attributes that are added later.
_SnakeCase = type("_SnakeCase", (), _in_snake_case(UniMMCore))


class EngineCore(_SnakeCase, UniMMCore):  # type: ignore[misc, valid-type]  # bases made or typed at run time
    """A unified core that also answers to the snake_case names which Pycro-Manager's engine uses."""

    TaggedImage = launcher.TaggedImage
    pop_next_tagged_image = launcher.pop_next_tagged_image

    def get_tagged_image(self, channel: int, camera: str, height: int, width: int) -> launcher.TaggedImage:
        """The snapped image with its camera's properties, tagged as by the Java core (`Camera-Property`).

        Must not raise: the engine takes an exception here for "not ready yet" and spins.
        """
        tags = {"Camera": camera, "CameraChannelIndex": channel, "Height": height, "Width": width}
        tags |= {"PixelType": f"GRAY{8 * self.getBytesPerPixel()}", "BitDepth": self.getImageBitDepth()}
        tags |= {
            f"{camera}-{name}": self.getProperty(camera, name) for name in self.getDevicePropertyNames(camera)
        }
        return launcher.TaggedImage(tags, self.getImage())


class _Engine(Engine):  # type: ignore[misc]  # pycromanager is untyped
    """The acquisition engine, mended: a failure in the last event of a submission is silent upstream."""

    def submit_event_iterator(self, event_iterator: Iterator[Any]) -> Future[None]:
        events = list(event_iterator)
        future: Future[None] = super().submit_event_iterator(iter(events))

        def tell(done: Future[None]) -> None:
            if (error := done.exception()) is not None:
                events[0].acquisition_.abort(error)

        future.add_done_callback(tell)
        return future


@contextmanager
def open_core(devices: Mapping[str, Device]) -> Iterator[EngineCore]:
    """A core with `devices` loaded under their labels, and the acquisition engine running on it.

    Both are singletons of the process. Closing leaves neither behind, so that another can be opened.

    Raises:
        MicroscopeError: another core is open in this process.
    """
    if launcher.is_pymmcore_active() or Engine.get_instance() is not None:
        raise MicroscopeError("a Micro-Manager core is already open in this process; close it first")
    core = EngineCore()
    try:
        for label, device in devices.items():
            core.loadPyDevice(label, device)
            core.initializeDevice(label)
        core.setAutoShutter(False)
        launcher._PYMMCORES.append(core)
        _Engine(core)
        yield core
    finally:
        _close(core)


def _close(core: EngineCore) -> None:
    if (engine := Engine.get_instance()) is not None:
        engine.shutdown()
        del Engine.singleton
    if core in launcher._PYMMCORES:
        launcher._PYMMCORES.remove(core)
    core.unloadAllDevices()
    # A callback into Python that outlives the interpreter crashes about one exit in three.
    pymmcore.CMMCore.registerCallback(core, None)


@contextmanager
def open_acquisition(process: ProcessFn) -> Iterator[PythonBackendAcquisition]:
    """A Pycro-Manager acquisition on the open core; leaving waits until every frame has been processed.

    Raises:
        MicroscopeError: the engine, a device or `process` failed.
    """
    # An earlier run's last event would be taken for where the hardware stands now.
    Engine.get_instance().last_event = None
    before = set(threading.enumerate())
    acquisition = PythonBackendAcquisition(image_process_fn=process)
    started = set(threading.enumerate()) - before
    try:
        yield acquisition
    finally:
        try:
            acquisition.mark_finished()
            acquisition.await_completion()
        except Exception as error:
            raise MicroscopeError(f"the acquisition engine failed: {error}") from error
        finally:
            # The engine joins only some of its threads.
            for thread in started:
                thread.join(_JOIN_S)


def raise_engine_failure(acquisition: PythonBackendAcquisition) -> None:
    """Raise what the engine's threads have met with, if anything."""
    try:
        acquisition._check_for_exceptions()
    except Exception as error:
        raise MicroscopeError(f"the acquisition engine failed: {error}") from error

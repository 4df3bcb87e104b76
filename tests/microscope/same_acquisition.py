"""The same acquisition through each engine: time, z and two channels of a camera whose pixels are known.

Each function runs it through a `Hook` that streams to `endpoint`, and answers with the hook's report.
"""

from __future__ import annotations

import itertools
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import zmq
from numpy.typing import DTypeLike, NDArray
from pycromanager.acquisition import java_backend_acquisitions
from pycromanager.acquisition.java_backend_acquisitions import JavaBackendAcquisition
from pymmcore_plus.experimental.unicore import CameraDevice

from streamer import Hook
from streamer.hook import HookReport
from streamer.microscope import Plan
from streamer.microscope.devices import FilterWheel, FocusStage
from streamer.microscope.plan import pycromanager_events, useq_events
from streamer.microscope.unicore import EngineCore, open_acquisition, open_core

PLAN = Plan(time_points=3, channels=("red", "yellow"), z_um=(0.0, 0.3))
SHAPE_YX = (48, 48)
EXPOSURE_MS = 2.0
PROFILE = "abberior_er_low"


def pixels(index: int) -> NDArray[np.uint16]:
    """[y, x] counts of frame `index`, in the order of `PLAN`."""
    return np.random.default_rng((7, index)).poisson(0.5, SHAPE_YX).astype(np.uint16)


class KnownCamera(CameraDevice):
    """A camera whose n-th frame is `pixels(n)`."""

    def __init__(self) -> None:
        super().__init__()
        self._exposure_ms = EXPOSURE_MS
        self._taken = itertools.count()

    def get_exposure(self) -> float:
        return self._exposure_ms

    def set_exposure(self, exposure: float) -> None:
        self._exposure_ms = exposure

    def shape(self) -> tuple[int, int]:
        return SHAPE_YX

    def dtype(self) -> DTypeLike:
        return np.uint16

    def start_sequence(
        self, n: int | None, get_buffer: Callable[[Sequence[int], DTypeLike], NDArray[np.uint16]]
    ) -> Iterator[Mapping[str, object]]:
        for _ in itertools.count() if n is None else range(n):
            get_buffer(SHAPE_YX, np.uint16)[:] = pixels(next(self._taken))
            yield {}


@contextmanager
def known_core() -> Iterator[EngineCore]:
    """A core with a `KnownCamera`, a filter wheel with the channels of `PLAN`, and a focus drive."""
    wheel = FilterWheel(dict.fromkeys(PLAN.channels, 1.0))
    with open_core({"Camera": KnownCamera(), "Focus": FocusStage(), "Filter": wheel}) as core:
        core.setCameraDevice("Camera")
        core.setFocusDevice("Focus")
        for name in PLAN.channels:
            core.defineConfig("Channel", name, "Filter", "Label", name)
        yield core


def with_pycromanager(endpoint: str, profile: str = PROFILE) -> HookReport:
    """Through Pycro-Manager's Python backend."""
    with known_core() as core:
        hook = Hook(profile, endpoint, planned=PLAN.frames)
        with open_acquisition(hook.image_process_fn) as acquisition:
            hook.attach(acquisition, core=core)
            acquisition.acquire(hook.events(pycromanager_events(PLAN)))
        return hook.close(30)


def with_pymmcore_plus(endpoint: str, profile: str = PROFILE) -> HookReport:
    """Through pymmcore-plus."""
    with known_core() as core:
        hook = Hook(profile, endpoint, planned=PLAN.frames)
        hook.attach(core.mda)
        core.mda.run(hook.events(useq_events(PLAN)))
        return hook.close(30)


def with_java_wire(endpoint: str, profile: str = PROFILE) -> HookReport:
    """Through Pycro-Manager's own client of its Java backend, at the sockets of a Java that is imitated."""
    hook = Hook(profile, endpoint, planned=PLAN.frames)
    java = ImitatedJava(hook.image_process_fn)
    hook.attach(java.acquisition)
    for index, event in enumerate(pycromanager_events(PLAN)):
        java.hand_over(pixels(index), java_tags(event["axes"]))
    returned = java.finish()
    assert len(returned) == PLAN.frames
    return hook.close(30)


def java_tags(axes: Mapping[str, int | str]) -> dict[str, Any]:
    """Image metadata as the Java backend writes it: rich, and with numbers as text."""
    height, width = SHAPE_YX
    return {
        "Axes": dict(axes),
        "PixelType": "GRAY16",
        "BitDepth": 16,
        "Height": height,
        "Width": width,
        "Exposure": EXPOSURE_MS,
        "Camera": "Camera",
        "Camera-Binning": "1",
        "Core-Camera": "Camera",
        "ElapsedTime-ms": 0.0,
        "TimeReceivedByCore": "2026-01-01 00:00:00.000000",
    }


class StubAcquisition(JavaBackendAcquisition):  # type: ignore[misc]  # pycromanager is untyped
    """Pycro-Manager's acquisition without its bridge: what `_run_image_processor` needs of one.

    Attributes:
        told: what it was told, in order.
    """

    def __init__(self) -> None:
        self.told: list[str] = []

    def abort(self, exception: Exception | None = None) -> None:
        self.told.append("abort" if exception is None else f"abort: {exception}")

    def mark_finished(self) -> None:
        self.told.append("finished")


class ImitatedJava:
    """The Java side of a remote image processor: PUSH JSON, hash and pixels; PULL the answer.

    Args:
        process_fn: the user's image processor, called by Pycro-Manager's own client code.
    """

    def __init__(self, process_fn: Callable[..., Any]) -> None:
        self._context = zmq.Context()
        self._to_python = self._context.socket(zmq.PUSH)
        self._from_python = self._context.socket(zmq.PULL)
        to_python_port = self._to_python.bind_to_random_port("tcp://127.0.0.1")
        from_python_port = _free_port()  # Pycro-Manager's side binds it
        self.acquisition = StubAcquisition()
        connected = threading.Event()
        self._client = threading.Thread(
            target=java_backend_acquisitions._run_image_processor,
            args=(self.acquisition, from_python_port, to_python_port, connected, process_fn, None, False),
            daemon=True,
        )
        self._client.start()
        assert connected.wait(10)
        self._from_python.connect(f"tcp://127.0.0.1:{from_python_port}")

    def hand_over(self, image: NDArray[Any], tags: Mapping[str, Any]) -> None:
        """One image goes to Python."""
        kind = {1: "byte-array", 2: "short-array"}[image.dtype.itemsize]
        message = {"metadata": dict(tags), "pixels": {"type": kind, "value": "[B@1a2b3c4d"}}
        identity = 0x1A2B3C4D.to_bytes(4, sys.byteorder)
        self._to_python.send_multipart([json.dumps(message).encode(), identity, image.tobytes()])

    def finish(self) -> list[tuple[dict[str, Any], bytes]]:
        """No image follows; (metadata, pixels) of everything that came back."""
        self._to_python.send_multipart([json.dumps({"special": "finished"}).encode()])
        returned = []
        while True:
            assert self._from_python.poll(20_000), "Pycro-Manager's client does not answer"
            head, *rest = self._from_python.recv_multipart()
            message = json.loads(head)
            if message.get("special") == "finished":
                break
            returned.append((message["metadata"], rest[-1]))
        self._client.join(10)
        self._context.destroy(0)
        return returned


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

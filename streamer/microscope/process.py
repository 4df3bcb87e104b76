"""The microscope as a process of its own: simulated rig, engine and hook."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from streamer.errors import StreamerError
from streamer.hook import Hook, HookReport
from streamer.microscope.acquire import AcquisitionReport, EngineName, run_acquisition
from streamer.microscope.devices import ExposureRecord
from streamer.microscope.incidents import NO_INCIDENTS, Incidents
from streamer.microscope.plan import Plan
from streamer.microscope.rig import open_rig
from streamer.profile import load_profile
from streamer.simulation import SceneSettings
from streamer.wire import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroscopeSettings:
    """Everything the microscope process needs to know; plain values, so that it survives a spawn.

    Attributes:
        profile: name or path of the hardware profile.
        scene: the specimen; `scene_settings` makes one that fits a profile.
        endpoint: where the processor listens.
        frames: frames to expose unless stopped.
        frame_ms: time an exposure really takes; None for the scan's own.
        policy: overload policy of the run.
        exposures_path: where to write one JSON line per exposure; None for nowhere.
        engine: the acquisition engine.
        patience_s: how long the hook waits for a silent processor at the end.
        incidents: what goes wrong at the rig meanwhile.
    """

    profile: str
    scene: SceneSettings
    endpoint: str
    frames: int
    frame_ms: float | None = None
    policy: Policy = "lossless"
    exposures_path: Path | None = None
    engine: EngineName = "pycromanager"
    patience_s: float = 60.0
    incidents: Incidents = NO_INCIDENTS


def microscope_process(settings: MicroscopeSettings, link: Connection) -> None:
    """Target of a spawned process: run the microscope and send one JSON object about it through `link`.

    The object is {"report": that of `run_microscope`}, or {"error": one line, "exit_code": int}. SIGINT,
    SIGTERM and any message through `link` end the acquisition after the exposure in progress. Nothing is
    printed to stdout.
    """
    stop = threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), ask_to_stop)
    threading.Thread(target=_await_finish, args=(link, stop), daemon=True).start()
    # The engine prints its troubles; stdout belongs to the command that started this process.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            report = run_microscope(settings, stop)
        except StreamerError as error:
            link.send_bytes(json.dumps({"error": str(error), "exit_code": error.exit_code}).encode())
            sys.exit(error.exit_code)
    link.send_bytes(json.dumps({"report": report}, default=str).encode())


def _await_finish(link: Connection, stop: threading.Event) -> None:
    """Any message means: come to an end. The death of whoever started us does not."""
    with contextlib.suppress(EOFError, OSError):
        link.recv_bytes(1024)
        stop.set()


def run_microscope(settings: MicroscopeSettings, stop: threading.Event | None = None) -> dict[str, Any]:
    """One acquisition on the simulated rig through a `Hook`; its counts as plain values.

    Raises:
        ProfileError: the profile cannot be used or simulated.
        UsageError: the endpoint is not allowed.
        MicroscopeError: the engine or a device failed.
    """
    profile = load_profile(settings.profile)
    with (
        _exposure_writer(settings.exposures_path) as write,
        open_rig(
            profile,
            settings.scene,
            frame_ms=settings.frame_ms,
            on_exposure=write,
            incidents=settings.incidents,
        ) as rig,
    ):
        hook = Hook(
            profile=settings.profile,
            endpoint=settings.endpoint,
            policy=settings.policy,
            planned=settings.frames,
        )
        try:
            acquired = run_acquisition(
                rig, hook, Plan(time_points=settings.frames), engine=settings.engine, stop=stop
            )
        finally:
            streamed = hook.close(settings.patience_s)
    return _as_plain(acquired, streamed)


@contextlib.contextmanager
def _exposure_writer(path: Path | None) -> Iterator[Callable[[ExposureRecord], None] | None]:
    """What appends one JSON line per exposure to `path`, the fields of its light beside the others."""
    if path is None:
        yield None
        return
    with path.open("wb", buffering=0) as file:

        def write(exposure: ExposureRecord) -> None:
            row = dataclasses.asdict(exposure)
            light = row.pop("light")
            with contextlib.suppress(OSError):  # a full disk must not end the acquisition
                file.write(json.dumps(row | light).encode() + b"\n")

        yield write


def _as_plain(acquired: AcquisitionReport, streamed: HookReport) -> dict[str, Any]:
    p50, p99 = np.percentile(acquired.latency_ms, (50, 99)).tolist() if acquired.latency_ms else (None, None)
    return {
        "planned": acquired.planned,
        "exposed": acquired.exposed,
        "acquired": acquired.acquired,
        "stopped": acquired.stopped,
        "safe": acquired.safe,
        "hook_latency_ms": {"p50": p50, "p99": p99},
        "hook": dataclasses.asdict(streamed),
    }

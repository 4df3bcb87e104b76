"""Processors beside a measured microscope, and one acquisition that streams to them."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from bench.demo_camera import acquire
from streamer import Hook
from streamer.apps.children import Child
from streamer.apps.processor import RAM_BYTES, ProcessorSettings, processor_process
from streamer.apps.recorder import open_recorder
from streamer.core import Outcome
from streamer.hook import HookReport
from streamer.profile import load_profile
from streamer.recording import RunFolder, RunInfo, close_run, create_run
from streamer.sinks.link import LinkSink
from streamer.sources.live import LiveSource

PROFILE = "democamera"
ANY_PORT = "tcp://127.0.0.1:*"
#: What a processor does with a frame: acknowledge it, record it first, or run the networks as well.
Work = Literal["taking", "recording", "inferring"]
#: Longest silence at the end of a run: what waits must first be written.
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Of a processor without networks: where it records, None for nowhere."""

    out: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """What one acquisition through a hook gave.

    Attributes:
        seconds: from its start until the engine has handed over the last frame.
        callback_ms: time inside the hook, per frame.
        behind: frames that had yet to be reported when the engine was done.
        report: the hook's, at the end of all.
    """

    seconds: float
    callback_ms: list[float]
    behind: int
    report: HookReport


def without_networks(settings: Settings, link: Connection) -> None:
    """Target of a processor that acknowledges frames; raw pixels and rows are written as in a real one."""
    source = listen()
    link.send_bytes(json.dumps({"ready": {"endpoint": source.endpoint}}).encode())
    source.wait_for_hook()
    if settings.out is None:
        for frame in source.frames():
            source.reply(Outcome(frame=frame))
    else:
        _record(source, settings.out)
    received = source.counts().received
    source.close(received)
    link.send_bytes(json.dumps({"summary": {"recorded": received}}).encode())


def listen(profile: str = PROFILE) -> LiveSource:
    """A source at a free port of the loopback."""
    return LiveSource(ANY_PORT, profile=profile, ram_bytes=RAM_BYTES, silence_s=PATIENCE_S)


def processor(work: Work, out: Path, shape_yx: tuple[int, int]) -> Child:
    """A processor's process; it says "ready" with its endpoint, then "summary"."""
    words = "a measurement is lost"
    if work == "inferring":
        real = ProcessorSettings(profile=PROFILE, out=out, endpoint=ANY_PORT, shape_yx=shape_yx, dry_run=True)
        return Child("processor", processor_process, real, if_it_dies=words)
    settings = Settings(out=None if work == "taking" else out)
    return Child("processor", without_networks, settings, if_it_dies=words)


@contextmanager
def hooked(work: Work, folder: Path, shape_yx: tuple[int, int], **arguments: Any) -> Iterator[Hook]:
    """A hook with a processor that works for it; leaving waits for both and removes what they wrote."""
    folder.mkdir()
    try:
        with processor(work, folder / "run", shape_yx) as child:
            endpoint = child.expect("ready")["endpoint"]
            hook = Hook(PROFILE, endpoint, spool_dir=folder / "spool", **arguments)
            yield hook
            hook.close(PATIENCE_S)
            child.expect("summary")
    finally:
        shutil.rmtree(folder)
        if hasattr(os, "sync"):  # what the disk still owes must not fall upon the next measurement
            os.sync()


def stream(
    work: Work, folder: Path, shape_yx: tuple[int, int], frames: int, *, engine_keeps: bool = False
) -> Streamed:
    """One sequence of the demo camera through a hook.

    Args:
        work: what the processor does. One with networks records every frame and processes the newest.
        folder: for the recording, made and removed here.
        shape_yx: of the frames, as the camera is set.
        frames: how many.
        engine_keeps: whether the engine's own store gets the frames, too.
    """
    callback_ms: list[float] = []
    policy = "latest" if work == "inferring" else "lossless"
    with hooked(work, folder, shape_yx, policy=policy, planned=frames) as hook:

        def process(
            image: NDArray[Any], metadata: dict[str, Any]
        ) -> tuple[NDArray[Any], dict[str, Any]] | None:
            begun_ns = time.monotonic_ns()
            answer = hook.image_process_fn(image, metadata)
            callback_ms.append((time.monotonic_ns() - begun_ns) / 1e6)
            return answer if engine_keeps else None

        seconds = acquire(frames, process, hook.attach)
        behind = waiting(hook.report())
    return Streamed(seconds=seconds, callback_ms=callback_ms, behind=behind, report=hook.report())


def waiting(report: HookReport) -> int:
    """Frames that are neither reported nor lost."""
    return report.acquired - report.acknowledged - report.lost


def _record(source: LiveSource, out: Path) -> None:
    profile, run = load_profile(PROFILE), create_run(out, RunInfo())
    recorder = open_recorder(
        run,
        profile,
        pixel_nm=profile.pixel_nm,
        dose=lambda frame: ({}, {}),
        further=(LinkSink(source.reply),),
    )
    with recorder:
        for frame in source.frames():
            recorder.put_raw(frame)
            recorder.put(Outcome(frame=frame))
    close_run(RunFolder(out))

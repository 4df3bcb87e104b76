"""The processor process: listens for a hook and turns what arrives into a recording."""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from streamer.apps import compose
from streamer.apps.compose import ModelSettings, Stages
from streamer.apps.recorder import open_recorder
from streamer.apps.summary import Summary, Tally
from streamer.core import Frame
from streamer.errors import RunError, StreamerError
from streamer.pipeline import process
from streamer.profile import HardwareProfile, load_profile
from streamer.recording import RunFolder, RunInfo, close_run, create_run, read_info, write_info
from streamer.sinks.link import LinkSink
from streamer.sinks.preview import PreviewSink
from streamer.sources.live import LiveSource
from streamer.wire import Hello

#: Frames that wait in memory before they wait on disk, and how much disk they may take.
RAM_BYTES, SPOOL_BYTES = 1 << 29, 1 << 36

#: What is compiled for before the first frame; another type costs nothing but its own first frame.
WARM_DTYPE = np.dtype(np.uint16)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorSettings:
    """Everything the processor process needs to know; plain values, so that it survives a spawn.

    Attributes:
        profile: name or path of the hardware profile.
        out: folder of the recording, new or empty.
        models: the networks.
        endpoint: loopback address to listen at for a hook; port `*` takes a free one.
        shape_yx: frame size to warm up for; None takes the profile's.
        silence_s: a hook that is silent for so long is given up and the recording closed.
        notes: further provenance.
    """

    profile: str
    out: Path
    models: ModelSettings = field(default_factory=ModelSettings)
    endpoint: str = "tcp://127.0.0.1:5555"
    shape_yx: tuple[int, int] | None = None
    silence_s: float = 30.0
    notes: dict[str, Any] = field(default_factory=dict)


def processor_process(settings: ProcessorSettings, link: Connection) -> None:
    """Target of a spawned process.

    Sends JSON objects through `link`: {"ready": addresses}, then {"summary": ...} or {"error": one line,
    "exit_code": int}. Any message from the other side ends the run as if the hook had ended; its death
    does not: whoever watches must not hurt the recording.
    """

    def say(message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more; the recording is what counts
            link.send_bytes(json.dumps(message, default=str).encode())

    try:
        summary = run_processor(settings, on_ready=lambda ready: say({"ready": ready}), finish=link)
        say({"summary": asdict(summary)})
    except StreamerError as error:
        say({"error": str(error), "exit_code": error.exit_code})


def run_processor(
    settings: ProcessorSettings,
    *,
    on_ready: Callable[[dict[str, str]], None] = lambda ready: None,
    finish: Connection | None = None,
) -> Summary:
    """Listen for one hook, process its frames until it ends, close the recording.

    Args:
        settings: what to run.
        on_ready: told the addresses of the link and the preview once frames may come.
        finish: ends the run when something can be received from it.

    Raises:
        UsageError: profile, package or address cannot be used.
        RunError: the port is taken, a network cannot be compiled, the disk will not have it.
    """
    profile = load_profile(settings.profile)
    composer = compose.Composer(profile, compose.load_models(settings.models))
    composer.warm_up(settings.shape_yx or profile.scan.shape_px, WARM_DTYPE)
    source = _listen(settings, profile)
    try:
        info = composer.provenance(
            source={"kind": "live", "endpoint": source.endpoint}, pixel_nm=profile.scan.pixel_nm
        ).model_copy(update={"notes": settings.notes})
        run = create_run(settings.out, info)
        preview = PreviewSink(
            "tcp://127.0.0.1:*", run=str(run.path), dose=composer.dose_so_far, counts=lambda: _counts(source)
        )
    except StreamerError:
        source.finish()
        source.close(0)
        raise
    on_ready({"endpoint": source.endpoint, "preview": preview.endpoint})
    if finish:
        threading.Thread(target=_await_finish, args=(finish, source), daemon=True).start()
    hello = source.wait_for_hook()
    if hello:
        info = _with_hook(info, hello)
        write_info(run, info)
    stages = composer.stages(planned=hello.planned if hello else 0, dtype=WARM_DTYPE)
    return _serve(run, profile, composer, stages, source, preview)


def _listen(settings: ProcessorSettings, profile: HardwareProfile) -> LiveSource:
    spool = Path(tempfile.gettempdir()) / "scope-streamer" / f"{uuid.uuid4().hex}.spool"
    return LiveSource(
        settings.endpoint,
        profile=profile.name,
        spool=spool,
        ram_bytes=RAM_BYTES,
        disk_bytes=SPOOL_BYTES,
        silence_s=settings.silence_s,
    )


def _await_finish(link: Connection, source: LiveSource) -> None:
    with contextlib.suppress(EOFError, OSError):
        link.recv_bytes(1024)
        source.finish()


def _with_hook(info: RunInfo, hello: Hello) -> RunInfo:
    source = {**info.source, "hook": asdict(hello)}
    policy = "latest" if hello.policy == "latest" else "lossless"
    return info.model_copy(update={"source": source, "overload_policy": policy})


def _counts(source: LiveSource) -> dict[str, int | None]:
    counts = source.counts()
    return {"planned": source.planned or None, "received": counts.received, "dropped": counts.dropped}


def _serve(
    run: RunFolder,
    profile: HardwareProfile,
    composer: compose.Composer,
    stages: Stages,
    source: LiveSource,
    preview: PreviewSink,
) -> Summary:
    """The run itself; the hook is told how it ended, whatever happens."""

    def lag(frame: Frame) -> tuple[float, int]:
        since_ns = frame.hook_ns if source.shares_clock else frame.received_ns
        return (time.monotonic_ns() - since_ns) / 1e6, source.counts().waiting

    tally, problem = Tally(), "the processor was interrupted"
    recorder = open_recorder(
        run,
        profile,
        pixel_nm=profile.scan.pixel_nm,
        dose=composer.dose_so_far,
        further=(LinkSink(source.reply), tally, preview),
    )
    try:
        with recorder:
            process(
                source.frames(), record=recorder.put_raw, sinks=(recorder,), lag=lag, **stages.as_arguments()
            )
        info = read_info(run).model_copy(update={"engine_keys": composer.engine_keys})
        write_info(run, info)  # a frame of another shape than the profile's was compiled for on the way
        close_run(run)
        problem = ""
    except RunError as error:
        problem = str(error)
        raise
    finally:
        source.close(tally.recorded, error=problem)
    counts = source.counts()
    return tally.summary(
        run.path,
        received=counts.received,
        dropped=counts.dropped,
        refused=counts.refused,
        silent=counts.silent,
    )

"""The processor process: listens for a hook and turns what arrives into a recording."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from streamer.apps import compose
from streamer.apps.children import ignore_terminal_signals
from streamer.apps.compose import ModelSettings
from streamer.apps.recorder import open_recorder
from streamer.apps.summary import Summary, Tally
from streamer.core import Frame
from streamer.errors import RunError, StreamerError
from streamer.pipeline import process
from streamer.profile import HardwareProfile, load_profile
from streamer.recording import RunFolder, RunInfo, close_run, create_run, write_info
from streamer.sinks import Sink
from streamer.sinks.link import LinkSink
from streamer.sinks.preview import PreviewSink
from streamer.sources.live import LiveSource
from streamer.wire import DEFAULT_ENDPOINT, DEFAULT_SILENCE_S, Hello

#: Frames that wait in memory before they wait on disk, and how much disk they may take.
RAM_BYTES, SPOOL_BYTES = 1 << 29, 1 << 36


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
        seeds: of a simulation, for the record.
        notes: further provenance.
    """

    profile: str
    out: Path
    models: ModelSettings = field(default_factory=ModelSettings)
    endpoint: str = DEFAULT_ENDPOINT
    shape_yx: tuple[int, int] | None = None
    silence_s: float = DEFAULT_SILENCE_S
    seeds: dict[str, int] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


def processor_process(settings: ProcessorSettings, link: Connection) -> None:
    """Target of a spawned process.

    Sends JSON objects through `link`: {"ready": addresses}, then {"summary": ...} or {"error": one line,
    "exit_code": int}. Any message from the other side ends the run as if the hook had ended. The death of
    the other side ends only a processor that still waits for a hook: who watches must not hurt a recording.
    """
    ignore_terminal_signals()

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
    composer.warm_up(settings.shape_yx or profile.scan.shape_px)
    source = _listen(settings, profile)
    tally, problem = Tally(), "the processor was interrupted"
    try:
        run, info = _create_run(settings, composer, source)
        preview = PreviewSink(run=str(run.path), dose=composer.dose_so_far, counts=lambda: _counts(source))
        try:
            on_ready({"endpoint": source.endpoint, "preview": preview.endpoint})
            if finish:
                threading.Thread(target=_await_finish, args=(finish, source), daemon=True).start()
            _record(run, info, composer, source, (LinkSink(source.reply), tally, preview))
            problem = ""
        except RunError as error:
            problem = str(error)
            raise
        finally:
            preview.end(failed=bool(problem))
    finally:
        # Whatever happened, the hook is told, and keeps what was not acknowledged.
        source.close(tally.recorded, error=problem)
    return tally.summary(run.path, source.counts())


def _listen(settings: ProcessorSettings, profile: HardwareProfile) -> LiveSource:
    return LiveSource(
        settings.endpoint,
        profile=profile.name,
        spool=settings.out / "waiting",
        ram_bytes=RAM_BYTES,
        disk_bytes=SPOOL_BYTES,
        silence_s=settings.silence_s,
    )


def _create_run(
    settings: ProcessorSettings, composer: compose.Composer, source: LiveSource
) -> tuple[RunFolder, RunInfo]:
    pixel_nm = composer.profile.scan.pixel_nm
    info = composer.provenance(source={"kind": "live", "endpoint": source.endpoint}, pixel_nm=pixel_nm)
    info = info.model_copy(update={"seeds": settings.seeds, "notes": settings.notes})
    return create_run(settings.out, info), info


def _await_finish(link: Connection, source: LiveSource) -> None:
    try:
        link.recv_bytes(1024)
        source.finish()
    except (EOFError, OSError):
        source.finish(unless_running=True)


def _record(
    run: RunFolder,
    info: RunInfo,
    composer: compose.Composer,
    source: LiveSource,
    further: Sequence[Sink],
) -> None:
    """Wait for the hook, process and record its frames, close the recording."""
    hello = source.wait_for_hook()
    if hello:
        info = _with_hook(info, hello)
        write_info(run, info)
    stages = composer.stages(planned=source.planned)

    def lag(frame: Frame) -> tuple[float, int]:
        since_ns = frame.hook_ns if source.shares_clock else frame.received_ns
        return (time.monotonic_ns() - since_ns) / 1e6, source.counts().waiting

    recorder = open_recorder(
        run,
        composer.profile,
        pixel_nm=info.pixel_nm,
        dose=composer.dose_so_far,
        further=further,
    )
    with recorder:
        process(source.frames(), record=recorder.put_raw, sinks=(recorder,), lag=lag, **stages.as_arguments())
    # Engines of shapes that came on the way, and every frame that did not come, belong to the record.
    link = {**info.source, "link": asdict(source.counts())}
    write_info(run, info.model_copy(update={"engine_keys": composer.engine_keys, "source": link}))
    close_run(run)


def _with_hook(info: RunInfo, hello: Hello) -> RunInfo:
    source = {**info.source, "hook": asdict(hello)}
    policy = "latest" if hello.policy == "latest" else "lossless"
    return info.model_copy(update={"source": source, "overload_policy": policy})


def _counts(source: LiveSource) -> dict[str, int | None]:
    counts = source.counts()
    return {"planned": source.planned or None, "received": counts.received, "dropped": counts.dropped}

"""The processor process: listens for a hook and turns what arrives into a recording."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from streamer.apps import compose
from streamer.apps.children import ignore_terminal_signals
from streamer.apps.compose import ModelSettings
from streamer.apps.desk import Desk
from streamer.apps.preflight import Check, preflight, to_json
from streamer.apps.recorded import models_as_recorded, recorded_profile
from streamer.apps.recorder import open_recorder
from streamer.apps.sessions import Session, begin, resume
from streamer.apps.summary import Summary, Tally
from streamer.core import Frame
from streamer.errors import StreamerError, UsageError
from streamer.pipeline import process
from streamer.profile import HardwareProfile, Ledger, load_profile
from streamer.recording import RunFolder, RunInfo, close_run, is_run, read_info, write_info
from streamer.sinks import DecisionsSink, Sink
from streamer.sinks.link import LinkSink
from streamer.sinks.notify import Notifier
from streamer.sinks.preview import PreviewSink
from streamer.sinks.targets import check_target
from streamer.sources.live import LiveSource
from streamer.wire import DEFAULT_ENDPOINT, DEFAULT_SILENCE_S, Hello

#: Memory for frames that are received and not yet recorded; the others wait with the hook.
RAM_BYTES = 1 << 29

#: What makes a run's composer and tally.
ComposerOf = Callable[[HardwareProfile, compose.Models], compose.Composer]
TallyOf = Callable[[Session | None], Tally]

#: Told words for the user, a line each.
Say = Callable[[Sequence[str]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorSettings:
    """Everything the processor process needs to know; plain values, so that it survives a spawn.

    Attributes:
        out: folder of the recording, new or empty; with `resume`, the recording to go on in.
        profile: name or path of the hardware profile; None takes the one of the recording to go on in.
        resume: go on in the recording `out`.
        restarted: its hook is there and will come back, or has gone for good.
        models: the networks.
        segment_every: frames of a view from one that is segmented to the next; None takes the profile's.
        calibration: file of `streamer calibrate` for this profile and these models; a recording to go on in
            holds what was taken from it.
        endpoint: address to listen at for a hook; port `*` takes a free one.
        keys: key file of this side; needed for any address but loopback.
        shape_yx: frame size to warm up for; None takes the profile's.
        silence_s: a hook that is silent for so long is given up and the recording closed.
        dry_run: decide and record, but leave the microscope alone.
        control: people who watch may stop, pause, resume and mark the run.
        on_stop, on_decision: a command or an http(s) address that is told of stops and failures, or of every
            decision and request; empty for none.
        seeds: of a simulation, for the record.
        notes: further provenance.
    """

    out: Path
    profile: str | None = None
    resume: bool = False
    restarted: bool = False
    models: ModelSettings = field(default_factory=ModelSettings)
    segment_every: int | None = None
    calibration: Path | None = None
    endpoint: str = DEFAULT_ENDPOINT
    keys: Path | None = None
    shape_yx: tuple[int, int] | None = None
    silence_s: float = DEFAULT_SILENCE_S
    dry_run: bool = False
    control: bool = False
    on_stop: str = ""
    on_decision: str = ""
    seeds: dict[str, int] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


def processor_process(
    settings: ProcessorSettings,
    link: Connection,
    *,
    composer_of: ComposerOf = compose.Composer,
    tally_of: TallyOf = Tally,
) -> None:
    """Target of a spawned process; `composer_of` and `tally_of` as in `run_processor`.

    Sends JSON objects through `link`: {"ready": addresses and the secret of requests}, any number of
    {"words": lines for the user}, then {"summary": ...} or {"error": one line, "exit_code": int}. Any message
    from the other side ends the run as if the hook had ended. The death of the other side ends only a
    processor that still waits for a hook: who watches must not hurt a recording.
    """
    ignore_terminal_signals()

    speaking = threading.Lock()

    def say(message: dict[str, Any]) -> None:
        with speaking, contextlib.suppress(OSError):  # nobody listens any more; the recording is what counts
            link.send_bytes(json.dumps(message, default=str).encode())

    try:
        summary = run_processor(
            settings,
            on_ready=lambda ready: say({"ready": ready}),
            on_words=lambda lines: say({"words": list(lines)}),
            finish=link,
            composer_of=composer_of,
            tally_of=tally_of,
        )
        say({"summary": asdict(summary)})
    except StreamerError as error:
        say({"error": str(error), "exit_code": error.exit_code})


def run_processor(
    settings: ProcessorSettings,
    *,
    on_ready: Callable[[dict[str, Any]], None] = lambda ready: None,
    on_words: Say = lambda lines: None,
    finish: Connection | None = None,
    composer_of: ComposerOf = compose.Composer,
    tally_of: TallyOf = Tally,
) -> Summary:
    """Listen for one hook, process its frames until it ends, close the recording.

    Args:
        settings: what to run.
        on_ready: told the addresses of link, preview and requests (None without `control`), the secret of
            requests, and the process, once frames may come.
        on_words: told what the user should know, a line each; also on other threads.
        finish: ends the run when something can be received from it.
        composer_of, tally_of: make the composer and the tally; `streamer bench` puts stopwatches there.

    Raises:
        UsageError: profile, package, recording or address cannot be used, or nobody could be told of a stop.
        RunError: the port is taken, a network cannot be compiled, the disk will not have it.
    """
    if not settings.restarted:  # a run that goes on must not end because a program has gone
        _check_targets(settings)
    profile, before = _profile(settings)
    models = models_as_recorded(settings.models, before)
    if settings.profile is not None:
        profile = compose.with_calibration(settings.calibration, profile, models)
    profile = compose.with_segment_every(settings.segment_every, profile)
    if settings.dry_run:
        profile = profile.model_copy(update={"policy": profile.policy.model_copy(update={"dry_run": True})})
    composer = composer_of(profile, models)
    if shape_yx := settings.shape_yx or profile.shape_px:
        composer.warm_up(shape_yx)
        on_words(composer.engine_words)
    resumed = resume(settings.out, composer, settings.notes) if settings.resume else None
    source = LiveSource(
        settings.endpoint,
        profile=profile.name,
        ram_bytes=RAM_BYTES,
        silence_s=settings.silence_s,
        recorded=resumed.recorded if resumed else None,
        expected=settings.restarted,
        keys=settings.keys,
    )
    tally = tally_of(resumed)
    with contextlib.ExitStack() as last, _ended(source, tally):
        session = resumed or begin(settings.out, _info(settings, composer, source))
        ledger = composer.ledger(session.dose)
        decisions = DecisionsSink(session.run)
        # Left last, so that neither the recording nor the hook waits for who is told.
        notifier = last.enter_context(_told(settings, session, decisions, source, on_words))
        with (
            _shown(session, ledger, source) as preview,
            _asked(settings, source, decisions, preview, notifier, tally) as desk,
        ):
            addresses = {"endpoint": source.endpoint, "preview": preview.endpoint, **desk.address}
            on_ready({**addresses, "pid": os.getpid()})
            if finish:
                threading.Thread(target=_await_finish, args=(finish, source), daemon=True).start()
            # The link answers last: with the acknowledgement the frame's memory is the hook's again.
            further = (desk.deeds, tally, preview, notifier, LinkSink(source.reply))
            _record(session, composer, ledger, source, decisions, further, on_words)
    return tally.summary(session.run.path, source.counts())


@contextlib.contextmanager
def _ended(source: LiveSource, tally: Tally) -> Iterator[None]:
    """Tells the hook how the run ended; it keeps what was not acknowledged."""
    try:
        yield
    except StreamerError as error:
        source.close(tally.recorded, error=str(error))
        raise
    except BaseException:
        source.abandon()  # another processor may go on: nothing is over for the hook
        raise
    source.close(tally.recorded)


@contextlib.contextmanager
def _shown(session: Session, ledger: Ledger, source: LiveSource) -> Iterator[PreviewSink]:
    """Publishes the run for whoever watches, and how it ended."""
    preview = PreviewSink(
        run=str(session.run.path),
        dose=lambda: ledger.so_far,
        counts=lambda: _counts(source),
        before=session.before,
        stopped=session.stop["reason"] if session.stop else "",
    )
    try:
        yield preview
    finally:
        preview.end(failed=sys.exception() is not None)


@contextlib.contextmanager
def _told(
    settings: ProcessorSettings,
    session: Session,
    decisions: DecisionsSink,
    source: LiveSource,
    on_words: Say,
) -> Iterator[Notifier]:
    """Tells others of stops and decisions, and of a failure."""
    notifier = Notifier(
        run=str(session.run.path),
        on_stop=settings.on_stop,
        on_decision=settings.on_decision,
        record=decisions.put_row,
        say=on_words,
    )
    try:
        yield notifier
    except Exception as error:
        notifier.failed(str(error) or type(error).__name__, seq=source.newest_seq)
        raise
    finally:
        notifier.finish()


@contextlib.contextmanager
def _asked(
    settings: ProcessorSettings,
    source: LiveSource,
    decisions: DecisionsSink,
    preview: PreviewSink,
    notifier: Notifier,
    tally: Tally,
) -> Iterator[Desk]:
    """Takes what people ask for, where they may."""
    desk = Desk(
        source=source,
        decisions=decisions,
        preview=preview,
        notifier=notifier,
        control=settings.control,
        dry_run=settings.dry_run,
        stopped=tally.stop is not None,
        on_stop=tally.stopped,
    )
    try:
        yield desk
    finally:
        desk.close()


def _check_targets(settings: ProcessorSettings) -> None:
    for option, target in (("--on-stop", settings.on_stop), ("--on-decision", settings.on_decision)):
        if target:
            check_target(option, target)


def _profile(settings: ProcessorSettings) -> tuple[HardwareProfile, RunInfo | None]:
    """The profile of the run, and how a recording that is to go on was made."""
    before = None
    if settings.resume:
        if not is_run(settings.out):
            raise UsageError(f"--resume {settings.out}: holds no recording; use --profile to begin one")
        before = read_info(RunFolder(settings.out))
    if settings.profile is not None:
        profile = load_profile(settings.profile)
    elif before is not None:
        profile = recorded_profile(settings.out, before)
    else:
        raise UsageError("--profile is missing; `streamer profiles list` names those that are known")
    return profile, before


def _info(settings: ProcessorSettings, composer: compose.Composer, source: LiveSource) -> RunInfo:
    listening = {"kind": "live", "endpoint": source.endpoint}
    info = composer.provenance(source=listening, pixel_nm=composer.profile.pixel_nm)
    return info.model_copy(update={"seeds": settings.seeds, "notes": settings.notes})


def _await_finish(link: Connection, source: LiveSource) -> None:
    try:
        link.recv_bytes(1024)
        source.finish()
    except (EOFError, OSError):
        source.finish(unless_running=True)


def _record(
    session: Session,
    composer: compose.Composer,
    ledger: Ledger,
    source: LiveSource,
    decisions: DecisionsSink,
    further: Sequence[Sink],
    on_words: Say,
) -> None:
    """Wait for the hook, process and record its frames, close the recording."""
    run, info = session.run, session.info
    if source.wait_for_hook():
        info = _with_hook(info, source)
        write_info(run, info)
    stages = session.stages(composer, planned=source.planned)
    checks: list[Check] = []
    told = bool(composer.engine_words)

    def lag(frame: Frame) -> tuple[float, int]:
        since_ns = frame.hook_ns if source.shares_clock else frame.received_ns
        return (time.monotonic_ns() - since_ns) / 1e6, source.counts().waiting

    def looked_at() -> Iterator[Frame]:
        for number, frame in enumerate(source.frames()):
            if number == 0 and source.hello:  # by now the hook knows engine, camera and lasers
                write_info(run, _with_hook(info, source))
                checks.extend(_look(composer, run, source.hello, frame, on_words))
            if number == 1:  # the first one is computed: whoever goes on in this recording uses its engines
                known = {"engine_keys": composer.engine_keys}
                write_info(run, _with_hook(info, source).model_copy(update=known))
                if not told:
                    on_words(composer.engine_words)
            yield frame

    recorder = open_recorder(
        run,
        composer.profile,
        pixel_nm=info.pixel_nm,
        dose=ledger.step,
        channels=composer.channels,
        with_trust=not composer.why_off,
        resumed=session.resumed,
        decisions=decisions,
        further=further,
    )
    with recorder:
        process(looked_at(), record=recorder.put_raw, sinks=(recorder,), lag=lag, **stages.as_arguments())
    write_info(run, _as_it_ended(info, composer, ledger, source, checks))
    close_run(run)


def _as_it_ended(
    info: RunInfo,
    composer: compose.Composer,
    ledger: Ledger,
    source: LiveSource,
    checks: Sequence[Check],
) -> RunInfo:
    """With what came to be known on the way: further engines, missing frames, light nobody knows."""
    info = _with_hook(info, source)
    notes: dict[str, Any] = {
        "dose": {"unknown": list(ledger.unknown), "assumed": dict(ledger.assumed)},
        "checks": to_json(checks) or info.notes.get("checks", []),
    }
    known = {
        "engine_keys": composer.engine_keys,
        "source": {**info.source, "link": asdict(source.counts())},
        "notes": {**info.notes, **notes},
    }
    return info.model_copy(update=known)


def _look(
    composer: compose.Composer, run: RunFolder, hello: Hello, frame: Frame, on_words: Say
) -> tuple[Check, ...]:
    """What can be known before a long run, said at its first frame: camera and lasers are set by then."""
    denoiser = composer.models.denoiser.package
    checks = preflight(composer.profile, hello, run.path, denoiser=denoiser, state=frame.state)
    on_words([f"{check.check}: {check.words}" for check in checks if check.status in ("warn", "fail")])
    return checks


def _with_hook(info: RunInfo, source: LiveSource) -> RunInfo:
    """What the hook says of itself, and where this recording of its run begins."""
    hello = source.hello
    if hello is None:
        return info
    hook = {**asdict(hello), "first_seq": source.counts().first_seq}
    policy = "latest" if hello.policy == "latest" else "lossless"
    return info.model_copy(update={"source": {**info.source, "hook": hook}, "overload_policy": policy})


def _counts(source: LiveSource) -> dict[str, int | None]:
    counts = source.counts()
    return {"planned": source.planned or None, "received": counts.received, "dropped": counts.dropped}

"""The three lines in an existing acquisition script."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, get_args

from numpy.typing import NDArray

import streamer
from streamer.core import Frame
from streamer.errors import UsageError
from streamer.hook import engines
from streamer.hook.control import CURE, Control
from streamer.hook.devices import StateReader, describe_core
from streamer.hook.events import Event
from streamer.hook.frames import Notes, from_event, from_tags
from streamer.hook.report import HookReport
from streamer.hook.sender import Sender
from streamer.hook.watchdog import Watchdog
from streamer.wire import DEFAULT_ENDPOINT, Order, Policy, Report

_log = logging.getLogger(__name__)

#: Errors that are kept word for word.
MAX_ERRORS = 100


class Hook:
    """Streams every frame of an acquisition to a processor and carries out its decisions.

    The engine is never blocked (frames are copied and queued), never meets an exception of ours and
    gets its pixels back unchanged. Frames are kept, in memory and then in a spool file, until the
    processor has them safe in its recording. What went wrong is logged at the end of the `with`.

        with Hook(profile="abberior_er_low") as hook:
            with Acquisition(..., image_process_fn=hook.image_process_fn) as acq:
                hook.attach(acq, make_safe=lasers_off, make_ready=lasers_on)
                acq.acquire(hook.events(events))

    `docs/engines.md` has a script for each engine.

    Args:
        profile: name of the hardware profile the processor shall use, or its file.
        endpoint: address of the processor.
        policy: "lossless" processes every frame; "latest" records every frame, processes the newest.
        planned: frames planned, 0 when open-ended; the per-run error rates of the guards use it.
        ram_mb: memory for frames that wait or are on their way, at most a quarter of it shared with a
            processor on this machine. The default holds 1.2 s of 2048x2048 uint16 at 100 frames/s: enough to
            bridge a disk that stalls. A longer wait needs a spool folder on a disk that takes these 840 MB/s.
        spool_dir: folder of the spool files; default one of the user's own.
        spool_mb: budget of the spool file.
        keys: key file of this hook, from `streamer keys new`; needed for any endpoint but loopback.
        shared_memory: whether pixels may lie in memory shared with a processor on this machine.

    Raises:
        ProfileError: the profile cannot be used.
        UsageError: the endpoint is not allowed, or another argument makes no sense.
    """

    def __init__(
        self,
        profile: str,
        endpoint: str = DEFAULT_ENDPOINT,
        *,
        policy: Policy = "lossless",
        planned: int = 0,
        ram_mb: float = 1024,
        spool_dir: Path | str | None = None,
        spool_mb: float = 20_000,
        keys: Path | str | None = None,
        shared_memory: bool = True,
    ) -> None:
        if policy not in get_args(Policy):
            raise UsageError(f"Hook: policy = {policy!r}; use {' or '.join(get_args(Policy))}")
        if planned < 0 or min(ram_mb, spool_mb) < 0:
            raise UsageError(f"Hook: {planned = }, {ram_mb = }, {spool_mb = }; use 0 or more")
        from streamer.profile import load_profile  # not at import: only numpy and zmq come with this module

        rig = load_profile(profile)
        self._profile = profile
        self._acquired = self._rejected = 0
        self._errors: list[str] = []
        self._reader = StateReader(rig.properties)
        self._disconnect: Callable[[], None] = lambda: None
        self._attached = False
        # The sender's thread may speak of frames that a processor still holds before this is all there.
        self._ready = threading.Event()
        self._sender = Sender(
            profile=profile,
            endpoint=endpoint,
            policy=policy,
            planned=planned,
            version=streamer.__version__,
            ram_bytes=int(ram_mb * 1e6),
            spool_dir=Path(spool_dir) if spool_dir else None,
            disk_bytes=int(spool_mb * 1e6),
            on_report=self._on_report,
            on_order=self._on_order,
            keys=Path(keys) if keys else None,
            shared_memory=shared_memory,
        )
        self._control = Control(
            {knob.quantity: knob for knob in rig.control.knobs},
            tell=self._sender.tell,
            last_seq=lambda: max(self._acquired - 1, 0),
            on_trouble=self._remember,
        )
        self._ready.set()
        self._watchdog = Watchdog(
            unwatched_s=lambda: self._sender.unwatched_s,
            after_s=rig.watchdog.after_s,
            on_unwatched=self._control.unwatched if rig.watchdog.unwatched == "make safe" else _go_on,
            on_watched=self._control.watched,
        )
        self._watchdog.start()

    def image_process_fn(
        self, image: NDArray[Any], metadata: dict[str, Any]
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Pycro-Manager's image processor, for both backends; returns its arguments unchanged."""
        self._take(image, lambda: from_tags(metadata))
        return image, metadata

    def frame_ready(self, image: NDArray[Any], event: Any, meta: Any) -> None:
        """pymmcore-plus' `frameReady`; `attach` connects it."""
        self._take(image, lambda: from_event(event, meta))

    def attach(
        self,
        engine: Any,
        *,
        make_safe: Callable[[], None] | None = None,
        make_ready: Callable[[], None] | None = None,
        end: Callable[[], None] | None = None,
        core: Any = None,
    ) -> None:
        """Let decisions reach the engine; pymmcore-plus' frames come from here on, too.

        Args:
            engine: a Pycro-Manager `Acquisition`, or pymmcore-plus' `core.mda`.
            make_safe: puts the light sources into their safe state; a stop does it first.
            make_ready: brings them back after a pause.
            end: how the engine is ended; default its own way, or, where its events go through `events`, to
                hand on no more of them, which loses no frame.
            core: asked for the camera's settings and device properties; default the runner's own.
        """
        self._disconnect()
        self._disconnect = engines.connect(engine, self.frame_ready)
        core = core if core is not None else engines.core_of(engine)
        if core is not None:
            self._reader.use(core)
        camera = {} if core is None else describe_core(core)
        self._sender.describe(engine=engines.name_of(engine), camera=camera)
        self._attached = True
        self._control.lights.use(make_safe, make_ready)
        self._control.use(engine, end)

    def events(
        self, events: Iterable[Event], *, interval_s: float = 0.0, patience_s: float = 60.0
    ) -> Generator[Event, None, None]:
        """The events one by one, so that the run can be paused, adjusted, and stopped without losing a frame.

        Each event is handed on when the frame of the one before has come: nothing is merged into a hardware
        sequence, and a stop leaves no frame behind. Start times are waited for here.

        Args:
            events: dicts of Pycro-Manager or `useq.MDAEvent`.
            interval_s: time between time points; 0 for what the events say.
            patience_s: how long a frame may take, from its event on, before the engine is given up.
        """
        if interval_s < 0 or patience_s <= 0:
            raise UsageError(f"Hook.events: {interval_s = }, {patience_s = }; use 0 or more, and more than 0")
        self._control.steering.active = True
        return self._control.steering.steer(events, interval_s=interval_s, patience_s=patience_s)

    def pause(self, pause_s: float = 0.0) -> None:
        """Hand on no event for so long; 0 until `resume`.

        Raises:
            UsageError: the run's events do not go through `events`.
        """
        if not self._control.steering.active:
            raise UsageError(f"Hook.pause: {CURE}")
        self._control.pause(max(self._acquired - 1, 0), "asked for by the user", pause_s)

    def resume(self) -> None:
        """End a pause, whoever asked for it."""
        self._control.steering.holds.release("pause")

    def stop(self) -> None:
        """Light safe, then the end of the run, as when the processor asks for it."""
        self._control.stop(max(self._acquired - 1, 0))

    @property
    def stopped(self) -> bool:
        """Whether the run was stopped."""
        return self._control.stop_ns > 0

    def close(self, timeout_s: float = 60.0) -> HookReport:
        """End the run and wait until the processor has closed the recording.

        Frames that are not acknowledged within `timeout_s` without progress are kept in a
        spool file, named in the report.
        """
        if not self._watchdog.close(timeout_s):
            self._remember("make_safe does not return: switch the light off by hand")
        self._control.close(timeout_s)
        self._disconnect()
        self._sender.close(self._acquired, timeout_s)
        return self.report()

    def report(self) -> HookReport:
        """The counts so far."""
        sender, reader = self._sender, self._reader
        safe_ms, ended_ms = self._control.stop_times_ms()
        return HookReport(
            profile=self._profile,
            acquired=self._acquired,
            rejected=self._rejected,
            attached=self._attached,
            sent=sender.sent,
            resent=sender.resent,
            spooled=sender.spooled,
            acknowledged=sender.acknowledged,
            lost=sender.lost,
            kept=sender.kept,
            lag_ms=tuple(sender.lag_ms),
            stopped_at=sender.stopped_at,
            stop_reason=sender.stop_reason,
            safe_ms=safe_ms,
            ended_ms=ended_ms,
            unsafe=self._control.lights.unsafe,
            unread=f"{reader.unread} times, first {reader.first_trouble}" if reader.unread else "",
            problem=sender.problem,
            errors=tuple(self._errors),
        )

    def __enter__(self) -> Hook:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for line in self.close().complaints():
            _log.warning(line)

    def _take(self, image: NDArray[Any], notes_of: Callable[[], Notes]) -> None:
        """Stream one image; whatever happens, the engine meets no exception of ours."""
        hook_ns = time.monotonic_ns()
        seq, self._acquired = self._acquired, self._acquired + 1
        frame = place = None
        try:
            notes = notes_of()
            place = notes.place
            frame = Frame(
                pixels=image,
                seq=seq,
                axes=notes.axes,
                hook_ns=hook_ns,
                wall_time_s=time.time(),
                metadata=notes.metadata,
                exposure_ms=notes.exposure_ms,
                bit_depth=notes.bit_depth or self._reader.bit_depth(),
                state=self._reader.read(notes.properties),
            )
            self._sender.put(frame)
        except Exception as error:
            frame, self._rejected = None, self._rejected + 1
            self._remember(f"{type(error).__name__}: {error}")
        self._control.steering.frame_came(frame, place)

    def _on_report(self, report: Report) -> None:
        self._ready.wait()
        self._control.act_on(report)

    def _on_order(self, order: Order) -> None:
        self._ready.wait()
        self._control.obey(order)

    def _remember(self, error: str) -> None:
        if len(self._errors) < MAX_ERRORS:
            self._errors.append(error)


def _go_on(overdue_s: float) -> None:
    _log.warning("no verdict for %.0f s: nobody watches this run; its profile lets it go on", overdue_s)

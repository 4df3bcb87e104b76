"""The three lines in an existing acquisition script."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

import streamer
from streamer.core import Frame
from streamer.core.frame import PIXEL_DTYPES
from streamer.errors import UsageError
from streamer.hook.report import HookReport
from streamer.hook.sender import Sender
from streamer.wire import DEFAULT_ENDPOINT, Policy, decode, encode

_log = logging.getLogger(__name__)


class Acquisition(Protocol):
    """What the hook needs of a Pycro-Manager acquisition in order to end it."""

    def abort(self) -> None: ...

    def mark_finished(self) -> None: ...


class Hook:
    """Streams every frame of an acquisition to a processor and carries out its stops.

    The engine is never blocked (frames are copied and queued), never meets an exception of ours and
    gets its pixels back unchanged. Frames are kept, in memory and then in a spool file, until the
    processor has them safe in its recording. What went wrong is logged at the end of the `with`.

        with Hook(profile="abberior_er_low") as hook:
            with Acquisition(..., image_process_fn=hook.image_process_fn) as acq:
                hook.attach(acq)
                acq.acquire(events)

    Args:
        profile: name of the hardware profile the processor shall use.
        endpoint: loopback address of the processor.
        policy: "lossless" processes every frame; "latest" records every frame, processes the newest.
        planned: frames planned, 0 when open-ended; the per-run error rates of the guards use it.
        ram_mb: memory for frames that wait.
        spool_dir: folder of the spool files; default one of the user's own.
        spool_mb: budget of the spool file.

    Raises:
        UsageError: the endpoint is not a loopback address, or another argument makes no sense.
    """

    def __init__(
        self,
        profile: str,
        endpoint: str = DEFAULT_ENDPOINT,
        *,
        policy: Policy = "lossless",
        planned: int = 0,
        ram_mb: float = 256,
        spool_dir: Path | None = None,
        spool_mb: float = 20_000,
    ) -> None:
        if policy not in get_args(Policy):
            raise UsageError(f"Hook: policy = {policy!r}; use {' or '.join(get_args(Policy))}")
        if planned < 0 or min(ram_mb, spool_mb) < 0:
            raise UsageError(f"Hook: {planned = }, {ram_mb = }, {spool_mb = }; use 0 or more")
        self._profile = profile
        self._mode: tuple[tuple[int, ...], str] | None = None
        self._sender = Sender(
            profile=profile,
            endpoint=endpoint,
            policy=policy,
            planned=planned,
            version=streamer.__version__,
            ram_bytes=int(ram_mb * 1e6),
            spool_dir=spool_dir,
            disk_bytes=int(spool_mb * 1e6),
            on_stop=self._on_stop,
        )
        self._acquired = self._rejected = 0
        self._end_engine: Callable[[], None] | None = None
        self._make_safe: Callable[[], None] | None = None
        self._stop_ns = self._safe_ns = self._ended_ns = 0
        self._attaching = threading.Lock()  # a stop and `attach` may meet
        self._stopping: threading.Thread | None = None
        self._errors: list[str] = []

    def image_process_fn(
        self, image: NDArray[Any], metadata: dict[str, Any]
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Pycro-Manager's image processor, for both backends; returns its arguments unchanged."""
        hook_ns = time.monotonic_ns()
        seq, self._acquired = self._acquired, self._acquired + 1
        try:
            packed = _packed(image, metadata, seq, hook_ns)
            self._require_same_mode(image)
            self._sender.put((seq, packed, hook_ns))
        except Exception as error:  # the engine must never meet an exception of ours
            self._rejected += 1
            self._remember(error)
        return image, metadata

    def attach(
        self,
        acquisition: Acquisition,
        *,
        make_safe: Callable[[], None] | None = None,
        end: Callable[[], None] | None = None,
    ) -> None:
        """Let stops reach the engine: first `make_safe` (lasers dark), then the end of the acquisition.

        Args:
            acquisition: what is ended.
            make_safe: puts the light sources into their safe state.
            end: how the engine is ended; default `abort()` then `mark_finished()`, because `abort()`
                also empties the event queue of the closing None that a pending generator waits for.
        """

        def abort() -> None:
            acquisition.abort()
            acquisition.mark_finished()

        with self._attaching:
            self._make_safe, self._end_engine = make_safe, end or abort
            came_before = self._stop_ns > 0
        if came_before:
            self._carry_out_stop()

    @property
    def stopped(self) -> bool:
        """Whether the processor has stopped the run."""
        return self._stop_ns > 0

    def close(self, timeout_s: float = 60.0) -> HookReport:
        """End the run and wait until the processor has closed the recording.

        Frames that are not acknowledged within `timeout_s` of the last sign of life are kept in a
        spool file, named in the report.
        """
        if self._stopping:
            self._stopping.join(timeout_s)
        self._sender.close(self._acquired, timeout_s)
        return self.report()

    def report(self) -> HookReport:
        """The counts so far."""
        sender = self._sender
        return HookReport(
            profile=self._profile,
            acquired=self._acquired,
            rejected=self._rejected,
            attached=self._end_engine is not None,
            acknowledged=sender.acknowledged,
            lost=sender.lost,
            kept=sender.kept,
            lag_ms=tuple(sender.lag_ms),
            stopped_at=sender.stopped_at,
            stop_reason=sender.stop_reason,
            safe_ms=self._since_stop_ms(self._safe_ns),
            ended_ms=self._since_stop_ms(self._ended_ns),
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

    def _on_stop(self) -> None:
        with self._attaching:
            self._stop_ns = time.monotonic_ns()
            attached = self._end_engine is not None
        if attached:
            self._carry_out_stop()

    def _carry_out_stop(self) -> None:
        # Not on the sender's thread: an engine may wait for its image processor while it aborts.
        self._stopping = threading.Thread(target=self._stop_engine, name="streamer-stop", daemon=True)
        self._stopping.start()

    def _stop_engine(self) -> None:
        try:
            if self._make_safe:
                self._make_safe()
                self._safe_ns = time.monotonic_ns()
        except Exception as error:  # a laser that will not go dark is one more reason to end the run
            self._remember(error)
        try:
            assert self._end_engine is not None
            self._end_engine()
            self._ended_ns = time.monotonic_ns()
        except Exception as error:
            self._remember(error)

    def _require_same_mode(self, image: NDArray[Any]) -> None:
        """One run, one size and type of frame: what does not fit its recording must not end it."""
        mode = (image.shape, image.dtype.name)
        self._mode = self._mode or mode
        if mode != self._mode:
            raise TypeError(f"image is {mode}, this run streams {self._mode}; use a hook per camera mode")

    def _since_stop_ms(self, then_ns: int) -> float | None:
        return (then_ns - self._stop_ns) / 1e6 if then_ns else None

    def _remember(self, error: Exception) -> None:
        if len(self._errors) < 100:
            self._errors.append(f"{type(error).__name__}: {error}")


def _packed(
    image: NDArray[Any], metadata: Mapping[str, Any], seq: int, hook_ns: int
) -> list[bytes | memoryview]:
    """A frame as one message that a processor of our version takes.

    Raises:
        TypeError, ValueError, WireError: the image is none that can be streamed.
    """
    if image.ndim != 2 or image.dtype.name not in PIXEL_DTYPES:
        raise TypeError(f"image is {image.dtype} {image.shape}; the hook takes [y, x] uint8 or uint16")

    parts = encode(
        Frame(
            # The engine stores the very array it hands over, or frees it: ours must be a copy.
            pixels=np.array(image, order="C"),
            seq=seq,
            axes=_axes(metadata.get("Axes")),
            hook_ns=hook_ns,
            wall_time_s=time.time(),
            metadata=metadata,
        )
    )
    decode(parts)  # what a processor would refuse must not block the frames behind it
    return parts


def _axes(axes: object) -> dict[str, int | str]:
    """The axes we know, of whatever an engine calls axes; the rest stays in the metadata."""
    if not isinstance(axes, Mapping):
        return {}
    known = {name: axes[name] for name in ("time", "z", "channel", "position") if name in axes}
    return {name: v if isinstance(v, str) else int(v) for name, v in known.items()}

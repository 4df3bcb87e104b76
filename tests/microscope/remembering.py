"""A hook that remembers, and how a test opens a rig."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from numpy.typing import NDArray

from streamer.core import Frame
from streamer.hook import engines
from streamer.hook.control import Control
from streamer.hook.frames import Notes, from_event, from_tags
from streamer.hook.steering import Knob
from streamer.microscope import SimulatedRig
from streamer.wire import Done

#: See the fixture `small_rig`.
OpenRig = Callable[..., AbstractContextManager[SimulatedRig]]


class RememberingHook:
    """Keeps what it is handed; ends the acquisition with frame `stop_at`, as a processor's stop would."""

    def __init__(self, stop_at: int | None = None, knobs: Mapping[str, Knob] | None = None) -> None:
        self.stop_at = stop_at
        self.frames: list[NDArray[Any]] = []
        self.axes: list[Mapping[str, int | str]] = []
        self.metadata: list[dict[str, Any]] = []
        self.done: list[Done] = []
        self.troubles: list[str] = []
        self.attached = threading.Event()
        self._disconnect: Callable[[], None] = lambda: None
        self.control = Control(
            knobs or {}, tell=self.done.append, last_seq=lambda: 0, on_trouble=self.troubles.append
        )

    def image_process_fn(
        self, image: NDArray[Any], metadata: dict[str, Any]
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        self.metadata.append(dict(metadata))
        self._take(image, from_tags(metadata))
        return image, metadata

    def frame_ready(self, image: NDArray[Any], event: Any, meta: Any) -> None:
        self._take(image, from_event(event, meta))

    def _take(self, image: NDArray[Any], notes: Notes) -> None:
        seq = len(self.frames)
        self.frames.append(image.copy())
        self.axes.append(notes.axes)
        if seq == self.stop_at:
            self.control.stop(seq)
            assert self.control.ended.wait(5)
        self.control.steering.frame_came(Frame(pixels=image, seq=seq, exposure_ms=notes.exposure_ms))

    def attach(
        self,
        engine: Any,
        *,
        make_safe: Callable[[], None] | None = None,
        make_ready: Callable[[], None] | None = None,
        core: Any = None,
    ) -> None:
        self._disconnect = engines.connect(engine, self.frame_ready)
        self.control.lights.use(make_safe, make_ready)
        self.control.use(engine, None)
        self.attached.set()

    def events(self, events: Iterable[Any]) -> Generator[Any, None, None]:
        self.control.steering.active = True
        return self.control.steering.steer(events, interval_s=0, patience_s=5)

    def stop(self) -> None:
        self.control.stop(len(self.frames))

    def close(self) -> None:
        self.control.close(5)
        self._disconnect()

    @property
    def sha256(self) -> list[str]:
        return [hashlib.sha256(frame.astype("<u2").tobytes()).hexdigest() for frame in self.frames]

"""A hook that remembers, and how a test opens a rig."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from numpy.typing import NDArray

from streamer.microscope import SimulatedRig

#: See the fixture `small_rig`.
OpenRig = Callable[..., AbstractContextManager[SimulatedRig]]


class RememberingHook:
    """Keeps what it is handed; ends the acquisition with frame `stop_at`, as a processor's stop would."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.frames: list[NDArray[Any]] = []
        self.metadata: list[dict[str, Any]] = []
        self.attached = threading.Event()

    def image_process_fn(
        self, image: NDArray[Any], metadata: dict[str, Any]
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        self.frames.append(image.copy())
        self.metadata.append(dict(metadata))
        if len(self.frames) - 1 == self.stop_at:
            self.carry_out_stop()
        return image, metadata

    def attach(
        self,
        acquisition: object,
        *,
        make_safe: Callable[[], None] | None = None,
        end: Callable[[], None] | None = None,
    ) -> None:
        assert make_safe is not None
        assert end is not None
        self._make_safe, self._end = make_safe, end
        self.attached.set()

    def carry_out_stop(self) -> None:
        self._make_safe()
        self._end()

    @property
    def sha256(self) -> list[str]:
        return [hashlib.sha256(frame.astype("<u2").tobytes()).hexdigest() for frame in self.frames]

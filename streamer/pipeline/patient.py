"""Frames of a source that may stay silent, for who cannot wait for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from enum import Enum
from queue import Empty, SimpleQueue
from typing import Final, Literal

from streamer.core import Frame


class _Silence(Enum):
    SILENCE = "nothing came"


#: Given where no frame came in time.
SILENCE: Final = _Silence.SILENCE


class Patient:
    """One frame after the other, each taken from its source when it is asked for and not before.

    A source that takes the newest of those that wait, under the policy `latest`, must choose as late as it
    can. Where the wait may have an end, a thread of its own waits for the source; what it brings too late is
    the answer to the next question.

    Args:
        frames: the source.
        asks_twice: whether a wait may have an end.
    """

    def __init__(self, frames: Iterable[Frame], *, asks_twice: bool) -> None:
        self._frames = iter(frames)
        self._asked: SimpleQueue[bool] = SimpleQueue()
        self._given: SimpleQueue[Frame | BaseException | None] = SimpleQueue()
        self._waits = False
        self._thread = threading.Thread(target=self._work, name="streamer-frames", daemon=True)
        if asks_twice:
            self._thread.start()

    def next(self, longest_s: float | None = None) -> Frame | Literal[_Silence.SILENCE] | None:
        """The next frame; `SILENCE` where none came in `longest_s`; None after the last.

        Raises:
            Exception: what the source raises.
        """
        if not self._thread.ident:
            return next(self._frames, None)
        if not self._waits:
            self._asked.put(True)
        self._waits = True
        try:
            given = self._given.get(timeout=longest_s)
        except Empty:
            return SILENCE
        self._waits = False
        if isinstance(given, BaseException):
            raise given
        return given

    def close(self) -> None:
        """Ask for no more; a thread that still waits for the source goes with the process."""
        self._asked.put(False)

    def _work(self) -> None:
        while self._asked.get():
            try:
                self._given.put(next(self._frames, None))
            except BaseException as error:  # it is the asking thread's business
                self._given.put(error)

"""One thread that writes, so that the loop that judges never waits for a disk that keeps up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import Queue
from types import TracebackType
from typing import Self

from streamer.core import Frame, Outcome
from streamer.errors import RecordingError
from streamer.sinks.pixels import RawSink
from streamer.sinks.protocol import Sink


class Background:
    """Writes frames and outcomes in the order in which they are handed over, in one thread.

    A frame's pixels are handed over before its outcome, so its row follows its pixels; the sinks run in the
    order given. Handing over is a reference, not a copy: the pixels must stay as they are. At most `capacity`
    items wait; a put beyond that waits for the disk and loses nothing. After an error nothing more is
    written, and every further put and the close raise it.
    """

    def __init__(self, raw: RawSink, sinks: Sequence[Sink], *, capacity: int) -> None:
        self._raw = raw
        self._sinks = tuple(sinks)
        self._queue: Queue[Callable[[], None] | None] = Queue(capacity)
        self._error: Exception | None = None
        self._closed = False
        # A daemon, because an exception that skips close() must end the program and not hang it; whatever
        # moment it is cut off at, the recording is whole.
        self._thread = threading.Thread(target=self._write, name="recording", daemon=True)
        self._thread.start()

    def put_raw(self, frame: Frame) -> None:
        """Hand over a frame, before anything is made of it.

        Raises:
            RecordingError: writing failed earlier.
        """
        self._hand_over(lambda: self._raw.put(frame))

    def put(self, outcome: Outcome) -> None:
        """Hand over what was made of a frame.

        Raises:
            RecordingError: writing failed earlier.
        """
        self._hand_over(lambda: self._put_in_order(outcome))

    @property
    def waiting(self) -> int:
        """Frames and outcomes that wait to be written."""
        return self._queue.qsize()

    def close(self) -> None:
        """Write what waits, then close the sinks.

        Raises:
            RecordingError: something could not be written.
        """
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()
        self._raise_error()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _hand_over(self, task: Callable[[], None]) -> None:
        self._raise_error()
        if self._closed:
            raise RecordingError("recording is closed; hand over frames before closing it")
        self._queue.put(task)

    def _put_in_order(self, outcome: Outcome) -> None:
        for sink in self._sinks:
            sink.put(outcome)

    def _write(self) -> None:
        while (task := self._queue.get()) is not None:
            if self._error is None:  # after an error keep emptying the queue: a waiting put must come back
                self._attempt(task)
            del task  # with it the frame: what was acknowledged may be overwritten where it came from
        for close in (self._raw.close, *(sink.close for sink in self._sinks)):
            self._attempt(close)

    def _attempt(self, task: Callable[[], None]) -> None:
        try:
            task()
        except Exception as error:
            self._error = self._error or error

    def _raise_error(self) -> None:
        if isinstance(self._error, RecordingError):
            raise self._error
        if self._error is not None:
            raise RecordingError(f"recording stopped: {self._error!r}") from self._error

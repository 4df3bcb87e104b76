"""Processes that a command starts, and what they say."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from streamer.errors import ProcessDiedError, StreamerError

#: Nothing a child says is longer.
MAX_MESSAGE_BYTES = 1 << 26


class Child:
    """A process of its own that reports through a pipe, one JSON object a message.

    Args:
        name: what it is called in errors.
        target: runs in the process with `settings` and its end of the pipe.
        settings: plain values that survive a spawn.
        if_it_dies: what the user should know if it ends without a word.
        on_words: told lines for the user, which may come at any time, whenever somebody listens.
    """

    def __init__(
        self,
        name: str,
        target: Callable[[Any, Connection], None],
        settings: object,
        *,
        if_it_dies: str,
        on_words: Callable[[list[str]], None] = lambda lines: None,
    ) -> None:
        # Spawned, not forked: a fork would take along threads, sockets and an acquisition core half-way.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self.name, self._if_it_dies, self._on_words = name, if_it_dies, on_words
        self._heard: list[dict[str, Any]] = []
        self.process = context.Process(target=target, args=(settings, theirs), name=name)
        with _deaf_to_ctrl_c():
            self.process.start()
        theirs.close()  # so that its death is seen as the end of the pipe

    def hear(self, timeout_s: float | None = None) -> dict[str, Any] | None:
        """The next message; None if there is none within `timeout_s` (None waits for as long as it takes).

        Raises:
            ProcessDiedError: the process ended without a word.
            StreamerError: it ended in this error.
        """
        while not self._heard:
            if not self._pipe.poll(timeout_s):
                return None
            self._listen()
        message = self._heard.pop()
        if "error" in message:
            raise _error(message)
        return message

    def has_news(self) -> bool:
        """Whether `hear` would return at once, or raise."""
        try:
            while not self._heard and self._pipe.poll(0):
                self._listen()
        except ProcessDiedError:
            return True
        return bool(self._heard)

    def _listen(self) -> None:
        """Take one message from the pipe; words go to the user."""
        try:
            message: dict[str, Any] = json.loads(self._pipe.recv_bytes(MAX_MESSAGE_BYTES))
        except (EOFError, OSError):
            self.process.join(5)
            raise ProcessDiedError(
                f"the {self.name} process died (exit code {self.process.exitcode}); {self._if_it_dies}"
            ) from None
        if "words" in message:
            self._on_words(message["words"])
        else:
            self._heard.append(message)

    def expect(self, key: str) -> Any:
        """Wait for the message that holds `key`."""
        while True:
            message = self.hear()
            if message and key in message:
                return message[key]

    def finish(self) -> None:
        """Ask it to come to an end."""
        with contextlib.suppress(OSError):  # it has ended already
            self._pipe.send_bytes(b"finish")

    def end(self, within_s: float) -> None:
        """Have it end, kindly first: for one that nothing is lost with."""
        self.finish()
        self.process.join(within_s)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self._pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it end by itself; after an error of ours, ask it to."""
        if kind is not None:
            self.finish()
        self.process.join()
        self._pipe.close()


def ignore_terminal_signals() -> None:
    """For a child: what ends a command is sent to all of its processes; its parent says what it means."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Children ignore Ctrl-C from their first import on: the parent decides what it means."""
    if threading.current_thread() is not threading.main_thread():
        with _blocked_here():
            yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    _ignore_console(True)
    try:
        yield
    finally:
        _ignore_console(False)
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _blocked_here() -> Iterator[None]:
    """Only the main thread may have Ctrl-C ignored; what another starts inherits that it is not heard."""
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # starting it with the child would let signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ignore_console(ignored: bool) -> None:
    """Windows' children inherit no handlers, but whether Ctrl-C is ignored at all; never tried there."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.SetConsoleCtrlHandler(None, ignored)


def _error(message: dict[str, Any]) -> StreamerError:
    """The child's error, with its exit code."""
    error = StreamerError(message["error"])
    error.exit_code = message.get("exit_code", 1)
    return error

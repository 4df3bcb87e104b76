"""The hook's own thread: owns the socket and the backlog, so that the engine's threads own nothing."""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import zmq

from streamer.wire import (
    Alive,
    Backlog,
    Bye,
    Closed,
    End,
    Hello,
    Message,
    Policy,
    Refused,
    Report,
    Welcome,
    WireError,
    decode,
    encode,
    require_loopback,
)
from streamer.wire.clock import host_clock
from streamer.wire.waker import Waker

_log = logging.getLogger(__name__)

ALIVE_S = 1.0
HELLO_S = 0.5
#: Time without a welcome after which the user is told that nobody watches.
UNWATCHED_S = 5.0
#: A refusal that stands for so long after the end is final.
REFUSED_S = 3.0
#: Messages in flight before the socket says wait; the backlog holds the others.
IN_FLIGHT = 4

#: A frame as it goes over the wire: number, message, monotonic clock of its hand-over.
Packed = tuple[int, Sequence[bytes | memoryview], int]


class Sender(threading.Thread):
    """Sends frames in order, keeps them until they are acknowledged, hears stops.

    See `Hook` for the arguments; `on_stop` is called once, on this thread, and must not block.
    """

    def __init__(
        self,
        *,
        profile: str,
        endpoint: str,
        policy: Policy,
        planned: int,
        version: str,
        ram_bytes: int,
        spool_dir: Path | None,
        disk_bytes: int,
        on_stop: Callable[[], None],
    ) -> None:
        super().__init__(name="streamer-sender", daemon=True)
        self._endpoint = require_loopback(endpoint)
        self._hello = Hello(
            run=uuid.uuid4().hex,
            profile=profile,
            policy=policy,
            planned=planned,
            host=host_clock(),
            streamer=version,
        )
        spool = (spool_dir or _user_spool()) / self._hello.run
        self._backlog = Backlog(spool, ram_bytes=ram_bytes, disk_bytes=disk_bytes)
        self._on_stop = on_stop
        self._inbox: queue.SimpleQueue[Packed | End] = queue.SimpleQueue()
        self._waker = Waker()
        self._welcome = self._deserted = self._end_sent = False
        self._end: End | None = None
        self._give_up_s = 0.0
        self._progress_s, self._spoke_s = time.monotonic(), 0.0
        self._unwelcome_s: float | None = time.monotonic()
        self._warned: set[str] = set()
        self._handed_ns: dict[int, int] = {}
        self._next_seq = 0
        self._done = threading.Event()
        self.acknowledged = 0
        self.lag_ms: list[float] = []
        self.stopped_at: int | None = None
        self.stop_reason = ""
        self.problem = ""
        self.kept: Path | None = None
        self.start()

    @property
    def lost(self) -> int:
        """Frames given up because memory and spool were full."""
        return self._backlog.lost

    def put(self, packed: Packed) -> None:
        """Take over a frame; never blocks."""
        self._inbox.put(packed)
        self._waker.wake()

    def close(self, acquired: int, timeout_s: float) -> None:
        """Say that no frame follows; wait for the processor, at most `timeout_s` without progress."""
        if not self._done.is_set():
            self._give_up_s = timeout_s
            self._inbox.put(End(acquired=acquired))
            self._waker.wake()
        self.join()

    def run(self) -> None:
        """The thread: whatever happens to it, every frame is acknowledged, kept or counted as lost."""
        try:
            self._converse()
        except Exception as error:  # a bug or a broken socket must not take the frames along
            self.problem = f"the link failed: {type(error).__name__}: {error}"
            while self._end is None:
                self._collect(self._inbox.get())
        finally:
            self._keep_the_rest()
            self._done.set()

    def _converse(self) -> None:
        """Poll, hear, send, until the processor has closed the recording or is given up."""
        context = zmq.Context()
        link = context.socket(zmq.DEALER)
        link.setsockopt(zmq.LINGER, 500)
        link.setsockopt(zmq.SNDHWM, IN_FLIGHT)
        # Without a peer a message stays in the backlog, where it is counted, not in the socket.
        link.setsockopt(zmq.IMMEDIATE, 1)
        poller = zmq.Poller()
        poller.register(self._waker.fileno(), zmq.POLLIN)
        poller.register(link, zmq.POLLIN)
        try:
            link.connect(self._endpoint)
            while not self._done.is_set():
                self._wait(poller, link)
                self._hear(link)
                while not self._inbox.empty():
                    self._collect(self._inbox.get())
                self._speak(link)
                self._check_progress(link)
        finally:
            link.close()
            context.term()
            self._waker.close()

    def _wait(self, poller: zmq.Poller, link: zmq.Socket[bytes]) -> None:
        if self._welcome:
            can_send = self._backlog.waiting or (self._end and not self._end_sent)
        else:
            can_send = time.monotonic() - self._spoke_s >= HELLO_S
        poller.modify(link, zmq.POLLIN | (zmq.POLLOUT if can_send else 0))
        poller.poll(int(HELLO_S * 1000))
        self._waker.clear()

    def _collect(self, item: Packed | End) -> None:
        if isinstance(item, End):
            self._end, self._progress_s = item, time.monotonic()
            return
        seq, parts, hook_ns = item
        self._next_seq = seq + 1
        if self._backlog.append(seq, parts):
            self._handed_ns[seq] = hook_ns

    def _speak(self, link: zmq.Socket[bytes]) -> None:
        idle_s = time.monotonic() - self._spoke_s
        if not self._welcome:
            if idle_s >= HELLO_S:
                first = self._backlog.first_seq
                self._send(link, replace(self._hello, first_seq=self._next_seq if first is None else first))
            return
        while self._backlog.waiting and link.poll(0, zmq.POLLOUT):
            self._send_next(link)
        if self._end and not self._end_sent and not self._backlog.waiting:
            self._end_sent = self._send(link, self._end)
        elif idle_s >= ALIVE_S:
            self._send(link, Alive())

    def _send_next(self, link: zmq.Socket[bytes]) -> None:
        taken = self._backlog.take()
        assert taken is not None
        try:
            link.send_multipart(taken[1], zmq.NOBLOCK, copy=False)
        except zmq.Again:  # the peer went away in this very moment: begin again when it is back
            self._lose("the processor went away")
        self._spoke_s = self._progress_s = time.monotonic()

    def _send(self, link: zmq.Socket[bytes], message: Message) -> bool:
        try:
            link.send_multipart(encode(message), zmq.NOBLOCK)
        except zmq.Again:
            return False
        self._spoke_s = time.monotonic()
        return True

    def _hear(self, link: zmq.Socket[bytes]) -> None:
        while link.poll(0) and not self._done.is_set():
            try:
                self._act_on(decode(link.recv_multipart(zmq.NOBLOCK)), link)
            except WireError as error:
                self.problem = f"the processor at {self._endpoint} does not speak our wire: {error}"

    def _act_on(self, message: Message, link: zmq.Socket[bytes]) -> None:
        match message:
            case Welcome(next_seq=next_seq):
                self._unwelcome_s = None
                self._backlog.rewind(next_seq)
                self._welcome, self._end_sent, self._deserted, self.problem = True, False, False, ""
            case Report():
                self._acknowledge(message)
            case Refused(reason=reason):
                # A processor that was restarted knows nothing of us: introduce ourselves again.
                self._lose(reason)
            case Closed(error=error):
                self.problem = error
                self._send(link, Bye())
                # Closed before our end: go on collecting, another processor may take over.
                self._deserted = self._end is None
                if self._deserted:
                    self._lose(error or "the processor has closed its recording")
                else:
                    self._done.set()

    def _lose(self, reason: str) -> None:
        """There is no processor that takes the run, for now."""
        self.problem, self._welcome = reason, False
        self._unwelcome_s = self._unwelcome_s or time.monotonic()

    def _acknowledge(self, report: Report) -> None:
        self._progress_s = time.monotonic()
        self._backlog.acknowledge(report.seq)
        self.acknowledged += 1
        handed_ns = self._handed_ns.pop(report.seq, None)
        if handed_ns and report.processed:
            self.lag_ms.append((time.monotonic_ns() - handed_ns) / 1e6)
        if report.action == "stop" and self.stopped_at is None:
            self.stopped_at, self.stop_reason = report.seq, report.reason
            self._on_stop()

    def _check_progress(self, link: zmq.Socket[bytes]) -> None:
        """Tell the user that nobody watches; after the end, give up a processor that takes nothing."""
        now_s = time.monotonic()
        still_s, unwelcome_s = now_s - self._progress_s, now_s - (self._unwelcome_s or now_s)
        if still_s > UNWATCHED_S and self._backlog.waiting and not link.poll(0, zmq.POLLOUT):
            self._warn(f"the processor at {self._endpoint} went away")
        if unwelcome_s > UNWATCHED_S:
            self._warn(self.problem or f"no processor answers at {self._endpoint}")
        refused = bool(self.problem) and min(unwelcome_s, still_s) > REFUSED_S
        if self._end and (self._deserted or refused or still_s > self._give_up_s):
            self.problem = self.problem or f"no sign of a processor at {self._endpoint} for {still_s:.0f} s"
            self._done.set()

    def _warn(self, reason: str) -> None:
        if reason not in self._warned:
            self._warned.add(reason)
            _log.warning("no guard watches this run: %s; frames are kept meanwhile", reason)

    def _keep_the_rest(self) -> None:
        try:
            self.kept = self._backlog.keep()
        except (OSError, WireError) as error:
            left = len(self._backlog)
            self._backlog.lost += left
            self.problem = f"{left} frames could not be kept: {error}"


def _user_spool() -> Path:
    """The user's own folder for frames that no processor has taken; it survives a reboot."""
    from streamer.resources import spool_dir  # not at import: a script that streams need not pay for it

    return spool_dir()

"""Frames from a hook, over the wire."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import zmq

from streamer.core import Frame, Outcome
from streamer.errors import LinkError
from streamer.wire import (
    MAX_PIXEL_BYTES,
    Alive,
    Backlog,
    Bye,
    Closed,
    End,
    Hello,
    Message,
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

NO_HELLO = "say hello first"
_TICK_MS = 500
_BYE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCounts:
    """What the link has seen so far.

    Attributes:
        received: frames of this run that arrived, each counted once.
        first_seq: the first frame offered to this processor; an earlier recording has those before it.
        missing: sequence numbers that never arrived.
        duplicates: frames that arrived again, after a reconnect.
        lost: frames given up, by the hook or here, because memory and spool were full.
        waiting: frames that arrived and are not yet processed.
        refused: messages that were not ours, by reason.
        silent: whether the hook went silent without an end.
    """

    received: int
    first_seq: int = 0
    missing: int = 0
    duplicates: int = 0
    lost: int = 0
    waiting: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    silent: bool = False

    @property
    def dropped(self) -> int:
        """Frames that an engine acquired and no recording holds."""
        return self.missing + self.lost


class LiveSource:
    """Listens for one hook, keeps what arrives until it is processed, answers with verdicts.

    A thread owns the socket; `frames` is iterated on the caller's thread.

    Args:
        endpoint: loopback address to listen at; port `*` takes a free one.
        profile: name of the hardware profile this side runs; a hook under another one is refused.
        spool: file for frames that wait and do not fit in memory.
        ram_bytes: memory for frames that wait.
        disk_bytes: budget of the spool file.
        silence_s: after so long without a sign of life the microscope is given up and the frames end.

    Raises:
        LinkError: the port is in use.
        UsageError: the endpoint is not a loopback address.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        profile: str,
        spool: Path,
        ram_bytes: int,
        disk_bytes: int,
        silence_s: float,
    ) -> None:
        require_loopback(endpoint, any_port=True)
        self._context = zmq.Context()
        self._link = self._context.socket(zmq.ROUTER)
        self._link.setsockopt(zmq.LINGER, 1000)
        self._link.setsockopt(zmq.MAXMSGSIZE, MAX_PIXEL_BYTES)
        try:
            self._link.bind(endpoint)
        except zmq.ZMQError as error:
            self._link.close()
            self._context.term()
            raise LinkError(
                f"--endpoint {endpoint}: {zmq.strerror(error.errno or 0)}; use another port, or end its owner"
            ) from None
        #: The address really listened at.
        self.endpoint = self._link.getsockopt_string(zmq.LAST_ENDPOINT)
        self._backlog = Backlog(spool, ram_bytes=ram_bytes, disk_bytes=disk_bytes)
        self._changed = threading.Condition()  # guards the backlog and all that follows
        self._profile, self._silence_s = profile, silence_s
        self._replies: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._waker = Waker()
        self._peer: bytes | None = None
        self._hello: Hello | None = None
        self._end: End | None = None
        self._first_seq = self._next_seq = self._received = self._missing = self._duplicates = 0
        self._received_ns: dict[int, int] = {}
        self._refused: Counter[str] = Counter()
        self._heard_s = 0.0
        self._silent = self._over = self._said_bye = self._closing = False
        self._failure = ""
        self._thread = threading.Thread(target=self._run, name="streamer-link", daemon=True)
        self._thread.start()

    def wait_for_hook(self) -> Hello | None:
        """Block until a hook has introduced itself; None if the source was ended before."""
        with self._changed:
            self._changed.wait_for(lambda: self._hello or self._over)
            return self._hello

    @property
    def planned(self) -> int:
        """Frames that the hook plans, 0 when open-ended or not yet known."""
        return self._hello.planned if self._hello else 0

    @property
    def shares_clock(self) -> bool:
        """Whether `hook_ns` and this machine's monotonic clock may be compared."""
        return bool(self._hello and self._hello.host and self._hello.host == host_clock())

    def frames(self) -> Iterator[Frame]:
        """Every frame once, in order; under `latest` all but the newest are marked superseded.

        Raises:
            LinkError: the link failed by itself.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._backlog.waiting or self._over)
                taken = self._backlog.take()
                if taken is None:
                    break
                seq, parts = taken
                self._backlog.acknowledge(seq)
                latest = self._hello is not None and self._hello.policy == "latest"
                superseded = latest and self._backlog.waiting > 0
            frame = decode(parts)
            assert isinstance(frame, Frame)
            received_ns = self._received_ns.pop(seq)
            yield replace(frame, received_ns=received_ns, superseded=superseded)
        if self._failure:
            raise LinkError(self._failure)

    def reply(self, outcome: Outcome) -> None:
        """Acknowledge a frame that is safe in the recording, with what was decided."""
        decision = outcome.decision
        self._answer(
            Report(
                seq=outcome.frame.seq,
                processed=outcome.result is not None,
                action=decision.action,
                reason=decision.reason,
                verdicts=[asdict(verdict) for verdict in outcome.verdicts],
            )
        )

    def counts(self) -> LinkCounts:
        """The counts so far."""
        with self._changed:
            acquired = self._end.acquired if self._end else self._next_seq
            return LinkCounts(
                received=self._received,
                first_seq=self._first_seq,
                missing=self._missing + max(0, acquired - self._next_seq),
                duplicates=self._duplicates,
                lost=self._backlog.lost,
                waiting=self._backlog.waiting,
                refused=dict(self._refused),
                silent=self._silent,
            )

    def finish(self, *, unless_running: bool = False) -> None:
        """End `frames` once what has arrived by now is taken; what comes later stays with the hook.

        Args:
            unless_running: only if no hook has introduced itself yet.
        """
        with self._changed:
            self._over = self._over or not (unless_running and self._hello)
            self._changed.notify_all()

    def close(self, recorded: int, error: str = "") -> None:
        """Tell the hook that the recording is closed, and stop listening."""
        self._answer(Closed(recorded=recorded, missing=self.counts().missing, error=error))
        with self._changed:
            self._changed.wait_for(lambda: self._said_bye or self._silent or self._peer is None, _BYE_S)
        self._closing = True
        self._waker.wake()
        self._thread.join()
        self._backlog.close()
        self._waker.close()

    def _answer(self, message: Message) -> None:
        self._replies.put(message)
        self._waker.wake()

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._waker.fileno(), zmq.POLLIN)
        poller.register(self._link, zmq.POLLIN)
        try:
            while not self._closing or not self._replies.empty():
                poller.poll(_TICK_MS)
                self._waker.clear()
                while self._link.poll(0):
                    self._hear()
                while not self._replies.empty():
                    self._send(self._peer, self._replies.get())
                self._check_silence()
        except Exception as error:  # nobody must wait for a link that is gone
            with self._changed:
                self._failure, self._over = f"the link failed: {type(error).__name__}: {error}", True
                self._changed.notify_all()
        finally:
            self._link.close()
            self._context.term()

    def _hear(self) -> None:
        peer, *frames = self._link.recv_multipart(zmq.NOBLOCK, copy=False)
        received_ns = time.monotonic_ns()
        try:
            message = decode([frame.buffer for frame in frames])
            with self._changed:
                self._act_on(peer.bytes, message, [frame.buffer for frame in frames], received_ns)
                self._changed.notify_all()
        except WireError as error:
            self._refuse(peer.bytes, str(error))

    def _act_on(self, peer: bytes, message: Message, parts: list[memoryview], received_ns: int) -> None:
        """Take one checked message; called with the lock held."""
        if isinstance(message, Hello):
            self._greet(peer, message)
        elif peer != self._peer:
            raise WireError(NO_HELLO)
        self._heard_s = time.monotonic()
        match message:
            case Frame(seq=seq):
                if not self._over:
                    self._take_in(seq, parts, received_ns)
            case End():
                self._end, self._over = message, True
            case Bye():
                self._said_bye = True
            case Hello() | Alive():
                pass
            case _:
                raise WireError(f"a processor does not take a {type(message).__name__} message")

    def _greet(self, peer: bytes, hello: Hello) -> None:
        if self._hello and hello.run != self._hello.run:
            raise WireError(f"this processor serves run {self._hello.run}; start another for another run")
        if (stem := Path(hello.profile).stem) != self._profile:
            raise WireError(f"the hook runs profile {stem}, this processor {self._profile}; use one")
        if hello.policy not in ("lossless", "latest"):
            raise WireError(f"policy {hello.policy!r}; use lossless or latest")
        if self._hello is None:
            self._next_seq = self._first_seq = hello.first_seq  # an earlier processor has those before it
        self._peer, self._hello = peer, hello
        self._refused.pop(NO_HELLO, None)  # it spoke before it knew us, and has introduced itself since
        self._send(peer, Welcome(next_seq=self._next_seq))

    def _take_in(self, seq: int, parts: list[memoryview], received_ns: int) -> None:
        if seq < self._next_seq:
            self._duplicates += 1
            return
        self._missing += seq - self._next_seq
        self._next_seq = seq + 1
        if self._backlog.append(seq, parts):
            self._received += 1
            self._received_ns[seq] = received_ns

    def _refuse(self, peer: bytes, reason: str) -> None:
        with self._changed:
            # A stranger chooses the reasons: bound how many are told apart.
            self._refused[reason if len(self._refused) < 50 else "further reasons"] += 1
        self._send(peer, Refused(reason=reason))

    def _send(self, peer: bytes | None, message: Message) -> None:
        if peer is not None:
            self._link.send_multipart([peer, *encode(message)], zmq.NOBLOCK)

    def _check_silence(self) -> None:
        with self._changed:
            waited_s = time.monotonic() - self._heard_s
            if self._hello and not self._over and waited_s > self._silence_s:
                self._silent = self._over = True
                self._changed.notify_all()

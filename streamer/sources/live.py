"""Frames from a hook, over the wire."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import zmq

from streamer.core import Frame, Outcome
from streamer.errors import LinkError
from streamer.sources.gate import Gate
from streamer.sources.intake import Intake, LinkCounts, Recorded
from streamer.wire import (
    Alive,
    Bye,
    Closed,
    Done,
    End,
    Hello,
    Message,
    Order,
    Report,
    SharedSlots,
    WireError,
)
from streamer.wire.clock import host_clock
from streamer.wire.waker import Waker

__all__ = ["LinkCounts", "LiveSource", "Recorded"]

_TICK_MS = 500
_ALIVE_S = 1.0
_BYE_S = 1.0
#: Messages taken before replies go out again: a flood must not hold up the acknowledgements.
_BATCH = 64


class LiveSource:
    """Listens for one hook, gives its frames in order, answers with verdicts.

    A thread owns the socket; `frames` is iterated on the caller's thread. The pixels of a frame may lie in
    the hook's memory: they must not be read any more once the frame is acknowledged by `reply`.

    Args:
        endpoint: address to listen at; port `*` takes a free one.
        profile: name of the hardware profile this side runs; a hook under another one is refused.
        ram_bytes: memory for frames that are not yet recorded; the others wait with the hook.
        silence_s: after so long without a sign of life the microscope is given up and the frames end.
        recorded: what a recording that is being continued already has; another hook than its own is refused.
        expected: whether a hook is known to run, so that silence counts before it has introduced itself.
        keys: key file of the processor; needed for any address but loopback.

    Raises:
        LinkError: the port is in use.
        UsageError: the endpoint or the keys cannot be used.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        profile: str,
        ram_bytes: int,
        silence_s: float,
        recorded: Recorded | None = None,
        expected: bool = False,
        keys: Path | None = None,
    ) -> None:
        self._gate = Gate(endpoint, keys)
        #: The address really listened at.
        self.endpoint = self._gate.endpoint
        self._changed = threading.Condition()  # guards all that follows
        self._intake = Intake(profile=profile, recorded=recorded, ram_bytes=ram_bytes)
        self._frames: deque[Frame] = deque()
        self._deeds: list[Done] = []
        self._silence_s, self._expected = silence_s, expected
        self._replies: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._waker = Waker()
        self._heard_s, self._said_s = time.monotonic(), 0.0
        self._silent = self._over = self._said_bye = self._closing = False
        self._failure = ""
        self._thread = threading.Thread(target=self._run, name="streamer-link", daemon=True)
        self._thread.start()

    def wait_for_hook(self) -> Hello | None:
        """Block until a hook has introduced itself; None if the source was ended before."""
        with self._changed:
            self._changed.wait_for(lambda: self._intake.hello or self._over)
            return self._intake.hello

    @property
    def hello(self) -> Hello | None:
        """How the hook has introduced itself last; it may come to know more of its engine and camera."""
        return self._intake.hello

    @property
    def planned(self) -> int:
        """Frames that the hook plans, 0 when open-ended or not yet known."""
        hello = self._intake.hello
        return hello.planned if hello else 0

    @property
    def shares_clock(self) -> bool:
        """Whether `hook_ns` and this machine's monotonic clock may be compared."""
        hello = self._intake.hello
        return bool(hello and hello.host and hello.host == host_clock())

    def frames(self) -> Iterator[Frame]:
        """Every frame once, in order; under `latest` all but the newest are marked superseded.

        Raises:
            LinkError: the link failed by itself.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._frames or self._over)
                if not self._frames:
                    break
                frame = self._frames.popleft()
                hello = self._intake.hello
                superseded = hello is not None and hello.policy == "latest" and bool(self._frames)
            yield replace(frame, superseded=superseded)
        if self._failure:
            raise LinkError(self._failure)

    def carried_out(self) -> list[Done]:
        """What the microscope has really done about decisions, since this was last asked."""
        with self._changed:
            deeds, self._deeds = self._deeds, []
        return deeds

    @property
    def newest_seq(self) -> int:
        """Number of the newest frame that is safe in the recording; 0 before the first."""
        with self._changed:
            return self._intake.newest_seq

    @property
    def is_over(self) -> bool:
        """Whether the run has ended: nobody carries out anything any more."""
        return self._over

    def order(self, action: str, reason: str) -> Order:
        """Let the hook know what a person asks for: stop, pause, resume. `carried_out` has the answer.

        It is told again after each reconnect until it answers; a hook that is not there yet hears it at once
        when it comes.
        """
        with self._changed:
            order = self._intake.order(action, reason)
            known = self._intake.hello is not None
        if known:  # else the welcome brings it
            self._answer(order)
        return order

    def reply(self, outcome: Outcome) -> None:
        """Acknowledge a frame that is safe in the recording: the last thing that happens to it."""
        decision = outcome.decision
        report = Report(
            seq=outcome.frame.seq,
            processed=bool(outcome.results),
            action=decision.action,
            reason=decision.reason,
            verdicts=[asdict(verdict) for verdict in outcome.verdicts],
            change=dict(decision.change),
            pause_s=decision.pause_s,
        )
        with self._changed:
            self._intake.recorded(report)
        self._answer(report)

    def counts(self) -> LinkCounts:
        """The counts so far."""
        with self._changed:
            intake, told = self._intake, self._intake.told
            return LinkCounts(
                received=intake.received,
                first_seq=intake.first_seq,
                missing=intake.missing,
                duplicates=intake.duplicates,
                sent=told.sent,
                resent=told.resent,
                spooled=told.spooled,
                lost=told.lost,
                waiting=len(self._frames) + told.waiting,
                refused=self._gate.refused(),
                silent=self._silent,
            )

    def finish(self, *, unless_running: bool = False) -> None:
        """End `frames` once what has arrived by now is taken; what comes later stays with the hook.

        Args:
            unless_running: only if no hook has introduced itself yet.
        """
        with self._changed:
            self._over = self._over or not (unless_running and self._intake.hello)
            self._changed.notify_all()

    def close(self, recorded: int, error: str = "") -> None:
        """Tell the hook that the recording is closed, and stop listening."""
        self._answer(Closed(recorded=recorded, missing=self.counts().missing, error=error))
        with self._changed:
            self._changed.wait_for(lambda: self._said_bye or self._silent or self._gate.peer is None, _BYE_S)
        self.abandon()

    def abandon(self) -> None:
        """Stop listening without a word: for the hook nothing is over, and another processor may go on."""
        self._closing = True
        self._waker.wake()
        self._thread.join()
        self._waker.close()

    def _answer(self, message: Message) -> None:
        self._replies.put(message)
        self._waker.wake()

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._waker.fileno(), zmq.POLLIN)
        self._gate.watch(poller)
        try:
            while not self._closing or not self._replies.empty():
                poller.poll(_TICK_MS)
                self._waker.clear()
                self._turn()
        except Exception as error:  # nobody must wait for a link that is gone
            with self._changed:
                self._failure, self._over = f"the link failed: {type(error).__name__}: {error}", True
                self._changed.notify_all()
        finally:
            self._gate.close()

    def _turn(self) -> None:
        """Hear a little of everybody, say what there is to say."""
        self._gate.hear(_BATCH, self._take)
        peer = self._gate.peer
        while not self._replies.empty():
            self._gate.say(peer, self._replies.get())
        with self._changed:
            credit = self._intake.credit() if peer else None
        if credit:
            self._gate.say(peer, credit)
        if time.monotonic() - self._said_s > _ALIVE_S:
            self._said_s = time.monotonic()
            self._gate.say(peer, Alive())
        self._check_silence()

    def _take(self, peer: bytes, message: Message, with_pixels: bool) -> None:
        received_ns = time.monotonic_ns()
        with self._changed:
            answers = self._act_on(peer, message, received_ns, in_ram=with_pixels)
            self._changed.notify_all()
        for answer in answers:
            self._gate.say(peer, answer)

    def _act_on(self, peer: bytes, message: Message, received_ns: int, *, in_ram: bool) -> list[Message]:
        """Take one checked message; what to answer. Called with the lock held."""
        answers: list[Message] = []
        match message:
            case Hello():
                answers = self._greet(peer, message)
            case Frame():
                # Once it is over, what comes stays with the hook.
                if not self._over and self._intake.take_in(message, in_ram=in_ram):
                    self._frames.append(replace(message, received_ns=received_ns))
            case Alive():
                self._intake.told = message
            case Done():
                self._intake.answered(message)
                self._deeds.append(message)
            case End():
                self._intake.end, self._over = message, True
            case Bye():
                self._said_bye = True
            case _:
                raise WireError(f"a processor does not take a {type(message).__name__} message")
        self._heard_s = time.monotonic()
        return answers

    def _greet(self, peer: bytes, hello: Hello) -> list[Message]:
        slots = _shared_slots(hello)
        answers = self._intake.greet(hello, shared=slots is not None)
        self._gate.let_in(peer, slots)
        return answers

    def _check_silence(self) -> None:
        with self._changed:
            waited_s = time.monotonic() - self._heard_s
            known = self._expected or self._intake.hello
            if known and not self._over and waited_s > self._silence_s:
                self._silent = self._over = True
                self._changed.notify_all()


def _shared_slots(hello: Hello) -> SharedSlots | None:
    """The hook's ring, if this process can open the very same memory."""
    if not hello.ring:
        return None
    try:
        return SharedSlots(
            name=hello.ring, nonce=hello.ring_nonce, slots=hello.ring_slots, slot_bytes=hello.slot_bytes
        )
    except WireError:  # another machine or user: pixels come through the socket
        return None

"""What the processor takes of a run and how far the hook may go: the rules of the link, without a socket."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from streamer.core import Frame
from streamer.wire import Alive, Credit, Done, End, Hello, Message, Order, Policy, Report, Welcome, WireError

#: Frames that the hook may be ahead of the recording: enough to hide the way there and back, whatever else
#: waits, waits with the hook. Before the first frame nobody knows how large they are.
MAX_WINDOW, FIRST_WINDOW = 64, 2
#: Decisions, and orders of people, repeated after a reconnect; older ones are history.
MAX_UNANSWERED = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a recording that is being continued already has.

    Attributes:
        run: identity of the hook's run.
        next_seq: the first frame that is not in it.
        first_seq: the first frame that it was offered.
        missing: sequence numbers between the two that never arrived.
        done: how many `Done` messages of the hook it has.
        unanswered: decisions of which it does not know whether the hook has heard them.
        orders: likewise what people asked for.
        last_order: number of the last that a person gave; 0 without one.
    """

    run: str
    next_seq: int
    first_seq: int = 0
    missing: int = 0
    done: int = 0
    unanswered: tuple[Report, ...] = ()
    orders: tuple[Order, ...] = ()
    last_order: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCounts:
    """What the link has seen so far.

    Attributes:
        received: frames of this run that arrived here, each counted once.
        first_seq: the first frame offered to this recording; an earlier one has those before it.
        missing: sequence numbers that never arrived.
        duplicates: frames that arrived again, after a reconnect.
        sent: frames that the hook has sent at least once, as it says; all processors together.
        resent: sendings of a frame that had been sent before, as the hook says.
        spooled: frames that had to wait in the hook's spool file, as it says.
        lost: those of the missing that the hook gave up because memory and spool were full, as it says.
        waiting: frames that are not yet processed, here and with the hook.
        refused: messages and connections that were not ours, by reason.
        silent: whether the hook went silent without an end.
    """

    received: int
    first_seq: int = 0
    missing: int = 0
    duplicates: int = 0
    sent: int = 0
    resent: int = 0
    spooled: int = 0
    lost: int = 0
    waiting: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    silent: bool = False

    @property
    def dropped(self) -> int:
        """Frames that an engine acquired and no recording holds."""
        return self.missing


class Intake:
    """Every frame of one run once, in order, and no more at a time than memory allows.

    Args:
        profile: name of the hardware profile this side runs.
        recorded: what the recording has already; None for a new one.
        ram_bytes: memory for frames that are not yet recorded.

    Not thread-safe: its owner holds a lock.
    """

    def __init__(self, *, profile: str, recorded: Recorded | None, ram_bytes: int) -> None:
        self._profile, self._recorded, self._ram_bytes = profile, recorded, ram_bytes
        self.hello: Hello | None = None
        self.end: End | None = None
        self.told = Alive()
        self.first_seq = recorded.first_seq if recorded else 0
        self.next_seq = recorded.next_seq if recorded else 0
        self.received = self.duplicates = 0
        self._gaps = recorded.missing if recorded else 0
        self._recorded_until = self.next_seq
        self._done = recorded.done if recorded else 0
        self._unanswered = deque(recorded.unanswered if recorded else (), MAX_UNANSWERED)
        self._orders = deque(recorded.orders if recorded else (), MAX_UNANSWERED)
        self._last_order = recorded.last_order if recorded else 0
        self._window, self._until = FIRST_WINDOW, 0
        self._biggest = self._held_bytes = 0
        self._held: deque[tuple[int, int]] = deque()  # number and bytes of frames not yet recorded

    @property
    def missing(self) -> int:
        """Sequence numbers that never arrived."""
        acquired = self.end.acquired if self.end else self.next_seq
        return self._gaps + max(0, acquired - self.next_seq)

    def greet(self, hello: Hello, *, shared: bool) -> list[Message]:
        """Take a hook in; what to answer.

        Raises:
            WireError: it is not the hook of this run, or runs under another profile.
        """
        self._require_ours(hello)
        if self.hello is None and self._recorded is None:  # an earlier processor has those before it
            self.first_seq = self.next_seq = self._recorded_until = hello.first_seq
        self.hello = hello
        self._until = self._recorded_until + self._window
        welcome = Welcome(
            next_seq=self.next_seq,
            recorded_until=self._recorded_until,
            until=self._until,
            shared=shared,
            done=self._done,
        )
        return [welcome, *self._unanswered, *self._orders]

    def take_in(self, frame: Frame, *, in_ram: bool) -> bool:
        """Whether the frame is new; one that was received before is counted.

        Raises:
            WireError: the hook has no credit for it.
        """
        seq = frame.seq
        if seq < self.next_seq:
            self.duplicates += 1
            return False
        size = frame.pixels.nbytes
        ram = size if in_ram else 0
        if self._held and (seq >= self._until or self._held_bytes + ram > self._ram_bytes):
            raise WireError(f"frame {seq} has no credit beyond {self._until}; wait for credit")
        self._gaps += seq - self.next_seq
        self.next_seq = seq + 1
        self.received += 1
        self._held.append((seq, ram))
        self._held_bytes += ram
        self._biggest = max(self._biggest, size)
        self._window = min(MAX_WINDOW, max(FIRST_WINDOW, self._ram_bytes // self._biggest))
        return True

    def recorded(self, report: Report) -> None:
        """A frame, and with it all before it, is safe."""
        self._recorded_until = max(self._recorded_until, report.seq + 1)
        while self._held and self._held[0][0] <= report.seq:
            self._held_bytes -= self._held.popleft()[1]
        if report.action != "continue":
            self._unanswered.append(report)

    @property
    def newest_seq(self) -> int:
        """Number of the newest frame that is safe; 0 before the first."""
        return max(0, self._recorded_until - 1)

    def order(self, action: str, reason: str) -> Order:
        """Something that a person asks for, with the next number."""
        # A clock, and no count: of an order that a killed processor gave and did not record nobody knows.
        self._last_order = max(self._last_order + 1, time.time_ns() // 1_000_000)
        order = Order(number=self._last_order, action=action, seq=self.newest_seq, reason=reason)
        self._orders.append(order)
        return order

    def answered(self, done: Done) -> None:
        """The hook has told what it did."""
        self._done += 1
        if done.order:
            still = [order for order in self._orders if order.number != done.order]
            self._orders = deque(still, MAX_UNANSWERED)
            return
        # By the very decision: what a user or the watchdog did answers none.
        open_ = [
            report for report in self._unanswered if (report.seq, report.action) != (done.seq, done.action)
        ]
        self._unanswered = deque(open_, MAX_UNANSWERED)

    def credit(self) -> Credit | None:
        """Further credit, as soon as it is worth a message."""
        until = self._recorded_until + self._window
        if until - self._until < max(1, self._window // 4):
            return None
        self._until = until
        return Credit(until=until)

    def _require_ours(self, hello: Hello) -> None:
        known = self.hello or self._recorded
        if known and hello.run != known.run:
            cure = "start another processor for another run, with another --out"
            raise WireError(f"this processor serves run {known.run}; {cure}")
        if (stem := Path(hello.profile).stem) != self._profile:
            raise WireError(f"the hook runs profile {stem}, this processor {self._profile}; use one")
        if hello.policy not in get_args(Policy):
            raise WireError(f"policy {hello.policy!r}; use lossless or latest")
        if not 0 < len(hello.run) <= 64:
            raise WireError(f"run of {len(hello.run)} characters; use 1 to 64")

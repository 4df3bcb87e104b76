"""What the hook has to say and how far it may go: the rules of the link, without a socket."""

from __future__ import annotations

from collections import deque

from streamer.wire import Alive, Backlog, Done, End, Order, Parcel, Report, Welcome

#: Lags kept for the percentiles, those of the newest frames.
LAGS_KEPT = 1 << 17


class Outbox:
    """Frames, deeds and the end, in order, each until the processor has it.

    A connection is one sequence of events: `welcome`, then what `next` gives and what the processor answers,
    then `leave`. Nothing of an earlier connection counts: what the processor has by then, its next welcome
    tells. Not thread-safe: one thread owns it.
    """

    def __init__(self, backlog: Backlog) -> None:
        self.backlog = backlog
        self.end: End | None = None
        self.welcomed = self.end_sent = False
        self._until = 0
        self._deeds: list[Done] = []
        self._deeds_sent = 0
        self._highest_sent = self._obeyed = -1
        self._ordered = 0
        self.sent = self.resent = self.acknowledged = 0
        self.lag_ms: deque[float] = deque(maxlen=LAGS_KEPT)

    def add(self, deed: Done) -> None:
        """Tell the processor of it, whenever there is one."""
        self._deeds.append(deed)

    def welcome(self, welcome: Welcome) -> None:
        """A connection begins: go on where the processor is."""
        self.welcomed, self.end_sent = True, False
        self._until, self._deeds_sent = welcome.until, welcome.done
        self.backlog.rewind(welcome.next_seq)
        self.acknowledged += len(self.backlog.acknowledge(welcome.recorded_until - 1))

    def leave(self) -> None:
        """The connection is over."""
        self.welcomed = False

    def credit(self, until: int) -> None:
        """Frames before `until` may be sent."""
        self._until = max(self._until, until)

    def report(self, report: Report, now_ns: int) -> bool:
        """Forget what is safe; whether the report asks for something that has not been asked before."""
        for seq, handed_ns in self.backlog.acknowledge(report.seq):
            self.acknowledged += 1
            if seq == report.seq and report.processed:
                self.lag_ms.append((now_ns - handed_ns) / 1e6)
        # After a reconnect the processor repeats what it has seen nothing done about.
        new = report.action != "continue" and report.seq > self._obeyed
        if new:
            self._obeyed = report.seq
        return new

    def order(self, order: Order) -> bool:
        """Whether the order is new: those that nobody has answered are repeated after a reconnect."""
        new = order.number > self._ordered
        self._ordered = max(self._ordered, order.number)
        return new

    @property
    def may_send(self) -> bool:
        """Whether `next` has something to give."""
        return self.welcomed and (
            self._deeds_sent < len(self._deeds)
            or self._frame_may_go
            or (self.end is not None and not self.end_sent and not self.backlog.waiting)
        )

    def next(self) -> Parcel | Done | End | None:
        """What goes next; None where nothing may go now."""
        if not self.may_send:
            return None
        if self._deeds_sent < len(self._deeds):
            self._deeds_sent += 1
            return self._deeds[self._deeds_sent - 1]
        if self._frame_may_go:
            return self._next_frame()
        self.end_sent = True
        return self.end

    def counts(self) -> Alive:
        """The counts as the processor is told them."""
        return Alive(
            waiting=self.backlog.waiting,
            sent=self.sent,
            resent=self.resent,
            spooled=self.backlog.spooled,
            lost=self.backlog.lost,
        )

    @property
    def _frame_may_go(self) -> bool:
        """Credit reaches it, or all before it are recorded: over lost frames, numbers may jump far."""
        seq = self.backlog.next_seq
        in_flight = len(self.backlog) - self.backlog.waiting
        return seq is not None and (seq < self._until or not in_flight)

    def _next_frame(self) -> Parcel | None:
        parcel = self.backlog.take()
        if parcel is None:  # the last that waited could not be read back
            return None
        if parcel.seq > self._highest_sent:
            self._highest_sent = parcel.seq
            self.sent += 1
        else:
            self.resent += 1
        return parcel

"""Why no event is handed on for now, and that whoever asked for a pause or its end gets an answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from streamer.wire import Done

_ENDED = "the run was ended before"
_MISSED = "it was over before the exposure in progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why no event is handed on for now.

    Attributes:
        action: "pause", "make safe" or "stop", for the record.
        seq: the frame that asked for it.
        reason: in words.
        until_s: monotonic time at which it ends by itself; None for never.
        came_ns: monotonic clock when it was asked for.
        order: number of the order of a person; 0 where nobody ordered it.
    """

    action: str
    seq: int
    reason: str
    until_s: float | None
    came_ns: int
    order: int = 0


class Holds:
    """All that holds a run: it goes on when the last is over. From any thread.

    Args:
        changed: held while something changes, and notified.
        tell: told what became of pauses and of orders to end them.

    Attributes:
        ended: the run is over: nothing is held any more, and nothing goes on.
    """

    def __init__(self, changed: threading.Condition, tell: Callable[[Done], None]) -> None:
        self._changed, self._tell = changed, tell
        self._holds: list[Hold] = []
        self._untold: list[Hold] = []  # pauses of which nothing has been said yet
        self._resumes: list[tuple[int, int]] = []  # frame and number of orders that going on answers
        self.ended = False

    def __bool__(self) -> bool:
        return bool(self._holds)

    def add(self, hold: Hold) -> None:
        """Hold the run until `release` of the action, or the hold's own end."""
        with self._changed:
            is_late = self.ended and hold.action == "pause"
            if not is_late:
                self._holds.append(hold)
                self._untold += [hold] if hold.action == "pause" else []
            self._changed.notify_all()
        if is_late:
            self._tell_missed([hold], _ENDED)

    def release(self, action: str) -> None:
        """End all holds of an action."""
        with self._changed:
            over = [hold for hold in self._holds if hold.action == action]
            self._holds = [hold for hold in self._holds if hold.action != action]
            missed = self.not_told_of(over)
            self._changed.notify_all()
        self._tell_missed(missed, _MISSED)

    def resume(self, seq: int, order: int) -> None:
        """A person's order to end the pauses; it is answered, at the latest when the run goes on."""
        with self._changed:
            pauses = [hold for hold in self._holds if hold.action == "pause"]
            others = [hold.reason for hold in self._holds if hold.action != "pause"]
            begun = any(hold not in self._untold for hold in pauses)
            waits = begun and not others and not self.ended
            if waits:  # before the release: the run may go on at once
                self._resumes.append((seq, order))
        self.release("pause")
        if waits:
            return
        if self.ended:
            detail = _ENDED
        elif others:
            detail = f"the run waits all the same: {'; '.join(others)}"
        else:
            detail = "the pause was over before it began" if pauses else "the run was not paused"
        ok = bool(pauses) and not self.ended
        self._tell(Done(action="resume", seq=seq, ok=ok, detail=detail, order=order))

    def end(self) -> None:
        """The run is over; what was not answered is answered now."""
        with self._changed:
            self.ended = True
            missed, self._untold = self._untold, []
            self._changed.notify_all()
        self._tell_missed(missed, _ENDED)
        self.tell_resumed(ok=False, detail=_ENDED)

    def current(self) -> list[Hold]:
        """Those that still hold; those whose time is over are dropped."""
        now_s = time.monotonic()
        with self._changed:
            if self.ended:
                return []
            over = [hold for hold in self._holds if hold.until_s is not None and hold.until_s <= now_s]
            self._holds = [hold for hold in self._holds if hold not in over]
            missed = self.not_told_of(over)
            holds = list(self._holds)
        self._tell_missed(missed, _MISSED)
        return holds

    def not_told_of(self, holds: Sequence[Hold]) -> list[Hold]:
        """The pauses among `holds` of which nothing was said; they count as told from now on."""
        with self._changed:
            fresh = [hold for hold in self._untold if hold in holds]
            self._untold = [hold for hold in self._untold if hold not in fresh]
        return fresh

    def tell_resumed(self, *, ok: bool, detail: str = "", values: Mapping[str, float] | None = None) -> bool:
        """Answer the orders to go on; whether there were any."""
        with self._changed:
            resumes, self._resumes = self._resumes, []
        for seq, order in resumes:
            done = Done(action="resume", seq=seq, ok=ok, detail=detail, values=values or {}, order=order)
            self._tell(done)
        return bool(resumes)

    def _tell_missed(self, holds: Iterable[Hold], why: str) -> None:
        """Every pause is answered, those too that came to nothing."""
        for hold in holds:
            self._tell(Done(action="pause", seq=hold.seq, ok=False, detail=why, order=hold.order))

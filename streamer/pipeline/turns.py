"""Whose turn it is: frames in their order, each held until what it is to be seen with is known."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from streamer.core import Frame, Verdict
from streamer.pipeline.neighbours import Above, Cut, not_awaited
from streamer.pipeline.patient import SILENCE, Patient

#: What is known of the slice above a frame, from those that came after it; None as long as nothing is.
Known = Callable[[Cut, Sequence[Cut]], Above | None]
#: What is done with a frame at once, before it may wait.
Take = Callable[[Frame], Cut]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A frame whose turn it is.

    Attributes:
        cut: the frame and its parts.
        above: the slice above it, if it has one.
        behind: frames that are held behind it.
        again: an earlier processor has recorded what it made of it; only the states need it again.
    """

    cut: Cut
    above: Above
    behind: int
    again: bool

    @property
    def parts(self) -> Iterator[tuple[Frame, ...]]:
        """Each part, with the same part of the slice above where there is one."""
        seen_with = (self.above.cut.parts,) if self.above.cut else ()
        return zip(self.cut.parts, *seen_with, strict=True)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What there is to say before anybody has looked at the pixels."""
        return (*self.cut.misfits, *self.above.told)


class Turns:
    """Gives frames their turns; strictly in their order, so that a frame that waits holds those behind it.

    What is held is let go at the end of the frames, and wherever they stay out for `patience_s`: a paused run
    must not wait for verdicts that wait for its next frame. Such frames say so, see `not_awaited`.

    Args:
        known: tells when a frame need not wait any longer.
        patience_s: how long a frame is held without another one coming; None for as long as it takes.
    """

    def __init__(self, known: Known, patience_s: float | None = None) -> None:
        self._known, self._patience_s = known, patience_s
        self._held: deque[Cut] = deque()
        self._again = 0  # of the held, those of an earlier processor

    def __call__(self, frames: Iterable[Frame], take: Take) -> Iterator[Turn]:
        """The turns of all `frames`, after those that `again` has left."""
        yield from self._as_they_come(frames, take, self._patience_s)
        yield from self._let_go()

    def again(self, frames: Iterable[Frame], take: Take) -> Iterator[Turn]:
        """The turns of frames that an earlier processor has recorded.

        Those at the end of which nothing is known yet wait for the next call: what comes then was there when
        they were judged.
        """
        yield from self._as_they_come(frames, take, None)
        self._again = len(self._held)

    def _as_they_come(self, frames: Iterable[Frame], take: Take, patience_s: float | None) -> Iterator[Turn]:
        with closing(Patient(frames, asks_twice=patience_s is not None)) as patient:
            # Of frames that are recorded already nobody waits for a verdict.
            while (frame := patient.next(patience_s if len(self._held) > self._again else None)) is not None:
                if frame is SILENCE:
                    yield from self._let_go()
                else:
                    self._held.append(take(frame))
                    yield from self._ready()

    def _ready(self) -> Iterator[Turn]:
        """Those at the head of which enough is known."""
        while self._held and (above := self._known(self._held[0], tuple(self._held)[1:])):
            yield self._next(above)

    def _let_go(self) -> Iterator[Turn]:
        """All that are held."""
        while self._held:
            self._held[0] = not_awaited(self._held[0])
            yield from self._ready()

    def _next(self, above: Above) -> Turn:
        cut, again = self._held.popleft(), self._again > 0
        self._again -= again
        return Turn(cut=cut, above=above, behind=len(self._held), again=again)

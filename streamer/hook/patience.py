"""How long a run goes without a processor, a verdict or progress: what is said of it, when to give up."""

from __future__ import annotations

import logging
import time

_log = logging.getLogger(__name__)

#: Time without a welcome after which the user is told that nobody watches.
UNWATCHED_S = 5.0
#: A refusal that stands for so long after the end is final.
REFUSED_S = 3.0
#: Between two complaints about frames that are lost.
SHOUT_S = 10.0


class Patience:
    """Clocks of one run, for the sender's thread; `unwatched_s` and `frame_waits` are for any."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        #: Why there is no processor, or what is wrong with it; empty while all is well.
        self.problem = ""
        #: The processor has closed its recording before our end.
        self.deserted = False
        self._refused = False
        self._progress_s = time.monotonic()
        self._unwelcome_s: float | None = time.monotonic()
        self._verdict_s = 0.0
        self._overdue_s: float | None = None
        self._warned: set[str] = set()
        self._shouted, self._shouted_s = 0, 0.0

    @property
    def unwatched_s(self) -> float:
        """Since when a verdict is overdue, in seconds: 0 while no frame waits for one."""
        overdue_s = self._overdue_s
        return 0.0 if overdue_s is None else time.monotonic() - max(overdue_s, self._verdict_s)

    def frame_waits(self) -> None:
        """A frame waits for its verdict from now on, if none did before."""
        if self._overdue_s is None:
            self._overdue_s = time.monotonic()

    def oldest_waits(self, since_ns: int | None) -> None:
        """Since when the oldest frame waits for its verdict; None where no frame does."""
        self._overdue_s = None if since_ns is None else since_ns / 1e9

    def verdict(self) -> None:
        """The processor has judged a frame."""
        self._verdict_s = self._progress_s = time.monotonic()

    def progress(self) -> None:
        """Something moves."""
        self._progress_s = time.monotonic()

    def welcomed(self) -> None:
        """A processor takes the run."""
        self.progress()
        self._unwelcome_s, self.problem = None, ""
        self.deserted = self._refused = False
        self._warned.clear()  # the next outage is news again

    def refused(self) -> None:
        """A processor does not take the run."""
        self._refused = True

    def left(self, reason: str) -> None:
        """There is no processor that takes the run, for now."""
        self.problem = reason
        self._unwelcome_s = self._unwelcome_s or time.monotonic()

    def is_over(self, *, ended: bool, give_up_s: float) -> bool:
        """Say it if nobody watches; whether, after the end, a processor that takes nothing is given up."""
        now_s = time.monotonic()
        still_s, unwelcome_s = now_s - self._progress_s, now_s - (self._unwelcome_s or now_s)
        if unwelcome_s > UNWATCHED_S:
            self._warn(self.problem or f"no processor answers at {self._endpoint}")
        refused = self._refused and min(unwelcome_s, still_s) > REFUSED_S
        over = ended and (self.deserted or refused or still_s > give_up_s)
        if over:
            self.problem = self.problem or f"no sign of a processor at {self._endpoint} for {still_s:.0f} s"
        return over

    def shout(self, lost: int, *, last: bool = False) -> None:
        """Loss is never silent: at once when it begins, then every so often while it grows."""
        now_s = time.monotonic()
        if lost > self._shouted and (last or not self._shouted or now_s - self._shouted_s > SHOUT_S):
            self._shouted, self._shouted_s = lost, now_s
            _log.error(
                "%d frames are lost: no room in memory or in the spool folder; free disk space, or raise "
                "ram_mb or spool_mb; the acquisition goes on",
                lost,
            )

    def _warn(self, reason: str) -> None:
        if reason not in self._warned:
            self._warned.add(reason)
            _log.warning("no guard watches this run: %s; frames are kept meanwhile", reason)

"""The light sources, as the user's two functions put them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)

#: What became of a `make_ready` that came too late: the light is dark.
OVERRULED = "made safe meanwhile"
#: For so long another thread's `make_safe` is waited for; one that hangs must not keep the next from trying.
TURN_S = 2.0


class Lights:
    """Makes the light sources safe, and ready again; whenever the last order was "safe", they end dark.

    An order to be safe never waits for a `make_ready` under way, so both may meet in the driver, in any
    sequence: `make_ready` looks whether orders came while it worked, and makes the lights safe again itself;
    only then are they known to be dark. Two calls of `make_safe` are kept apart: a driver may garble them.

    Attributes:
        unsafe: why they did not go safe, the first time; empty while they always did.
        off: the last order was to make them safe, whether or not it worked.
    """

    def __init__(self) -> None:
        self._make_safe: Callable[[], None] | None = None
        self._make_ready: Callable[[], None] | None = None
        self._going_safe = threading.Lock()
        self._changed = threading.Condition()  # guards what follows, never a driver
        self._orders = 0
        self._switching_on = False
        self._off_for_good = False
        self._safe_ns = 0
        self.unsafe = ""
        self.off = False

    def use(self, make_safe: Callable[[], None] | None, make_ready: Callable[[], None] | None) -> None:
        self._make_safe, self._make_ready = make_safe, make_ready

    @property
    def can_go_safe(self) -> bool:
        """Whether anybody said how."""
        return self._make_safe is not None

    @property
    def can_come_back(self) -> bool:
        """Whether a run could go on after they were made safe."""
        return self._make_safe is not None and self._make_ready is not None

    @property
    def safe_ns(self) -> int:
        """Monotonic clock when they were last made safe; 0 while they are not known to be."""
        return 0 if self._switching_on else self._safe_ns

    def make_safe(self, *, for_good: bool = False) -> str:
        """Make them safe, at once; what went wrong, in words, is shouted too. See `settle`."""
        with self._changed:
            self._orders += 1
            self._off_for_good |= for_good
            self.off = True
        return self._go_safe()

    def settle(self, timeout_s: float) -> str:
        """After `make_safe`: wait for a `make_ready` under way; why they are not dark, in words."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._switching_on, timeout_s):
                return "it is still being switched on"
            return "" if self._safe_ns or not self.can_go_safe else self.unsafe

    def stay(self) -> None:
        """Never ready again: lights that are dark stay so, those that are on are left to the user."""
        with self._changed:
            self._orders += 1
            self._off_for_good = True

    def make_ready(self, wanted: Callable[[], bool]) -> str:
        """Back to what the run needs; `OVERRULED`, or else what went wrong, in words.

        Args:
            wanted: asked when no order to be safe can be missed any more: whoever gives one has first made
                sure that this says no.
        """
        if self._make_ready is None:
            return ""
        with self._changed:
            orders, self._switching_on = self._orders, True
        trouble = OVERRULED
        try:
            if wanted() and not self._off_for_good:
                self.off, self._safe_ns = False, 0
                self._make_ready()
                trouble = ""
        except Exception as error:  # whatever a laser's driver throws
            trouble = f"{type(error).__name__}: {error}"
        finally:
            overruled = self._switched_on(orders)
        return OVERRULED if overruled else trouble

    def _switched_on(self, orders: int) -> bool:
        """Make them safe for as long as more than `orders` were given; whether there were any."""
        overruled = False
        while True:
            with self._changed:
                if self._orders == orders:
                    self._switching_on = False
                    self._changed.notify_all()
                    return overruled
                orders = self._orders
                self.off = overruled = True
            self._go_safe()

    def _go_safe(self) -> str:
        if self._make_safe is None:
            return ""
        has_turn = self._going_safe.acquire(timeout=TURN_S)
        try:
            self._make_safe()
        except Exception as error:  # whatever a laser's driver throws
            trouble = f"{type(error).__name__}: {error}"
            self.unsafe = self.unsafe or trouble
            self._safe_ns = 0
            _log.error("A LIGHT SOURCE DID NOT GO SAFE: %s; switch it off by hand", trouble)
            return trouble
        finally:
            if has_turn:
                self._going_safe.release()
        self._safe_ns = time.monotonic_ns()
        return ""

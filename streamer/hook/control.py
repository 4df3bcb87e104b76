"""What is done to an engine: by the processor's decisions, by the watchdog, by the user."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from streamer.hook import engines
from streamer.hook.holds import Hold
from streamer.hook.lights import Lights
from streamer.hook.steering import Knob, Steering
from streamer.wire import Done, Order, Report

_log = logging.getLogger(__name__)

#: Why a run whose events do not go through the hook can be stopped only.
CURE = "its events do not go through the hook: give the engine hook.events(events)"
#: For so long a light that is being switched on is waited for, before it is said not to be safe.
SETTLE_S = 5.0


class Control:
    """Carries out stops, pauses and changes, and says of each what became of it.

    Args:
        knobs: what may be adjusted, by quantity.
        tell: told what was really done; must not block.
        last_seq: number of the newest frame, for what no frame's decision asked for.
        on_trouble: told what went wrong, in words.

    Attributes:
        lights: the light sources.
        steering: the run's events, where they go through the hook.
        stop_ns, ended_ns: when a stop came, when the engine was told; or 0.
        ended: a stop has been carried out, as far as it could be.
    """

    def __init__(
        self,
        knobs: Mapping[str, Knob],
        *,
        tell: Callable[[Done], None],
        last_seq: Callable[[], int],
        on_trouble: Callable[[str], None],
    ) -> None:
        self._tell, self._last_seq, self._on_trouble = tell, last_seq, on_trouble
        self.lights = Lights()
        self.steering = Steering(self.lights, knobs, tell=tell, on_trouble=on_trouble)
        self._end: Callable[[], None] | None = None
        self._own_end: Callable[[], None] | None = None
        self._attaching = threading.Lock()  # a stop and `attach` may meet
        self._stopping: threading.Thread | None = None
        self._stop_seq = self._stop_order = 0
        self._refused: set[str] = set()
        self.stop_ns = self.ended_ns = 0
        self.ended = threading.Event()

    @property
    def can_stop(self) -> bool:
        """Whether a stop reaches anything."""
        return self._own_end is not None or self.steering.active

    def use(self, engine: Any, end: Callable[[], None] | None) -> None:
        """What is ended by a stop, and how: `end`, else by the run's events, else the engine's own way."""
        with self._attaching:
            self._end, self._own_end = end, engines.end_of(engine)
            self.steering.alive = engines.alive_of(engine)
            came_before = self.stop_ns > 0 and self._stopping is None
        if came_before:
            self._carry_out_stop()

    def act_on(self, report: Report) -> None:
        """A decision of the processor; never blocks."""
        if report.action == "stop":
            self.stop(report.seq)
        elif not self.steering.active:
            self._refuse(report)
        elif report.action == "pause":
            self.pause(report.seq, report.reason, report.pause_s)
        elif report.action == "adjust":
            self.steering.adjust(report.change, report.seq)

    def obey(self, order: Order) -> None:
        """What a person who watches asks for; never blocks. Whatever it is, it is answered."""
        if order.action == "stop":
            self.stop(order.seq, order.number)
        elif not self.steering.active:
            self._answer(order, ok=False, detail=CURE)
        elif order.action == "pause":
            self._hold("pause", order.seq, order.reason, order=order.number)
        elif order.action == "resume":
            self.steering.holds.resume(order.seq, order.number)
        else:
            self._answer(order, ok=False, detail="unknown to this hook; use stop, pause or resume")

    def stop(self, seq: int, order: int = 0) -> None:
        """Light safe, then the end of the run, on a thread of its own: an engine may take its time.

        A second stop that a person orders makes the light safe once more: there may be a reason to ask again.
        """
        with self._attaching:
            again = self.stop_ns > 0
            if not again:
                self.stop_ns, self._stop_seq, self._stop_order = time.monotonic_ns(), seq, order
            can_stop = self.can_stop
        if again and order:
            threading.Thread(target=self._make_safe_again, args=(seq, order), daemon=True).start()
        elif can_stop and not again:
            self._carry_out_stop()

    def pause(self, seq: int, reason: str, pause_s: float) -> None:
        """No event before `pause_s` are over or somebody resumes the run."""
        until_s = time.monotonic() + pause_s if pause_s else None
        self._hold("pause", seq, reason, until_s)

    def unwatched(self, overdue_s: float) -> None:
        """Nobody watches: light safe, and no event until somebody does; a run that cannot wait is ended."""
        # Held first: a driver may take its time, and a pause that ends now must see it.
        came_ns = self._hold("make safe", self._last_seq(), f"no verdict for {overdue_s:.0f} s")
        trouble = "" if self.lights.can_go_safe else "hook.attach has no make_safe"
        trouble = trouble or self.lights.make_safe() or self.lights.settle(SETTLE_S)
        safe_ms = None if trouble else (self.lights.safe_ns - came_ns) / 1e6
        waits = self.steering.active and self.lights.can_come_back
        became = "the run waits" if waits else self._end_run() or "the run is ended"
        light = f"the light is NOT safe ({trouble})" if trouble else "the light is safe"
        detail = f"no verdict for {overdue_s:.0f} s: {light}, {became}"
        _log.error(detail)
        self._on_trouble(detail)
        done = Done(action="make safe", seq=self._last_seq(), ok=not trouble, detail=detail, safe_ms=safe_ms)
        self._tell(done)

    def watched(self) -> None:
        """All verdicts are there: a run that waited for them goes on."""
        self.steering.holds.release("make safe")

    def close(self, timeout_s: float) -> None:
        """No further event, and no more light; a stop in progress is waited for."""
        self.lights.stay()
        self.steering.stop()
        if self._stopping:
            self._stopping.join(timeout_s)

    def _hold(
        self, action: str, seq: int, reason: str, until_s: float | None = None, *, order: int = 0
    ) -> int:
        """No event for now; monotonic clock when that was said."""
        came_ns = time.monotonic_ns()
        self.steering.holds.add(
            Hold(action=action, seq=seq, reason=reason, until_s=until_s, came_ns=came_ns, order=order)
        )
        return came_ns

    def _make_safe_again(self, seq: int, order: int) -> None:
        came_ns = time.monotonic_ns()
        trouble = self.lights.make_safe(for_good=True) or self.lights.settle(SETTLE_S)
        safe_ns = self.lights.safe_ns
        self._tell(
            Done(
                action="stop",
                seq=seq,
                ok=not trouble,
                detail=trouble or "the run had been stopped before",
                safe_ms=(safe_ns - came_ns) / 1e6 if safe_ns >= came_ns and not trouble else None,
                order=order,
            )
        )

    def _answer(self, order: Order, *, ok: bool, detail: str) -> None:
        self._tell(Done(action=order.action, seq=order.seq, ok=ok, detail=detail, order=order.number))

    def _carry_out_stop(self) -> None:
        self._stopping = threading.Thread(target=self._stop, name="streamer-stop", daemon=True)
        self._stopping.start()

    def _stop(self) -> None:
        self._hold("stop", self._stop_seq, "stopped")  # nothing is exposed while a driver takes its time
        # A laser that will not go dark is one more reason to end the run.
        trouble = self.lights.make_safe(for_good=True)
        not_ended = self._end_run()
        if not not_ended:
            self.ended_ns = time.monotonic_ns()
        self.ended.set()
        trouble = trouble or self.lights.settle(SETTLE_S)
        detail = "; ".join(filter(None, (trouble, not_ended)))
        self._tell(
            Done(
                action="stop",
                seq=self._stop_seq,
                ok=not detail,
                detail=detail,
                safe_ms=self._since_stop_ms(self.lights.safe_ns),
                ended_ms=self._since_stop_ms(self.ended_ns),
                order=self._stop_order,
            )
        )

    def _end_run(self) -> str:
        """No further frame; what went wrong, in words."""
        self.steering.stop()
        # A steered run ends with its events: an engine's own abort would drop what it has just exposed.
        end = self._end or (None if self.steering.active else self._own_end)
        try:
            if end is not None:
                end()
            elif not self.steering.active:
                return "nothing could end the run: use hook.attach"
        except Exception as error:  # whatever an engine throws
            trouble = f"the engine did not end: {type(error).__name__}: {error}"
            self._on_trouble(trouble)
            return trouble
        return ""

    def _refuse(self, report: Report) -> None:
        """Say once that a run cannot be paused or adjusted, and the cure."""
        if report.action not in self._refused:
            self._refused.add(report.action)
            _log.warning("%s of frame %d cannot be carried out: %s", report.action, report.seq, CURE)
            self._tell(Done(action=report.action, seq=report.seq, ok=False, detail=CURE))

    def _since_stop_ms(self, then_ns: int) -> float | None:
        return (then_ns - self.stop_ns) / 1e6 if then_ns >= self.stop_ns > 0 else None

    def stop_times_ms(self) -> tuple[float | None, float | None]:
        """From the arrival of a stop to the light being safe, and to the engine having been told to end."""
        return self._since_stop_ms(self.lights.safe_ns), self._since_stop_ms(self.ended_ns)

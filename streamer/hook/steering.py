"""Runs whose events go through the hook one by one, so that they can be stopped, paused and adjusted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Protocol

from streamer.core import Frame
from streamer.hook.events import Event, changed, one_by_one, takes_image
from streamer.hook.frames import place_of
from streamer.hook.holds import Holds
from streamer.hook.lights import OVERRULED, Lights
from streamer.hook.pace import Pace
from streamer.wire import Done

#: How often a wait looks whether the engine is still there.
CHECK_S = 0.1

#: Device property of the engine.
Property = tuple[str, str]
#: Axes of an event, whichever camera sees it.
Place = Mapping[str, int | str]


class Knob(Protocol):
    """One quantity that a run may adjust; `streamer.profile.Knob` is one."""

    @property
    def set_by(self) -> Property | None: ...
    @property
    def minimum(self) -> float: ...
    @property
    def maximum(self) -> float: ...


class Steering:
    """Where a run is steered: anyone leaves wishes here, the event generator fulfils them between two frames.

    Args:
        lights: what is dark in a pause.
        knobs: what may be adjusted, by quantity.
        tell: told what was really done.
        on_trouble: told why the run cannot go on.
    """

    def __init__(
        self,
        lights: Lights,
        knobs: Mapping[str, Knob],
        *,
        tell: Callable[[Done], None],
        on_trouble: Callable[[str], None],
    ) -> None:
        self._lights, self._knobs, self._tell, self._on_trouble = lights, knobs, tell, on_trouble
        self._changed = threading.Condition()
        #: What keeps the next event back.
        self.holds = Holds(self._changed, tell)
        self._set: dict[str, float] = {}
        self._unconfirmed: dict[str, tuple[float, int]] = {}
        self._frames = 0
        self._place: Place | None = None
        self._place_before: Place | None = None
        self._frame_thread = 0
        self._last_exposure_ms: float | None = None
        self._last_state: Mapping[str, str | float] = {}
        self.active = False
        self.alive: Callable[[], bool] = lambda: True

    def frame_came(self, frame: Frame | None, place: Place | None = None) -> None:
        """A frame reached the hook, None if it could not be streamed; never blocks.

        With several cameras each event gives several frames. The first lets the next event go; the others,
        which may come after that, are known by their place and count for no other event. Events that follow
        one another at the same place (without axes, say) cannot be told apart, and every frame counts.
        """
        with self._changed:
            late = place is not None and place == self._place_before != self._place
            self._frames += not late
            self._frame_thread = threading.get_ident()
            if frame is not None:
                self._last_exposure_ms, self._last_state = frame.exposure_ms, frame.state
            self._changed.notify_all()

    def stop(self) -> None:
        """No further event."""
        self.holds.end()

    def adjust(self, change: Mapping[str, float], seq: int) -> None:
        """From the next event on, new values of quantities; those outside their limits are refused."""
        refused = {name: why for name, value in change.items() if (why := self._refusal(name, value))}
        with self._changed:
            for name in change.keys() - refused.keys():
                self._set[name] = change[name]
                self._unconfirmed[name] = (change[name], seq)
            self._changed.notify_all()
        if refused:
            self._tell(Done(action="adjust", seq=seq, ok=False, detail="; ".join(refused.values())))

    def _refusal(self, quantity: str, value: float) -> str:
        """Why a quantity cannot be set to a value; empty if it can."""
        knob = self._knobs.get(quantity)
        if knob is None:
            return f"{quantity} = {value:g} refused: the profile has no [[control.knobs]] for it"
        if not knob.minimum <= value <= knob.maximum:
            limits = f"{knob.minimum:g} to {knob.maximum:g}"
            return f"{quantity} = {value:g} refused: the profile's limits are {limits}"
        if knob.set_by is None and quantity not in ("exposure_ms", "interval_s"):
            return f"{quantity} = {value:g} refused: its knob lacks set_by = [device, property]"
        return ""

    def steer(
        self, events: Iterable[Event], *, interval_s: float, patience_s: float
    ) -> Generator[Event, None, None]:
        """The events one by one, each when the frame of the one before has come; ends at a stop.

        Never raises into the engine: what goes wrong ends the run and is told.
        """
        try:
            pace = Pace(interval_s)
            for event in one_by_one(events):
                if not self._await_turn(event, pace):
                    return
                before = self._expect(event)
                pace.started(event)
                values, fresh = self._taken_up()
                yield self._as_adjusted(event, values)
                if takes_image(event) and not self._await_frame(before, patience_s):
                    return
                self._confirm(fresh)
        except Exception as error:  # the user's own events may fail; their engine would hang
            self._give_up(f"the events failed: {type(error).__name__}: {error}")

    def _await_turn(self, event: Event, pace: Pace) -> bool:
        """Wait until `event` is due and nothing holds it; whether it is to be taken."""
        while not self.holds.ended and self.alive():
            if self._must_wait():
                pace.shift(self._stay_dark())
                continue
            with self._changed:
                pace.interval_s = self._set.get("interval_s", pace.interval_s)
                left_s = pace.left_s(event)
                if left_s > 0 and not self.holds and not self.holds.ended:
                    self._changed.wait(min(left_s, CHECK_S))
            if left_s <= 0 and not self._must_wait():
                return not self.holds.ended
        return False

    def _must_wait(self) -> bool:
        """A hold, or light that was made safe and is wanted again before the hold was noticed."""
        return bool(self.holds) or (self._lights.off and self._lights.can_come_back)

    def _expect(self, event: Event) -> int:
        """How many frames came before that of `event`, which goes to the engine now."""
        with self._changed:
            if takes_image(event):
                self._place_before, self._place = self._place, place_of(event)
            return self._frames

    def _await_frame(self, before: int, patience_s: float) -> bool:
        """Wait for the frame of the event that was handed on; whether the run can go on."""
        if self._frames == before and self._frame_thread == threading.get_ident():
            # The thread that hands over the frames asks for the next event: none can come any more.
            self._on_trouble("an event gave no frame; the engine's own log says why")
            return True
        give_up_s = time.monotonic() + patience_s
        while time.monotonic() < give_up_s:
            with self._changed:
                if self._changed.wait_for(lambda: self._frames > before, CHECK_S):
                    return True
            if not self.alive():  # it failed, or was ended by somebody else
                return False
        self._give_up(
            f"no frame came within {patience_s:g} s of its event: the engine or a device has failed"
        )
        return False

    def _give_up(self, reason: str) -> None:
        self.stop()
        self._lights.make_safe(for_good=True)
        self._on_trouble(reason)

    def _stay_dark(self) -> float:
        """Lights safe, wait until nothing holds the run, lights ready; for how long that was."""
        start_s = time.monotonic()
        # Lights that nobody could switch on again are left alone by a pause; the watchdog ends such a run.
        dark = self._lights.can_come_back
        trouble = self._lights.make_safe() if dark else ""
        safe_ns = time.monotonic_ns()
        seq = 0
        while (holds := self.holds.current()) and self.alive():
            seq = holds[0].seq
            for hold in self.holds.not_told_of(holds):
                detail = trouble or ("light is safe" if dark else "waiting with the light as it was")
                # Of a pause that began in the dark the light was safe before anybody asked.
                safe_ms = max(0.0, (safe_ns - hold.came_ns) / 1e6) if dark and not trouble else None
                self._tell(
                    Done(
                        action="pause",
                        seq=hold.seq,
                        ok=not trouble,
                        detail=detail,
                        safe_ms=safe_ms,
                        order=hold.order,
                    )
                )
            with self._changed:
                self._changed.wait(CHECK_S)
        paused_s = time.monotonic() - start_s
        if not self.holds.ended and self.alive():
            self._go_on(dark, seq, paused_s)
        return paused_s

    def _go_on(self, dark: bool, seq: int, paused_s: float) -> None:
        trouble = self._lights.make_ready(self._is_free) if dark else ""
        values = {"paused_s": paused_s}
        answered = self.holds.tell_resumed(ok=not trouble, detail=trouble, values=values)
        if trouble == OVERRULED:
            return  # whoever wanted it dark says so
        if trouble:
            self._give_up(f"the light did not come back after a pause: {trouble}")
        if not answered:
            self._tell(Done(action="resume", seq=seq, ok=not trouble, detail=trouble, values=values))

    def _is_free(self) -> bool:
        return not self.holds.ended and not self.holds.current()

    def _taken_up(self) -> tuple[dict[str, float], dict[str, tuple[float, int]]]:
        """Values that the next event carries; those it is the first to carry, with the frame that asked."""
        with self._changed:
            fresh, self._unconfirmed = self._unconfirmed, {}
            return dict(self._set), fresh

    def _as_adjusted(self, event: Event, values: Mapping[str, float]) -> Event:
        properties = {
            knob.set_by: value
            for name, value in values.items()
            if (knob := self._knobs[name]).set_by is not None and name != "interval_s"
        }
        by_engine = "exposure_ms" in values and self._knobs["exposure_ms"].set_by is None
        exposure_ms = values["exposure_ms"] if by_engine else None
        return changed(event, exposure_ms=exposure_ms, properties=properties)

    def _confirm(self, fresh: Mapping[str, tuple[float, int]]) -> None:
        """Tell what the frame that has just come says of the changes it was the first to carry."""
        if not fresh:
            return
        asked = {name: value for name, (value, _) in fresh.items()}
        found = {name: self._found(name, value) for name, value in asked.items()}
        wrong = [
            f"{name}: asked {asked[name]:g}, the engine states {value}"
            for name, value in found.items()
            if value is not None and not _equal(value, asked[name])
        ]
        unread = [f"{name} is not stated by the engine" for name, value in found.items() if value is None]
        values = {name: asked[name] if value is None else value for name, value in found.items()}
        numbers = {name: value for name, value in values.items() if isinstance(value, float | int)}
        seq = max(seq for _, seq in fresh.values())
        self._tell(
            Done(action="adjust", seq=seq, ok=not wrong, detail="; ".join(wrong + unread), values=numbers)
        )

    def _found(self, quantity: str, asked: float) -> str | float | None:
        """Value of an adjusted quantity as stated with the last frame; None where it is not."""
        if quantity == "interval_s":
            return asked  # kept here, not by the engine
        if (set_by := self._knobs[quantity].set_by) is None:
            return self._last_exposure_ms
        return self._last_state.get("-".join(set_by))


def _equal(stated: str | float, asked: float) -> bool:
    """Within a thousandth: devices round, and state few digits."""
    return isinstance(stated, float | int) and abs(stated - asked) <= 1e-3 * abs(asked)

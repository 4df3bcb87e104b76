"""Steering, lights and watchdog, without an engine: every wait has a way out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from streamer.core import Frame
from streamer.hook.control import Control
from streamer.hook.lights import OVERRULED
from streamer.hook.watchdog import Watchdog
from streamer.profile import Knob
from streamer.wire import Done, Order, Report

pytestmark = pytest.mark.timeout(20, method="thread")

POWER = Knob(quantity="excitation_uw", set_by=("L", "P"), minimum=1.0, maximum=10.0, factor=0.5)


class Bench:
    """A control, and an engine on a thread of its own that hands over a frame for every event."""

    def __init__(self) -> None:
        self.done: list[Done] = []
        self.troubles: list[str] = []
        self.light: list[str] = []
        self.events: list[Any] = []
        self.state: dict[str, float] = {}
        self.running = True
        self.control = Control(
            {"excitation_uw": POWER},
            tell=self.done.append,
            last_seq=lambda: len(self.events),
            on_trouble=self.troubles.append,
        )
        self.control.lights.use(lambda: self.light.append("safe"), lambda: self.light.append("ready"))
        self.control.steering.active = True
        self.control.steering.alive = lambda: self.running

    def run(
        self, events: Any, *, gives_frames: bool = True, after: Callable[[int], None] | None = None
    ) -> threading.Thread:
        """Consume the events as an engine's thread would; frames come from another thread."""

        def engine() -> None:
            for event in self.control.steering.steer(events, interval_s=0.0, patience_s=0.5):
                self.events.append(event)
                if gives_frames:
                    threading.Thread(target=self._frame, args=(len(self.events),)).start()
                if after is not None:
                    after(len(self.events))

        thread = threading.Thread(target=engine)
        thread.start()
        return thread

    def _frame(self, seq: int) -> None:
        pixels = np.zeros((2, 2), np.uint16)
        self.control.steering.frame_came(Frame(pixels=pixels, seq=seq, state=self.state))


def plan(count: int) -> list[dict[str, Any]]:
    return [{"axes": {"time": index}} for index in range(count)]


def until(what: Callable[[], object]) -> None:
    give_up_s = time.monotonic() + 60
    while not what():
        assert time.monotonic() < give_up_s
        time.sleep(0.002)


def test_an_event_without_a_frame_ends_the_run_in_the_dark() -> None:
    bench = Bench()
    bench.run(plan(5), gives_frames=False).join()
    assert len(bench.events) == 1
    assert "no frame came within 0.5 s" in bench.troubles[0]
    assert bench.light == ["safe"]


def test_an_engine_that_has_ended_is_not_waited_for() -> None:
    bench = Bench()

    def fail(_: int) -> None:
        bench.running = False

    bench.run(plan(5), gives_frames=False, after=fail).join()
    assert (len(bench.events), bench.troubles) == (1, [])


def test_events_that_raise_end_the_run_without_raising_into_the_engine() -> None:
    def broken() -> Iterator[dict[str, Any]]:
        yield from plan(2)
        raise ValueError("no third")

    bench = Bench()
    bench.run(broken()).join()
    assert len(bench.events) == 2
    assert bench.troubles == ["the events failed: ValueError: no third"]


def test_there_is_never_more_than_one_event_ahead() -> None:
    bench = Bench()
    thread = bench.run(plan(5), gives_frames=False)
    for expected in range(1, 5):
        until(lambda n=expected: len(bench.events) == n)
        time.sleep(0.02)
        assert len(bench.events) == expected
        bench.control.steering.frame_came(None)
    bench.control.steering.stop()
    bench.control.steering.frame_came(None)
    thread.join()


def test_light_that_does_not_come_back_ends_the_run() -> None:
    bench = Bench()

    def broken() -> None:
        raise OSError("key switch")

    bench.control.lights.use(lambda: bench.light.append("safe"), broken)
    bench.control.pause(0, "", 0.01)
    bench.run(plan(5)).join()
    assert bench.events == []
    assert "did not come back after a pause: OSError: key switch" in bench.troubles[0]
    assert bench.light == ["safe", "safe"]
    assert [(done.action, done.ok) for done in bench.done] == [("pause", True), ("resume", False)]


def test_a_pause_leaves_light_alone_that_nobody_could_switch_on_again() -> None:
    bench = Bench()
    bench.control.lights.use(lambda: bench.light.append("safe"), None)
    bench.control.pause(0, "", 0.01)
    bench.run(plan(2)).join()
    assert (len(bench.events), bench.light) == (2, [])
    assert bench.done[0].detail == "waiting with the light as it was"
    assert bench.done[0].safe_ms is None


def test_a_stop_during_make_ready_leaves_the_light_safe() -> None:
    bench = Bench()
    switching, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        switching.set()
        go_on.wait()
        bench.light.append("ready")

    bench.control.lights.use(lambda: bench.light.append("safe"), slow)
    bench.control.pause(0, "", 0.01)
    thread = bench.run(plan(5))
    switching.wait()
    bench.control.stop(0)
    bench.control.ended.wait()
    assert bench.light == ["safe", "safe"], "a stop does not wait for a laser that is being switched on"
    assert bench.control.stop_times_ms()[0] is None, "not known to be dark yet"
    assert [done.action for done in bench.done] == ["pause"]
    go_on.set()
    thread.join()
    bench.control.close(10)
    assert (bench.light[-1], bench.events) == ("safe", [])
    assert [(done.action, done.ok) for done in bench.done] == [("pause", True), ("stop", True)]
    assert bench.done[1].safe_ms is not None


class SlowLight:
    """A laser whose driver is still at work when other orders come; `lit` is what the specimen sees."""

    def __init__(self, bench: Bench) -> None:
        self.lit = False
        self.switching, self.may_go_on = threading.Event(), threading.Event()
        self.times_safe = 0
        bench.control.lights.use(self.make_safe, self.make_ready)

    def make_safe(self) -> None:
        self.lit = False
        self.times_safe += 1

    def make_ready(self) -> None:
        self.switching.set()
        assert self.may_go_on.wait(10)
        self.lit = True


def test_an_outage_during_make_ready_ends_in_the_dark_before_it_is_called_safe() -> None:
    bench = Bench()
    light = SlowLight(bench)
    bench.control.pause(0, "", 0.01)
    thread = bench.run(plan(3))
    assert light.switching.wait(10)
    lit_when_told: list[tuple[str, bool]] = []

    def tell(done: Done) -> None:
        bench.done.append(done)
        lit_when_told.append((done.action, light.lit))

    bench.control._tell = tell
    watchdog = threading.Thread(target=bench.control.unwatched, args=(31.0,))
    watchdog.start()
    until(lambda: light.times_safe == 2)
    watchdog.join(0.05)
    assert lit_when_told == [], "its make_safe has returned, the light is still being switched on"
    light.may_go_on.set()
    watchdog.join()
    assert lit_when_told == [("make safe", False)]
    until(lambda: light.times_safe >= 4)  # again by make_ready, and again by the run that waits
    assert (light.lit, bench.events) == (False, [])
    assert bench.done[-1].ok
    assert bench.done[-1].safe_ms is not None
    bench.control.watched()
    thread.join()
    assert (light.lit, len(bench.events)) == (True, 3)
    assert [done.action for done in bench.done] == ["pause", "make safe", "resume"]


def test_light_that_stays_in_the_making_is_not_called_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.hook.control.SETTLE_S", 0.02)
    bench = Bench()
    light = SlowLight(bench)
    bench.control.pause(0, "", 0.01)
    thread = bench.run(plan(3))
    assert light.switching.wait(10)
    bench.control.unwatched(31.0)
    assert (bench.done[-1].ok, bench.done[-1].safe_ms) == (False, None)
    assert "NOT safe (it is still being switched on)" in bench.done[-1].detail
    light.may_go_on.set()
    bench.control.close(10)
    thread.join()
    assert not light.lit


@pytest.mark.parametrize("holding", ["pause", "make safe"])
def test_a_close_while_the_run_waits_does_not_bring_the_light_back(holding: str) -> None:
    bench = Bench()
    if holding == "pause":
        bench.control.pause(0, "", 0.0)
    else:
        bench.control.unwatched(31.0)
    thread = bench.run(plan(3))
    until(lambda: "safe" in bench.light)
    bench.control.close(10)
    bench.control.steering.holds.release(holding)
    thread.join()
    assert (set(bench.light), bench.events) == ({"safe"}, [])


def test_a_close_while_the_light_comes_back_leaves_it_dark() -> None:
    bench = Bench()
    light = SlowLight(bench)
    bench.control.pause(0, "", 0.01)
    thread = bench.run(plan(3))
    assert light.switching.wait(10)
    bench.control.close(10)
    light.may_go_on.set()
    thread.join()
    assert (light.lit, bench.events) == (False, [])


@pytest.mark.parametrize("order", ["stop", "close", "make safe"])
def test_an_order_between_the_decision_to_go_on_and_the_light_is_not_missed(order: str) -> None:
    """`make_ready` asks whether it is wanted; what comes after that answer overrules it."""
    bench = Bench()
    light = SlowLight(bench)
    light.may_go_on.set()

    def wanted() -> bool:
        if order == "close":
            bench.control.lights.stay()
        else:
            bench.control.lights.make_safe(for_good=order == "stop")
        return True

    assert bench.control.lights.make_ready(wanted) == OVERRULED
    assert not light.lit
    assert bench.control.lights.safe_ns > 0


def test_a_hold_that_comes_while_a_pause_ends_keeps_the_light_off() -> None:
    bench = Bench()
    assert bench.control.lights.make_ready(lambda: False) == OVERRULED
    assert bench.light == []


def test_light_that_cannot_be_made_safe_again_is_not_called_safe() -> None:
    bench = Bench()
    lights = bench.control.lights
    answers = iter([None, OSError("shutter stuck")])

    def make_safe() -> None:
        if (answer := next(answers)) is not None:
            raise answer

    lights.use(make_safe, lambda: None)

    def wanted() -> bool:
        assert lights.make_safe() == ""
        return True

    assert lights.make_ready(wanted) == OVERRULED
    assert lights.settle(0) == "OSError: shutter stuck"
    assert lights.safe_ns == 0


def test_no_event_goes_out_while_the_laser_of_an_unwatched_run_takes_its_time() -> None:
    bench = Bench()
    asked, may_go_on = threading.Event(), threading.Event()

    def slow() -> None:
        asked.set()
        assert may_go_on.wait(10)

    bench.control.lights.use(slow, None)
    watchdog = threading.Thread(target=bench.control.unwatched, args=(31.0,))
    watchdog.start()
    assert asked.wait(10)
    thread = bench.run(plan(3))
    thread.join(0.05)
    assert (thread.is_alive(), bench.events) == (True, [])
    may_go_on.set()
    watchdog.join()
    thread.join()
    assert bench.events == []


def test_an_adjustment_that_the_device_did_not_take_is_told() -> None:
    bench = Bench()
    bench.state = {"L-P": 4.8}
    bench.control.act_on(Report(seq=0, processed=True, action="adjust", change={"excitation_uw": 2.0}))
    bench.run(plan(2)).join()
    assert bench.events[0]["properties"] == [["L", "P", "2"]]
    (done,) = bench.done
    assert (done.ok, done.detail, done.values) == (
        False,
        "excitation_uw: asked 2, the engine states 4.8",
        {"excitation_uw": 4.8},
    )


def test_without_events_through_the_hook_pause_and_adjust_are_refused_once_with_the_cure() -> None:
    bench = Bench()
    bench.control.steering.active = False
    for seq in range(3):
        bench.control.act_on(Report(seq=seq, processed=True, action="pause"))
        bench.control.act_on(Report(seq=seq, processed=True, action="adjust", change={"excitation_uw": 2.0}))
    assert [(done.action, done.seq, done.ok) for done in bench.done] == [
        ("pause", 0, False),
        ("adjust", 0, False),
    ]
    assert all("hook.events(events)" in done.detail for done in bench.done)


class Overdue:
    """A watchdog whose clock the test turns."""

    def __init__(self, bench: Bench) -> None:
        self.overdue_s = 0.0
        self.dog = Watchdog(
            unwatched_s=lambda: self.overdue_s,
            after_s=30.0,
            on_unwatched=bench.control.unwatched,
            on_watched=bench.control.watched,
        )

    def becomes(self, overdue_s: float) -> None:
        self.overdue_s = overdue_s
        self.dog.look()


def test_an_unwatched_run_waits_in_the_dark_and_goes_on_when_it_is_watched_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench()
    clock = Overdue(bench)
    clock.becomes(29.0)
    assert bench.light == []
    clock.becomes(31.0)
    clock.becomes(60.0)
    thread = bench.run(plan(3))
    time.sleep(0.05)
    assert (set(bench.light), bench.events) == ({"safe"}, [])
    clock.becomes(12.0)  # back, but still behind
    time.sleep(0.05)
    assert bench.events == []
    clock.becomes(0.0)
    thread.join()
    assert bench.light == ["safe", "safe", "ready"]  # by the watchdog, and by the run that waits
    assert len(bench.events) == 3
    assert [(done.action, done.ok) for done in bench.done] == [("make safe", True), ("resume", True)]
    assert "no verdict for 31 s" in caplog.text


def test_light_comes_back_also_if_the_run_never_noticed_that_nobody_watched() -> None:
    bench = Bench()
    clock = Overdue(bench)
    clock.becomes(31.0)
    clock.becomes(0.0)
    bench.run(plan(3)).join()
    assert bench.light == ["safe", "safe", "ready"]
    assert len(bench.events) == 3


def test_a_change_is_confirmed_by_the_event_that_carried_it() -> None:
    bench = Bench()
    bench.state = {"L-P": 2.0}

    def ask_again(event: int) -> None:
        if event == 1:  # while the first change waits for its frame
            bench.control.steering.adjust({"excitation_uw": 4.0}, 1)
            bench.control.steering.frame_came(
                Frame(pixels=np.zeros((2, 2), np.uint16), seq=1, state=bench.state)
            )
            bench.state = {"L-P": 4.0}
        else:
            bench.control.steering.frame_came(
                Frame(pixels=np.zeros((2, 2), np.uint16), seq=2, state=bench.state)
            )

    bench.control.steering.adjust({"excitation_uw": 2.0}, 0)
    bench.run(plan(2), gives_frames=False, after=ask_again).join()
    assert [(done.seq, done.ok, dict(done.values)) for done in bench.done] == [
        (0, True, {"excitation_uw": 2.0}),
        (1, True, {"excitation_uw": 4.0}),
    ]


def test_an_unwatched_run_that_cannot_wait_is_ended() -> None:
    bench = Bench()
    ended = threading.Event()
    bench.control.steering.active = False
    bench.control.use(object(), ended.set)
    Overdue(bench).becomes(31.0)
    assert ended.is_set()
    assert bench.light == ["safe"]
    assert bench.done[0].detail == "no verdict for 31 s: the light is safe, the run is ended"


def test_an_unwatched_run_whose_light_cannot_be_made_safe_is_shouted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench()
    bench.control.lights.use(None, None)
    Overdue(bench).becomes(31.0)
    (done,) = bench.done
    assert done.ok is False
    assert "NOT safe (hook.attach has no make_safe)" in done.detail
    assert caplog.records[0].levelno == logging.ERROR


def test_a_watchdog_survives_its_own_report(caplog: pytest.LogCaptureFixture) -> None:
    barked = threading.Event()

    def fail(_: float) -> None:
        barked.set()
        raise OSError("no log")

    dog = Watchdog(unwatched_s=lambda: 1.0, after_s=0.01, on_unwatched=fail, on_watched=lambda: None)
    dog.start()
    assert barked.wait(5)
    assert dog.is_alive()
    assert dog.close(10)
    assert not dog.is_alive()


def test_a_watchdog_whose_bark_hangs_does_not_hold_up_the_end() -> None:
    barking, let_go = threading.Event(), threading.Event()

    def hang(_: float) -> None:
        barking.set()
        let_go.wait(10)

    dog = Watchdog(unwatched_s=lambda: 1.0, after_s=0.01, on_unwatched=hang, on_watched=lambda: None)
    dog.start()
    assert barking.wait(5)
    assert not dog.close(0.01)
    let_go.set()
    assert dog.close(10)


@pytest.mark.parametrize(
    ("overdue_s", "told"),
    [
        pytest.param([31, 60, 5, 31, 2], ["unwatched", "unwatched"], id="frames flow, so one always waits"),
        pytest.param([31, 5, 0, 0], ["unwatched", "watched"], id="caught up"),
        pytest.param([31, 5, 31, 0, 31], ["unwatched", "unwatched", "watched", "unwatched"], id="again"),
        pytest.param([0, 30, 30, 0], [], id="never too long"),
    ],
)
def test_every_outage_is_told_and_watching_once_all_verdicts_are_there(
    overdue_s: list[float], told: list[str]
) -> None:
    said: list[str] = []
    clock = iter(overdue_s)
    dog = Watchdog(
        unwatched_s=lambda: next(clock),
        after_s=30.0,
        on_unwatched=lambda _: said.append("unwatched"),
        on_watched=lambda: said.append("watched"),
    )
    for _ in overdue_s:
        dog.look()
    assert said == told


def test_the_second_camera_of_an_event_lets_no_further_event_go() -> None:
    bench = Bench()
    thread = bench.run(plan(3), gives_frames=False)
    for time_point in range(3):
        until(lambda n=time_point: len(bench.events) == n + 1)
        if time_point:  # the other camera's image of the event before comes late
            bench.control.steering.frame_came(None, {"time": time_point - 1})
            time.sleep(0.02)
            assert len(bench.events) == time_point + 1
        bench.control.steering.frame_came(None, {"time": time_point})
    thread.join()
    assert (len(bench.events), bench.troubles) == (3, [])


@pytest.mark.parametrize("place", [{}, {"time": 7}, None], ids=["no axes", "unknown to us", "no notes"])
def test_a_frame_whose_event_cannot_be_told_counts(place: dict[str, int] | None) -> None:
    bench = Bench()
    same = [{"axes": {"row": index}} for index in range(3)]
    thread = bench.run(same, gives_frames=False)
    for expected in range(1, 4):
        until(lambda n=expected: len(bench.events) == n)
        bench.control.steering.frame_came(None, place)
    thread.join()
    assert bench.troubles == []


def order(number: int, action: str) -> Order:
    return Order(number=number, action=action, seq=3, reason=f"{action} from the page")


def answers(bench: Bench) -> list[tuple[int, str, bool]]:
    return [(done.order, done.action, done.ok) for done in bench.done]


def test_a_person_pauses_and_resumes_a_run_and_each_order_is_answered() -> None:
    bench = Bench()
    bench.control.obey(order(1, "pause"))
    thread = bench.run(plan(3))
    until(lambda: bench.done)
    assert answers(bench) == [(1, "pause", True)]
    assert (bench.light, bench.events) == (["safe"], [])
    bench.control.obey(order(2, "pause"))
    until(lambda: len(bench.done) == 2)
    bench.control.obey(order(3, "resume"))
    thread.join()
    assert answers(bench) == [(1, "pause", True), (2, "pause", True), (3, "resume", True)]
    assert bench.done[2].values["paused_s"] > 0
    assert (bench.light, len(bench.events)) == (["safe", "ready"], 3)


def test_a_pause_of_a_guard_does_not_shorten_that_of_a_person() -> None:
    bench = Bench()
    bench.control.obey(order(1, "pause"))
    bench.control.act_on(Report(seq=4, processed=True, action="pause", pause_s=0.01))
    thread = bench.run(plan(2))
    until(lambda: len(bench.done) >= 1)
    until(lambda: len(bench.control.steering.holds.current()) == 1)
    assert bench.events == []
    bench.control.obey(order(2, "resume"))
    thread.join()
    assert bench.done[-1].order == 2
    assert len(bench.events) == 2


def test_a_pause_that_is_over_before_the_exposure_in_progress_is_answered_as_not_carried_out() -> None:
    bench = Bench()
    for number, action in enumerate(("pause", "resume", "resume"), start=1):
        bench.control.obey(order(number, action))
    assert answers(bench) == [(1, "pause", False), (2, "resume", True), (3, "resume", False)]
    assert bench.done[2].detail == "the run was not paused"
    bench.run(plan(2)).join()
    assert len(bench.events) == 2


def test_a_resumption_while_nobody_watches_says_what_the_run_waits_for() -> None:
    bench = Bench()
    bench.control.obey(order(1, "pause"))
    bench.control.unwatched(12)
    thread = bench.run(plan(2))
    until(lambda: (1, "pause", True) in answers(bench))
    bench.control.obey(order(2, "resume"))
    until(lambda: (2, "resume", True) in answers(bench))
    assert "the run waits all the same: no verdict for 12 s" in bench.done[-1].detail
    assert bench.events == []
    bench.control.watched()
    thread.join()
    assert len(bench.events) == 2


def test_an_order_to_stop_a_run_that_is_paused_ends_it_in_the_dark_and_answers_all() -> None:
    bench = Bench()
    bench.control.obey(order(1, "pause"))
    thread = bench.run(plan(3))
    until(lambda: bench.done)
    bench.control.obey(order(2, "stop"))
    thread.join()
    until(lambda: len(bench.done) == 2)
    bench.control.obey(order(3, "pause"))
    bench.control.obey(order(4, "resume"))
    assert answers(bench) == [
        (1, "pause", True),
        (2, "stop", True),
        (3, "pause", False),
        (4, "resume", False),
    ]
    assert "ready" not in bench.light
    assert bench.events == []


def test_a_second_order_to_stop_makes_the_light_safe_once_more() -> None:
    bench = Bench()
    refuses = [True]

    def make_safe() -> None:
        if refuses.pop():
            raise OSError("no answer from the laser")
        bench.light.append("safe")

    bench.control.lights.use(make_safe, None)
    bench.control.obey(order(1, "stop"))
    until(lambda: answers(bench) == [(1, "stop", False)])
    refuses.append(False)
    bench.control.obey(order(2, "stop"))
    until(lambda: answers(bench) == [(1, "stop", False), (2, "stop", True)])
    assert bench.light == ["safe"]


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_every_order_to_a_run_that_nobody_steers_is_refused_with_the_cure(action: str) -> None:
    bench = Bench()
    bench.control.steering.active = False
    bench.control.obey(order(1, action))
    bench.control.obey(order(2, action))
    assert answers(bench) == [(1, action, False), (2, action, False)]
    assert "hook.events(events)" in bench.done[1].detail


def test_an_order_that_this_hook_does_not_know_is_answered() -> None:
    bench = Bench()
    bench.control.obey(order(1, "focus"))
    assert answers(bench) == [(1, "focus", False)]

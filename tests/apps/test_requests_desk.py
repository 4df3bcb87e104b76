"""Where people ask: what a run takes, what it refuses and why, and what stands of it in the recording."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamer.apps import desk as module
from streamer.apps.desk import Desk
from streamer.apps.sessions import _recorded, _stop
from streamer.core import Decision
from streamer.errors import RecordingError
from streamer.recording import Parts, Resumed, Row, RunFolder, RunInfo, read_decisions
from streamer.sinks import DecisionsSink
from streamer.wire import Done, Order
from streamer.wire.requests import Request, ask


class Microscope:
    """The link, with a hook at its other end that does as `does` says."""

    def __init__(self, does: Callable[[Order], Done | None]) -> None:
        self.does = does
        self.newest_seq, self.is_over = 41, False
        self.orders: list[Order] = []
        self._deeds: list[Done] = []

    def order(self, action: str, reason: str) -> Order:
        order = Order(number=100 + len(self.orders), action=action, seq=self.newest_seq, reason=reason)
        self.orders.append(order)
        if done := self.does(order):
            self._deeds.append(done)
        return order

    def carried_out(self) -> list[Done]:
        deeds, self._deeds = self._deeds, []
        return deeds


class Shown:
    """Preview and notifier: what they were told."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self.deeds: list[Done] = []
        self.notices: list[str] = []
        self.stops: list[Mapping[str, Any]] = []

    def asked(self, told: Decision | Order, by: str = "") -> None:
        if isinstance(told, Decision):
            self.decisions.append(told)
        else:
            self.notices.append(f"{told.action} by {by}")

    def done(self, done: Done) -> None:
        self.deeds.append(done)

    def beat(self) -> None:
        """Nobody watches."""


def obeys(order: Order) -> Done:
    return Done(action=order.action, seq=order.seq, ok=True, order=order.number)


@contextmanager
def a_desk(
    folder: Path, does: Callable[[Order], Done | None] = obeys, **settings: Any
) -> Iterator[tuple[Desk, Microscope, Shown]]:
    microscope, shown = Microscope(does), Shown()
    parts: dict[str, Any] = {
        "source": microscope,
        "decisions": DecisionsSink(RunFolder(folder)),
        "preview": shown,
        "notifier": shown,
        "control": True,
        "dry_run": False,
        "stopped": False,
        "on_stop": shown.stops.append,
    }
    desk = Desk(**{**parts, **settings})
    yield desk, microscope, shown
    desk.close()


def rows(folder: Path) -> list[tuple[Any, ...]]:
    return [
        (row["kind"], row.get("action"), row["seq"], row.get("by"))
        for row in read_decisions(RunFolder(folder))
    ]


def test_a_request_is_told_recorded_and_answered_with_what_was_done(tmp_path: Path) -> None:
    with a_desk(tmp_path) as (desk, microscope, shown):
        answer = desk.take(Request(action="stop", note="too hot", by="the terminal"))
    assert (answer.ok, answer.text) == (True, "stopped")
    (order,) = microscope.orders
    assert order.reason == "stopped from the terminal: too hot"
    assert rows(tmp_path) == [("request", "stop", 41, "the terminal"), ("carried out", "stop", 41, None)]
    assert shown.decisions == [Decision(action="stop", reason=order.reason)]
    assert [done.order for done in shown.deeds] == [order.number]
    assert shown.notices == ["stop by the terminal"]
    stop = {"frame": 41, "reason": order.reason, "evidence": [], "by": "the terminal"}
    assert shown.stops == [stop]


@pytest.mark.parametrize(
    ("done", "words"),
    [
        ({"safe_ms": 11.6}, "paused: the light was safe after 12 ms"),
        ({"detail": "waiting with the light as it was"}, "paused: waiting with the light as it was"),
        ({}, "paused"),
    ],
)
def test_an_answer_says_what_became_of_the_light(tmp_path: Path, done: Any, words: str) -> None:
    with a_desk(tmp_path, lambda order: replace(obeys(order), **done)) as (desk, _, _):
        assert desk.take(Request(action="pause")).text == words


def test_what_the_microscope_refuses_is_no_success(tmp_path: Path) -> None:
    def refuses(order: Order) -> Done:
        return Done(action=order.action, seq=order.seq, ok=False, detail="no events", order=order.number)

    with a_desk(tmp_path, refuses) as (desk, _, _):
        answer = desk.take(Request(action="pause"))
    assert (answer.ok, answer.text) == (False, "pause was NOT carried out: no events")
    assert rows(tmp_path)[-1][:2] == ("carried out", "pause")


def test_a_microscope_that_does_not_answer_in_time_is_said_not_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.05)
    with a_desk(tmp_path, lambda order: None) as (desk, _, _):
        answer = desk.take(Request(action="stop"))
    assert "has not answered yet; in doubt switch the light off by hand" in answer.text


def test_a_stop_is_answered_while_a_pause_waits_for_the_microscope(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 60.0)
    with a_desk(tmp_path, lambda order: None if order.action == "pause" else obeys(order)) as (desk, link, _):
        address, answers = desk.address, []

        def pause() -> None:
            answers.append(
                ask(str(address["requests"]), str(address["secret"]), Request(action="pause"), 120)
            )

        waiting = threading.Thread(target=pause)
        waiting.start()
        for _ in range(3000):
            if link.orders:
                break
            time.sleep(0.01)
        stop = ask(str(address["requests"]), str(address["secret"]), Request(action="stop"), 50)
        assert (stop.ok, stop.text) == (True, "stopped")
        assert not answers
        link._deeds.append(obeys(link.orders[0]))
        waiting.join(60)
    assert [answer.text for answer in answers] == ["paused"]


@pytest.mark.parametrize("action", ["stop", "pause", "resume"])
def test_a_dry_run_takes_nothing_but_marks(tmp_path: Path, action: Any) -> None:
    with a_desk(tmp_path, dry_run=True) as (desk, microscope, shown):
        answer = desk.take(Request(action=action))
        mark = desk.take(Request(action="mark", note="mitosis"))
    assert not answer.ok
    assert "without --dry-run" in answer.text
    assert (microscope.orders, shown.stops, shown.decisions) == ([], [], [])
    assert (mark.ok, mark.text) == (True, "marked at frame 41")
    assert rows(tmp_path) == [("mark", None, 41, "the page")]


def test_without_control_there_is_no_address_to_ask_at(tmp_path: Path) -> None:
    with a_desk(tmp_path, control=False) as (desk, _, _):
        assert desk.address == {"requests": None, "secret": ""}
    with a_desk(tmp_path) as (desk, _, _):
        address = desk.address
        assert address["requests"]
        assert address["secret"]
        assert ask(address["requests"], address["secret"], Request(action="mark")).ok


@pytest.mark.parametrize("action", ["pause", "resume"])
@pytest.mark.parametrize("when", ["asked to stop", "stopped by an earlier processor", "over"])
def test_a_run_that_is_ending_takes_stops_only(tmp_path: Path, action: Any, when: str) -> None:
    with a_desk(tmp_path, stopped=when.startswith("stopped")) as (desk, microscope, shown):
        if when.startswith("asked"):
            desk.take(Request(action="stop", note="first"))
        microscope.is_over = when == "over"
        assert not desk.take(Request(action=action)).ok
        again = desk.take(Request(action="stop", note="again"))
    assert again.ok is (when != "over")
    assert len(shown.stops) == (1 if when.startswith("asked") else 0)  # the first is the run's


def test_a_disk_that_is_full_does_not_keep_the_light_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RecordingError("no space left")

    with a_desk(tmp_path) as (desk, microscope, shown):
        monkeypatch.setattr(DecisionsSink, "_append", refuse)
        answer = desk.take(Request(action="stop"))
        mark = desk.take(Request(action="mark"))
    assert [order.action for order in microscope.orders] == ["stop"]
    assert [done.action for done in shown.deeds] == ["stop"]
    assert answer.ok
    assert "it could not be recorded: no space left" in answer.text
    assert not mark.ok


def test_what_is_done_while_nobody_asks_and_no_frame_comes_is_recorded(tmp_path: Path) -> None:
    with a_desk(tmp_path) as (_, microscope, shown):
        microscope._deeds.append(Done(action="pause", seq=7, ok=True))
        for _ in range(500):
            if shown.deeds:
                break
            time.sleep(0.01)
    assert rows(tmp_path) == [("carried out", "pause", 7, None)]


def request_row(number: int, action: str) -> Row:
    row = {"kind": "request", "order": number, "action": action, "seq": 9, "note": "", "by": "the page"}
    return row | {"reason": f"{action} from the page", "wall_time_s": 1.0}


def done_row(order: int, action: str, seq: int = 9) -> Row:
    return {"kind": "carried out", "order": order, "action": action, "seq": seq, "ok": True}


@pytest.mark.parametrize(
    ("found", "unanswered"),
    [
        ([request_row(5, "pause"), done_row(5, "pause")], []),
        ([request_row(5, "pause"), done_row(5, "pause"), request_row(7, "stop")], [7]),
        ([request_row(5, "stop"), done_row(0, "stop")], [5]),
        ([done_row(5, "stop")], []),
        ([{"kind": "mark", "seq": 9, "note": ""}], []),
    ],
    ids=["answered", "the last one is not", "a guard's answer", "killed before it was recorded", "a mark"],
)
def test_a_request_is_told_again_by_the_next_processor_until_its_answer_is_recorded(
    tmp_path: Path, found: list[Row], unanswered: list[int]
) -> None:
    resumed = Resumed(
        run=RunFolder(tmp_path),
        info=RunInfo(source={"hook": {"run": "a" * 32, "first_seq": 0}}),
        next_seq=10,
        frames=10,
        processed=10,
        last_row=None,
        parts=Parts(),
        volumes={},
    )
    recorded = _recorded(resumed, found)
    assert recorded is not None
    assert [order.number for order in recorded.orders] == unanswered
    assert recorded.last_order == max((row["order"] for row in found if row["kind"] == "request"), default=0)


def test_a_stop_says_whether_a_person_asked_for_it() -> None:
    asked = _stop(request_row(5, "stop"))
    assert asked == {"frame": 9, "reason": "stop from the page", "evidence": [], "by": "the page"}
    decided = _stop({"kind": "decision", "seq": 3, "reason": "faded", "evidence": [{}], "action": "stop"})
    assert decided == {"frame": 3, "reason": "faded", "evidence": [{}]}

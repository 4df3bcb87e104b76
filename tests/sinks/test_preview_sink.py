"""What a run says of itself while nothing happens, while it is paused, and after its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from streamer.core import Decision, Frame, Outcome, Result
from streamer.preview import Feed
from streamer.sinks import preview as module
from streamer.sinks.preview import PreviewSink
from streamer.wire import Done


class Watched:
    """A sink and somebody who watches it."""

    def __init__(self) -> None:
        self.looks = 0
        self.sink = PreviewSink(
            run="run",
            dose=dict,
            counts=lambda: {"planned": None, "received": self.looks, "dropped": 0},
        )
        self.feed = Feed(self.sink.endpoint)

    def state(self) -> str:
        """The state as it is published from now on, whatever is still on its way."""
        self.looks += 1
        for _ in range(400):
            self.sink.beat()
            snapshot = self.feed.newest(0.05)
            if snapshot and snapshot.received == self.looks:
                return snapshot.state
        raise AssertionError("nothing is published")


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr(module, "BEAT_S", 0.0)
    watched = Watched()
    yield watched
    watched.sink.end(failed=False)
    watched.feed.close()


def an_outcome(seq: int, action: Any = "continue") -> Outcome:
    pixels = np.zeros((2, 2), np.uint16)
    frame = Frame(pixels=pixels, seq=seq)
    photons = np.zeros((2, 2), np.float32)
    result = Result(frame=frame, photons=photons, denoised=photons, labels=np.zeros((2, 2), np.uint8))
    decision = Decision(action=action, reason=f"{action} it" if action != "continue" else "")
    return Outcome(frame=frame, results=(result,), decision=decision)


def done(action: str, ok: bool = True) -> Done:
    return Done(action=action, seq=0, ok=ok)


def test_a_run_waits_runs_is_paused_and_goes_on(watched: Watched) -> None:
    sink, state = watched.sink, watched.state
    assert state() == "waiting"
    sink.put(an_outcome(0))
    assert state() == "running"
    sink.asked(Decision(action="pause", reason="paused from the page"))
    assert state() == "running"  # asked for is not yet done
    sink.done(done("pause", ok=False))
    assert state() == "running"
    sink.done(done("pause"))
    assert state() == "paused"
    sink.done(done("resume", ok=False))
    assert state() == "paused"
    sink.done(done("resume"))
    assert state() == "running"


def test_a_stop_stays_on_show_whatever_follows(watched: Watched) -> None:
    sink, state = watched.sink, watched.state
    sink.put(an_outcome(0))
    sink.done(done("pause"))
    sink.asked(Decision(action="stop", reason="stopped from the page: too hot"))
    assert state() == "stopping"
    sink.put(an_outcome(1, "adjust"))
    sink.done(done("resume"))
    assert state() == "stopping"


def test_nothing_is_published_after_the_end_from_any_thread() -> None:
    sink = PreviewSink(run="run", dose=dict, counts=dict)
    going, errors = threading.Event(), []

    def beat() -> None:
        try:
            for number in range(2000):
                sink.done(done("pause" if number % 2 else "resume"))
                going.set()
        except Exception as error:  # whatever it is, it must not be there
            errors.append(error)

    thread = threading.Thread(target=beat)
    thread.start()
    going.wait(10)
    sink.end(failed=False)
    thread.join()
    assert errors == []

"""What people ask of a real run on the simulated rig: told to the microscope, carried out, recorded."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
from profiles import written_profile

from streamer.apps.children import Child
from streamer.apps.live import processor_child
from streamer.apps.processor import ProcessorSettings
from streamer.hook import Hook
from streamer.microscope import MicroscopeSettings, microscope_process, scene_settings
from streamer.preview import Feed
from streamer.profile import load_profile
from streamer.recording import Row, RunFolder, iter_lines, read_decisions
from streamer.wire.requests import Answer, Request, RequestAction, ask, encode_request

SHAPE_YX = (128, 128)
#: Guards that only look on: what is done is what people ask for.
QUIET = """
[policy]
minimum_frames = 100000
"""


def wait_until(true: Callable[[], object], what: str, seconds: float = 60) -> None:
    give_up_s = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up_s, f"{what} did not come true"
        time.sleep(0.01)


@dataclass(frozen=True)
class Run:
    """A run under way: its folder, the processor's addresses, both processes."""

    folder: RunFolder
    ready: dict[str, Any]
    processor: Child
    microscope: Child

    def ask(self, action: RequestAction, note: str = "") -> Answer:
        return ask(self.ready["requests"], self.ready["secret"], Request(action=action, note=note))

    def recorded(self) -> int:
        return lines(self.folder.frames)

    def exposed(self) -> int:
        return lines(self.folder.path / "exposures.jsonl")

    def rows(self, kind: str) -> list[Row]:
        return [row for row in read_decisions(self.folder) if row["kind"] == kind]


def done_of(run: Run, action: str) -> list[Row]:
    return [row for row in run.rows("carried out") if row["action"] == action]


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def processing(folder: Path, **settings: Any) -> ProcessorSettings:
    return ProcessorSettings(
        **{
            "profile": written_profile(folder, QUIET),
            "out": folder / "run",
            "endpoint": "tcp://127.0.0.1:*",
            "shape_yx": SHAPE_YX,
            "control": True,
        }
        | settings
    )


@contextmanager
def going_on(folder: Path, *, frames: int = 5000, **settings: Any) -> Iterator[Run]:
    """A steered run on the rig that would last much longer than any test."""
    chosen = processing(folder, **settings)
    with processor_child(chosen) as processor:
        ready = processor.expect("ready")
        imaging = MicroscopeSettings(
            profile=str(chosen.profile),
            scene=scene_settings(load_profile(str(chosen.profile)), seed=5, shape_yx=SHAPE_YX),
            endpoint=ready["endpoint"],
            frames=frames,
            frame_ms=40,
            exposures_path=chosen.out / "exposures.jsonl",
        )
        with Child("microscope", microscope_process, imaging, if_it_dies="") as microscope:
            run = Run(RunFolder(chosen.out), ready, processor, microscope)
            wait_until(lambda: run.recorded() > 3 or processor.has_news(), "a recorded frame")
            yield run


@pytest.mark.live
def test_a_run_is_marked_paused_resumed_and_stopped_by_a_person(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    on_stop = f"{sys.executable} -c \"import sys; open(r'{told}', 'w').write(sys.stdin.read())\""
    with going_on(tmp_path, on_stop=on_stop) as run, Feed(run.ready["preview"]) as feed:
        run.ask("resume")  # of a run that is not paused
        mark = run.ask("mark", "mitosis\x1b[2J begins")
        assert mark.ok

        paused = run.ask("pause", "focus")
        assert paused.ok, paused.text
        wait_until(lambda: done_of(run, "pause"), "the pause")
        assert done_of(run, "pause")[0]["safe_ms"] is not None
        wait_until(lambda: run.recorded() == run.exposed(), "recording of the last frame")
        exposed = run.exposed()
        states = set()
        wait_until(lambda: states.add(getattr(feed.newest(0.2), "state", "")) or "paused" in states, "paused")
        assert run.ask("pause", "again").ok
        assert run.exposed() == exposed

        assert run.ask("resume").ok
        wait_until(lambda: run.exposed() > exposed + 2, "a further exposure")
        stopped = run.ask("stop", "cell has left")
        assert stopped.ok, stopped.text
        seen, summary = run.microscope.expect("report"), run.processor.expect("summary")
        states_after = [getattr(feed.newest(0.5), "state", "")]

    assert seen["safe"]
    assert seen["exposed"] == summary["recorded"] < 5000
    assert states_after == ["stopped"]
    reason = "stopped from the page: cell has left"
    assert summary["stop"]["reason"] == reason
    assert summary["stop"]["by"] == "the page"
    assert seen["hook"]["stop_reason"] == reason
    (marked,) = run.rows("mark")
    assert (marked["note"], marked["by"]) == ("mitosis [2J begins", "the page")
    asked = {row["order"]: row["action"] for row in run.rows("request")}
    done = {row["order"]: (row["action"], row["ok"]) for row in run.rows("carried out") if row["order"]}
    assert list(asked.values()) == ["resume", "pause", "pause", "resume", "stop"]
    assert done == {
        number: (action, number != min(asked)) for number, action in asked.items()
    }  # the first had nothing to resume
    assert done_of(run, "resume")[0]["detail"] == "the run was not paused"
    assert done_of(run, "stop")[0]["safe_ms"] == seen["hook"]["safe_ms"]
    assert run.rows("decision") == []
    assert [row["seq"] for row in iter_lines(run.folder.frames)] == list(range(summary["recorded"]))
    (notified,) = run.rows("notified")
    assert (notified["ok"], notified["action"], notified["on"]) == (True, "stop", "stop")
    assert reason in told.read_text()


@pytest.mark.live
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be halted here")
def test_what_was_asked_is_told_again_when_the_processor_dies_before_it_is_carried_out(
    tmp_path: Path,
) -> None:
    with going_on(tmp_path) as run:
        microscope, processor = run.microscope.process.pid, run.ready["pid"]
        assert microscope
        os.kill(microscope, signal.SIGSTOP)
        try:
            answer = run.ask("stop", "too hot")
            assert answer.text.startswith("stop is asked for; the microscope has not answered yet")
            os.kill(processor, signal.SIGKILL)
            run.processor.process.join()
            assert [row["action"] for row in run.rows("request")] == ["stop"]
            assert run.rows("carried out") == []
            again = {"resume": True, "restarted": True, "endpoint": run.ready["endpoint"]}
            with processor_child(processing(tmp_path, **again)) as second:
                assert second.expect("ready")["secret"] not in ("", run.ready["secret"])
                os.kill(microscope, signal.SIGCONT)
                seen, summary = run.microscope.expect("report"), second.expect("summary")
        finally:
            os.kill(microscope, signal.SIGCONT)
        assert seen["safe"]
        assert summary["stop"]["reason"] == "stopped from the page: too hot"
        assert seen["exposed"] == summary["recorded"]
        (done,) = run.rows("carried out")
        assert (done["action"], done["ok"]) == ("stop", True)
        assert done["order"] == run.rows("request")[0]["order"]


def unsteered(endpoint: str, profile: str, until: Callable[[int], bool]) -> Hook:
    """A script that hands over frames as they come and lets nobody steer its events."""
    hook = Hook(profile=profile, endpoint=endpoint)
    image, noise = np.zeros(SHAPE_YX, np.uint16), np.random.default_rng(1)
    for number in range(100_000):
        image[:] = noise.poisson(2, SHAPE_YX)
        hook.image_process_fn(image.copy(), {"Axes": {"time": number}})
        if until(number):
            break
        time.sleep(0.02)
    return hook


@pytest.mark.live
def test_a_run_that_nobody_steers_is_not_paused_and_that_is_recorded(tmp_path: Path) -> None:
    chosen = processing(tmp_path)
    folder = RunFolder(chosen.out)
    with processor_child(chosen) as processor:
        ready = processor.expect("ready")
        address = ready["requests"], ready["secret"]
        answers: list[Answer] = []

        def asked(number: int) -> bool:
            if lines(folder.frames) < 2:
                return False
            hostile(ready["requests"], ready["secret"])
            answers.append(ask(ready["requests"], "0" * 32, Request(action="stop")))
            answers.append(ask(*address, Request(action="pause", note="focus")))
            answers.append(ask(*address, Request(action="mark")))
            return True

        unsteered(ready["endpoint"], str(chosen.profile), asked).close()
        summary = processor.expect("summary")
    assert (answers[0].ok, answers[2].ok) == (False, True)
    assert "secret" in answers[0].text
    rows = [row for row in read_decisions(folder) if row["kind"] != "mark"]
    assert [(row["kind"], row["action"], row.get("ok")) for row in rows] == [
        ("request", "pause", None),
        ("carried out", "pause", False),
    ]
    assert "hook.events(events)" in rows[1]["detail"]
    assert summary["stop"] is None


def hostile(endpoint: str, secret: str) -> None:
    """What is no request does nothing and keeps nobody else from asking."""
    messages: list[list[bytes]] = [
        [b""],
        [b"{"],
        [b"[1]"],
        [b"\xff\xfe"],
        [b'{"action": "stop"}'],
        [encode_request(secret, Request(action="stop")), b"more"],
        [encode_request(secret, Request(action="stop")).replace(b"stop", b"fire")],
        [b'{"secret": "%s", "action": "stop", "note": 3}' % secret.encode()],
        [b'{"secret": "%s", "action": "stop", "path": "/"}' % secret.encode()],
        [b'{"secret": "%s", "action": "mark", "note": "%s"}' % (secret.encode(), b"x" * 501)],
    ]
    context = zmq.Context.instance()
    for parts in messages:
        with context.socket(zmq.REQ) as socket:
            socket.linger = 0
            socket.connect(endpoint)
            socket.send_multipart(parts)
            assert socket.poll(10_000), parts
            assert b'"ok": false' in socket.recv()
    with context.socket(zmq.REQ) as socket:  # beyond the bound the connection ends without a word
        socket.linger = 0
        socket.connect(endpoint)
        socket.send(encode_request(secret, Request(action="stop")) + b" " * 5000)
        assert not socket.poll(200)

"""The thread that writes: order, back-pressure, and what happens when the disk gives up."""

from __future__ import annotations

import subprocess
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from recorder import outcome_of, pixels, sinks_of

from streamer.core import Outcome
from streamer.errors import RecordingError
from streamer.recording import RunInfo, create_run, open_raw, read_frames
from streamer.sinks import Background

PLANE = (20, 24)


class Gate:
    """A sink that waits until it is let through, and remembers."""

    def __init__(self) -> None:
        self.entered, self.open = threading.Event(), threading.Event()
        self.seen: list[int] = []

    def put(self, outcome: Outcome) -> None:
        self.entered.set()
        assert self.open.wait(30)
        self.seen.append(outcome.frame.seq)

    def close(self) -> None:
        self.open.wait(30)


class Broken:
    """A sink that fails from its second outcome on."""

    def __init__(self, error: Exception) -> None:
        self.error, self.puts = error, 0

    def put(self, outcome: Outcome) -> None:
        self.puts += 1
        if self.puts > 1:
            raise self.error

    def close(self) -> None:
        pass


def test_everything_handed_over_is_on_disk_after_the_close(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", RunInfo())
    raw, sinks = sinks_of(run)
    with Background(raw, sinks, capacity=2) as background:
        for seq in range(12):
            outcome = outcome_of(seq, PLANE)
            background.put_raw(outcome.frame)
            background.put(outcome)
    assert [row["seq"] for row in read_frames(run)] == list(range(12))
    assert open_raw(run).shape[0] == 12
    background.close()
    with pytest.raises(RecordingError, match="recording is closed"):
        background.put(outcome_of(12, PLANE))


def test_a_full_queue_makes_the_loop_wait_and_loses_nothing(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", RunInfo())
    raw, sinks = sinks_of(run)
    gate = Gate()
    background = Background(raw, [gate, *sinks], capacity=3)

    def feed() -> None:
        for seq in range(6):
            outcome = outcome_of(seq, PLANE)
            background.put_raw(outcome.frame)
            background.put(outcome)

    loop = threading.Thread(target=feed)
    loop.start()
    assert gate.entered.wait(30)
    loop.join(0.2)
    assert loop.is_alive()
    assert background.waiting <= 3
    gate.open.set()
    loop.join(30)
    background.close()
    assert gate.seen == list(range(6)) == [row["seq"] for row in read_frames(run)]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RecordingError("RUN: disk full; free space"), "^RUN: disk full; free space$"),
        (ValueError("odd"), r"^recording stopped: ValueError\('odd'\)$"),
    ],
    ids=["from the disk", "from a bug"],
)
def test_an_error_comes_back_and_nothing_more_is_written(
    tmp_path: Path, error: Exception, message: str
) -> None:
    run = create_run(tmp_path / "run", RunInfo())
    raw, sinks = sinks_of(run)
    background = Background(raw, [*sinks[:1], Broken(error), *sinks[1:]], capacity=1)

    def feed() -> None:
        for seq in range(100):
            outcome = outcome_of(seq, PLANE)
            background.put_raw(outcome.frame)
            background.put(outcome)

    with pytest.raises(RecordingError, match=message):
        feed()
    with pytest.raises(RecordingError, match=message):
        background.close()
    assert [row["seq"] for row in read_frames(run)] == [0]
    assert open_raw(run).shape[0] == 2


def test_what_was_acknowledged_is_let_go_of(tmp_path: Path) -> None:
    acknowledged = Gate()
    acknowledged.open.set()
    raw, sinks = sinks_of(create_run(tmp_path / "run", RunInfo()))
    with Background(raw, [*sinks, acknowledged], capacity=4) as background:
        outcome = outcome_of(0, PLANE)
        memory = weakref.ref(outcome.frame.pixels)
        background.put_raw(outcome.frame)
        background.put(outcome)
        del outcome
        assert acknowledged.entered.wait(30)
        let_go = threading.Event()
        weakref.finalize(memory(), let_go.set) if memory() is not None else let_go.set()
        assert let_go.wait(30)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.skipif(not Path("/bin/mount").exists(), reason="needs mount")
def test_a_disk_that_fills_up_keeps_what_was_acknowledged(tiny_disk: Path) -> None:
    run = create_run(tiny_disk / "run", RunInfo())
    raw, sinks = sinks_of(run)
    background = Background(raw, sinks, capacity=4)
    plane = (64, 64)

    def feed() -> None:
        for seq in range(200):
            outcome = outcome_of(seq, plane)
            background.put_raw(outcome.frame)
            background.put(outcome)

    with pytest.raises(RecordingError, match="disk full; free space or record to another disk") as caught:
        feed()
    assert caught.value.exit_code == 1
    with pytest.raises(RecordingError):
        background.close()
    rows = read_frames(run)
    assert rows
    stored = open_raw(run)
    for row in rows:
        np.testing.assert_array_equal(stored[row["raw_index"], 0, 0], pixels(row["seq"], plane))
    assert run.lock
    run.lock.release()  # so that the disk can be taken away


@pytest.mark.skipif(not Path("/bin/mount").exists(), reason="needs mount")
def test_a_read_only_disk_is_refused_before_the_first_frame(tiny_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    with pytest.raises(RecordingError, match=r"read-only; choose another folder with --out"):
        create_run(tiny_disk / "run", RunInfo())

"""The sender against a real link that stalls, breaks and comes back: nothing lost, nothing twice."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.core import Decision, Frame, Outcome
from streamer.hook.sender import Sender
from streamer.sources.live import LiveSource, Recorded
from streamer.wire import Backlog, Done, Order, Report, Ring, new_keys


def wait_until(true: Callable[[], object], seconds: float = 60) -> None:
    give_up_s = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up_s, "it did not come true"
        time.sleep(0.005)


def a_frame(seq: int, side: int = 40) -> Frame:
    return Frame(pixels=np.full((side, side), seq, np.uint16), seq=seq, hook_ns=time.monotonic_ns())


def a_sender(endpoint: str, spool: Path, **changes: Any) -> Sender:
    values = {
        "profile": "p",
        "endpoint": endpoint,
        "policy": "lossless",
        "planned": 0,
        "version": "0",
        "ram_bytes": 10**7,
        "spool_dir": spool,
        "disk_bytes": 10**9,
        "on_report": lambda report: None,
    }
    return Sender(**{**values, **changes})


class Processor(threading.Thread):
    """Records every frame it is given; can die at any moment, as a killed process does."""

    def __init__(
        self, endpoint: str = "tcp://127.0.0.1:*", *, recorded: Recorded | None = None, **more: Any
    ) -> None:
        super().__init__(daemon=True)
        self.source = LiveSource(
            endpoint, profile="p", ram_bytes=10**7, silence_s=30, recorded=recorded, **more
        )
        self.endpoint = self.source.endpoint
        self.seqs: list[int] = []
        self.wrong: list[int] = []
        self.stop_at: int | None = None
        self._dead = False
        self.start()

    def run(self) -> None:
        for frame in self.source.frames():
            if self._dead:
                return
            self.seqs.append(frame.seq)
            if not (frame.pixels == frame.seq).all():
                self.wrong.append(frame.seq)
            action = "stop" if frame.seq == self.stop_at else "continue"
            self.source.reply(Outcome(frame=frame, decision=Decision(action=action)))
        if not self._dead:
            self.source.close(len(self.seqs))

    def kill(self) -> None:
        self._dead = True
        self.source._closing = True
        self.source._waker.wake()
        self.source._thread.join()
        self.source.finish()
        self.join()
        self.source._waker.close()


def test_pixels_go_through_shared_memory_on_one_host(tmp_path: Path) -> None:
    processor = Processor()
    sender = a_sender(processor.endpoint, tmp_path)
    for seq in range(300):
        sender.put(a_frame(seq))
        if seq == 5:
            wait_until(lambda: sender._dialogue.shares_ring)
    sender.close(300, 10)
    processor.join(10)
    assert processor.seqs == list(range(300))
    assert processor.wrong == []
    assert processor.source._gate._slots is not None
    assert (sender.sent, sender.resent, sender.acknowledged, sender.kept) == (300, 0, 300, None)


def test_a_ring_that_another_machine_cannot_open_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.sources.live._shared_slots", lambda hello: None)
    processor = Processor()
    sender = a_sender(processor.endpoint, tmp_path)
    for seq in range(50):
        sender.put(a_frame(seq))
    sender.close(50, 10)
    processor.join(10)
    assert (processor.seqs, processor.wrong) == (list(range(50)), [])


def test_without_room_for_shared_memory_frames_go_through_the_socket_and_that_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("streamer.hook.packing.room_bytes", lambda: 0)
    processor = Processor()
    sender = a_sender(processor.endpoint, tmp_path)
    for seq in range(50):
        sender.put(a_frame(seq))
    sender.close(50, 10)
    processor.join(10)
    assert processor.seqs == list(range(50))
    assert [record.message.split(":")[0] for record in caplog.records] == ["no shared memory for frames"]


def test_frames_larger_than_the_first_are_not_lost(tmp_path: Path) -> None:
    processor = Processor()
    sender = a_sender(processor.endpoint, tmp_path)
    for seq in range(20):
        sender.put(a_frame(seq, side=40 if seq < 10 else 200))
    sender.close(20, 10)
    processor.join(10)
    assert (processor.seqs, processor.wrong) == (list(range(20)), [])


@pytest.mark.parametrize("in_ram", [10**7, 10**4], ids=["in memory", "spooled"])
def test_processors_killed_at_random_leave_every_frame_recorded_once(tmp_path: Path, in_ram: int) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    chance = random.Random(seed)
    processor = Processor()
    endpoint, recorded, wrong = processor.endpoint, [], []
    sender = a_sender(endpoint, tmp_path, ram_bytes=in_ram)
    over = threading.Event()

    def acquire() -> None:
        seq = 0
        while not over.is_set():
            sender.put(a_frame(seq))
            seq += 1
            time.sleep(0.001)
        sender.close(seq, 20)

    engine = threading.Thread(target=acquire, daemon=True)
    engine.start()
    for _ in range(6):
        time.sleep(chance.uniform(0.0, 0.9))
        processor.kill()
        recorded += processor.seqs
        wrong += processor.wrong
        run = sender._dialogue.hello.run
        before = Recorded(run=run, next_seq=len(recorded)) if recorded else None
        processor = Processor(endpoint, recorded=before)
    over.set()
    engine.join(30)
    processor.join(10)
    recorded += processor.seqs
    assert recorded == list(range(len(recorded)))
    assert len(recorded) == sender.sent == sender.acknowledged
    assert (sender.lost, sender.kept, wrong, processor.source.counts().missing) == (0, None, [], 0)


class Proxy(threading.Thread):
    """A network between the two: can be cut, and can stall without a word."""

    def __init__(self, target: str) -> None:
        super().__init__(daemon=True)
        self._target = int(target.rsplit(":", 1)[1])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self.passing = threading.Event()
        self.passing.set()
        self._links: list[socket.socket] = []
        self.start()

    def run(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self.passing.is_set():
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._target))
            self._links += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(1 << 14):
                self.passing.wait()
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            end.close()

    def cut(self) -> None:
        """End every connection."""
        for link in self._links:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        self._links.clear()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.passing.set()
        self.cut()


@pytest.fixture
def processor() -> Iterator[Processor]:
    processor = Processor()
    yield processor
    processor.source.finish()
    processor.join(10)


def test_a_link_cut_again_and_again_loses_and_doubles_nothing(processor: Processor, tmp_path: Path) -> None:
    proxy = Proxy(processor.endpoint)
    sender = a_sender(proxy.endpoint, tmp_path)
    for seq in range(300):
        sender.put(a_frame(seq))
        if seq % 60 == 30:
            wait_until(lambda: sender.acknowledged > 0)
            proxy.cut()
        time.sleep(0.001)
    sender.close(300, 10)
    processor.join(10)
    proxy.close()
    assert (processor.seqs, processor.wrong, sender.lost) == (list(range(300)), [], 0)


def test_a_network_that_is_gone_for_ten_seconds_loses_nothing(processor: Processor, tmp_path: Path) -> None:
    proxy = Proxy(processor.endpoint)
    sender = a_sender(proxy.endpoint, tmp_path)
    sender.put(a_frame(0))
    wait_until(lambda: sender.acknowledged == 1)
    proxy.passing.clear()
    for seq in range(1, 101):
        sender.put(a_frame(seq))
        time.sleep(0.1)
    assert sender.acknowledged < 100
    assert sender.unwatched_s > 5
    proxy.passing.set()
    sender.close(101, 20)
    processor.join(20)
    proxy.close()
    assert (processor.seqs, processor.wrong, sender.lost) == (list(range(101)), [], 0)
    assert sender.unwatched_s == 0


def test_a_stop_whose_report_was_lost_with_the_connection_is_heard_once(tmp_path: Path) -> None:
    heard: list[Report] = []
    first = Processor()
    sender = a_sender(first.endpoint, tmp_path, on_report=heard.append)
    sender.put(a_frame(0))
    wait_until(lambda: sender.acknowledged == 1)
    first.kill()
    order = Report(seq=0, processed=True, action="stop", reason="gone")
    before = Recorded(run=sender._dialogue.hello.run, next_seq=1, unanswered=(order,))
    second = Processor(first.endpoint, recorded=before)
    wait_until(lambda: heard)
    sender.tell(Done(action="stop", seq=0, ok=True))
    wait_until(lambda: second.source.carried_out())
    sender.close(1, 5)
    second.join(5)
    assert heard == [order]
    assert (sender.stopped_at, sender.stop_reason) == (0, "gone")


def test_an_order_that_a_killed_processor_gave_is_heard_once_from_the_next(tmp_path: Path) -> None:
    heard: list[Order] = []
    first = Processor()
    sender = a_sender(first.endpoint, tmp_path, on_order=heard.append)
    sender.put(a_frame(0))
    wait_until(lambda: sender.acknowledged == 1)
    given = first.source.order("pause", "paused from the page")
    wait_until(lambda: heard)
    first.kill()
    unheard = Order(number=given.number + 5, action="stop", seq=0, reason="stopped from the page")
    run = sender._dialogue.hello.run
    before = Recorded(run=run, next_seq=1, orders=(given, unheard), last_order=unheard.number)
    second = Processor(first.endpoint, recorded=before)
    wait_until(lambda: len(heard) == 2)
    sender.tell(Done(action="stop", seq=0, ok=True, order=unheard.number))
    wait_until(lambda: second.source.carried_out())
    later = second.source.order("stop", "stopped from the page: again")
    wait_until(lambda: len(heard) == 3)
    sender.close(1, 5)
    second.join(5)
    assert heard == [given, unheard, later]
    assert later.number > unheard.number
    assert (sender.stopped_at, sender.stop_reason) == (0, "stopped from the page")


@pytest.mark.parametrize("where", ["no folder", "no budget"])
def test_a_spool_that_takes_nothing_loses_frames_counts_and_shouts_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    spool = tmp_path / "spool"
    if where == "no folder":
        spool.touch()
    disk_bytes = 0 if where == "no budget" else 10**9
    sender = a_sender("tcp://127.0.0.1:9", spool, ram_bytes=10_000, disk_bytes=disk_bytes)
    for seq in range(100):
        sender.put(a_frame(seq))
    wait_until(lambda: sender.lost >= 95)
    wait_until(lambda: any("frames are lost" in record.message for record in caplog.records))
    sender.close(100, 0.1)
    shouts = [record for record in caplog.records if "frames are lost" in record.message]
    assert 1 <= len(shouts) <= 2


def test_frames_that_come_faster_than_the_disk_takes_them_are_given_up_not_gathered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.hook.sender.MIN_WAY_BYTES", 10_000)
    slow = threading.Event()
    monkeypatch.setattr(Backlog, "append", lambda self, parcel: slow.wait(20))
    sender = a_sender("tcp://127.0.0.1:9", tmp_path, ram_bytes=0)
    for seq in range(50):
        sender.put(a_frame(seq))
    assert sender.lost > 40
    monkeypatch.undo()
    slow.set()
    sender.close(50, 0.1)


def test_frames_that_come_while_the_ring_is_made_are_taken_and_none_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_make = threading.Event()

    def make_slowly(**settings: int) -> Ring:
        assert may_make.wait(20)
        return Ring(**settings)

    monkeypatch.setattr("streamer.hook.packing.Ring", make_slowly)
    monkeypatch.setattr("streamer.hook.sender.MIN_WAY_BYTES", 0)
    processor = Processor()
    sender = a_sender(processor.endpoint, tmp_path, ram_bytes=40_000)  # a dozen frames, ring and all
    for seq in range(100):
        sender.put(a_frame(seq))
        wait_until(lambda seq=seq: sender.acknowledged == seq + 1)
    assert not sender._dialogue.shares_ring
    may_make.set()
    wait_until(lambda: sender._dialogue.shares_ring)
    for seq in range(100, 200):
        sender.put(a_frame(seq))
        wait_until(lambda seq=seq: sender.acknowledged == seq + 1)
    sender.close(200, 10)
    processor.join(10)
    assert (processor.seqs, processor.wrong, sender.lost) == (list(range(200)), [], 0)


@pytest.mark.parametrize(("bit_depth", "frame_bytes"), [(8, 3072), (16, 6144), (None, 6144)])
def test_the_ring_is_there_before_the_first_frame_where_the_core_describes_its_camera(
    tmp_path: Path, bit_depth: int | None, frame_bytes: int
) -> None:
    processor = Processor()
    sender = a_sender(processor.endpoint, tmp_path)
    depth = {} if bit_depth is None else {"bit_depth": bit_depth}
    sender.describe(engine="e", camera={"shape": [48, 64], **depth})
    wait_until(lambda: sender._dialogue.shares_ring)
    assert sender._dialogue.hello.slot_bytes == -(-frame_bytes // 4096) * 4096
    sender.put(a_frame(0))
    wait_until(lambda: sender.acknowledged)
    sender.close(1, 10)
    processor.join(10)


def test_an_order_that_fails_here_does_not_end_the_link(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(report: Report) -> None:
        raise RuntimeError("shutter stuck")

    processor = Processor()
    processor.stop_at = 1
    sender = a_sender(processor.endpoint, tmp_path, on_report=fail)
    for seq in range(50):
        sender.put(a_frame(seq))
    sender.close(50, 10)
    processor.join(10)
    assert (processor.seqs, sender.problem, sender.stopped_at) == (list(range(50)), "", 1)
    assert "decision stop at frame 1 was not carried out" in caplog.text
    assert "shutter stuck" in caplog.text


def test_an_encrypted_link_streams_and_another_key_is_refused_with_the_cure(tmp_path: Path) -> None:
    processor_file, hook_file = new_keys(tmp_path / "a")
    processor = Processor("tcp://*:*", keys=processor_file)
    endpoint = processor.endpoint.replace("0.0.0.0", "127.0.0.1")
    text = hook_file.read_text().splitlines()
    _, stranger_file = new_keys(tmp_path / "b")
    secret = stranger_file.read_text().splitlines()[1]
    stranger_file.write_text(f"{secret}\n{text[2]}\n")
    stranger = a_sender(endpoint, tmp_path, keys=stranger_file)
    wait_until(lambda: "does not know this hook's key" in stranger.problem)
    stranger.close(0, 0.1)
    sender = a_sender(endpoint, tmp_path, keys=hook_file)
    for seq in range(20):
        sender.put(a_frame(seq))
    sender.close(20, 10)
    processor.join(10)
    assert (processor.seqs, sender.problem) == (list(range(20)), "")

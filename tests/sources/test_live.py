"""The listening side: counts everything, obeys nobody it does not know."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq

from streamer.core import Frame
from streamer.errors import LinkError, UsageError
from streamer.sources.live import LiveSource
from streamer.wire import Alive, Closed, End, Hello, Message, Refused, Welcome, decode, encode


def a_source(tmp_path: Path, endpoint: str = "tcp://127.0.0.1:*", silence_s: float = 30.0) -> LiveSource:
    return LiveSource(
        endpoint,
        profile="p",
        spool=tmp_path / "in.spool",
        ram_bytes=5000,
        disk_bytes=10**8,
        silence_s=silence_s,
    )


@pytest.fixture
def source(tmp_path: Path) -> Iterator[LiveSource]:
    source = a_source(tmp_path)
    yield source
    source.finish()
    source.close(0)


class Peer:
    """Whoever connects: may say anything."""

    def __init__(self, endpoint: str) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(endpoint)

    def say(self, message: Message) -> None:
        self.socket.send_multipart([bytes(part) for part in encode(message)])

    def hear(self) -> Message:
        assert self.socket.poll(5000), "no answer"
        return decode(self.socket.recv_multipart())

    def close(self) -> None:
        self.socket.close()
        self.context.term()


@pytest.fixture
def peer(source: LiveSource) -> Iterator[Peer]:
    peer = Peer(source.endpoint)
    yield peer
    peer.close()


def a_frame(seq: int) -> Frame:
    return Frame(pixels=np.full((20, 20), seq, np.uint16), seq=seq)


def hello(policy: str = "lossless", run: str = "r") -> Hello:
    return Hello(run=run, profile="p", policy=policy)


def test_gaps_and_duplicates_are_counted(source: LiveSource, peer: Peer) -> None:
    peer.say(hello())
    for seq in (0, 1, 1, 4, 3, 5):
        peer.say(a_frame(seq))
    peer.say(End(acquired=8))
    assert [frame.seq for frame in source.frames()] == [0, 1, 4, 5]
    counts = source.counts()
    assert (counts.received, counts.missing, counts.duplicates) == (4, 4, 2)
    assert counts.dropped == 4


def test_frames_that_wait_beyond_memory_are_spooled_and_all_come_back(source: LiveSource, peer: Peer) -> None:
    peer.say(hello())
    for seq in range(40):
        peer.say(a_frame(seq))
    peer.say(End(acquired=40))
    assert source.wait_for_hook() == hello()
    frames = list(source.frames())
    assert [frame.seq for frame in frames] == list(range(40))
    assert all((frame.pixels == frame.seq).all() for frame in frames)
    assert source.counts().dropped == 0


def test_latest_marks_all_but_the_newest_as_superseded(source: LiveSource, peer: Peer) -> None:
    peer.say(hello("latest"))
    for seq in range(5):
        peer.say(a_frame(seq))
    peer.say(End(acquired=5))
    wait_until(lambda: source.counts().received == 5)
    assert [frame.superseded for frame in source.frames()] == [True] * 4 + [False]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([b"GET /", b""], "not ours"),
        ([b"scope-streamer/0", b"{}"], "version"),
        ([bytes(part) for part in encode(a_frame(0))], "say hello first"),
        ([bytes(part) for part in encode(hello("newest"))], "use lossless or latest"),
        (
            [bytes(part) for part in encode(Hello(run="r", profile="rigs/q.toml"))],
            "profile q, this processor p",
        ),
    ],
    ids=["stranger", "old version", "no hello", "unknown policy", "another profile"],
)
def test_what_is_refused_is_answered_and_counted(
    source: LiveSource, peer: Peer, parts: list[bytes], reason: str
) -> None:
    peer.socket.send_multipart(parts)
    answer = peer.hear()
    assert isinstance(answer, Refused)
    assert reason in answer.reason
    assert sum(source.counts().refused.values()) == 1


def test_a_second_run_is_refused_and_the_first_goes_on(source: LiveSource, peer: Peer) -> None:
    peer.say(hello())
    assert peer.hear() == Welcome(next_seq=0)
    intruder = Peer(source.endpoint)
    intruder.say(hello(run="another"))
    answer = intruder.hear()
    assert isinstance(answer, Refused)
    assert "start another" in answer.reason
    intruder.say(a_frame(0))
    assert isinstance(intruder.hear(), Refused)
    intruder.close()
    peer.say(a_frame(0))
    peer.say(End(acquired=1))
    assert [frame.seq for frame in source.frames()] == [0]


def test_a_hook_that_goes_silent_ends_the_frames(tmp_path: Path) -> None:
    source = a_source(tmp_path, silence_s=0.1)
    peer = Peer(source.endpoint)
    peer.say(hello())
    peer.say(a_frame(0))
    assert [frame.seq for frame in source.frames()] == [0]
    assert source.counts().silent
    source.close(1)
    peer.close()


def test_closing_tells_the_hook_how_much_is_recorded(tmp_path: Path) -> None:
    source = a_source(tmp_path)
    peer = Peer(source.endpoint)
    peer.say(hello())
    peer.say(Alive())
    peer.say(End(acquired=0))
    assert list(source.frames()) == []
    source.close(7, error="disk full")
    assert peer.hear() == Welcome(next_seq=0)
    assert peer.hear() == Closed(recorded=7, missing=0, error="disk full")
    peer.close()


def test_a_port_in_use_is_one_clear_line(source: LiveSource, tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="Address already in use; use another port"):
        a_source(tmp_path, source.endpoint)


def test_an_address_that_others_can_reach_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="loopback"):
        a_source(tmp_path, "tcp://0.0.0.0:5555")


def wait_until(true: object, seconds: float = 10) -> None:
    tick = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if true():
            return
        tick.wait(0.01)
    raise AssertionError("it did not come true")

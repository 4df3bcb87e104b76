"""The listening side: counts everything, obeys nobody it does not know."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import zmq

from streamer.core import Decision, Frame, Outcome
from streamer.errors import LinkError, UsageError
from streamer.sources.live import LiveSource, Recorded
from streamer.sources.strangers import NO_HANDSHAKE, UNKNOWN_KEY
from streamer.wire import (
    Alive,
    Closed,
    Credit,
    Done,
    End,
    Hello,
    Message,
    Order,
    Refused,
    Report,
    Welcome,
    decode,
    encode,
    load_processor_keys,
    new_keys,
)


def a_source(endpoint: str = "tcp://127.0.0.1:*", silence_s: float = 30.0, **more: Any) -> LiveSource:
    return LiveSource(
        endpoint,
        profile="p",
        silence_s=silence_s,
        **{"ram_bytes": 10**6, **more},
    )


@pytest.fixture
def source() -> Iterator[LiveSource]:
    source = a_source()
    yield source
    source.finish()
    source.close(0)


class Peer:
    """Whoever connects: may say anything."""

    def __init__(self, endpoint: str = "") -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        if endpoint:
            self.connect(endpoint)

    def connect(self, endpoint: str) -> None:
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
    return Frame(pixels=np.full((20, 20), seq % 60_000, np.uint16), seq=seq)


def hello(policy: str = "lossless", run: str = "r") -> Hello:
    return Hello(run=run, profile="p", policy=policy)


def begin(peer: Peer, message: Hello | None = None) -> None:
    """Introduce the peer and send frame 0, so that the processor knows how much credit it can give."""
    peer.say(message or hello())
    assert isinstance(peer.hear(), Welcome)
    peer.say(a_frame(0))
    while not isinstance(peer.hear(), Credit):
        pass


def test_gaps_and_duplicates_are_counted(source: LiveSource, peer: Peer) -> None:
    begin(peer)
    for seq in (1, 1, 4, 3, 5):
        peer.say(a_frame(seq))
    peer.say(End(acquired=8))
    assert [frame.seq for frame in source.frames()] == [0, 1, 4, 5]
    counts = source.counts()
    assert (counts.received, counts.missing, counts.duplicates) == (4, 4, 2)
    assert counts.dropped == 4


def test_a_hook_gets_credit_for_what_memory_holds_and_more_as_frames_are_recorded() -> None:
    source = a_source(ram_bytes=4 * a_frame(0).pixels.nbytes)
    peer = Peer(source.endpoint)
    begin(peer)
    for seq in range(1, 5):
        peer.say(a_frame(seq))
    refused = hear_a(peer, Refused)
    assert "frame 4 has no credit beyond 4" in refused.reason
    frames = source.frames()
    source.reply(Outcome(frame=next(frames)))
    assert hear_a(peer, Credit) == Credit(until=5)
    peer.say(a_frame(4))
    peer.say(End(acquired=5))
    assert [frame.seq for frame in frames] == [1, 2, 3, 4]
    source.close(5)
    peer.close()


def test_far_behind_lost_frames_one_frame_may_always_go_on(source: LiveSource, peer: Peer) -> None:
    begin(peer)
    frames = source.frames()
    source.reply(Outcome(frame=next(frames)))
    peer.say(a_frame(100_000))
    assert next(frames).seq == 100_000
    assert source.counts().missing == 99_999


def test_a_continued_recording_takes_its_own_hook_and_nothing_twice() -> None:
    order = Report(seq=2, processed=True, action="stop", reason="gone")
    source = a_source(recorded=Recorded(run="r", next_seq=3, done=1, unanswered=(order,)))
    stranger, peer = Peer(source.endpoint), Peer(source.endpoint)
    stranger.say(hello(run="another"))
    assert "serves run r; start another processor" in hear_a(stranger, Refused).reason
    peer.say(hello())
    welcome = hear_a(peer, Welcome)
    assert (welcome.next_seq, welcome.recorded_until, welcome.done) == (3, 3, 1)
    assert peer.hear() == order  # nobody knows whether the hook has heard it
    for seq in (1, 2, 3):
        peer.say(a_frame(seq))
    peer.say(Done(action="stop", seq=2, ok=True))
    peer.say(Alive(waiting=7, resent=4))
    peer.say(End(acquired=4))
    assert [frame.seq for frame in source.frames()] == [3]
    counts = source.counts()
    assert (counts.received, counts.duplicates, counts.resent, counts.waiting) == (1, 2, 4, 7)
    assert source.carried_out() == [Done(action="stop", seq=2, ok=True)]
    source.close(4)
    stranger.close()
    peer.close()


def test_what_the_hook_may_not_have_heard_is_said_again_until_it_tells_what_it_did(
    source: LiveSource,
) -> None:
    first = Peer(source.endpoint)
    begin(first)
    stop = Decision(action="stop", reason="gone")
    source.reply(Outcome(frame=next(source.frames()), decision=stop))
    first.close()
    second = Peer(source.endpoint)
    second.say(hello())
    assert hear_a(second, Welcome).recorded_until == 1
    assert hear_a(second, Report).action == "stop"
    second.say(Done(action="stop", seq=0, ok=True))
    wait_until(lambda: source.carried_out())
    second.close()
    third = Peer(source.endpoint)
    third.say(hello())
    assert hear_a(third, Welcome).done == 1
    assert isinstance(third.hear(), Alive)
    third.close()


def test_a_processor_says_that_it_is_alive(source: LiveSource, peer: Peer) -> None:
    peer.say(hello())
    assert isinstance(hear_a(peer, Alive), Alive)


def test_latest_marks_all_but_the_newest_as_superseded(source: LiveSource, peer: Peer) -> None:
    begin(peer, hello("latest"))
    for seq in range(1, 5):
        peer.say(a_frame(seq))
    peer.say(End(acquired=5))
    wait_until(lambda: source.counts().received == 5)
    assert [frame.superseded for frame in source.frames()] == [True] * 4 + [False]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([b"GET /", b""], "not ours"),
        ([b"scope-streamer/1", b"{}"], "wire version '1'; this side speaks 3"),
        ([bytes(part) for part in encode(Hello(run="", profile="p"))], "use 1 to 64"),
        ([bytes(part) for part in encode(a_frame(0))], "say hello first"),
        ([bytes(part) for part in encode(hello("newest"))], "use lossless or latest"),
        (
            [bytes(part) for part in encode(Hello(run="r", profile="rigs/q.toml"))],
            "profile q, this processor p",
        ),
    ],
    ids=["stranger", "version 1", "no name of a run", "no hello", "unknown policy", "another profile"],
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
    assert hear_a(peer, Welcome).next_seq == 0
    intruder = Peer(source.endpoint)
    intruder.say(hello(run="another"))
    answer = intruder.hear()
    assert isinstance(answer, Refused)
    assert "start another" in answer.reason
    intruder.say(a_frame(0))
    assert hear_a(intruder, Refused)
    intruder.close()
    peer.say(a_frame(0))
    peer.say(End(acquired=1))
    assert [frame.seq for frame in source.frames()] == [0]


def test_a_hook_that_goes_silent_ends_the_frames() -> None:
    source = a_source(silence_s=0.1)
    peer = Peer(source.endpoint)
    peer.say(hello())
    peer.say(a_frame(0))
    assert [frame.seq for frame in source.frames()] == [0]
    assert source.counts().silent
    source.close(1)
    peer.close()


def test_a_hook_that_is_expected_and_never_comes_ends_the_frames() -> None:
    source = a_source(silence_s=0.1, expected=True)
    assert source.wait_for_hook() is None
    assert list(source.frames()) == []
    assert source.counts().silent
    source.close(0)


def test_closing_tells_the_hook_how_much_is_recorded() -> None:
    source = a_source()
    peer = Peer(source.endpoint)
    peer.say(hello())
    peer.say(Alive())
    peer.say(End(acquired=0))
    assert list(source.frames()) == []
    source.close(7, error="disk full")
    assert hear_a(peer, Welcome).next_seq == 0
    assert hear_a(peer, Closed) == Closed(recorded=7, missing=0, error="disk full")
    peer.close()


@pytest.mark.parametrize("key", ["none", "unknown"])
def test_a_port_with_keys_takes_nobody_without_an_allowed_key_and_counts_him(
    tmp_path: Path, key: str
) -> None:
    processor_file, _ = new_keys(tmp_path)
    source = a_source("tcp://*:*", keys=processor_file)
    peer = Peer()
    if key == "unknown":
        public, secret = zmq.curve_keypair()
        peer.socket.curve_publickey, peer.socket.curve_secretkey = public, secret
        peer.socket.curve_serverkey = load_processor_keys(processor_file).public.encode()
    peer.connect(source.endpoint.replace("0.0.0.0", "127.0.0.1"))
    wait_until(lambda: source.counts().refused)
    reason = UNKNOWN_KEY if key == "unknown" else NO_HANDSHAKE
    assert source.counts().refused.keys() == {reason}
    assert source.hello is None
    source.finish()
    source.close(0)
    peer.close()


def mutated(parts: list[bytes], chance: random.Random) -> list[bytes]:
    """A message with bytes changed, cut, repeated or put in."""
    which = chance.randrange(len(parts))
    data = bytearray(parts[which])
    at = chance.randrange(len(data) + 1)
    match chance.randrange(4):
        case 0:
            data[at : at + 1] = chance.randbytes(1)
        case 1:
            del data[at:]
        case 2:
            data[at:at] = data[: chance.randrange(40)]
        case 3:
            return parts[:which] + parts[which + 1 :]
    return [*parts[:which], bytes(data), *parts[which + 1 :]]


def test_ten_thousand_bad_messages_leave_the_frames_of_a_good_hook_as_they_are(source: LiveSource) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    chance = random.Random(seed)
    good = [
        encode(m) for m in (hello(run="x"), a_frame(1), End(acquired=3), Done(action="stop", seq=1, ok=True))
    ]
    messages = [[bytes(part) for part in parts] for parts in good]
    bad, hook = Peer(source.endpoint), Peer(source.endpoint)
    bad.socket.setsockopt(zmq.SNDHWM, 0)
    begin(hook)
    taken = source.frames()
    frames = [next(taken)]
    source.reply(Outcome(frame=frames[0]))
    for number in range(10_000):
        if number % 4:
            bad.socket.send_multipart(mutated(chance.choice(messages), chance))
        else:
            bad.socket.send_multipart([chance.randbytes(chance.randrange(60)) for _ in range(3)])
        if number % 500 == 0:
            seq = len(frames)
            hook.say(a_frame(seq))
            frames.append(next(taken))
            source.reply(Outcome(frame=frames[-1]))
    wait_until(lambda: sum(source.counts().refused.values()) >= 9_900)
    hook.say(End(acquired=21))
    assert list(taken) == []
    assert [frame.seq for frame in frames] == list(range(21))
    assert all((frame.pixels == frame.seq).all() for frame in frames)
    assert source.hello == hello()
    hook.close()
    bad.close()


def test_bad_messages_of_the_hook_itself_do_not_end_the_link(source: LiveSource, peer: Peer) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    chance = random.Random(seed)
    begin(peer)
    frame = [bytes(part) for part in encode(a_frame(1))]
    cut = [frame[0], frame[1], frame[2][:-1]]
    for _ in range(500):
        peer.socket.send_multipart(chance.choice([cut, [b"?"], [frame[0], b"{}"]]))
    peer.say(a_frame(1))
    peer.say(End(acquired=2))
    assert [frame.seq for frame in source.frames()] == [0, 1]
    assert sum(source.counts().refused.values()) == 500


def test_a_port_in_use_is_one_clear_line(source: LiveSource) -> None:
    with pytest.raises(LinkError, match="Address already in use; use another port"):
        a_source(source.endpoint)


def test_an_address_that_others_can_reach_is_refused() -> None:
    with pytest.raises(UsageError, match="loopback"):
        a_source("tcp://0.0.0.0:5555")


Kind = TypeVar("Kind", bound=Message)


def hear_a(peer: Peer, kind: type[Kind]) -> Kind:
    """The next message of that kind."""
    while True:
        message = peer.hear()
        if isinstance(message, kind):
            return message


def wait_until(true: object, seconds: float = 60) -> None:
    tick = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if true():
            return
        tick.wait(0.01)
    raise AssertionError("it did not come true")


def test_an_order_is_given_at_once_or_with_the_welcome_and_again_until_it_is_answered(
    source: LiveSource,
) -> None:
    early = source.order("pause", "before the hook came")
    first = Peer(source.endpoint)
    first.say(hello())
    assert hear_a(first, Order) == early
    first.say(a_frame(0))
    source.reply(Outcome(frame=next(source.frames())))
    late = source.order("stop", "too hot")
    assert hear_a(first, Order) == late
    assert (late.seq, late.number > early.number) == (0, True)
    first.say(Done(action="pause", seq=0, ok=True, order=early.number))
    first.say(Done(action="stop", seq=0, ok=True))  # of a guard's stop: answers no order
    done: list[Done] = []
    wait_until(lambda: done.extend(source.carried_out()) or len(done) == 2)
    first.close()
    second = Peer(source.endpoint)
    second.say(hello())
    assert hear_a(second, Welcome).done == 2
    assert second.hear() == late
    second.close()

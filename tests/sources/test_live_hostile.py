"""Bad messages of a hook that has introduced itself: none ends the link, none becomes a frame."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import zmq

from streamer.core import Frame, Outcome
from streamer.sources.live import LiveSource
from streamer.sources.strangers import ANSWERS, ANSWERS_PER_PEER, LOOKS_PER_PEER, MAX_REASONS, Refusals
from streamer.wire import (
    PREAMBLE,
    Alive,
    Bye,
    Done,
    End,
    Hello,
    Message,
    Report,
    Ring,
    Welcome,
    WireError,
    decode,
    encode,
    frame_header,
)

#: Messages, and how many of them between two good frames.
MESSAGES, BETWEEN = 10_000, 250
SIDE = 24
SLOTS = 4
STRANGE: tuple[Any, ...] = (
    None, True, -1, 0, 1, SLOTS, 2**31, 2**63, 2**70, 1.5, 1e308, "", "0", "\ud800", "x" * 5000, [], [[]], {},
    {"a": {"b": 1}}, [0, 0], [SIDE, SIDE + 1], [SIDE], [-SIDE, -SIDE], [1 << 20, 1 << 20],
    "uint8", "float64", ">u2",
)  # fmt: skip


@pytest.fixture
def ring() -> Iterator[Ring]:
    ring = Ring(frame_bytes=2 * SIDE * SIDE, slots=SLOTS)
    yield ring
    ring.close()


@pytest.fixture
def source() -> Iterator[LiveSource]:
    source = LiveSource("tcp://127.0.0.1:*", profile="p", ram_bytes=10**6, silence_s=30)
    yield source
    source.finish()
    source.close(0)


@pytest.fixture
def socket(source: LiveSource) -> Iterator[Any]:
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, 0)
    socket.connect(source.endpoint)
    yield socket
    socket.close()
    context.term()


def flipped(parts: list[bytes], chance: random.Random) -> list[bytes]:
    which = chance.randrange(len(parts))
    data = bytearray(parts[which])
    for _ in range(chance.randint(1, 3)):
        if data:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return [*parts[:which], bytes(data), *parts[which + 1 :]]


def cut(parts: list[bytes], chance: random.Random) -> list[bytes]:
    which = chance.randrange(len(parts))
    return [*parts[:which], parts[which][: chance.randrange(len(parts[which]) + 1)], *parts[which + 1 :]]


def counted_wrong(parts: list[bytes], chance: random.Random) -> list[bytes]:
    return chance.choice([parts[:1], parts[:-1], [*parts, b""], [*parts, parts[-1]], parts[::-1]])


def with_a_strange_field(parts: list[bytes], chance: random.Random) -> list[bytes]:
    header = json.loads(parts[1])
    name = chance.choice([*header, "slot", "pickle", "seq"])
    if chance.random() < 0.2:
        header.pop(name, None)
    else:
        header[name] = chance.choice(STRANGE)
    return [parts[0], json.dumps(header).encode(), *parts[2:]]


MUTATIONS = (flipped, cut, counted_wrong, with_a_strange_field)


def would_be_taken(parts: list[bytes], coming_seq: int) -> bool:
    """Whether it is a good message after all, one that changes what good frames or a good end come to."""
    try:
        message = decode(parts, slots=AnySlot())
    except WireError:
        return False
    return isinstance(message, End | Bye) or (isinstance(message, Frame) and message.seq >= coming_seq)


class AnySlot:
    def view(self, slot: int, size: int) -> memoryview:
        return memoryview(bytes(size))


def test_ten_thousand_mutated_messages_of_the_hook_itself_make_no_wrong_frame(
    source: LiveSource, socket: Any, ring: Ring
) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    chance = random.Random(seed)
    hello = Hello(
        run="r",
        profile="p",
        ring=ring.name,
        ring_nonce=ring.nonce,
        ring_slots=ring.slots,
        slot_bytes=ring.slot_bytes,
    )
    bad, coming_seq = [], 0
    for number in range(MESSAGES):
        if number % BETWEEN == 0:
            send_good(socket, source, hello, ring, coming_seq)
            coming_seq += 1
            bad = [as_bytes(encode(message)) for message in messages(hello, coming_seq)]
            bad.append([PREAMBLE, frame_header(a_frame(coming_seq), slot=1)])
        parts = chance.choice(MUTATIONS)(chance.choice(bad), chance)
        if not would_be_taken(parts, coming_seq):
            socket.send_multipart(parts)
    send_good(socket, source, hello, ring, coming_seq)
    say(socket, End(acquired=coming_seq + 1))
    assert list(source.frames()) == []
    counts = source.counts()
    assert (counts.received, counts.missing) == (coming_seq + 1, 0)
    assert sum(counts.refused.values()) > MESSAGES / 2


def send_good(socket: Any, source: LiveSource, hello: Hello, ring: Ring, seq: int) -> None:
    """A good frame among the bad messages, through ring and socket in turns: as sent, at its place."""
    say(socket, hello)  # a mutated one may have told of another ring
    wait_for_welcome(socket, seq)
    frame = a_frame(seq)
    if seq % 2:
        ring.view(seq % SLOTS, frame.pixels.nbytes)[:] = np.frombuffer(frame.pixels.tobytes(), np.uint8)
        socket.send_multipart([PREAMBLE, frame_header(frame, slot=seq % SLOTS)])
    else:
        say(socket, frame)
    taken = next(source.frames())
    assert taken.seq == seq
    assert np.array_equal(taken.pixels, frame.pixels)
    source.reply(Outcome(frame=taken))


def wait_for_welcome(socket: Any, next_seq: int) -> None:
    """Of all that comes, the welcome which says that the next frame is the one we mean."""
    while socket.poll(5000):
        message = decode(socket.recv_multipart())
        if isinstance(message, Report):
            assert message.seq < next_seq
        if isinstance(message, Welcome):  # mutated hellos that are still good have been answered before
            assert message.next_seq <= next_seq
            if message.next_seq == next_seq:
                return
    raise AssertionError("no welcome")


def messages(hello: Hello, seq: int) -> list[Message]:
    return [a_frame(seq), Done(action="stop", seq=0, ok=True), Alive(waiting=3), End(acquired=seq), hello]


def a_frame(seq: int) -> Frame:
    pixels = np.random.default_rng(seq).integers(0, 2**16, (SIDE, SIDE), np.uint16)
    return Frame(pixels=pixels, seq=seq, axes={"time": seq}, hook_ns=1, metadata={"Exposure": 1.5})


def as_bytes(parts: list[bytes | memoryview]) -> list[bytes]:
    return [bytes(part) for part in parts]


def say(socket: Any, message: Message) -> None:
    socket.send_multipart(as_bytes(encode(message)))


def test_refusals_are_answered_and_strangers_looked_at_so_often_a_second() -> None:
    refusals = Refusals()
    peers = [b"%d" % number for number in range(100)]
    assert sum(refusals.may_answer(peers[0], 7.0 + n / 100) for n in range(90)) == ANSWERS_PER_PEER
    assert sum(refusals.may_answer(peer, 7.9) for peer in peers[1:]) == ANSWERS - ANSWERS_PER_PEER
    assert sum(refusals.may_look(peers[0], 7.95) for _ in range(1000)) == LOOKS_PER_PEER
    assert refusals.may_answer(peers[0], 8.0)
    assert refusals.may_look(peers[0], 8.0)


def test_reasons_that_strangers_invent_do_not_pile_up() -> None:
    refusals = Refusals()
    for number in range(10_000):
        refusals.count(f"reason {number}")
    assert len(refusals.by_reason) == MAX_REASONS + 1
    assert sum(refusals.by_reason.values()) == 10_000


def test_a_stranger_who_floods_gets_few_answers(source: LiveSource, socket: Any) -> None:
    begun_s = time.monotonic()
    for _ in range(1000):
        socket.send_multipart([b"?", b"?"])
    while sum(source.counts().refused.values()) < 1000:
        assert time.monotonic() - begun_s < 10
        time.sleep(0.01)
    seconds = int(time.monotonic() - begun_s) + 2  # calendar seconds that were touched, at most
    answers = 0
    while socket.poll(50):
        socket.recv_multipart()
        answers += 1
    assert 1 <= answers <= ANSWERS_PER_PEER * seconds

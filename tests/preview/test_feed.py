"""The feed pulls the newest snapshot over a real socket, and survives what is none."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import zmq
from snapshots import message

from streamer.errors import LinkError
from streamer.preview import Feed, Snapshot
from streamer.preview.feed import MESSAGE_MAX


@pytest.fixture
def publisher() -> Iterator[zmq.Socket]:
    with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVTIMEO, 5000)
        socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        socket.bind("tcp://127.0.0.1:*")
        yield socket


@pytest.fixture
def feed(publisher: zmq.Socket) -> Iterator[Feed]:
    with Feed(publisher.getsockopt_string(zmq.LAST_ENDPOINT)) as feed:
        publisher.recv()  # the subscription has arrived
        yield feed


def heard(feed: Feed, publisher: zmq.Socket, seq: int) -> Snapshot:
    """Publish until it is heard: a connection may be on its way back."""
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        publisher.send(message(seq=seq))
        snapshot = feed.newest(0.05)
        if snapshot is not None and snapshot.seq == seq:
            return snapshot
    raise AssertionError(f"snapshot {seq} never arrived")


def test_only_the_newest_is_pulled(publisher: zmq.Socket, feed: Feed) -> None:
    for seq in range(200):
        publisher.send(message(seq=seq))
    seen = []
    while not seen or seen[-1] != 199:
        snapshot = feed.newest(5.0)
        assert snapshot is not None
        seen.append(snapshot.seq)
    assert seen == sorted(set(seen))


@pytest.mark.parametrize(
    "junk", [[b"\x00\xff"], [b"{}"], [b"", b"two parts"]], ids=["bytes", "not a snapshot", "two parts"]
)
def test_junk_is_counted_and_survived(publisher: zmq.Socket, feed: Feed, junk: list[bytes]) -> None:
    publisher.send_multipart(junk)
    assert feed.newest(5.0) is None
    assert feed.junk == 1
    assert heard(feed, publisher, 7).seq == 7


def test_a_message_beyond_the_bound_is_not_taken(publisher: zmq.Socket, feed: Feed) -> None:
    publisher.send(b" " * (MESSAGE_MAX + 1) + message(seq=1))
    assert feed.newest(0.2) is None
    assert heard(feed, publisher, 2).seq == 2


def test_nothing_published_is_nothing_heard(feed: Feed) -> None:
    assert feed.newest(0.01) is None


def test_an_address_that_is_none_is_refused_in_one_line() -> None:
    with pytest.raises(LinkError, match=r"nowhere: .*use an address such as"):
        Feed("nowhere")

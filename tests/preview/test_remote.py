"""The terminal's feed from a page: the real page of a real recording, pages that die, and pages that lie."""

from __future__ import annotations

import json
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshots import STOPPED, fields
from websockets.sync.server import Server, ServerConnection, serve
from written_run import growing_run, outcome, write_run

from streamer.errors import LinkError, UsageError
from streamer.preview.remote import RemoteFeed, UntrustedError
from streamer.preview.server import PageSettings
from streamer.preview.server import serve as serve_page
from streamer.preview.told import PIXELS_MAX, Told, parse_image
from tests.preview.server.pages import certificate_in

TOKEN = "a-token-of-tests"


@contextmanager
def page(run: Path, port: int = 0, **how: Any) -> Iterator[str]:
    """The product's own page of a recording; its link."""
    links: list[str] = []
    over = threading.Event()
    settings = PageSettings(run=run, token=TOKEN, port=port, **how)
    server = threading.Thread(
        target=serve_page, args=(settings,), kwargs={"on_ready": links.append, "stop": over.is_set}
    )
    server.start()
    try:
        wait_for(lambda: links)
        yield links[0]
    finally:
        over.set()
        server.join(20)


def wait_for(what: Callable[[], object], timeout_s: float = 60.0) -> None:
    give_up_s = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < give_up_s, "it never came"
        time.sleep(0.01)


def until(feed: RemoteFeed, what: Callable[[Any], object], timeout_s: float = 60.0) -> Any:
    """The first glance for which `what` is so."""
    give_up_s = time.monotonic() + timeout_s
    while True:
        feed.newest(0.1)
        glance = feed.glance()
        if glance is not None and what(glance):
            return glance
        assert time.monotonic() < give_up_s, "it never came"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("remote") / "run").path


def test_the_page_of_a_recording_tells_the_same_as_the_recording(recording: Path) -> None:
    with page(recording) as link, RemoteFeed(link) as feed:
        snapshot = None
        while snapshot is None:
            snapshot = feed.newest(5.0)
        assert (snapshot.state, snapshot.seq, snapshot.recorded) == ("stopped", 39, 40)
        glance = until(feed, lambda glance: glance.pictures and glance.left)
    assert glance.traces["photons"].values[-1] == pytest.approx(25 * 0.98**39, rel=1e-3)
    assert glance.traces["lag"].values == pytest.approx([40.0 + n for n in range(40)])
    assert glance.left.startswith("light for about")
    assert glance.traces["photons"].ahead
    assert any("signal is gone" in line.text for line in glance.log)
    denoised, raw = glance.pictures
    assert (denoised.seq, denoised.values.shape, denoised.width_um) == (39, (48, 64), pytest.approx(1.28))
    expected = outcome(39, {}).results[0].photons
    assert np.abs(raw.values - expected).max() < 0.2  # 255 steps of the square root
    assert denoised.doubtful.sum() == 40


def test_a_page_that_dies_and_comes_back_is_found_again_and_the_run_goes_on(tmp_path: Path) -> None:
    with growing_run(tmp_path / "run") as (run, put):
        put(outcome(0, {"time": 0}))
        with page(run.path) as link:
            feed = RemoteFeed(link)
            until(feed, lambda glance: [each.seq for each in glance.pictures] == [0, 0])
        while feed.newest(0.05) is not None:  # what the page had still said
            pass
        for seq in (1, 2):
            put(outcome(seq, {"time": seq}))
        with page(run.path, port=int(link.split(":")[2].split("/")[0])), closing(feed):
            until(
                feed,
                lambda glance: (
                    [each.seq for each in glance.pictures] == [2, 2] and len(glance.traces["lag"].values) == 3
                ),
            )


def test_a_wrong_token_is_said_with_its_cure(recording: Path) -> None:
    with page(recording) as link, pytest.raises(LinkError, match="token is not right; copy the whole link"):
        RemoteFeed(link.replace(TOKEN, "wrong")).newest(5.0)


def test_a_certificate_that_is_not_trusted_is_said_with_a_cure_that_cures(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = certificate_in(tmp_path)
    with page(recording, certificate=certificate, certificate_key=key) as link:
        with pytest.raises(UntrustedError, match=r"not trusted on this machine .*SSL_CERT_FILE=cert\.pem"):
            RemoteFeed(link)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with pytest.raises(UntrustedError, match=r"for another name .* the name that it was made for"):
            RemoteFeed(link.replace("127.0.0.1", "localhost"))
        with RemoteFeed(link) as feed:
            feed.check(20.0)
            assert feed.newest(20.0) is not None


def test_nobody_there_is_said_in_one_line() -> None:
    with pytest.raises(LinkError, match=r"http://127.0.0.1:1/: nobody answers .* still going on"):
        RemoteFeed("http://127.0.0.1:1/?token=x")


@pytest.mark.parametrize(
    "link", ["", "here", "http://x/", "ftp://x/?token=a", "http://[/?token=a", "http://x/?token=a&token=b"]
)
def test_what_is_no_link_is_refused(link: str) -> None:
    with pytest.raises(UsageError, match="link that the run prints"):
        RemoteFeed(link)


@contextmanager
def fake_page(*messages: str | bytes) -> Iterator[tuple[str, list[Any]]]:
    """A page that says `messages` to who comes, then keeps what it hears."""
    heard: list[Any] = []

    def talk(connection: ServerConnection) -> None:
        heard.append(connection.request.headers.get("Authorization"))
        for message in messages:
            connection.send(message)
        heard.extend(json.loads(message) for message in connection)

    with serve(talk, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{_port(server)}/?token={TOKEN}", heard


def _port(server: Server) -> int:
    return int(server.socket.getsockname()[1])


def state(**changes: Any) -> str:
    return json.dumps({"type": "state", "snapshot": fields(**changes), "link": "live"})


def image(seq: int = 4, size: int = 8, **changes: Any) -> bytes:
    header = {
        "kind": "image",
        "seq": seq,
        "view": {"position": 2, "channel": "red", "z": None},
        "width": size,
        "height": size,
        "region": [0, 0, 80, 80],
        "pixel_um": 0.02,
        "layers": [{"name": "raw", "low": 0.0, "high": 4.0, "scale": "sqrt"}],
        **changes,
    }
    return packed(header, bytes(range(size)) * size)


def packed(header: object, pixels: bytes) -> bytes:
    words = json.dumps(header).encode()
    return struct.pack("<I", len(words)) + words + zlib.compress(pixels)


def test_the_newest_snapshot_is_given_once_and_images_one_at_a_time() -> None:
    views = {"positions": [2, 3], "channels": ["red"], "z": [None]}
    hello = json.dumps({"type": "hello", "views": views, "curves": [], "log": []})
    told = (hello, *(state(seq=seq) for seq in range(5)), image())
    with fake_page(*told) as (link, heard), RemoteFeed(link) as feed:
        wait_for(lambda: len(heard) == 2 or feed.newest(0.05))
        while (seen := feed.newest(0.5)) is not None:
            assert seen.seq <= 4
        glance = feed.glance()
        assert glance is not None
        assert glance.pictures[0].view == "position 2, channel red"
        assert glance.pictures[0].values[0, -1] == pytest.approx(4 * (7 / 255) ** 2)
        assert feed.glance() is None
        wait_for(lambda: len(heard) == 3)
    token, look, drawn = heard
    assert token == f"Bearer {TOKEN}"
    asked = {key: look[key] for key in ("type", "position", "channel", "z", "seq")}
    assert asked == {"type": "view", "position": 2, "channel": "red", "z": None, "seq": None}
    assert drawn == {"type": "drawn", "seq": 4}


def test_junk_from_a_page_is_counted_and_the_next_snapshot_heard() -> None:
    junk = (
        "no json",
        "[" * 100_000,
        "[]",
        json.dumps({"type": "state", "snapshot": {"seq": "x"}}),
        b"\xff" * 9,
    )
    with fake_page(*junk, state(**STOPPED)) as (link, _), RemoteFeed(link) as feed:
        snapshot = None
        while snapshot is None:
            snapshot = feed.newest(1.0)
        assert (snapshot.state, feed.junk) == ("stopped", 3)


def test_a_recording_that_its_writer_has_left_counts_as_failed() -> None:
    told = Told()
    assert told.take(json.loads(state(state="left")))
    assert told.snapshot is not None
    assert told.snapshot.state == "failed"
    assert "without closing it" in told.snapshot.decision.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
KEYS = ("views", "curves", "points", "log", "forecast", "left", "snapshot", "link")


@given(st.sampled_from(["hello", "curves", "state", "error"]), st.dictionaries(st.sampled_from(KEYS), JSON))
def test_no_message_ends_the_view(kind: str, message: dict[str, Any]) -> None:
    told = Told()
    told.take({"type": kind, **message})
    told.take(
        {
            "type": kind,
            "curves": [{"key": "a", "name": "photons", **message}],
            "points": [{"key": "a", "seq": [1], "value": [2], "limit": [3]}],
            "log": [message],
            "forecast": {"key": "a", **message},
            "left": message,
        }
    )
    told.glance()


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xff\xff\xff\xff",
        packed([], b""),
        packed({"seq": 1, "height": 2, "width": 2, "layers": [{"name": "raw"}]}, b"123"),
        packed({"seq": 1, "height": 2, "width": 2, "layers": [{"name": "raw"}]}, b"12345"),
        packed({"seq": 1, "height": -2, "width": -2, "layers": [{"name": "raw"}]}, b"1234"),
        packed({"seq": 1, "height": PIXELS_MAX, "width": 2, "layers": [{"name": "raw"}]}, b"1234"),
        packed({"seq": 1, "height": 1e999, "width": 2, "layers": [{"name": "raw"}]}, b"1234"),
        image()[:-12],
        image(layers=[{"low": 3}, 7]),
    ],
)
def test_what_is_no_image_is_passed_over(message: bytes) -> None:
    told = Told()
    assert not told.take_image(message)
    assert told.pictures == ()


def test_a_bomb_is_not_unpacked() -> None:
    bomb = packed(
        {"kind": "image", "seq": 1, "height": 4, "width": 4, "layers": [{"name": "raw"}]}, bytes(1 << 26)
    )
    with pytest.raises(ValueError, match="not as long as its header says"):
        parse_image(bomb)


@given(st.binary(max_size=60), JSON)
def test_no_bytes_end_the_view(tail: bytes, header: Any) -> None:
    words = json.dumps(header).encode()
    Told().take_image(struct.pack("<I", len(words)) + words + tail)
    Told().take_image(tail)

"""Pages that flood, crowd, or say nonsense: they are given up, and the others do not notice."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import zmq
from pages import TOKEN, WAIT_S, Growing, Page, Viewer, served
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from streamer.preview.server import asking, connections
from streamer.preview.server import viewer as viewer_module
from streamer.preview.server.access import ADDRESSES_MAX, Rate
from streamer.preview.server.connections import WAITING_MAX
from streamer.wire.requests import Answer, Request, decode_request, encode_answer


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Growing]:
    run = Growing(tmp_path_factory.mktemp("crowd") / "run")
    run.put(3)
    yield run
    run.leave()


@pytest.fixture
def page(run: Growing) -> Iterator[Page]:
    with served(run.folder.path) as page:
        yield page


def closed_with(viewer: Viewer) -> int:
    """The code that the page ends this connection with."""
    with pytest.raises(ConnectionClosed) as closed:
        viewer.until(lambda: False)
    return closed.value.rcvd.code if closed.value.rcvd else 1006


def test_nonsense_is_answered_in_words_and_the_connection_stays(page: Page, run: Growing) -> None:
    with page.viewer() as viewer:
        viewer.socket.send("nonsense")
        assert viewer.hear("error")["text"] == "not understood: not JSON"
        viewer.socket.send(b"\x00\x01")
        assert viewer.hear("error")["text"] == "not understood: not a text"
        viewer.say("view", width=10**9)
        assert "height" in viewer.hear("error")["text"]
        viewer.socket.send("x" * 5000)
        assert "longer than" in viewer.hear("error")["text"]
        viewer.look()
        assert viewer.image().seq == run.seq - 1


def test_nonsense_without_end_is_given_up(page: Page) -> None:
    with page.viewer() as viewer:
        for _ in range(30):
            viewer.socket.send("nonsense")
        assert closed_with(viewer) == 4408


def test_a_message_beyond_all_bounds_ends_its_connection_only(page: Page, run: Growing) -> None:
    with page.viewer() as other, page.viewer() as viewer:
        viewer.socket.send("x" * 100_000)
        assert closed_with(viewer) == 1009
        other.look()
        assert other.image().seq == run.seq - 1


def test_a_flood_is_given_up_and_others_do_not_notice(page: Page, run: Growing) -> None:
    with page.viewer() as other, page.viewer() as viewer:
        for _ in range(400):
            try:
                viewer.say("drawn", seq=0)
            except ConnectionClosed:
                break
        assert closed_with(viewer) == 4408
        other.look()
        assert other.image().seq == run.seq - 1


def test_more_pages_than_are_allowed_are_told_so(run: Growing) -> None:
    with (
        served(run.folder.path, viewers_max=2) as page,
        page.viewer() as one,
        page.viewer() as two,
        page.viewer() as three,
    ):
        one.hear("hello")
        two.hear("hello")
        assert closed_with(three) == 4429
        two.close()
        _until_let_in(page)


def test_a_page_that_takes_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer_module, "SEND_S", 0.2)
    monkeypatch.setattr(connections, "LAST_WORDS_S", 0.5)
    big = Growing(tmp_path / "run", (256, 256))
    big.put(33)
    with served(big.folder.path, viewers_max=1) as page, page.viewer(max_queue=1, close_timeout=0.5) as deaf:
        deaf.hear("hello")

        def wants_more() -> None:
            with contextlib.suppress(ConnectionClosed):
                deaf.say("strip", count=64, width=256)  # 2 MB each, until the system takes no more

        assert _until_let_in(page, meanwhile=wants_more)
    big.leave()


def test_a_thousand_connections_leave_it_alive(run: Growing) -> None:
    with served(run.folder.path, viewers_max=4) as page:
        with page.viewer() as viewer:
            viewer.look()
            viewer.image()
            outcomes = asyncio.run(_connect(page, 1000))
            last = run.put(1)
            viewer.until(lambda: any(image.seq == last for image in viewer.images))
        assert outcomes[1000] <= 3  # beside the one that was there
        assert outcomes[4429] + outcomes[403] + outcomes[1000] == 1000
        assert _until_let_in(page)


def test_connections_that_ask_for_nothing_make_room(page: Page) -> None:
    """Ten times as many as may wait; those that waited longest are cut off."""
    host, port = page.place.split(":")
    idle: list[socket.socket] = []
    try:
        for _ in range(4 * WAITING_MAX):
            idle.append(socket.create_connection((host, int(port)), 10))
        assert httpx.get(f"{page.http}/health", trust_env=False, timeout=WAIT_S).json() == {"ok": True}
        with page.viewer() as viewer:
            viewer.hear("hello")
        idle[0].settimeout(10)
        with contextlib.suppress(ConnectionResetError):
            assert idle[0].recv(1) == b""
    finally:
        for each in idle:
            each.close()


def test_a_thousand_requests_are_slowed_down(page: Page) -> None:
    with httpx.Client(base_url=page.http, trust_env=False) as http:
        codes = Counter(http.get("/health").status_code for _ in range(1000))
        assert codes[429] > 0
        assert codes[200] + codes[429] == 1000
    with page.viewer() as viewer:
        viewer.hear("hello")


def test_a_rate_forgets_addresses_and_lets_in_again() -> None:
    rate = Rate(per_s=2.0, burst=3)
    assert [rate.allows("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert rate.allows("b", 0.0)
    assert rate.allows("a", 0.5)
    assert not rate.allows("a", 0.5)
    for number in range(2 * ADDRESSES_MAX):
        rate.allows(str(number), 1.0)
    assert len(rate._left) == ADDRESSES_MAX


class Controlled:
    """The end of a run that takes requests.

    Attributes:
        heard: what was asked.
        slow: actions that it does not answer until `done` is set.
    """

    def __init__(self, *slow: str) -> None:
        self.heard: list[Request] = []
        self.slow, self.done = slow, threading.Event()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.bind("tcp://127.0.0.1:*")
        self.endpoint = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        waiting: list[bytes] = []
        while not self._over.is_set():
            if self._socket.poll(50):
                peer, _, data = self._socket.recv_multipart()
                self.heard.append(decode_request(data, "secret"))
                if self.heard[-1].action in self.slow:
                    waiting.append(peer)
                else:
                    self._answer(peer)
            while waiting and self.done.is_set():
                self._answer(waiting.pop())

    def _answer(self, peer: bytes) -> None:
        answer = encode_answer(Answer(ok=True, text="done as asked"))
        self._socket.send_multipart([peer, b"", answer])

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close(0)
        self._context.term()


def test_what_is_asked_reaches_the_run_and_its_answer_the_page(run: Growing) -> None:
    controlled = Controlled()
    settings: dict[str, Any] = {"requests": controlled.endpoint, "requests_secret": "secret"}
    with served(run.folder.path, **settings) as page, page.viewer() as viewer:
        control = viewer.hear("hello")["control"]
        assert control == {"allowed": True, "actions": ["stop", "pause", "resume", "mark"], "why_not": ""}
        viewer.say("ask", id=1, action="mark", note="a vesicle")
        assert viewer.hear("answer") == {"type": "answer", "id": 1, "ok": True, "text": "done as asked"}
        viewer.say("ask", id=2, action="more light", note="")
        refused = viewer.hear("answer")
        assert (refused["id"], refused["ok"]) == (2, False)
        viewer.say("ask", id=3, action="stop", note="enough")
        assert viewer.hear("answer")["ok"]
    assert [(each.action, each.note) for each in controlled.heard] == [
        ("mark", "a vesicle"),
        ("stop", "enough"),
    ]
    assert controlled.heard[0].by == "the page at 127.0.0.1"
    controlled.close()


def test_a_stop_waits_for_no_other_request(run: Growing) -> None:
    controlled = Controlled("pause")
    settings: dict[str, Any] = {"requests": controlled.endpoint, "requests_secret": "secret"}
    with served(run.folder.path, **settings) as page, contextlib.ExitStack() as stack:
        viewers = [stack.enter_context(page.viewer()) for _ in range(asking.AT_ONCE)]
        for viewer in viewers:
            viewer.hear("hello")
            viewer.say("ask", id=1, action="pause", note="")
        viewers[0].say("ask", id=2, action="pause", note="")
        refused = viewers[0].hear("answer")
        assert (refused["id"], refused["ok"]) == (2, False)
        with page.viewer() as late:
            late.say("ask", id=1, action="mark", note="")
            assert "not answered the last request" in late.hear("answer")["text"]
            late.say("ask", id=2, action="stop", note="")
            assert late.hear("answer") == {"type": "answer", "id": 2, "ok": True, "text": "done as asked"}
        viewers[0].say("ask", id=3, action="stop", note="")
        assert viewers[0].hear("answer") == {"type": "answer", "id": 3, "ok": True, "text": "done as asked"}
        controlled.done.set()
        for viewer in viewers:
            viewer.until(lambda viewer=viewer: _answer_to(viewer, 1))
    assert [each.action for each in controlled.heard].count("stop") == 2
    controlled.close()


def test_a_stop_is_asked_once_by_a_page_until_it_is_answered(run: Growing) -> None:
    controlled = Controlled("stop")
    settings: dict[str, Any] = {"requests": controlled.endpoint, "requests_secret": "secret"}
    with served(run.folder.path, **settings) as page, page.viewer() as viewer, page.viewer() as other:
        for number in (1, 2):
            viewer.say("ask", id=number, action="stop", note="")
        assert "asked for already" in viewer.until(lambda: _answer_to(viewer, 2))["text"]
        other.say("ask", id=1, action="stop", note="")
        other.say("ask", id=2, action="mark", note="")
        other.until(lambda: _answer_to(other, 2))
        controlled.done.set()
        assert viewer.until(lambda: _answer_to(viewer, 1))["ok"]
        assert other.until(lambda: _answer_to(other, 1))["ok"]
        viewer.say("ask", id=3, action="stop", note="")
        assert viewer.until(lambda: _answer_to(viewer, 3))["ok"]
    assert [each.action for each in controlled.heard].count("stop") == 3
    controlled.close()


def test_without_control_nothing_can_be_asked(page: Page) -> None:
    with page.viewer() as viewer:
        viewer.say("ask", id=9, action="stop", note="")
        answer = viewer.hear("answer")
    assert (answer["id"], answer["ok"]) == (9, False)
    assert "only watches" in answer["text"]


def test_a_run_that_is_over_takes_no_requests(tmp_path: Path) -> None:
    over = Growing(tmp_path / "run")
    over.put(2)
    over.close()
    settings = {"requests": "tcp://127.0.0.1:9", "requests_secret": "secret"}
    with served(over.folder.path, **settings) as page, page.viewer() as viewer:
        viewer.say("ask", id=9, action="stop", note="")
        assert "over" in viewer.hear("answer")["text"]


def _answer_to(viewer: Viewer, number: int) -> dict[str, Any] | None:
    answers = (text for text in viewer.texts if text["type"] == "answer" and text["id"] == number)
    return next(answers, None)


def _until_let_in(page: Page, meanwhile: Callable[[], object] = bool) -> bool:
    """Who left is noticed in a moment."""
    for _ in range(300):
        meanwhile()
        try:
            with page.viewer() as viewer:
                viewer.hear("hello")
                return True
        except (ConnectionClosed, InvalidStatus):
            threading.Event().wait(0.05)
    pytest.fail("nobody is let in any more")


async def _connect(page: Page, count: int) -> Counter[int]:
    """What becomes of so many connections at once: 1000 let in, a close code, or an HTTP status."""
    gate, outcomes = asyncio.Semaphore(100), Counter[int]()
    all_tried = asyncio.Event()

    async def one() -> None:
        async with gate:
            try:
                headers = {"Authorization": f"Bearer {TOKEN}"}
                url = f"ws://{page.place}/ws"
                async with connect(
                    url, additional_headers=headers, proxy=None, compression=None, open_timeout=WAIT_S
                ) as opened:
                    await opened.recv()
                    tried(1000)
                    await all_tried.wait()
            except InvalidStatus as refused:
                tried(refused.response.status_code)
            except ConnectionClosed as closed:
                tried(closed.rcvd.code if closed.rcvd else 1006)

    def tried(outcome: int) -> None:
        outcomes[outcome] += 1
        if outcomes.total() == count:
            all_tried.set()

    await asyncio.gather(*[one() for _ in range(count)])
    return outcomes

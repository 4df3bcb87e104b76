"""Where requests arrive: nobody without the secret, nobody keeps others out."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import zmq

from streamer.sources.requests import AT_ONCE, RequestsSource
from streamer.wire.requests import Answer, Request, ask


class Clerk:
    """Takes every request, except where it fails."""

    def __init__(self) -> None:
        self.taken: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        if request.note == "fail":
            raise RuntimeError("out of order")
        self.taken.append(request)
        return Answer(ok=True, text=f"{request.action} it is")


@pytest.fixture
def clerk() -> Clerk:
    return Clerk()


@pytest.fixture
def source(clerk: Clerk) -> Iterator[RequestsSource]:
    source = RequestsSource(clerk)
    yield source
    source.close()


def test_who_knows_the_secret_is_heard_and_answered(source: RequestsSource, clerk: Clerk) -> None:
    request = Request(action="mark", note="mitosis µ", by="the terminal")
    assert ask(source.endpoint, source.secret, request) == Answer(ok=True, text="mark it is")
    assert clerk.taken == [request]
    assert source.endpoint.startswith("tcp://127.0.0.1:")


def test_who_does_not_is_refused_and_counted(source: RequestsSource, clerk: Clerk) -> None:
    answers = [ask(source.endpoint, secret, Request(action="stop")) for secret in ("", "0" * 32)]
    assert not any(answer.ok for answer in answers)
    assert "secret" in answers[0].text
    assert (clerk.taken, source.refused) == ([], 2)


def test_every_run_has_a_secret_of_its_own(source: RequestsSource, clerk: Clerk) -> None:
    other = RequestsSource(clerk)
    assert other.secret != source.secret
    assert not ask(other.endpoint, source.secret, Request(action="stop")).ok
    other.close()


def test_a_request_that_fails_is_answered_and_the_next_is_heard(
    source: RequestsSource, caplog: pytest.LogCaptureFixture
) -> None:
    failed = ask(source.endpoint, source.secret, Request(action="stop", note="fail"))
    assert failed == Answer(ok=False, text="stop failed: RuntimeError: out of order")
    assert ask(source.endpoint, source.secret, Request(action="stop")).ok
    assert "the request stop failed" in caplog.text


def test_peers_that_flood_stall_or_vanish_keep_nobody_from_asking(
    source: RequestsSource, clerk: Clerk
) -> None:
    context = zmq.Context()
    sockets = [context.socket(zmq.DEALER) for _ in range(20)]
    for number, socket in enumerate(sockets):
        socket.linger = 0
        socket.connect(source.endpoint)
        for _ in range(5):  # never reads an answer; every fourth is far too long and loses its connection
            socket.send_multipart([b"", b"{" * (100_000 if number % 4 == 0 else 10)], zmq.NOBLOCK)
    for socket in sockets[::2]:
        socket.close()
    answers: list[Answer] = []
    askers = [
        threading.Thread(
            target=lambda: answers.append(
                ask(source.endpoint, source.secret, Request(action="mark"), timeout_s=30)
            )
        )
        for _ in range(4)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert [answer.ok for answer in answers] == [True] * 4
    assert len(clerk.taken) == 4
    context.destroy(0)


def test_a_stop_does_not_wait_for_a_request_that_waits_for_the_microscope() -> None:
    exposed, waiting = threading.Event(), threading.Semaphore(0)

    def answer(request: Request) -> Answer:
        if request.action == "pause":
            waiting.release()
            exposed.wait(30)
        return Answer(ok=True, text=request.action)

    source = RequestsSource(answer)
    answers: list[Answer] = []

    def pause() -> None:
        answers.append(ask(source.endpoint, source.secret, Request(action="pause"), timeout_s=60))

    pauses = [threading.Thread(target=pause) for _ in range(AT_ONCE)]
    for thread in pauses:
        thread.start()
    for _ in pauses:
        assert waiting.acquire(timeout=30)
    assert ask(source.endpoint, source.secret, Request(action="stop")) == Answer(ok=True, text="stop")
    refused = ask(source.endpoint, source.secret, Request(action="pause"))
    assert refused.text == f"pause refused: {AT_ONCE} others wait for the microscope"
    exposed.set()
    for thread in pauses:
        thread.join()
    assert [answer.text for answer in answers] == ["pause"] * AT_ONCE
    source.close()

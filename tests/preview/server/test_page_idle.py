"""Connections that do not end what they have begun: bounded in number and time, also while the page ends."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pages import TOKEN, WAIT_S, Growing, Page, certificate_in, served

from streamer.preview.server import connections

BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Growing]:
    run = Growing(tmp_path_factory.mktemp("idle") / "run")
    run.put(1)
    yield run
    run.leave()


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Path], ssl.SSLContext]:
    """Settings of a page with TLS, and what trusts it."""
    certificate, key = certificate_in(tmp_path_factory.mktemp("certificate"))
    trust = ssl.create_default_context(cafile=certificate)
    return {"certificate": certificate, "certificate_key": key}, trust


def knock(page: Page) -> socket.socket:
    host, port = page.place.split(":")
    return socket.create_connection((host, int(port)), WAIT_S)


def is_cut_off(connection: socket.socket) -> bool:
    """Whether the page has ended it; waits for that, and takes what comes before."""
    with contextlib.suppress(ConnectionError):
        while connection.recv(1 << 16):
            pass
    return True


def test_handshakes_that_never_end_make_room(
    run: Growing,
    encrypted: tuple[dict[str, Path], ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "WAITING_MAX", 8)
    settings, trust = encrypted
    with contextlib.ExitStack() as stack:
        with served(run.folder.path, **settings) as page:
            idle = [stack.enter_context(knock(page)) for _ in range(32)]
            for half in idle[::2]:
                with contextlib.suppress(ConnectionError):
                    half.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a greeting
            with httpx.Client(verify=trust, trust_env=False, timeout=WAIT_S) as http:
                assert http.get(f"{page.http}/health").json() == {"ok": True}
            with page.viewer(headers={**BEARER, "Origin": page.http}, ssl=trust) as viewer:
                viewer.hear("hello")
            assert all(is_cut_off(each) for each in idle[:20])
        # Those that are left have not kept the page from ending: `served` looks.
        assert all(is_cut_off(each) for each in idle[20:])


def test_a_handshake_that_never_ends_is_cut_off(
    run: Growing,
    encrypted: tuple[dict[str, Path], ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "FIRST_REQUEST_S", 0.2)
    with served(run.folder.path, **encrypted[0]) as page, knock(page) as idle:
        assert is_cut_off(idle)


def test_what_is_no_handshake_hurts_nobody(
    run: Growing, encrypted: tuple[dict[str, Path], ssl.SSLContext]
) -> None:
    settings, trust = encrypted
    with served(run.folder.path, **settings) as page:
        for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 1000, b"\xff" * 70_000):
            with knock(page) as stranger:
                with contextlib.suppress(ConnectionError):
                    stranger.sendall(nonsense)
                assert is_cut_off(stranger)
        assert httpx.get(f"{page.http}/health", verify=trust, trust_env=False).json() == {"ok": True}


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(b"GET /health HTTP/1.1\r\nHost:", id="half a request"),
        pytest.param(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /hea", id="half a second one"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nx", id="half a body"),
        pytest.param(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", id="a whole one and nothing after it"),
    ],
)
def test_requests_that_never_end_are_cut_off(
    run: Growing, request_: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "FIRST_REQUEST_S", 0.2)
    with served(run.folder.path) as page, knock(page) as idle:
        idle.sendall(request_)
        assert is_cut_off(idle)


def test_a_request_that_never_ends_does_not_keep_the_page_from_ending(run: Growing) -> None:
    with served(run.folder.path) as page:
        idle = knock(page)
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /hea")
        assert idle.recv(1 << 16).startswith(b"HTTP/1.1 200")
    assert is_cut_off(idle)
    idle.close()


def test_an_answer_that_is_never_read_is_cut_off(run: Growing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LAST_WORDS_S", 0.2)
    cut, cut_off = threading.Event(), connections.BoundedHttp.cut_off

    def heard(connection: connections.BoundedHttp) -> None:
        cut_off(connection)
        cut.set()

    monkeypatch.setattr(connections.BoundedHttp, "cut_off", heard)
    report = run.folder.path / "report.html"
    report.write_bytes(b"x" * (1 << 25))  # more than the system takes in between
    with served(run.folder.path) as page, knock(page) as deaf:
        deaf.sendall(f"GET /report HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        assert deaf.recv(1).startswith(b"H")
        assert cut.wait(WAIT_S)
        taken = 1
        with contextlib.suppress(ConnectionError):
            while part := deaf.recv(1 << 20):
                taken += len(part)
    assert taken < report.stat().st_size
    report.unlink()

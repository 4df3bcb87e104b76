"""Requests of people: what is taken is bounded and known, what is not is refused in words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.wire import WireError
from streamer.wire.requests import (
    ANSWER_MAX,
    BY_MAX,
    MAX_BYTES,
    NOTE_MAX,
    REQUEST_ACTIONS,
    Answer,
    Request,
    ask,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)

SECRET = "5ec3e7" * 5


@given(
    st.builds(Request, action=st.sampled_from(REQUEST_ACTIONS), note=st.text(max_size=900), by=st.text()),
)
def test_any_request_arrives_cut_to_its_bounds_and_without_what_steers_a_terminal(request: Request) -> None:
    data = encode_request(SECRET, request)
    assert len(data) <= MAX_BYTES
    there = decode_request(data, SECRET)
    assert there.action == request.action
    assert len(there.note) <= NOTE_MAX
    assert len(there.by) <= BY_MAX
    assert (there.note + there.by).isprintable()
    assert decode_request(encode_request(SECRET, there), SECRET) == there


@pytest.mark.parametrize("character", ["x", "µ", "\U0001f52c", "\x00", "\ud800", '"'])
def test_the_longest_request_and_answer_fit_whatever_they_are_made_of(character: str) -> None:
    request = Request(action="mark", note=character * NOTE_MAX, by=character * BY_MAX)
    assert len(encode_request(SECRET, request)) <= MAX_BYTES
    assert decode_request(encode_request(SECRET, request), SECRET).action == "mark"
    answer = Answer(ok=False, text=character * 5000)
    assert len(decode_answer(encode_answer(answer)).text) <= ANSWER_MAX


def packed(**fields: object) -> bytes:
    return json.dumps({"secret": SECRET, "action": "stop", **fields}).encode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 2000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b" " * (MAX_BYTES + 1), f"at most {MAX_BYTES}"),
        (b'{"action": "stop"}', "the secret is another run's"),
        (packed(secret="x"), "the secret is another run's"),
        (packed(secret=SECRET.upper()), "the secret is another run's"),
        (packed(secret=[SECRET]), "the secret is another run's"),
        (packed(action="fire"), "use stop, pause, resume, mark"),
        (packed(action=["stop"]), "use stop, pause, resume, mark"),
        (packed(action=None), "use stop, pause, resume, mark"),
        (packed(note=3), "note is no text"),
        (packed(note="x" * (NOTE_MAX + 1)), "note is no text of at most"),
        (packed(by="x" * (BY_MAX + 1)), "by is no text of at most"),
        (packed(path="/etc"), "unknown field 'path'"),
        (b'{"secret": "\\ud800"}', "no Unicode"),
    ],
)
def test_what_is_no_request_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why):
        decode_request(data, SECRET)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        decode_request(data, SECRET)
    with pytest.raises(WireError):
        decode_answer(data)


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("tcp://192.168.0.4:5555", "no address on this machine"),
        ("ipc:///tmp/x", "no address on this machine"),
        ("", "no address on this machine"),
        ("tcp://127.0.0.1:9", "has not answered within 0.2 s"),
    ],
)
def test_a_run_that_cannot_be_asked_is_an_answer_too(endpoint: str, why: str) -> None:
    answer = ask(endpoint, SECRET, Request(action="stop"), timeout_s=0.2)
    assert not answer.ok
    assert why in answer.text

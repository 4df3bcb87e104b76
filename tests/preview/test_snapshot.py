"""A snapshot is believed only when every key of it is of its kind."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshots import fields, message

from streamer.preview import parse_snapshot


def test_a_published_snapshot_is_read_whole() -> None:
    snapshot = parse_snapshot(message())
    assert (snapshot.run, snapshot.state, snapshot.seq, snapshot.planned) == ("demo-0001", "running", 30, 260)
    assert [verdict.guard for verdict in snapshot.verdicts] == [
        "signal_map",
        "similarity",
        "photons",
        "range",
    ]
    assert snapshot.decision.action == "continue"


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        ({"planned": None}, "planned", None),
        ({"seq": -1}, "seq", -1),
        ({"from a newer publisher": 1}, "seq", 30),
        ({"run": "a\x1b[2Jb\nc"}, "run", "a [2Jb c"),
        ({"run": "x" * 5000}, "run", "x" * 400),
    ],
    ids=["open end", "before the first frame", "unknown key", "control codes", "very long name"],
)
def test_what_is_tolerated(changes: dict, key: str, expected: object) -> None:
    assert getattr(parse_snapshot(message(**changes)), key) == expected


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\xff\xfe{}",
        b"[]",
        b"null",
        b"{}",
        message()[:-1],
        message(lag_ms=float("nan")),
        message(lag_ms=10**400),
        message(lag_ms="1"),
        message(seq=-2),
        message(seq=1.5),
        message(received=True),
        message(state="dancing"),
        message(state=["running"]),
        message(verdicts={}),
        message(verdicts=[{}]),
        message(decision=None),
        message(dose={"640": None}),
        message(timings_ms=[1.0]),
        b"[" * 100_000,
    ],
    ids=lambda junk: junk[:24].decode(errors="replace"),
)
def test_junk_is_refused(junk: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_snapshot(junk)


@pytest.mark.parametrize("key", [key for key in fields() if key != "planned"])
def test_no_key_may_be_missing(key: str) -> None:
    incomplete = {name: value for name, value in fields().items() if name != key}
    with pytest.raises(ValueError, match=r"\w"):
        parse_snapshot(json.dumps(incomplete).encode())


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_refused_in_words(junk: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_snapshot(junk)

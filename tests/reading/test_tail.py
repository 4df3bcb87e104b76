"""Rows of a file that somebody else writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamer.reading import Tail, tail


def line(number: int) -> bytes:
    return json.dumps({"seq": number}).encode() + b"\n"


def seqs(rows: list[dict[str, int]]) -> list[int]:
    return [row["seq"] for row in rows]


def test_a_file_that_is_not_there_yet_has_no_rows_until_it_comes(tmp_path: Path) -> None:
    following = Tail(tmp_path / "rows.jsonl")
    assert following.new() == []
    (tmp_path / "rows.jsonl").write_bytes(line(0) + line(1))
    assert seqs(following.new()) == [0, 1]
    assert following.new() == []


def test_only_what_is_new_is_given(tmp_path: Path) -> None:
    following = Tail(tmp_path / "rows.jsonl")
    for number in range(5):
        with (tmp_path / "rows.jsonl").open("ab") as stream:
            stream.write(line(number))
        assert seqs(following.new()) == [number]
    assert (following.lines, following.damaged, following.restarts) == (5, 0, 0)


def test_no_more_rows_than_wanted_are_given_and_the_others_follow(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b"".join(map(line, range(10))))
    following = Tail(tmp_path / "rows.jsonl")
    assert [seqs(following.new(4)) for _ in range(4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9], []]


def test_a_torn_line_waits_until_it_is_whole(tmp_path: Path) -> None:
    path, whole = tmp_path / "rows.jsonl", line(1)
    path.write_bytes(line(0) + whole[:5])
    following = Tail(path)
    assert (seqs(following.new()), following.torn_bytes) == ([0], 5)
    assert following.new() == []
    path.write_bytes(line(0) + whole)
    assert (seqs(following.new()), following.damaged) == ([1], 0)


def test_a_torn_line_that_is_cut_off_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(line(0) + b'{"seq": 1, "half')
    following = Tail(path)
    assert seqs(following.new()) == [0]
    path.write_bytes(line(0) + line(1) + line(2))  # who went on cut it off and wrote longer ones
    assert (seqs(following.new()), following.damaged, following.restarts) == ([1, 2], 0, 0)


@pytest.mark.parametrize(
    "damage",
    [b"{no json}\n", b"[1, 2]\n", b"\xff\xfe\n", b"\n", b"[" * 100_000 + b"\n", b"7\n", b"1" * 5000 + b"\n"],
    ids=["no json", "no table", "no text", "empty", "deep", "a number", "a number too long"],
)
def test_a_damaged_line_is_counted_and_those_behind_it_are_read(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(line(0) + damage + line(2))
    following = Tail(path)
    assert (seqs(following.new()), following.damaged, following.lines) == ([0, 2], 1, 3)


def test_a_line_without_end_is_not_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "LINE_MAX_BYTES", 100)
    monkeypatch.setattr(tail, "_BLOCK_BYTES", 64)
    path = tmp_path / "rows.jsonl"
    path.write_bytes(line(0) + b"x" * 1000)
    following = Tail(path)
    assert seqs(following.new()) == [0]
    assert following.torn_bytes <= 100
    with path.open("ab") as stream:
        stream.write(b"x" * 500 + b"\n" + line(2))
    assert (seqs(following.new()), following.damaged) == ([2], 1)


def test_a_file_that_was_replaced_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(line(0) + line(1))
    following = Tail(path)
    following.new()
    (tmp_path / "new").write_bytes(line(7))
    (tmp_path / "new").replace(path)
    assert (seqs(following.new()), following.restarts) == ([7], 1)


def test_asking_again_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(line(0) + b"{torn")
    following = Tail(path)
    following.new()
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("opened"))
    assert following.new() == []

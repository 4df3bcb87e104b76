"""Streams of JSON lines, whole and torn."""

from __future__ import annotations

import errno
import json
import tempfile
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.errors import RecordingError, SourceError
from streamer.recording import LineWriter, iter_lines
from streamer.recording.lines import drop_torn_line

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ROWS = st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), min_size=1, max_size=5)


def write(path: Path, rows: list[dict[str, object]]) -> None:
    writer = LineWriter(path)
    for row in rows:
        writer.put(row)
    writer.close()


@settings(deadline=None)  # the time of a disk says nothing about a stream
@given(rows=ROWS, cut=st.floats(0, 1))
def test_a_stream_cut_anywhere_gives_every_row_before_the_cut(
    rows: list[dict[str, object]], cut: float
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frames.jsonl"
        write(path, rows)
        whole = path.read_bytes()
        kept = whole[: round(cut * len(whole))]
        path.write_bytes(kept)
        read = list(iter_lines(path))
    assert len(read) == kept.count(b"\n")
    assert read == [json.loads(line) for line in whole.splitlines(keepends=True)[: len(read)]]


@pytest.mark.parametrize(
    ("whole", "torn"),
    [
        (b'{"seq":0}\n', b'{"seq":1'),
        (b'{"seq":0}\n', b""),
        (b"", b'{"x'),
        (b"", b""),
        (b"{}\n", b"x" * 200_000),
    ],
    ids=["torn", "whole", "first line torn", "empty", "long and torn"],
)
def test_a_torn_last_line_is_cut_off(tmp_path: Path, whole: bytes, torn: bytes) -> None:
    path = tmp_path / "frames.jsonl"
    path.write_bytes(whole + torn)
    drop_torn_line(path)
    assert path.read_bytes() == whole


def test_half_a_surrogate_pair_survives_a_stream(tmp_path: Path) -> None:
    row = {"axes": {"position": "\ud800", "channel": "\U0001f52c"}}
    write(tmp_path / "frames.jsonl", [row])
    assert list(iter_lines(tmp_path / "frames.jsonl")) == [row]


def test_a_torn_last_line_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "frames.jsonl"
    path.write_bytes(b'{"seq":0}\n{"seq":1')
    assert list(iter_lines(path)) == [{"seq": 0}]
    assert "line 2 is torn (8 bytes)" in caplog.text


@pytest.mark.parametrize(
    "damaged",
    [b'{"seq":0\n', b"\x00\x00\x00\n", b"\xff\xfe\n", b"[1]\n"],
    ids=["cut", "zeros", "no text", "list"],
)
def test_a_damaged_line_that_was_acknowledged_is_refused(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "frames.jsonl"
    path.write_bytes(b'{"seq":0}\n' + damaged + b'{"seq":2}\n')
    with pytest.raises(SourceError, match=r"line 2 is .*; restore the file from a copy"):
        list(iter_lines(path))


def test_rows_are_strict_json_whatever_an_engine_puts_into_its_metadata(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    write(
        path,
        [{"n": np.uint16(7), "x": np.float32(0.5), "nan": float("nan"), "inf": float("-inf"), "p": path}],
    )
    (line,) = path.read_text(encoding="utf-8").splitlines()
    assert "NaN" not in line
    assert json.loads(line) == {"n": 7, "x": 0.5, "nan": None, "inf": None, "p": str(path)}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_ends_in_one_line_with_the_cure() -> None:
    writer = LineWriter(Path("/dev/full"))
    with pytest.raises(RecordingError, match=r"^/dev/full: disk full; free space") as caught:
        writer.put({"seq": 0})
    assert caught.value.exit_code == 1
    writer.close()


def test_a_row_that_the_disk_takes_half_of_leaves_no_half_for_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    writer = LineWriter(path)
    writer.put({"seq": 0})
    whole = writer._file
    writer._file = FullAfter(whole, 5)  # type: ignore[assignment]
    with pytest.raises(RecordingError, match="disk full"):
        writer.put({"seq": 1})
    writer._file = whole  # room again
    writer.put({"seq": 2})
    writer.close()
    assert list(iter_lines(path)) == [{"seq": 0}, {"seq": 2}]


class FullAfter:
    """A file on a disk that takes so many bytes more."""

    def __init__(self, file: FileIO, room: int) -> None:
        self._file, self._room = file, room

    def write(self, data: bytes) -> int:
        if not self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = self._file.write(data[: self._room])
        self._room -= taken
        return taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

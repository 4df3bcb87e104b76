"""Waiting messages: in order, bounded, never lost without being counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamer.core import Frame
from streamer.errors import SourceError
from streamer.wire import Backlog, Parcel, decode, encode, read_spool


def parcel(seq: int, slot: int | None = None) -> Parcel:
    frame = Frame(pixels=np.full((10, 10), seq, np.uint16), seq=seq)
    return Parcel(seq=seq, parts=[bytes(part) for part in encode(frame)], slot=slot, handed_ns=seq)


SIZE = parcel(1).size


def a_backlog(tmp_path: Path, *, in_ram: int = 2, on_disk: int = 100) -> Backlog:
    return Backlog(tmp_path / "x", ram_bytes=in_ram * SIZE, disk_bytes=on_disk * (SIZE + 100))


def taken(backlog: Backlog) -> list[int]:
    seqs = []
    while (item := backlog.take()) is not None:
        frame = decode([bytes(part) for part in item.parts])
        assert isinstance(frame, Frame)
        assert frame.seq == item.seq
        assert (frame.pixels == item.seq).all()
        seqs.append(item.seq)
    return seqs


@pytest.mark.parametrize("count", [1, 2, 3, 9], ids=lambda n: f"{n} messages, 2 fit in memory")
def test_messages_come_back_in_order(tmp_path: Path, count: int) -> None:
    backlog = a_backlog(tmp_path)
    for seq in range(count):
        assert backlog.append(parcel(seq))
    assert bool(list(tmp_path.iterdir())) == (count > 2)
    assert taken(backlog) == list(range(count))
    assert len(backlog) == count
    backlog.acknowledge(count - 1)
    assert len(backlog) == 0
    assert list(tmp_path.iterdir()) == []
    backlog.close()


def test_order_holds_when_memory_frees_up_in_between(tmp_path: Path) -> None:
    backlog = a_backlog(tmp_path)
    for seq in range(4):
        backlog.append(parcel(seq))
    backlog.take()
    backlog.acknowledge(0)
    backlog.append(parcel(4))
    assert taken(backlog) == [1, 2, 3, 4]
    backlog.close()


def test_the_spool_files_are_removed_once_it_is_acknowledged(tmp_path: Path) -> None:
    backlog = a_backlog(tmp_path)
    for round_ in range(3):
        first = round_ * 9
        for seq in range(first, first + 9):
            backlog.append(parcel(seq))
        assert len(taken(backlog)) == 9
        backlog.acknowledge(first + 8)
        assert list(tmp_path.iterdir()) == []
    backlog.close()


def test_a_reconnect_offers_again_what_did_not_arrive_and_keeps_what_is_not_recorded(tmp_path: Path) -> None:
    backlog = a_backlog(tmp_path)
    for seq in range(6):
        backlog.append(parcel(seq))
    taken(backlog)
    backlog.rewind(next_seq=3)
    assert taken(backlog) == [3, 4, 5]
    assert (len(backlog), backlog.first_seq) == (6, 0)
    backlog.close()


def test_disk_that_is_no_longer_needed_comes_back(tmp_path: Path) -> None:
    backlog = a_backlog(tmp_path, in_ram=0, on_disk=8)
    for seq in range(100):  # never more than two wait, but 100 pass through
        assert backlog.append(parcel(seq)), seq
        if seq:
            backlog.take()
            backlog.acknowledge(seq - 1)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 8 * (SIZE + 100)
    backlog.close()


def test_what_finds_no_room_is_counted(tmp_path: Path) -> None:
    backlog = a_backlog(tmp_path, in_ram=1, on_disk=2)
    kept = [backlog.append(parcel(seq)) for seq in range(5)]
    assert kept == [True, True, True, False, False]
    assert backlog.lost == 2
    assert taken(backlog) == [0, 1, 2]
    backlog.close()


def test_what_is_left_is_kept_and_can_be_read(tmp_path: Path) -> None:
    backlog = a_backlog(tmp_path)
    for seq in range(5):
        backlog.append(parcel(seq))
    backlog.take()
    backlog.acknowledge(0)
    kept = backlog.keep()
    assert kept is not None
    assert [frame.seq for frame in read_spool(kept)] == [1, 2, 3, 4]


def test_slots_come_back_when_their_frames_are_acknowledged_spooled_or_lost(tmp_path: Path) -> None:
    back: list[int] = []
    header = parcel(0, slot=0).size
    backlog = Backlog(tmp_path / "x", ram_bytes=header, disk_bytes=SIZE + 100, release=back.append)
    assert [backlog.append(parcel(seq, slot=seq)) for seq in range(3)] == [True, True, False]
    assert back == [1, 2]
    assert (backlog.spooled, backlog.lost) == (1, 1)
    assert taken(backlog) == [0, 1]
    assert backlog.acknowledge(1) == [(0, 0), (1, 1)]
    assert back == [1, 2, 0]


def test_a_disk_that_takes_no_more_at_the_end_leaves_the_spool_files_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog = a_backlog(tmp_path)
    for seq in range(5):
        backlog.append(parcel(seq))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("streamer.wire.backlog._write_record", full)
    with pytest.raises(OSError, match="No space"):
        backlog.keep()
    assert backlog.lost == 2
    left = [path for path in tmp_path.iterdir() if path.stat().st_size]
    assert [frame.seq for path in sorted(left) for frame in read_spool(path)] == [2, 3, 4]


@pytest.mark.parametrize("how", ["take", "keep"])
def test_a_record_that_cannot_be_read_back_is_lost_alone(tmp_path: Path, how: str) -> None:
    backlog = a_backlog(tmp_path)
    for seq in range(6):
        backlog.append(parcel(seq))
    (segment,) = backlog._segments
    entry = backlog._entries[3]
    segment._file.seek(entry.offset)
    segment._file.write(b"\xff" * 9)
    if how == "take":
        assert taken(backlog) == [0, 1, 2, 4, 5]
    else:
        kept = backlog.keep()
        assert kept is not None
        assert [frame.seq for frame in read_spool(kept)] == [0, 1, 2, 4, 5]
    assert backlog.lost == 1
    backlog.close()


def test_nothing_left_leaves_no_file(tmp_path: Path) -> None:
    assert a_backlog(tmp_path).keep() is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cut", [1, 5, 200], ids=lambda n: f"{n} bytes short")
def test_a_cut_spool_yields_what_is_whole_and_says_where(tmp_path: Path, cut: int) -> None:
    backlog = a_backlog(tmp_path)
    for seq in range(3):
        backlog.append(parcel(seq))
    kept = backlog.keep()
    assert kept is not None
    kept.write_bytes(kept.read_bytes()[:-cut])
    frames = read_spool(kept)
    assert [next(frames).seq, next(frames).seq] == [0, 1]
    with pytest.raises(SourceError, match=r"x\.kept: damaged"):
        next(frames)

"""Waiting messages: in order, bounded, never lost without being counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamer.core import Frame
from streamer.errors import SourceError
from streamer.wire import Backlog, decode, encode, read_spool


def parts_of(seq: int) -> list[bytes]:
    frame = Frame(pixels=np.full((10, 10), seq, np.uint16), seq=seq)
    return [bytes(part) for part in encode(frame)]


SIZE = sum(map(len, parts_of(1)))


def a_backlog(tmp_path: Path, *, in_ram: int = 2, on_disk: int = 100) -> Backlog:
    return Backlog(tmp_path / "x", ram_bytes=in_ram * SIZE, disk_bytes=on_disk * (SIZE + 100))


def taken(backlog: Backlog) -> list[int]:
    seqs = []
    while (item := backlog.take()) is not None:
        frame = decode([bytes(part) for part in item[1]])
        assert isinstance(frame, Frame)
        assert frame.seq == item[0]
        assert (frame.pixels == item[0]).all()
        seqs.append(item[0])
    return seqs


@pytest.mark.parametrize("count", [1, 2, 3, 9], ids=lambda n: f"{n} messages, 2 fit in memory")
def test_messages_come_back_in_order(tmp_path: Path, count: int) -> None:
    backlog = a_backlog(tmp_path)
    for seq in range(count):
        assert backlog.append(seq, parts_of(seq))
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
        backlog.append(seq, parts_of(seq))
    backlog.take()
    backlog.acknowledge(0)
    backlog.append(4, parts_of(4))
    assert taken(backlog) == [1, 2, 3, 4]
    backlog.close()


def test_the_spool_files_are_removed_once_it_is_acknowledged(tmp_path: Path) -> None:
    backlog = a_backlog(tmp_path)
    for round_ in range(3):
        first = round_ * 9
        for seq in range(first, first + 9):
            backlog.append(seq, parts_of(seq))
        assert len(taken(backlog)) == 9
        backlog.acknowledge(first + 8)
        assert list(tmp_path.iterdir()) == []
    backlog.close()


def test_a_reconnect_offers_again_what_did_not_arrive_and_keeps_what_is_not_recorded(tmp_path: Path) -> None:
    backlog = a_backlog(tmp_path)
    for seq in range(6):
        backlog.append(seq, parts_of(seq))
    taken(backlog)
    backlog.rewind(next_seq=3)
    assert taken(backlog) == [3, 4, 5]
    assert (len(backlog), backlog.first_seq) == (6, 0)
    backlog.close()


def test_disk_that_is_no_longer_needed_comes_back(tmp_path: Path) -> None:
    backlog = a_backlog(tmp_path, in_ram=0, on_disk=8)
    for seq in range(100):  # never more than two wait, but 100 pass through
        assert backlog.append(seq, parts_of(seq)), seq
        if seq:
            backlog.take()
            backlog.acknowledge(seq - 1)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 8 * (SIZE + 100)
    backlog.close()


def test_what_finds_no_room_is_counted(tmp_path: Path) -> None:
    backlog = a_backlog(tmp_path, in_ram=1, on_disk=2)
    kept = [backlog.append(seq, parts_of(seq)) for seq in range(5)]
    assert kept == [True, True, True, False, False]
    assert backlog.lost == 2
    assert taken(backlog) == [0, 1, 2]
    backlog.close()


def test_what_is_left_is_kept_and_can_be_read(tmp_path: Path) -> None:
    backlog = a_backlog(tmp_path)
    for seq in range(5):
        backlog.append(seq, parts_of(seq))
    backlog.take()
    backlog.acknowledge(0)
    kept = backlog.keep()
    assert kept is not None
    assert [frame.seq for frame in read_spool(kept)] == [1, 2, 3, 4]


def test_nothing_left_leaves_no_file(tmp_path: Path) -> None:
    assert a_backlog(tmp_path).keep() is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cut", [1, 5, 200], ids=lambda n: f"{n} bytes short")
def test_a_cut_spool_yields_what_is_whole_and_says_where(tmp_path: Path, cut: int) -> None:
    backlog = a_backlog(tmp_path)
    for seq in range(3):
        backlog.append(seq, parts_of(seq))
    kept = backlog.keep()
    assert kept is not None
    kept.write_bytes(kept.read_bytes()[:-cut])
    frames = read_spool(kept)
    assert [next(frames).seq, next(frames).seq] == [0, 1]
    with pytest.raises(SourceError, match=r"x\.kept: damaged"):
        next(frames)

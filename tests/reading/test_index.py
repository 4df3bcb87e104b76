"""Finding a frame by what it shows."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from reading.written import places, recorded, split

from streamer.reading import FrameIndex, View, index
from streamer.recording import iter_frames


def indexed(folder: Path, *outcomes: Any, splitter: tuple[str, ...] = ()) -> FrameIndex:
    found = FrameIndex(splitter)
    for row in iter_frames(recorded(folder, *outcomes)):
        found.add(row)
    return found


def row(seq: int, *, processed: bool = True, **axes: Any) -> dict[str, Any]:
    drawn = {
        "annotated_image": "annotated.ome.zarr",
        "annotated_place": [seq, 0, 0],
        "annotated_channels": ["denoised"],
    }
    raw = {"seq": seq, "wall_time_s": 10.0 + seq, "image": "raw.ome.zarr", "raw_index": seq, "axes": axes}
    return raw | (drawn if processed else {"annotated_image": None, "annotated_place": None})


def test_views_are_told_in_the_order_of_their_appearance(tmp_path: Path) -> None:
    found = indexed(tmp_path / "run", *places(24))
    assert len(found) == 24
    assert len(found.views()) == 12
    assert found.views()[:3] == (
        View(position="left/up", channel="red", z=0),
        View(position=7, channel="red", z=0),
        View(position="left/up", channel="blue", z=0),
    )
    assert [view.words for view in found.views()[:2]] == [
        "position left/up, z 0, channel red",
        "position 7, z 0, channel red",
    ]
    assert View().words == ""


def test_the_newest_frame_is_the_newest_processed_one(tmp_path: Path) -> None:
    found = indexed(tmp_path / "run", *places(24))
    view = View(position=7, channel="red", z=0)  # frames 1 and 13, of which 13 was not processed
    assert (found.newest(view).seq, found.at(view, 13).processed) == (1, False)
    assert found.newest(View(position=8)) is None


def test_each_channel_says_from_which_frame_its_labels_are_carried() -> None:
    found = FrameIndex()
    drawn = {"annotated_channels": ["denoised red", "uncertainty red", "denoised green"]}
    for seq, labels_seq in enumerate([[None, None], [0, None], [None, 1], "damaged", [-4, 9, 2.5]]):
        found.add(row(seq) | drawn | {"labels_seq": labels_seq})
    red, green = View(channel="red"), View(channel="green")
    assert [found.at(red, seq).labels_seq for seq in range(5)] == [None, 0, None, None, None]
    assert [found.at(green, seq).labels_seq for seq in range(5)] == [None, None, 1, None, None]
    assert found.newest(View(channel="blue")) is None


def test_frames_that_nobody_processed_are_found(tmp_path: Path) -> None:
    found = FrameIndex()
    for seq in range(5):
        found.add(row(seq, processed=False, channel="red"))
    entry = found.newest(View(channel="red"))
    assert (entry.seq, entry.processed, entry.annotated_image, entry.place) == (4, False, None, None)
    assert [each.seq for each in found.spread(View(channel="red"), 3)] == [0, 2, 4]


@pytest.mark.parametrize(
    ("seq", "found"),
    [(-5, 0), (0, 0), (3, 2), (4, 4), (99, 8)],
    ids=["before", "first", "between", "it", "after"],
)
def test_a_frame_is_looked_up_at_or_before_its_number(seq: int, found: int) -> None:
    frames = FrameIndex()
    for even in range(0, 10, 2):
        frames.add(row(even))
    entry = frames.at(View(), seq)
    assert (entry.seq, entry.raw_index, entry.wall_time_s) == (found, found, 10.0 + found)


def test_rows_out_of_order_are_found_by_their_number() -> None:
    frames = FrameIndex()
    for seq in (5, 1, 3, 9, 7, 0):
        frames.add(row(seq))
    assert [frames.at(View(), seq).seq for seq in (0, 2, 3, 6, 8, 10)] == [0, 1, 3, 5, 7, 9]


def test_a_spread_is_even_bounded_and_stays_while_the_run_grows() -> None:
    frames, before = FrameIndex(), set[int]()
    for seq in range(1000):
        frames.add(row(seq))
        spread = [entry.seq for entry in frames.spread(View(), 24)]
        assert min(seq + 1, 12) <= len(spread) <= 24
        assert set(spread) <= before | {seq} or not before
        assert len({b - a for a, b in pairwise(spread)}) <= 1
        before |= set(spread)
    assert frames.spread(View(), 0) == []


def test_every_channel_of_a_splitter_is_a_view_of_each_frame(tmp_path: Path) -> None:
    outcomes = (split(0, "red", "green"), split(1), split(2, "green"))
    found = indexed(tmp_path / "run", *outcomes, splitter=("red", "green"))
    assert [view.channel for view in found.views()] == ["red", "green"]
    red, green = found.views()
    assert (found.newest(red).seq, found.newest(green).seq) == (0, 2)
    assert not found.at(red, 1).processed
    assert found.newest(green).channels == ("denoised green", "uncertainty green")


@pytest.mark.parametrize(
    "damage",
    [
        {"seq": "three"},
        {"seq": -1},
        {"seq": True},
        {"raw_index": 2**40},
        {"raw_index": None},
        {"image": 7},
        {"image": ""},
    ],
    ids=str,
)
def test_a_row_that_says_too_little_is_counted_and_left_out(damage: dict[str, Any]) -> None:
    frames = FrameIndex()
    frames.add(row(0) | damage)
    assert (len(frames), frames.left_out, frames.views()) == (0, 1, ())


@pytest.mark.parametrize(
    "odd",
    [
        {"axes": None},
        {"axes": {"position": [1], "channel": {}, "z": 1e400}},
        {"annotated_place": [0, 0]},
        {"annotated_place": "000"},
        {"annotated_channels": "denoised"},
        {"annotated_channels": [None, 3]},
        {"wall_time_s": "now"},
    ],
    ids=str,
)
def test_what_a_row_should_not_hold_ends_nothing(odd: dict[str, Any]) -> None:
    frames = FrameIndex()
    frames.add(row(0) | odd)
    assert frames.newest(frames.views()[0]).seq == 0


def test_names_from_outside_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "VIEWS_MAX", 10)
    frames = FrameIndex()
    for seq in range(50):
        frames.add(row(seq, position=f"well {seq}"))
    assert (len(frames.views()), frames.left_out) == (10, 40)

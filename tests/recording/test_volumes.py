"""Where planes belong, whatever order they come in."""

from __future__ import annotations

import random
from itertools import product

import luck
import pytest

from streamer.recording import Volumes
from streamer.recording.volumes import OPEN_TIMES

Axes = tuple[int | str | None, int | str | None, str]


def places(*frames: Axes) -> list[tuple[int, int, int]]:
    volumes = Volumes()
    return [volumes.place(time, z, [channel]).first for time, z, channel in frames]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([(None, None, "d")] * 3, [(0, 0, 0), (1, 0, 0), (2, 0, 0)]),
        ([(n, None, "d") for n in (0, 1, 5)], [(0, 0, 0), (1, 0, 0), (2, 0, 0)]),
        ([(0, z, "d") for z in (2, 0, 3)], [(0, 0, 2), (0, 0, 0), (0, 0, 3)]),
        ([(0, 0, "r"), (0, 0, "g"), (1, 0, "g"), (1, 0, "r")], [(0, 0, 0), (0, 1, 0), (1, 1, 0), (1, 0, 0)]),
        ([(0, 0, "d"), (1, 0, "d"), (0, 1, "d")], [(0, 0, 0), (1, 0, 0), (0, 0, 1)]),
        ([(0, 0, "d"), (0, 1, "d"), (0, 0, "d"), (0, 1, "d")], [(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 0, 1)]),
        ([(0, z, "d") for z in (-2, -1, 0, 1)], [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 0, 3)]),
        ([(0, z, "d") for z in ("top", 10**12)], [(0, 0, 0), (0, 0, 1)]),
        ([("a", 0, "d"), ("b", 0, "d"), ("a", 1, "d")], [(0, 0, 0), (1, 0, 0), (0, 0, 1)]),
    ],
    ids=[
        "no axes",
        "time with gaps",
        "planes missing and out of order",
        "channels out of order",
        "a plane after the next time began",
        "a place is taken",
        "z below zero",
        "z that is no index",
        "times with names",
    ],
)
def test_a_plane_goes_where_it_belongs(frames: list[Axes], expected: list[tuple[int, int, int]]) -> None:
    assert places(*frames) == expected


def test_a_late_plane_of_a_time_long_past_opens_a_new_one_and_memory_has_an_end() -> None:
    volumes = Volumes()
    for time in range(1000):
        volumes.place(time, 0, ["d"])
    assert len(volumes.taken) == OPEN_TIMES
    assert volumes.place(1000 - OPEN_TIMES, 1, ["d"]).first == (1000 - OPEN_TIMES, 0, 1)
    assert volumes.place(0, 1, ["d"]).first == (1000, 0, 1)


def test_any_order_within_a_time_point_gives_the_same_volumes() -> None:
    seed = luck.seed()
    order = random.Random(seed)
    planes = list(product(range(4), ("red", "blue")))
    for _ in range(20):
        volumes = Volumes()
        for channel in ("red", "blue"):
            volumes.place(-1, 0, [channel])
        for time in range(3):
            order.shuffle(planes)
            for z, channel in planes:
                assert volumes.place(time, z, [channel]).first == (time + 1, channel == "blue", z)


def test_all_channels_of_a_frame_share_its_time_point() -> None:
    volumes = Volumes()
    volumes.place(0, 0, ["red"])
    both = volumes.place(0, 0, ["red", "blue"])
    assert (both.t, both.c) == (1, {"red": 0, "blue": 1})

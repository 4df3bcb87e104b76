"""The past of a view: what a denoiser with context is shown beside a frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from views_of_a_run import GUARDS

from streamer.core import Frame, Result
from streamer.pipeline import Running, past, views

Axes = Mapping[str, int | str]


def frame(seq: int, axes: Axes | None = None, **known: object) -> Frame:
    """A frame of which every pixel says its number."""
    return Frame(pixels=np.full((2, 3), seq, np.uint8), seq=seq, axes=axes or {}, **known)


def shown(frames: Iterable[Frame], count: int = 3) -> list[tuple[int, ...]]:
    """The numbers of the frames that the network is shown with each."""
    show = Running(partial(past.step, frames=count), past.PastState())
    stacks = [show(one, one.pixels.astype(np.float32)) for one in frames]
    assert all(stack.shape == (count, *one.pixels.shape) for stack, one in zip(stacks, frames, strict=True))
    return [tuple(int(image[0, 0]) for image in stack) for stack in stacks]


def test_the_frames_before_come_newest_first_and_the_oldest_stands_in_for_missing_ones() -> None:
    assert shown([frame(seq) for seq in range(5)]) == [(0, 0, 0), (1, 0, 0), (2, 1, 0), (3, 2, 1), (4, 3, 2)]
    assert shown([frame(seq) for seq in range(3)], count=2) == [(0, 0), (1, 0), (2, 1)]


def test_a_run_may_begin_at_any_number() -> None:
    assert shown([frame(seq) for seq in (100, 101)]) == [(100, 100, 100), (101, 100, 100)]


@pytest.mark.parametrize("axis", ["position", "z", "channel"])
def test_only_frames_of_the_same_view_are_a_past(axis: str) -> None:
    frames = [frame(seq, {"time": seq // 2, axis: "ab"[seq % 2]}) for seq in range(7)]
    assert shown(frames)[4:] == [(4, 2, 0), (5, 3, 1), (6, 4, 2)]


def test_channels_of_one_sensor_frame_have_pasts_of_their_own_and_no_gap_between_them() -> None:
    parts = [
        replace(frame(2 * seq + part, {"channel": part}), seq=seq) for seq in range(3) for part in range(2)
    ]
    assert shown(parts)[4:] == [(4, 2, 0), (5, 3, 1)]


@pytest.mark.parametrize("missing", [{4}, {4, 5, 6}], ids=["one frame", "three frames"])
def test_a_missing_frame_ends_the_past_of_every_view(missing: set[int]) -> None:
    """It may have been of any view, and a network trained on single steps would smear a longer one."""
    there = [seq for seq in range(12) if seq not in missing]
    told = dict(zip(there, shown([frame(seq, {"z": seq % 2}) for seq in there]), strict=True))
    first = max(missing) + 1
    assert told[3] == (3, 1, 1)
    assert told[first] == (first,) * 3
    assert told[first + 1] == (first + 1,) * 3
    assert told[first + 2] == (first + 2, first, first)
    assert told[first + 4] == (first + 4, first + 2, first)


@pytest.mark.parametrize(
    "change",
    [
        lambda one: replace(one, exposure_ms=20.0),
        lambda one: replace(one, bit_depth=12),
        lambda one: replace(one, pixels=one.pixels.astype(np.uint16)),
        lambda one: replace(one, pixels=np.repeat(one.pixels, 2, axis=1)),
    ],
    ids=["exposure", "bit depth", "pixel type", "size"],
)
def test_a_new_camera_mode_starts_anew(change) -> None:
    frames = [frame(seq) if seq < 3 else change(frame(seq)) for seq in range(6)]
    assert shown(frames) == [(0, 0, 0), (1, 0, 0), (2, 1, 0), (3, 3, 3), (4, 3, 3), (5, 4, 3)]


def test_without_context_nothing_is_remembered() -> None:
    one = frame(0)
    state, stack = past.step(past.PastState(), one, one.pixels.astype(np.float32), frames=1)
    assert (state, stack.shape) == (past.PastState(), (1, 2, 3))


def test_no_more_than_the_frames_that_are_shown_is_kept() -> None:
    show = Running(partial(past.step, frames=3), past.PastState())
    for seq in range(20):
        show(frame(seq), np.full((2, 3), seq, np.float32))
    (view,) = show.state.views.values()
    assert [image[0, 0] for image in view.photons] == [19, 18]


@pytest.mark.parametrize(
    "limit", [{"VIEWS_MAX": 3}, {"PIXELS_MAX": 3 * 3 * 6}], ids=["number of views", "pixels"]
)
def test_the_views_with_a_past_are_those_that_guards_follow(
    monkeypatch: pytest.MonkeyPatch, limit: dict[str, int]
) -> None:
    """A stranger who invents views fills no memory, and a flag says which ones have no past."""
    for name, value in limit.items():
        monkeypatch.setattr(views, name, value)
    show = Running(partial(past.step, frames=3), past.PastState())
    judge = Running(partial(views.step, guards=GUARDS, images=3), views.ViewsState())
    for seq in range(20):
        one = frame(seq, {"position": seq % 5})
        photons = one.pixels.astype(np.float32)
        stack = show(one, photons)
        said = judge(Result(frame=one, photons=photons, denoised=photons, labels=one.pixels))
        has_past = bool((stack[1] != stack[0]).any())
        assert has_past == (seq >= 5 and seq % 5 < 3)
        assert (said[0].guard == "views") == (seq % 5 >= 3)
    assert show.state.views.keys() == judge.state.views.keys()
    assert len(show.state.views) == 3

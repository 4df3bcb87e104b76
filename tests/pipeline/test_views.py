"""Views: guards compare like with like, and know when something between is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from views_of_a_run import GUARDS, interleaved, judged, running

from streamer.core import Frame, Result, Verdict
from streamer.guards.conformance import movie
from streamer.pipeline import views

PLACES = ({"position": 0, "channel": "red"}, {"position": 0, "channel": "green"}, {"position": 7, "z": 2})


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({}, ""),
        ({"time": 3}, ""),
        ({"channel": "red", "position": 2}, "position 2, channel red"),
        ({"time": 1, "z": -4, "position": "A1"}, "position A1, z -4"),
        ({"channel": "a\x1b[2Jb\0"}, "channel a [2Jb "),
        ({"channel": "x" * 5000}, "channel " + "x" * 60),
    ],
    ids=["nothing stated", "a time series", "in one order", "a stack", "control codes", "a very long name"],
)
def test_a_view_is_named_by_the_axes_that_its_frame_states(axes: dict, words: str) -> None:
    assert views.words_of(Frame(pixels=np.zeros((4, 4), np.uint8), seq=0, axes=axes)) == words


def test_each_view_is_judged_as_if_it_were_alone() -> None:
    results = interleaved(*PLACES)
    together = list(judged(results))
    for number, place in enumerate(PLACES):
        words = views.words_of(results[number].frame)
        alone = [replace(r, frame=replace(r.frame, seq=seq)) for seq, r in enumerate(results[number::3])]
        assert together[number::3] == list(judged(alone)), place
        assert {verdict.view for verdicts in together[number::3] for verdict in verdicts} == {words}


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: replace(frame, exposure_ms=20.0),
        lambda frame: replace(frame, bit_depth=12),
        lambda frame: replace(frame, pixels=frame.pixels.astype(np.uint16)),
    ],
    ids=["exposure", "bit depth", "pixel type"],
)
def test_another_camera_mode_is_another_view_of_the_same_name(change) -> None:
    before = movie(12)
    after = [replace(r, frame=change(replace(r.frame, seq=12 + r.frame.seq))) for r in before]
    verdicts = list(judged([*before, *after]))
    assert verdicts[12:] == verdicts[:12]


def compared(results: list[Result]) -> list[bool]:
    """Whether each result was compared with the one before in its view."""
    similarity = [verdicts[1] for verdicts in judged(results)]
    return [verdict.measured is not None for verdict in similarity]


@pytest.mark.parametrize(
    ("missing", "uncompared"),
    [
        ((), {0, 1}),
        ((4,), {0, 1, 5, 6}),
        ((4, 5, 6), {0, 1, 7, 8}),
        ((0,), {1, 2}),
    ],
    ids=["nothing", "one frame", "three frames", "the very first"],
)
def test_after_a_gap_no_view_is_compared_with_what_was_before(
    missing: tuple[int, ...], uncompared: set[int]
) -> None:
    """Nobody knows which view a lost frame belonged to."""
    results = [r for r in interleaved({"z": 0}, {"z": 1})[:12] if r.frame.seq not in missing]
    said = zip(results, compared(results), strict=True)
    assert {r.frame.seq for r, was_compared in said if not was_compared} == uncompared


def test_channels_of_one_sensor_frame_have_one_number_and_no_gap_between_them() -> None:
    results = [
        replace(r, frame=replace(r.frame, seq=r.frame.seq // 2))
        for r in interleaved({"channel": "red"}, {"channel": "green"})[:12]
    ]
    assert compared(results) == [False, False] + [True] * 10


def test_a_stranger_who_invents_views_is_not_judged_and_fills_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(views, "VIEWS_MAX", 3)
    judge = running()
    one = movie(1)[0]
    said: list[tuple[Verdict, ...]] = [
        judge(replace(one, frame=replace(one.frame, seq=seq, axes={"position": seq % 50})))
        for seq in range(60)
    ]
    assert len(judge.state.views) == 3
    assert [len(verdicts) for verdicts in said[:3] + said[50:53]] == [len(GUARDS)] * 6
    (refused,) = said[3]
    assert (refused.guard, refused.status, refused.view) == ("views", "flag", "position 3")
    assert "already follow 3 views" in refused.meaning


def test_views_of_large_frames_are_bounded_by_their_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    results = interleaved({"z": 0}, {"z": 1}, {"z": 2}, frames=1)
    monkeypatch.setattr(views, "PIXELS_MAX", 2 * results[0].frame.pixels.size)
    assert [verdicts[0].guard for verdicts in judged(results)] == ["signal_map", "signal_map", "views"]

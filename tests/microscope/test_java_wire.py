"""The hook behind Pycro-Manager's own client of its Java backend, at the sockets of an imitated Java."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from miniature import Processor
from profiles import written_profile
from same_acquisition import PLAN, ImitatedJava, java_tags, pixels, with_java_wire

from streamer import Hook
from streamer.core import Decision
from streamer.microscope.plan import pycromanager_events

pytestmark = [pytest.mark.live, pytest.mark.timeout(30, method="thread")]


@pytest.fixture
def processor() -> Iterator[Processor]:
    processor = Processor()
    yield processor
    processor.close()


def test_every_frame_arrives_and_goes_back_to_java_unchanged(processor: Processor, tmp_path: Path) -> None:
    with Hook(written_profile(tmp_path), processor.endpoint) as hook:
        java = ImitatedJava(hook.image_process_fn)
        tags = [java_tags(event["axes"]) for event in pycromanager_events(PLAN)]
        for index, of_this in enumerate(tags):
            java.hand_over(pixels(index), of_this)
        returned = java.finish()
    processor.join(10)
    assert [metadata for metadata, _ in returned] == tags
    for index, (frame, (_, data)) in enumerate(zip(processor.frames, returned, strict=True)):
        np.testing.assert_array_equal(frame.pixels, pixels(index))
        assert data == pixels(index).tobytes()
    assert [frame.axes for frame in processor.frames] == [
        event["axes"] for event in pycromanager_events(PLAN)
    ]
    assert java.acquisition.told == []


def test_pixels_that_java_does_not_own_any_more_are_not_looked_at(
    processor: Processor, tmp_path: Path
) -> None:
    lent = pixels(0)
    with Hook(written_profile(tmp_path), processor.endpoint) as hook:
        java = ImitatedJava(lambda image, tags: hook.image_process_fn(np.copyto(lent, image) or lent, tags))
        for index in range(5):
            java.hand_over(pixels(index), java_tags({"time": index}))
        java.finish()
        lent[:] = 0
    processor.join(10)
    for index, frame in enumerate(processor.frames):
        np.testing.assert_array_equal(frame.pixels, pixels(index))


def test_frames_that_come_after_the_abort_are_recorded_too(processor: Processor, tmp_path: Path) -> None:
    processor.script[2] = Decision(action="stop", reason="gone")
    told: list[str] = []
    with Hook(written_profile(tmp_path), processor.endpoint) as hook:
        java = ImitatedJava(hook.image_process_fn)
        hook.attach(java.acquisition, make_safe=lambda: told.append("safe"))
        for index in range(3):
            java.hand_over(pixels(index), java_tags({"time": index}))
        processor.wait_for(lambda: java.acquisition.told == ["abort", "finished"])
        for index in range(3, 10):  # as many as were seen to come
            java.hand_over(pixels(index), java_tags({"time": index}))
        assert len(java.finish()) == 10
    assert told == ["safe"]
    assert len(processor.frames) == hook.report().acknowledged == 10


BAD: list[Any] = [
    pytest.param({}, id="nothing"),
    pytest.param({"Axes": None, "Exposure": "NaN", "BitDepth": "many"}, id="nonsense"),
    pytest.param({"Axes": {"time": 1e300, "z": [], "channel": {}}}, id="strange axes"),
    pytest.param({"Notes": "x" * 2_000_000}, id="two megabytes of text"),
    pytest.param({"Deep": {"a": {"b": {"c": [1] * 1000}}}}, id="deep"),
]


@pytest.mark.parametrize("more", BAD)
def test_metadata_of_any_kind_costs_no_frame(
    processor: Processor, tmp_path: Path, more: dict[str, Any]
) -> None:
    needed = {name: java_tags({})[name] for name in ("PixelType", "Height", "Width")}
    with Hook(written_profile(tmp_path), processor.endpoint) as hook:
        java = ImitatedJava(hook.image_process_fn)
        java.hand_over(pixels(0), needed | more)
        java.finish()
    processor.join(10)
    np.testing.assert_array_equal(processor.frames[0].pixels, pixels(0))
    assert hook.report().rejected == 0
    assert java.acquisition.told == []


def test_a_whole_acquisition_through_the_imitated_wire(processor: Processor) -> None:
    report = with_java_wire(processor.endpoint)
    processor.join(10)
    assert (report.acquired, report.acknowledged, report.errors) == (PLAN.frames, PLAN.frames, ())
    assert {frame.exposure_ms for frame in processor.frames} == {2.0}

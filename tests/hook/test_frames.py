"""What becomes of the notes that engines make of their images, sensible or not."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from useq import CustomAction, MDAEvent

from streamer.hook.devices import MAX_FAILURES, StateReader, describe_core
from streamer.hook.events import changed, one_by_one, takes_image
from streamer.hook.frames import from_event, from_tags, place_of


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        pytest.param(
            {"time": 3, "z": 1, "channel": "red", "position": "cell 2"},
            {"time": 3, "z": 1, "channel": "red", "position": "cell 2"},
            id="as it should be",
        ),
        pytest.param(
            {"time": np.int64(3), "position": 2}, {"time": 3, "position": 2}, id="numpy and numbers"
        ),
        pytest.param({"time": "3", "z": 1.0}, {"time": 3, "z": 1}, id="numbers as text or float"),
        pytest.param({"time": 3, "row": 1, "camera": "a"}, {"time": 3}, id="axes that are none of ours"),
        pytest.param({"time": "soon", "z": object(), "channel": "red"}, {"channel": "red"}, id="nonsense"),
        pytest.param({"time": None, "channel": None}, {}, id="none"),
        pytest.param({"time": 10**30, "z": -(10**30), "channel": math.nan}, {}, id="huge"),
        pytest.param({"time": True, "channel": ""}, {}, id="a truth and no name"),
        pytest.param({"channel": "x" * 10_000}, {"channel": "x" * 200}, id="a long name"),
        pytest.param({"channel": "\ud800"}, {}, id="a name that is no text"),
        pytest.param("time=3", {}, id="text"),
        pytest.param(None, {}, id="nothing"),
    ],
)
def test_axes(axes: Any, expected: dict[str, object]) -> None:
    assert from_tags({"Axes": axes}).axes == expected


@pytest.mark.parametrize(
    ("tags", "exposure_ms", "bit_depth"),
    [
        pytest.param({"Exposure": 5.0, "BitDepth": 12}, 5.0, 12, id="numbers"),
        pytest.param({"Exposure": "5.0", "BitDepth": "12"}, 5.0, 12, id="text"),
        pytest.param({}, None, None, id="missing"),
        pytest.param({"Exposure": None, "BitDepth": None}, None, None, id="none"),
        pytest.param({"Exposure": "long", "BitDepth": "deep"}, None, None, id="words"),
        pytest.param({"Exposure": math.inf, "BitDepth": 10**400}, None, None, id="huge"),
        pytest.param({"Exposure": -1, "BitDepth": 0}, None, None, id="below"),
        pytest.param({"Exposure": math.nan, "BitDepth": math.nan}, None, None, id="not a number"),
        pytest.param({"Exposure": -math.inf, "BitDepth": -12}, None, None, id="far below"),
        pytest.param({"BitDepth": 65}, None, None, id="deeper than a pixel"),
        pytest.param({"Exposure": 9.9999}, 10.0, None, id="rounded by the device"),
        pytest.param({"Exposure": 0.0004}, 0.0004, None, id="below a microsecond"),
        pytest.param({"Exposure": True}, None, None, id="a truth"),
        pytest.param({"Exposure": 5, "Camera": "C", "C-Exposure": "7"}, 5.0, None, id="a snap: the engine's"),
        pytest.param(
            {"Exposure": 5, "Camera": "C", "C-Exposure": "7", "TimeReceivedByCore": "x"},
            7.0,
            None,
            id="a sequence: the camera's",
        ),
        pytest.param({"Exposure": 5, "TimeReceivedByCore": "x"}, 5.0, None, id="a sequence without"),
    ],
)
def test_exposure_and_bit_depth(
    tags: dict[str, Any], exposure_ms: float | None, bit_depth: int | None
) -> None:
    notes = from_tags(tags)
    assert (notes.exposure_ms, notes.bit_depth) == (exposure_ms, bit_depth)
    assert notes.metadata is tags


@pytest.mark.parametrize("tags", [None, [], "text", 3], ids=repr)
def test_tags_that_are_none(tags: Any) -> None:
    assert (from_tags(tags).axes, from_tags(tags).metadata) == ({}, {})


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(MDAEvent(index={"t": 1, "z": 2}), {"time": 1, "z": 2}, id="index"),
        pytest.param(
            MDAEvent(index={"c": 1, "p": 2}, channel="DAPI", pos_name="cell"),
            {"channel": "DAPI", "position": "cell"},
            id="names",
        ),
        pytest.param(MDAEvent(index={"c": 1, "p": 2}), {"channel": 1, "position": 2}, id="no names"),
        pytest.param(MDAEvent(index={"p": 2, "g": 5}), {"position": "2 tile 5"}, id="tiles"),
        pytest.param(
            MDAEvent(index={"cam": 1}, channel="red"), {"channel": "red camera 1"}, id="two cameras"
        ),
        pytest.param(MDAEvent(), {}, id="no index"),
        pytest.param(SimpleNamespace(index="?", channel=3), {}, id="not an event"),
        pytest.param(None, {}, id="nothing"),
    ],
)
def test_axes_of_useq(event: Any, expected: dict[str, object]) -> None:
    assert from_event(event, {}).axes == expected


def test_the_exposure_of_the_event_is_believed_before_that_of_the_core() -> None:
    assert from_event(MDAEvent(exposure=3), {"exposure_ms": 10.0}).exposure_ms == 3
    assert from_event(MDAEvent(), {"exposure_ms": "10"}).exposure_ms == 10
    assert from_event(MDAEvent(), None).exposure_ms is None


def test_a_devices_own_rounding_is_no_other_exposure() -> None:
    stated = (10.0, 9.9999, 10.0001, "10.00002")
    assert {from_event(None, {"exposure_ms": value}).exposure_ms for value in stated} == {10.0}


@pytest.mark.parametrize(
    "event",
    [{"axes": {"time": 1, "channel": "red"}}, MDAEvent(index={"t": 1, "c": 0}, channel="red")],
    ids=["Pycro-Manager", "useq"],
)
def test_all_cameras_of_an_event_have_its_place(event: Any) -> None:
    expected = {"time": 1, "channel": "red"}
    assert place_of(event) == expected
    if isinstance(event, dict):
        assert from_tags({"Axes": event["axes"]}).place == expected
        return
    seen = [event.model_copy(update={"index": {**event.index, "cam": camera}}) for camera in (0, 1)]
    assert [from_event(image, {}).place for image in seen] == [expected, expected]
    assert [from_event(image, {}).axes["channel"] for image in seen] == ["red camera 0", "red camera 1"]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [(12, 12), (0, None), (-1, None), (65, None), (10**400, None), (math.nan, None)],
    ids=["12", "0", "-1", "65", "huge", "nan"],
)
def test_a_bit_depth_that_makes_no_sense_is_none(stated: float, expected: int | None) -> None:
    core, reader = SimpleNamespace(getImageBitDepth=lambda: stated), StateReader([])
    reader.use(core)
    assert reader.bit_depth() == expected
    assert describe_core(core).get("bit_depth") == expected


def test_properties_are_found_where_each_engine_states_them() -> None:
    meta = {
        "property_values": ({"dev": "Filter", "prop": "Label", "val": "red"}, "?"),
        "camera_metadata": {"Camera-Gain": "2"},
        "mda_event": object(),
    }
    notes = from_event(MDAEvent(index={"t": 1}), meta)
    assert notes.properties == {"Filter-Label": "red", "Camera-Gain": "2"}
    assert notes.metadata["event"] == {"index": {"t": 1}}
    assert "mda_event" not in notes.metadata


class Cache:
    """A core whose cache knows one property, and which counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get_property_from_cache(self, device: str, name: str) -> str:
        self.asked.append(name)
        if name != "State":
            raise RuntimeError(f"no {name}")
        return "locked"

    def get_property(self, device: str, name: str) -> str:
        self.asked.append(name)
        if name != "Power":
            raise RuntimeError(f"no {name}")
        return "4.8000"


def test_state_comes_with_the_frame_or_from_the_core() -> None:
    core, reader = Cache(), StateReader([("PFS", "State"), ("Laser", "Power"), ("Filter", "Label")])
    reader.use(core)
    state = reader.read({"Filter-Label": "red"})
    assert state == {"PFS-State": "locked", "Laser-Power": 4.8, "Filter-Label": "red"}
    assert core.asked == ["State", "Power", "Power"], "what the frame states was asked for, too"


def test_a_property_that_cannot_be_read_is_counted_and_given_up() -> None:
    core, reader = Cache(), StateReader([("Laser", "Gone")])
    reader.use(core)
    assert [reader.read({}) for _ in range(10)] == [{}] * 10
    assert (reader.unread, reader.first_trouble) == (10, "Laser-Gone: no Gone")
    assert len(core.asked) == 2 * MAX_FAILURES


def test_without_a_core_the_cure_is_told() -> None:
    reader = StateReader([("Laser", "Power")])
    assert reader.read({}) == {}
    assert "hook.attach(..., core=core)" in reader.first_trouble


@pytest.mark.parametrize(
    "event",
    [
        {
            "axes": {"time": 1},
            "exposure": 9,
            "min_start_time": 3,
            "properties": [["A", "B", "old"], ["C", "D", "1"]],
        },
        MDAEvent(
            index={"t": 1}, exposure=9, min_start_time=3, properties=[("A", "B", "old"), ("C", "D", "1")]
        ),
    ],
    ids=["Pycro-Manager", "useq"],
)
def test_a_changed_event_keeps_what_is_not_changed(event: Any) -> None:
    result = changed(event, exposure_ms=2.0, properties={("A", "B"): 0.1})
    found = result if isinstance(result, dict) else result.model_dump()
    assert found["exposure"] == 2.0
    assert [list(entry) for entry in found["properties"]] == [["C", "D", "1"], ["A", "B", "0.1"]]
    assert found.get("min_start_time") is None
    untouched = event if isinstance(event, dict) else event.model_dump()
    assert (untouched["exposure"], untouched["min_start_time"]) == (9, 3)


def test_events_of_lists_are_taken_one_by_one() -> None:
    assert list(one_by_one([[1, 2], 3, (4,)])) == [1, 2, 3, 4]


def test_an_action_of_useq_takes_no_image() -> None:
    events = [MDAEvent(), MDAEvent(action=CustomAction()), {"axes": {}}]
    assert [takes_image(event) for event in events] == [True, False, True]

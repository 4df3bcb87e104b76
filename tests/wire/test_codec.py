"""What strangers may send, and what comes of it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core import Frame
from streamer.wire import (
    Alive,
    Bye,
    Closed,
    Credit,
    Done,
    End,
    Hello,
    Refused,
    Report,
    Welcome,
    WireError,
    decode,
    encode,
    frame_header,
)
from streamer.wire.codec import MAGIC, MAX_PIXEL_BYTES, VERSION

PREAMBLE = MAGIC + str(VERSION).encode()


def a_frame(**changes: object) -> Frame:
    values: dict[str, object] = {
        "pixels": np.arange(12, dtype=np.uint16).reshape(3, 4),
        "seq": 7,
        "axes": {"time": 7, "channel": "STED 640"},
        "hook_ns": 123,
        "wall_time_s": 1.5,
        "metadata": {"Exposure": 600.0},
    }
    return Frame(**{**values, **changes})


def nested(depth: int) -> dict[str, object]:
    value: dict[str, object] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def as_bytes(parts: list[bytes | memoryview]) -> list[bytes]:
    return [bytes(part) for part in parts]


@pytest.mark.parametrize(
    "message",
    [
        Hello(run="r", profile="p", policy="latest", planned=5, host="h", streamer="0"),
        Hello(run="r", profile="p", camera={"shape": [512, 512], "binning": None}, ring="x", ring_slots=3),
        Alive(waiting=3, resent=2),
        Bye(),
        Credit(until=9),
        Done(action="adjust", seq=3, ok=True, values={"excitation_uw": 6.5}, safe_ms=1.5),
        End(acquired=3),
        Welcome(next_seq=2),
        Refused(reason="no"),
        Report(seq=1, processed=True, action="stop", reason="gone", verdicts=[{"guard": "photons"}]),
        Closed(recorded=3, missing=0, error=""),
    ],
    ids=lambda message: type(message).__name__,
)
def test_messages_survive_the_wire(message: object) -> None:
    assert decode(as_bytes(encode(message))) == message


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_frames_survive_the_wire(dtype: str) -> None:
    frame = a_frame(pixels=np.arange(12).reshape(3, 4).astype(dtype))
    arrived = decode(as_bytes(encode(frame)))
    assert isinstance(arrived, Frame)
    np.testing.assert_array_equal(arrived.pixels, frame.pixels)
    assert arrived.pixels.dtype == frame.pixels.dtype
    assert not arrived.pixels.flags.writeable
    assert (arrived.seq, arrived.axes, arrived.metadata) == (7, frame.axes, frame.metadata)


def test_exposure_bits_and_device_state_survive_the_wire() -> None:
    frame = a_frame(exposure_ms=10.5, bit_depth=12, state={"Focus-Lock": "on", "Laser-Power": 3.5})
    arrived = decode(as_bytes(encode(frame)))
    assert isinstance(arrived, Frame)
    assert (arrived.exposure_ms, arrived.bit_depth, arrived.state) == (10.5, 12, frame.state)
    assert arrived.mode == frame.mode


class OneSlot:
    def view(self, slot: int, size: int) -> memoryview:
        if slot != 5:
            raise WireError("no such slot")
        return memoryview(a_frame().pixels.tobytes())[:size]


def test_pixels_are_read_from_the_slot_where_there_is_no_third_part() -> None:
    arrived = decode([PREAMBLE, frame_header(a_frame(), 5)], slots=OneSlot())
    assert isinstance(arrived, Frame)
    np.testing.assert_array_equal(arrived.pixels, a_frame().pixels)
    with pytest.raises(WireError, match="no such slot"):
        decode([PREAMBLE, frame_header(a_frame(), 6)], slots=OneSlot())


def test_a_text_of_ours_that_is_too_long_is_cut() -> None:
    arrived = decode(as_bytes(encode(Closed(recorded=1, error="x" * 10_000))))
    assert isinstance(arrived, Closed)
    assert 1000 < len(arrived.error) < 5000


def test_pixels_that_are_not_contiguous_are_sent_in_order() -> None:
    frame = a_frame(pixels=np.arange(24, dtype=np.uint16).reshape(6, 4)[::2, ::-1])
    arrived = decode(as_bytes(encode(frame)))
    assert isinstance(arrived, Frame)
    np.testing.assert_array_equal(arrived.pixels, frame.pixels)


def test_metadata_that_json_cannot_hold_does_not_lose_the_frame() -> None:
    frame = a_frame(metadata={"nan": math.nan, "array": np.zeros(3), "big": 1})
    arrived = decode(as_bytes(encode(frame)))
    assert isinstance(arrived, Frame)
    assert arrived.metadata["nan"] is None
    assert arrived.metadata["big"] == 1


@pytest.mark.parametrize(
    "metadata",
    [{np.int64(1): 1}, {"a": "\ud800"}, {"a": nested(50)}],
    ids=["a key that is no text", "half a surrogate pair", "deeply nested"],
)
def test_metadata_that_no_file_can_hold_is_left_out_and_said_so(metadata: dict[str, object]) -> None:
    arrived = decode(as_bytes(encode(a_frame(metadata=metadata))))
    assert isinstance(arrived, Frame)
    assert "left out" in str(arrived.metadata["streamer"])


def test_huge_metadata_is_left_out_and_said_so() -> None:
    arrived = decode(as_bytes(encode(a_frame(metadata={"image": "x" * 10**6}))))
    assert isinstance(arrived, Frame)
    assert "left out" in str(arrived.metadata["streamer"])


def changed_header(**changes: object) -> bytes:
    header = json.loads(as_bytes(encode(a_frame()))[1])
    return json.dumps({**header, **changes}).encode()


PIXELS = bytes(24)
HOSTILE = {
    "empty": ([], "parts"),
    "one part": ([b"hi"], "parts"),
    "http": ([b"GET / HTTP/1.1", b"", b""], "not ours"),
    "pickle": ([b"\x80\x04]\x94.", b"{}"], "not ours"),
    "version 1": ([MAGIC + b"1", b"{}"], "wire version '1'; this side speaks 3"),
    "huge table": (
        [
            PREAMBLE,
            json.dumps(
                {"kind": "hello", "run": "r", "profile": "p", "camera": {str(n): n for n in range(999)}}
            ).encode(),
        ],
        "camera",
    ),
    "long text": (
        [PREAMBLE, json.dumps({"kind": "hello", "run": "r" * 9999, "profile": "p"}).encode()],
        "run",
    ),
    "nested camera": (
        [PREAMBLE, b'{"kind": "hello", "run": "r", "profile": "p", "camera": {"a": {"b": 1}}}'],
        "camera",
    ),
    "endless number": (
        [PREAMBLE, b'{"kind": "done", "action": "stop", "seq": 1, "ok": true, "safe_ms": 1e999}'],
        "safe_ms",
    ),
    "slot without a ring": ([PREAMBLE, changed_header(slot=1)], "not shared"),
    "negative slot": ([PREAMBLE, changed_header(slot=-1)], "slot"),
    "strange state": ([PREAMBLE, changed_header(state={"a": []}), PIXELS], "state"),
    "negative exposure": ([PREAMBLE, changed_header(exposure_ms=-1), PIXELS], "exposure_ms"),
    "no bits": ([PREAMBLE, changed_header(bit_depth=0), PIXELS], "bit_depth"),
    "old version": ([MAGIC + b"0", b"{}"], "version"),
    "version with more behind": ([PREAMBLE + b"0", b"{}"], "version"),
    "not json": ([PREAMBLE, b"{"], "not JSON"),
    "not an object": ([PREAMBLE, b"[]"], "not a JSON object"),
    "deep json": ([PREAMBLE, b"[" * 100_000], "not JSON"),
    "no kind": ([PREAMBLE, b"{}"], "unknown"),
    "unhashable kind": ([PREAMBLE, b'{"kind": []}'], "unknown"),
    "unknown kind": ([PREAMBLE, b'{"kind": "exec"}'], "unknown"),
    "unknown field": ([PREAMBLE, b'{"kind": "end", "acquired": 1, "x": 1}'], "unknown fields"),
    "wrong type": ([PREAMBLE, b'{"kind": "end", "acquired": "1"}'], "use int"),
    "bool as count": ([PREAMBLE, b'{"kind": "end", "acquired": true}'], "use int"),
    "negative count": ([PREAMBLE, b'{"kind": "end", "acquired": -1}'], "use int"),
    "missing field": ([PREAMBLE, b'{"kind": "end"}'], "lacks"),
    "control message with pixels": ([PREAMBLE, b'{"kind": "end", "acquired": 1}', b""], "use 2"),
    "huge header": ([PREAMBLE, b" " * (1 << 21)], "header of"),
    "frame without pixels": ([PREAMBLE, changed_header()], "without a slot"),
    "frame with one field more": ([PREAMBLE, changed_header(extra=1), PIXELS], "frame message"),
    "three-dimensional": ([PREAMBLE, changed_header(shape=[1, 3, 4]), PIXELS], "shape"),
    "negative shape": ([PREAMBLE, changed_header(shape=[-3, -4]), PIXELS], "shape"),
    "overflowing shape": ([PREAMBLE, changed_header(shape=[1 << 40, 1 << 40]), PIXELS], "at most"),
    "object dtype": ([PREAMBLE, changed_header(dtype="object"), PIXELS], "dtype"),
    "list dtype": ([PREAMBLE, changed_header(dtype=["u2"]), PIXELS], "dtype"),
    "too few pixels": ([PREAMBLE, changed_header(), PIXELS[:-1]], "bytes of pixels"),
    "too many pixels": ([PREAMBLE, changed_header(), PIXELS + b"x"], "bytes of pixels"),
    "negative seq": ([PREAMBLE, changed_header(seq=-1), PIXELS], "seq"),
    "seq beyond all runs": ([PREAMBLE, changed_header(seq=1 << 60), PIXELS], "seq"),
    "text clock": ([PREAMBLE, changed_header(hook_ns="now"), PIXELS], "hook_ns"),
    "endless number as time": ([PREAMBLE, changed_header(wall_time_s=10**400), PIXELS], "wall_time_s"),
    "half a surrogate pair": ([PREAMBLE, changed_header(metadata={"a": "\ud800"}), PIXELS], "no Unicode"),
    "half a pair in a hello": ([PREAMBLE, b'{"kind": "hello", "run": "\\ud800"}'], "no Unicode"),
    "nested metadata": ([PREAMBLE, changed_header(metadata=nested(600)), PIXELS], "deep"),
    "infinite time": ([PREAMBLE, changed_header(wall_time_s=1e999), PIXELS], "wall_time_s"),
    "unknown axis": ([PREAMBLE, changed_header(axes={"../x": 1}), PIXELS], "axes"),
    "nested axis": ([PREAMBLE, changed_header(axes={"time": [1]}), PIXELS], "axes"),
    "metadata list": ([PREAMBLE, changed_header(metadata=[]), PIXELS], "metadata"),
}


@pytest.mark.parametrize(("parts", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_messages_are_refused_with_a_reason(parts: list[bytes], reason: str) -> None:
    with pytest.raises(WireError, match=reason) as refused:
        decode(parts)
    assert len(str(refused.value)) < 300


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_random_messages_are_refused(parts: list[bytes]) -> None:
    with pytest.raises(WireError):
        decode(parts)


@given(st.data())
def test_mutated_frames_are_refused_or_whole(data: st.DataObject) -> None:
    parts = as_bytes(encode(a_frame()))
    which = data.draw(st.integers(0, 1))
    at = data.draw(st.integers(0, len(parts[which]) - 1))
    changed = bytearray(parts[which])
    changed[at] = data.draw(st.integers(0, 255))
    parts[which] = bytes(changed)
    try:
        arrived = decode(parts)
    except WireError:
        return
    assert isinstance(arrived, Frame)
    assert arrived.pixels.tobytes() == parts[2]


def test_pixels_larger_than_any_camera_are_refused_before_they_are_read() -> None:
    side = int(math.sqrt(MAX_PIXEL_BYTES)) + 1
    with pytest.raises(WireError, match="at most"):
        decode([PREAMBLE, changed_header(shape=[side, side]), b""])


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": -1},
        {"axes": {"tile": 1}},
        {"wall_time_s": math.inf},
        {"exposure_ms": -1.0},
        {"bit_depth": 0},
        {"state": {"Focus": None}},
        {"state": {"Focus": "\ud800"}},
        {"state": {f"P{n}": "\u00fc" * 4096 for n in range(200)}},
        {"pixels": np.zeros((0, 4), np.uint16)},
    ],
    ids=[
        "seq",
        "axis",
        "time",
        "exposure",
        "bit depth",
        "state",
        "no Unicode",
        "too much state",
        "no pixels",
    ],
)
def test_a_frame_that_the_other_side_would_refuse_is_refused_before_it_is_sent(
    changes: dict[str, object],
) -> None:
    with pytest.raises(WireError):
        frame_header(a_frame(**changes))


@pytest.mark.parametrize("depth", [29, 30, 31, 32, 33])
def test_metadata_nested_too_deep_are_left_out_and_the_frame_arrives(depth: int) -> None:
    arrived = decode(encode(a_frame(metadata=nested(depth))))
    assert isinstance(arrived, Frame)
    assert (arrived.metadata == nested(depth)) or "left out" in str(arrived.metadata["streamer"])

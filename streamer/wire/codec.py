"""Messages to bytes and back; everything that arrives is a stranger's until it is checked here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Protocol

import numpy as np

from streamer.core import Frame
from streamer.core.frame import PIXEL_DTYPES
from streamer.wire.checks import (
    KNOWN_TYPES,
    MAX_DEPTH,
    MAX_TEXT,
    as_header,
    check_depth,
    check_text,
    is_count,
    is_number,
    is_optional_number,
    is_state,
    shown,
)
from streamer.wire.errors import WireError
from streamer.wire.messages import KINDS, Message

VERSION = 3
MAGIC = b"scope-streamer/"
PREAMBLE = MAGIC + str(VERSION).encode()
MAX_HEADER_BYTES = 1 << 20
MAX_METADATA_BYTES = 1 << 18
MAX_PIXEL_BYTES = 1 << 28
MAX_SEQ = 1 << 48
#: Seconds since 1970 that are a time: some 30,000 years either way.
MAX_TIME_S = 1e12

_KIND_OF = {cls: kind for kind, cls in KINDS.items()}
_AXES = {"time", "z", "channel", "position"}


class Slots(Protocol):
    """Shared memory from which the pixels of a frame can be read."""

    def view(self, slot: int, size: int) -> memoryview:
        """The first `size` bytes of a slot, read-only; WireError where there is no such slot."""
        ...


def encode(message: Message) -> list[bytes | memoryview]:
    """A message as the parts of one ZeroMQ multipart message; a frame carries its pixels as third part."""
    if isinstance(message, Frame):
        return [PREAMBLE, frame_header(message), np.ascontiguousarray(message.pixels).data.cast("B")]
    body = {f.name: _clipped(getattr(message, f.name)) for f in fields(message)}
    return [PREAMBLE, json.dumps({"kind": _KIND_OF[type(message)], **body}, default=str).encode()]


def decode(
    parts: Sequence[bytes | memoryview],
    *,
    slots: Slots | None = None,
    max_header_bytes: int = MAX_HEADER_BYTES,
) -> Message:
    """The message in `parts`, strictly checked; pixels are a read-only view of the third part or of a slot.

    Args:
        parts: what arrived.
        slots: where frames of two parts have their pixels.
        max_header_bytes: what a sender who has not introduced itself may make us read can be less.

    Raises:
        WireError: the message is not ours, of another version, malformed or too large.
    """
    header = _header(parts, max_header_bytes)
    kind = header.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise WireError(f"message kind {shown(kind)} is unknown; use one of {', '.join(KINDS)}")
    if kind == "frame":
        return _frame(header, parts, slots)
    if len(parts) != 2:
        raise WireError(f"{kind} message has {len(parts)} parts; use 2")
    return _record(kind, header)


def frame_header(frame: Frame, slot: int | None = None) -> bytes:
    """The second part of a frame's message; `slot` tells where in the ring its pixels lie.

    Raises:
        WireError: the other side would not take the frame. Metadata that it would not take are left out.
    """
    head: dict[str, object] = {
        "kind": "frame",
        "seq": frame.seq,
        "shape": list(frame.pixels.shape),
        "dtype": frame.pixels.dtype.name,
        "axes": dict(frame.axes),
        "hook_ns": frame.hook_ns,
        "wall_time_s": frame.wall_time_s,
        "exposure_ms": frame.exposure_ms,
        "bit_depth": frame.bit_depth,
        "state": dict(frame.state),
        "slot": slot,
    }
    said = {name: value for name, value in head.items() if value is not None and value != {}}
    _check_fields(said)
    _size(said["shape"], said["dtype"])
    text = json.dumps(said)
    check_text(text)
    header = f'{text[:-1]}, "metadata": {_metadata(frame.metadata)}}}'.encode()
    if len(header) > MAX_HEADER_BYTES:
        raise WireError(f"header of {len(header)} bytes; use at most {MAX_HEADER_BYTES}")
    return header


def _metadata(metadata: Mapping[str, object]) -> str:
    """Metadata as JSON; engines attach strange things, and the frame matters more than its notes."""
    try:
        check_depth(metadata, MAX_DEPTH - 1)  # it lies one deep in the header
        text = json.dumps(dict(metadata), default=str)
        check_text(text)
    except (TypeError, ValueError, RecursionError, WireError) as error:
        return json.dumps({"streamer": f"metadata left out: {shown(str(error))}"})
    if len(text) > MAX_METADATA_BYTES:
        return json.dumps({"streamer": f"{len(text)} bytes of metadata left out"})
    return text


def _clipped(value: object) -> object:
    """A text of ours as the other side takes it: not too long, without halves of surrogate pairs."""
    if not isinstance(value, str):
        return value
    text = value.encode(errors="backslashreplace").decode()  # drivers put undecoded bytes into their errors
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."


def _header(parts: Sequence[bytes | memoryview], max_bytes: int) -> dict[str, Any]:
    if not 2 <= len(parts) <= 3:
        raise WireError(f"message has {len(parts)} parts; use 2, or 3 for a frame")
    preamble = bytes(parts[0][:64])
    if not preamble.startswith(MAGIC):
        raise WireError(f"message begins with {shown(preamble[:16])}, which is not ours")
    if preamble != PREAMBLE:
        theirs = preamble[len(MAGIC) :].decode(errors="replace")
        raise WireError(f"wire version {shown(theirs)}; this side speaks {VERSION}: update the older one")
    if len(parts[1]) > max_bytes:
        raise WireError(f"header of {len(parts[1])} bytes; use at most {max_bytes}")
    return as_header(bytes(parts[1]))


def _record(kind: str, header: Mapping[str, Any]) -> Message:
    cls = KINDS[kind]
    known = {f.name: str(f.type) for f in fields(cls)}
    if extra := header.keys() - known.keys():
        raise WireError(f"{kind} message has unknown fields {shown(sorted(extra))}")
    for name, value in header.items():
        is_one, words = KNOWN_TYPES[known[name]]
        if not is_one(value):
            raise WireError(f"{kind} message: {name} = {shown(value)}; use {words}")
    try:
        return cls(**header)
    except TypeError:
        raise WireError(f"{kind} message lacks fields; it has {shown(sorted(header))}") from None


#: Fields of a frame's header beside shape and dtype: what they may be, in code and in words.
_FRAME_FIELDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "seq": (lambda value: is_count(value) and value <= MAX_SEQ, f"a count up to {MAX_SEQ}"),
    "axes": (lambda value: _is_axes(value), f"whole numbers or names by {', '.join(sorted(_AXES))}"),
    "hook_ns": (is_count, "nanoseconds"),
    "wall_time_s": (lambda value: is_number(value) and abs(value) < MAX_TIME_S, "seconds"),
    "metadata": (lambda value: isinstance(value, dict), "a JSON object"),
    "exposure_ms": (lambda value: is_optional_number(value) and (value or 0) >= 0, "milliseconds"),
    "bit_depth": (lambda value: value is None or (is_count(value) and 1 <= value <= 64), "1 to 64"),
    "state": (is_state, "texts or numbers by device property"),
    "slot": (lambda value: value is None or is_count(value), "a slot of the ring"),
}
_REQUIRED = {"seq", "shape", "dtype"}


def _frame(header: Mapping[str, Any], parts: Sequence[bytes | memoryview], slots: Slots | None) -> Frame:
    names = header.keys()
    if _REQUIRED - names or names - _FRAME_FIELDS.keys() - _REQUIRED:
        raise WireError(f"frame message of {len(parts)} parts with fields {shown(sorted(names))}")
    _check_fields(header)
    size = _size(header["shape"], header["dtype"])
    pixels = np.frombuffer(_pixels(header, parts, size, slots), dtype=header["dtype"])
    pixels.flags.writeable = False
    rest = {name: value for name, value in header.items() if name not in ("shape", "dtype", "slot")}
    return Frame(pixels=pixels.reshape(header["shape"]), **rest)


def _check_fields(header: Mapping[str, object]) -> None:
    for name in header.keys() & _FRAME_FIELDS.keys():
        is_one, words = _FRAME_FIELDS[name]
        if not is_one(header[name]):
            raise WireError(f"frame {name} {shown(header[name])}; use {words}")


def _size(shape: Any, dtype: Any) -> int:
    """Bytes of the pixels."""
    if not (isinstance(shape, list) and len(shape) == 2 and all(is_count(n) and n > 0 for n in shape)):
        raise WireError(f"frame shape {shown(shape)}; use [y, x]")
    if dtype not in PIXEL_DTYPES:
        raise WireError(f"frame dtype {shown(dtype)}; use one of {', '.join(PIXEL_DTYPES)}")
    size: int = shape[0] * shape[1] * np.dtype(dtype).itemsize
    if size > MAX_PIXEL_BYTES:
        raise WireError(f"frame of {size} bytes; use at most {MAX_PIXEL_BYTES}")
    return size


def _pixels(
    header: Mapping[str, Any], parts: Sequence[bytes | memoryview], size: int, slots: Slots | None
) -> bytes | memoryview:
    """The pixels: the third part, and only where there is none, the slot."""
    if len(parts) == 3:
        if len(parts[2]) != size:
            raise WireError(f"frame {header['shape']} has {len(parts[2])} bytes of pixels; use {size}")
        return parts[2]
    slot = header.get("slot")
    if slot is None:
        raise WireError("frame message of 2 parts without a slot; send the pixels as third part")
    if slots is None:
        raise WireError(f"frame in slot {slot} of a ring that is not shared; send the pixels as third part")
    return slots.view(slot, size)


def _is_axes(value: object) -> bool:
    return isinstance(value, dict) and not value.keys() - _AXES and all(map(_is_place, value.values()))


def _is_place(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_TEXT
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63

"""Messages to bytes and back; everything that arrives is a stranger's until it is checked here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from streamer.core import Frame
from streamer.core.frame import PIXEL_DTYPES
from streamer.wire.errors import WireError
from streamer.wire.messages import KINDS, Message

VERSION = 1
MAGIC = b"scope-streamer/"
MAX_HEADER_BYTES = 1 << 20
MAX_METADATA_BYTES = 1 << 18
MAX_PIXEL_BYTES = 1 << 28
MAX_SEQ = 1 << 48
MAX_DEPTH = 32
#: Seconds since 1970 that are a time: some 30,000 years either way.
MAX_TIME_S = 1e12

_KIND_OF = {cls: kind for kind, cls in KINDS.items()}
_FRAME_KEYS = {"seq", "shape", "dtype", "axes", "hook_ns", "wall_time_s", "metadata"}
_AXES = {"time", "z", "channel", "position"}
_JSON_TYPES = {"int": int, "str": str, "bool": bool, "list[object]": list}


def encode(message: Message) -> list[bytes | memoryview]:
    """A message as the parts of one ZeroMQ multipart message."""
    kind = _KIND_OF[type(message)]
    if isinstance(message, Frame):
        return [_preamble(), _frame_header(message), np.ascontiguousarray(message.pixels).data.cast("B")]
    body = {f.name: getattr(message, f.name) for f in fields(message)}
    return [_preamble(), json.dumps({"kind": kind, **body}, default=str).encode()]


def decode(parts: Sequence[bytes | memoryview]) -> Message:
    """The message in `parts`, strictly checked; pixels are a read-only view of the third part.

    Raises:
        WireError: the message is not ours, of another version, malformed or too large.
    """
    header = _header(parts)
    kind = header.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise WireError(f"message kind {_shown(kind)} is unknown; use one of {', '.join(KINDS)}")
    if kind == "frame":
        return _frame(header, parts)
    if len(parts) != 2:
        raise WireError(f"{kind} message has {len(parts)} parts; use 2")
    return _record(kind, header)


def _preamble() -> bytes:
    return MAGIC + str(VERSION).encode()


def _frame_header(frame: Frame) -> bytes:
    head = {
        "kind": "frame",
        "seq": frame.seq,
        "shape": list(frame.pixels.shape),
        "dtype": frame.pixels.dtype.name,
        "axes": dict(frame.axes),
        "hook_ns": frame.hook_ns,
        "wall_time_s": frame.wall_time_s,
    }
    return f'{json.dumps(head)[:-1]}, "metadata": {_metadata(frame.metadata)}}}'.encode()


def _metadata(metadata: Mapping[str, object]) -> str:
    """Metadata as JSON; engines attach strange things, and the frame matters more than its notes."""
    try:
        _check_depth(metadata)
        text = json.dumps(dict(metadata), default=str)
        _check_text(text)
    except (TypeError, ValueError, RecursionError, WireError) as error:
        return json.dumps({"streamer": f"metadata left out: {_shown(str(error))}"})
    if len(text) > MAX_METADATA_BYTES:
        return json.dumps({"streamer": f"{len(text)} bytes of metadata left out"})
    return text


def _header(parts: Sequence[bytes | memoryview]) -> dict[str, Any]:
    if not 2 <= len(parts) <= 3:
        raise WireError(f"message has {len(parts)} parts; use 2, or 3 for a frame")
    preamble = bytes(parts[0][:64])
    if not preamble.startswith(MAGIC):
        raise WireError(f"message begins with {_shown(preamble[:16])}, which is not ours")
    if preamble != _preamble():
        raise WireError(
            f"wire version {_shown(preamble[len(MAGIC) :])}; this side speaks {VERSION}: update the older one"
        )
    if len(parts[1]) > MAX_HEADER_BYTES:
        raise WireError(f"header of {len(parts[1])} bytes; use at most {MAX_HEADER_BYTES}")
    try:
        header = json.loads(bytes(parts[1]), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise WireError(f"header is not JSON: {_shown(str(error))}") from None
    if not isinstance(header, dict):
        raise WireError("header is not a JSON object")
    _check_text(bytes(parts[1]).decode(errors="replace"))
    _check_depth(header)
    return header


def _check_text(text: str) -> None:
    """Refuse half a surrogate pair, which JSON can say and no file can hold."""
    if "\\ud" in text.lower():
        try:
            json.dumps(json.loads(text), ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise WireError("header holds text that is no Unicode") from None


def _check_depth(value: object, left: int = MAX_DEPTH) -> None:
    """Refuse what is nested so deeply that a reader's stack may end before it does."""
    if left == 0:
        raise WireError(f"header is nested more than {MAX_DEPTH} deep")
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for item in inner:
        _check_depth(item, left - 1)


def _no_number(_name: str) -> None:
    """Engines do write NaN into metadata: no number to us, but no reason to lose the frame either."""


def _record(kind: str, header: Mapping[str, Any]) -> Message:
    cls = KINDS[kind]
    known = {f.name: f for f in fields(cls)}
    if extra := header.keys() - known.keys():
        raise WireError(f"{kind} message has unknown fields {_shown(sorted(extra))}")
    for name, value in header.items():
        expected = _JSON_TYPES[str(known[name].type)]
        if not isinstance(value, expected) or (expected is int and not _is_count(value)):
            raise WireError(f"{kind} message: {name} = {_shown(value)}; use {expected.__name__}")
    try:
        return cls(**header)
    except TypeError:
        raise WireError(f"{kind} message lacks fields; it has {_shown(sorted(header))}") from None


def _frame(header: Mapping[str, Any], parts: Sequence[bytes | memoryview]) -> Frame:
    if len(parts) != 3 or header.keys() != _FRAME_KEYS:
        raise WireError(f"frame message of {len(parts)} parts with fields {_shown(sorted(header))}")
    shape, dtype = header["shape"], header["dtype"]
    if not (isinstance(shape, list) and len(shape) == 2 and all(_is_count(n) and n > 0 for n in shape)):
        raise WireError(f"frame shape {_shown(shape)}; use [y, x]")
    if dtype not in PIXEL_DTYPES:
        raise WireError(f"frame dtype {_shown(dtype)}; use one of {', '.join(PIXEL_DTYPES)}")
    size = shape[0] * shape[1] * np.dtype(dtype).itemsize
    if size > MAX_PIXEL_BYTES:
        raise WireError(f"frame of {size} bytes; use at most {MAX_PIXEL_BYTES}")
    if len(parts[2]) != size:
        raise WireError(f"frame {shape} {dtype} has {len(parts[2])} bytes of pixels; use {size}")
    _check_frame_values(header)
    pixels = np.frombuffer(parts[2], dtype=dtype).reshape(shape)
    rest = {name: header[name] for name in ("seq", "axes", "hook_ns", "metadata")}
    return Frame(pixels=pixels, wall_time_s=float(header["wall_time_s"]), **rest)


def _check_frame_values(header: Mapping[str, Any]) -> None:
    axes, wall = header["axes"], header["wall_time_s"]
    if not _is_count(header["seq"]) or header["seq"] > MAX_SEQ:
        raise WireError(f"frame seq {_shown(header['seq'])}; use a count below {MAX_SEQ}")
    if not _is_count(header["hook_ns"]):
        raise WireError(f"frame hook_ns {_shown(header['hook_ns'])}; use nanoseconds")
    if isinstance(wall, bool) or not isinstance(wall, int | float) or not -MAX_TIME_S < wall < MAX_TIME_S:
        raise WireError(f"frame wall_time_s {_shown(wall)}; use seconds")
    if not isinstance(axes, dict) or axes.keys() - _AXES:
        raise WireError(f"frame axes {_shown(axes)}; use {', '.join(sorted(_AXES))}")
    if any(
        not (isinstance(v, str) or (isinstance(v, int) and not isinstance(v, bool))) for v in axes.values()
    ):
        raise WireError(f"frame axes {_shown(axes)}; use whole numbers or names")
    if not isinstance(header["metadata"], dict):
        raise WireError("frame metadata is not a JSON object")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _shown(value: object) -> str:
    """A stranger's value, short enough to print and to send back."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

"""What a page elsewhere has told of its run: parsed, bounded, never believed."""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.preview.blocks import Picture
from streamer.preview.glance import SHOWN, Glance, Line, Trace, left_in_words
from streamer.preview.snapshot import NUMBER_MAX, Snapshot, parse_snapshot, printable

#: Most curves, points of one, and lines of the log that are kept.
CURVES_MAX, POINTS_MAX, LINES_MAX = 256, 16_384, 200
#: Most pixels of all layers of an image together.
PIXELS_MAX = 1 << 24
HEADER_MAX = 1 << 16
#: Class of the layer "trust" for what is drawn without support.
UNSUPPORTED = 3

_WORDS = {"denoised": "denoised, frame", "raw": "camera, frame"}
_GRAVITIES = ("info", "warning", "alarm")

Message = Mapping[str, Any]
_Point = tuple[float, float | None, float | None]


class Told:
    """One run as far as a page has told of it."""

    def __init__(self) -> None:
        #: The newest snapshot; None before the first.
        self.snapshot: Snapshot | None = None
        #: What the page itself says of its source: live, lost or closed.
        self.link = "live"
        #: Positions, channels and z that can be looked at.
        self.views: Mapping[str, list[Any]] = {}
        self._curves: dict[str, tuple[str, str, deque[_Point]]] = {}  # name, unit, points
        self._log: deque[Line] = deque(maxlen=LINES_MAX)
        self._ahead: tuple[str, list[float], float] = ("", [], 0.0)  # key, values, frames
        self._left, self._pictures = "", tuple[Picture, ...]()
        self._changed = True

    def take(self, message: Message) -> bool:
        """Take one message of text; whether it brought a snapshot. What is not understood changes nothing."""
        self._changed = True
        kind = message.get("type")
        if kind in ("hello", "curves"):
            self._curves.clear()
        if kind == "hello":
            self._log.clear()
        self.views = _table(message.get("views")) or self.views
        for curve in _tables(message.get("curves")):
            self._take_curve(curve)
        for point in _tables(message.get("points")):
            self._take_points(point)
        self._log.extend(line for line in map(_line, _tables(message.get("log"))) if line is not None)
        return kind == "state" and self._take_state(message)

    def take_image(self, message: bytes) -> bool:
        """Take one binary message; whether it was an image."""
        try:
            header, layers = parse_image(message)
        except (ValueError, struct.error, zlib.error, RecursionError):
            return False
        if header.get("kind") != "image":
            return False
        self._pictures, self._changed = _pictures(header, layers), True
        return True

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The newest images."""
        return self._pictures

    def glance(self) -> Glance | None:
        """What is known beside the snapshot; None where nothing has changed since it was last asked."""
        if not self._changed:
            return None
        self._changed = False
        notice = "the page has lost its run; it goes on looking" if self.link == "lost" else ""
        return Glance(
            traces=dict(self._traces()),
            log=list(self._log),
            left=self._left,
            pictures=self._pictures,
            notice=notice,
        )

    def _take_state(self, message: Message) -> bool:
        self.link = str(message.get("link", self.link))
        self._left = self._in_words(_table(message.get("left")))
        if "forecast" in message:
            self._take_forecast(_table(message["forecast"]))
        try:
            self.snapshot = parse_snapshot(json.dumps(_ended_if_left(message["snapshot"])).encode())
        except (KeyError, ValueError, RecursionError):
            return False
        return True

    def _take_curve(self, curve: Message) -> None:
        key = str(curve.get("key"))
        if len(self._curves) >= CURVES_MAX and key not in self._curves:
            return
        points: deque[_Point] = deque(maxlen=POINTS_MAX)
        self._curves[key] = (printable(str(curve.get("name"))), printable(str(curve.get("unit", ""))), points)
        self._take_points(curve)

    def _take_points(self, told: Message) -> None:
        """Points of a curve, as lists or one by one; each later than the one before."""
        known = self._curves.get(str(told.get("key")))
        if known is None:
            return
        points = known[2]
        for seq, value, limit in zip(
            *(_listed(told.get(key)) for key in ("seq", "value", "limit")), strict=False
        ):
            at = _number(seq)
            if at is not None and (not points or at > points[-1][0]):
                points.append((at, _number(value), _number(limit)))

    def _take_forecast(self, told: Message) -> None:
        floor = _number(told.get("floor"))
        seq, median = ([_number(n) for n in _listed(told.get(key))] for key in ("seq", "median"))
        known = [(s, m) for s, m in zip(seq, median, strict=False) if s is not None and m is not None]
        key = str(told.get("key"))
        last = self._curves[key][2][-1][0] if key in self._curves and self._curves[key][2] else -1.0
        coming = [(s, m) for s, m in known if s > last]
        below = next((i for i, (_, m) in enumerate(coming) if floor is not None and m < floor), len(coming))
        coming = coming[: below + 1]
        self._ahead = (key, [m for _, m in coming], coming[-1][0] - last if coming else 0.0)

    def _traces(self) -> Iterable[tuple[str, Trace]]:
        for shown in SHOWN:
            for key, (name, unit, points) in self._curves.items():
                if points and (name == shown or (shown == "resolution" and shown in name)):
                    seq, values, limits = zip(*points, strict=True)
                    _, ahead, frames = self._ahead if self._ahead[0] == key else ("", [], 0.0)
                    yield (
                        shown,
                        Trace(
                            unit=unit, seq=seq, values=values, limits=limits, ahead=ahead, ahead_frames=frames
                        ),
                    )
                    break

    def _in_words(self, left: Message) -> str:
        frames, low, high, seconds = (_number(left.get(key)) for key in ("frames", "low", "high", "seconds"))
        per_s = frames / seconds if frames and seconds else 0.0
        return left_in_words(frames, low, high, per_s=per_s, otherwise=printable(str(left.get("words", ""))))


def _ended_if_left(snapshot: object) -> object:
    """A recording that its writer has left will not change any more: for who watches it has failed."""
    if isinstance(snapshot, dict) and snapshot.get("state") == "left":
        decision = {"action": "continue", "reason": "what recorded it has ended without closing it"}
        return {**snapshot, "state": "failed", "decision": decision}
    return snapshot


def parse_image(message: bytes) -> tuple[Message, dict[str, NDArray[np.uint8]]]:
    """Header and layers [y, x] of a binary message.

    Raises:
        ValueError, struct.error, zlib.error: it is none, or larger than is shown.
    """
    (length,) = struct.unpack_from("<I", message)
    if length > min(HEADER_MAX, len(message) - 4):
        raise ValueError("header: too long")
    header = _table(json.loads(message[4 : 4 + length]))
    height, width, _ = (_whole(header.get(key)) for key in ("height", "width", "seq"))
    names = [str(_table(layer).get("name")) for layer in _listed(header.get("layers"))]
    size = height * width * len(names)
    if height < 1 or width < 1 or size > PIXELS_MAX:
        raise ValueError("image: of no size, or too large")
    pixels = zlib.decompressobj().decompress(message[4 + length :], size + 1)
    if len(pixels) != size:
        raise ValueError("image: not as long as its header says")
    layers = np.frombuffer(pixels, np.uint8).reshape(len(names), height, width)
    return header, dict(zip(names, layers, strict=True))


def _pictures(header: Message, layers: Mapping[str, NDArray[np.uint8]]) -> tuple[Picture, ...]:
    """The denoised image, then the raw one; values in their own unit."""
    doubtful = (layers["trust"] == UNSUPPORTED).astype(np.float32) if "trust" in layers else None
    pixel_um, region = _number(header.get("pixel_um")), _listed(header.get("region"))
    across = _number(region[3]) if len(region) == 4 else None
    width_um = None if pixel_um is None or across is None else pixel_um * across
    view = _table(header.get("view"))
    stated = ", ".join(
        f"{axis} {view[axis]}" for axis in ("position", "channel", "z") if view.get(axis) not in (None, "")
    )
    ranges = {str(layer.get("name")): layer for layer in _tables(header.get("layers"))}
    found = []
    for name in ("denoised", "raw"):
        if name in layers:
            low, high = (_number(ranges[name].get(end)) or 0.0 for end in ("low", "high"))
            values = low + (layers[name].astype(np.float32) / 255) ** 2 * (high - low)
            found.append(
                Picture(
                    name=_WORDS[name],
                    seq=header["seq"],
                    values=values.astype(np.float32),
                    doubtful=doubtful if name == "denoised" else None,
                    width_um=width_um,
                    view=printable(stated),
                )
            )
    return tuple(found)


def _line(entry: Message) -> Line | None:
    text, at, gravity = entry.get("text"), _number(entry.get("wall_time_s")), entry.get("gravity")
    if not isinstance(text, str) or at is None or not 0 <= at < 4e9 or gravity not in _GRAVITIES:
        return None
    return Line(wall_time_s=at, gravity=gravity, text=printable(text))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < NUMBER_MAX:
        return None
    return float(value) if math.isfinite(value) else None


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise ValueError("header: lacks height, width or seq")
    return value


def _table(value: object) -> Message:
    return value if isinstance(value, dict) else {}


def _tables(value: object) -> list[Message]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]

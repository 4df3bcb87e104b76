"""What a page may say, checked: one JSON object of a known type with known keys, everything bounded."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from streamer.preview.picture import Region
from streamer.recording import Name

#: Longest message, name, note, and largest number.
MESSAGE_MAX, NAME_MAX, NOTE_MAX, NUMBER_MAX = 4096, 120, 500, 2**53
#: Largest box of a viewer, thumbnails of a strip and their width, in pixels.
BOX_MAX, STRIP_MAX, THUMBNAIL_MAX = 4096, 64, 256
#: Everything an image can consist of, in the order in which it is sent.
LAYERS = ("raw", "denoised", "uncertainty", "segmentation", "trust")


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewWanted:
    """What to send from now on.

    Attributes:
        position, channel, z: what to look at.
        seq: one frame; None for the newest again and again.
        box: [height, width] of the viewer's canvas in its own pixels.
        region: part of the image; None for all of it.
        layers: what of it, in the order of `LAYERS`.
    """

    position: Name
    channel: str
    z: Name
    seq: int | None
    box: tuple[int, int]
    region: Region | None
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """The image of frame `seq` is on the screen."""

    seq: int


@dataclass(frozen=True, slots=True)
class StripWanted:
    """So many thumbnails over the run, `width` pixels wide."""

    count: int
    width: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to the run; `id` comes back with the answer."""

    id: int
    action: str
    note: str


Message = ViewWanted | Drawn | StripWanted | Asked

#: A key that a message must have.
_NEEDED: Final = object()


def parse(text: str) -> Message:
    """One message of a page.

    Raises:
        ValueError: not one; its words say what is wrong.
    """
    if len(text) > MESSAGE_MAX or len(text.encode(errors="replace")) > MESSAGE_MAX:
        raise ValueError(f"longer than {MESSAGE_MAX} bytes")
    try:
        fields = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError:
        raise ValueError("not JSON") from None
    if not isinstance(fields, dict):
        raise ValueError("not an object")
    kind = fields.pop("type", None)
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise ValueError(f"type is none of {', '.join(_READERS)}")
    return reader(_Fields(fields))


class _Fields:
    """Keys of a message, each taken once; what nobody took is refused."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._left = dict(fields)

    def take(self, key: str, default: object = _NEEDED) -> Any:
        if default is _NEEDED and key not in self._left:
            raise ValueError(f"{key} is missing")
        return self._left.pop(key, default)

    def whole(self, key: str, least: int, most: int, default: object = _NEEDED) -> int:
        return _whole(key, self.take(key, default), least, most)

    def name(self, key: str) -> Name:
        value = self.take(key, None)
        if value is None or isinstance(value, str):
            return None if value is None else _text(key, value, NAME_MAX)
        return _whole(key, value, -NUMBER_MAX, NUMBER_MAX)

    def text(self, key: str, most: int, default: object = _NEEDED) -> str:
        return _text(key, self.take(key, default), most)

    def done(self) -> None:
        if self._left:
            raise ValueError(f"{next(iter(self._left))[:NAME_MAX]!r} is not known")


def _view(fields: _Fields) -> ViewWanted:
    seq = fields.take("seq", None)
    wanted = ViewWanted(
        position=fields.name("position"),
        channel=_text("channel", fields.take("channel", None) or "", NAME_MAX),
        z=fields.name("z"),
        seq=None if seq is None else _whole("seq", seq, 0, NUMBER_MAX),
        box=(fields.whole("height", 1, BOX_MAX), fields.whole("width", 1, BOX_MAX)),
        region=_region(fields.take("region", None)),
        layers=_layers(fields.take("layers", list(LAYERS))),
    )
    fields.done()
    return wanted


def _drawn(fields: _Fields) -> Drawn:
    drawn = Drawn(fields.whole("seq", 0, NUMBER_MAX))
    fields.done()
    return drawn


def _strip(fields: _Fields) -> StripWanted:
    wanted = StripWanted(fields.whole("count", 1, STRIP_MAX), fields.whole("width", 8, THUMBNAIL_MAX))
    fields.done()
    return wanted


def _ask(fields: _Fields) -> Asked:
    # Which actions there are is the run's to say.
    asked = Asked(
        fields.whole("id", 0, NUMBER_MAX), fields.text("action", 16), fields.text("note", NOTE_MAX, "")
    )
    fields.done()
    return asked


_READERS: Mapping[str, Callable[[_Fields], Message]] = {
    "view": _view,
    "drawn": _drawn,
    "strip": _strip,
    "ask": _ask,
}


def _region(value: object) -> Region | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 4:
        raise ValueError("region is not [y, x, height, width]")
    y, x = (_whole("region", each, -NUMBER_MAX, NUMBER_MAX) for each in value[:2])
    height, width = (_whole("region", each, 1, NUMBER_MAX) for each in value[2:])
    return y, x, height, width


def _layers(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or any(each not in LAYERS for each in value):
        raise ValueError(f"layers are not of {', '.join(LAYERS)}")
    return tuple(layer for layer in LAYERS if layer in value)


def _whole(key: str, value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{key} is not a whole number from {least} to {most}")
    return value


def _text(key: str, value: object, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise ValueError(f"{key} is not a text of at most {most} characters")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")

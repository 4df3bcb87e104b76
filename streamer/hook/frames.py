"""Any engine's image and its notes as a `Frame`; what an engine leaves out or garbles costs no frame."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

#: Names of a useq event's index, as the axes of a frame.
_USEQ_AXES = {"t": "time", "z": "z", "c": "channel", "p": "position"}

#: An axis is a place in an acquisition: no longer than this, and no further out.
MAX_NAME = 200
MAX_INDEX = 1 << 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What an engine says of an image, in our words.

    Attributes:
        axes: place in the acquisition, a subset of time, z, channel, position.
        place: the same, of the event: without the camera.
        exposure_ms, bit_depth: None where the engine does not state them, or states nonsense.
        properties: device properties stated with the image, as `Device-Property`.
        metadata: everything, as the engine gave it.
    """

    axes: Mapping[str, int | str] = field(default_factory=dict)
    place: Mapping[str, int | str] = field(default_factory=dict)
    exposure_ms: float | None = None
    bit_depth: int | None = None
    properties: Mapping[str, object] = field(default_factory=dict)
    metadata: Mapping[str, object] = field(default_factory=dict)


def from_tags(tags: object) -> Notes:
    """Notes from Pycro-Manager's image metadata, of its Python or its Java backend.

    Of a frame out of a hardware sequence (`TimeReceivedByCore`), the camera's own exposure is believed first:
    the engine states there what the core was set to before the sequence.
    """
    if not isinstance(tags, Mapping):
        return Notes()
    exposures = [tags.get("Exposure"), tags.get(f"{tags.get('Camera')}-Exposure")]
    if "TimeReceivedByCore" in tags:
        exposures.reverse()
    axes = _axes(tags.get("Axes"))
    return Notes(
        axes=axes,
        place=axes,
        exposure_ms=_exposure_ms(exposures),
        bit_depth=bit_depth(tags.get("BitDepth")),
        properties=tags,
        metadata=tags,
    )


def from_event(event: Any, meta: object) -> Notes:
    """Notes from a useq event and pymmcore-plus' frame metadata.

    The event's exposure is believed first: in a hardware exposure sequence the core states another one.
    """
    stated: Mapping[str, Any] = meta if isinstance(meta, Mapping) else {}
    exposures = (getattr(event, "exposure", None), stated.get("exposure_ms"))
    return Notes(
        axes=_axes(_with_camera(event, _useq_axes(event))),
        place=_axes(_useq_axes(event)),
        exposure_ms=_exposure_ms(exposures),
        properties=dict(_stated_properties(stated)),
        metadata={name: value for name, value in stated.items() if name != "mda_event"}
        | {"event": _as_plain(event)},
    )


def place_of(event: Any) -> dict[str, int | str]:
    """Axes of an event of either engine, as its frames will have them, whichever camera sees it."""
    return _axes(event.get("axes") if isinstance(event, Mapping) else _useq_axes(event))


def number(value: object) -> float | None:
    """A finite number, also where an engine wrote it as text; else None."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real | str):
        return None
    try:
        converted = float(value)
    except (ValueError, OverflowError):
        return None
    return converted if math.isfinite(converted) else None


def _exposure_ms(stated: Iterable[object]) -> float | None:
    """The first that makes sense, to the microsecond: rounding in a device is no new camera mode."""
    positive = (ms for value in stated if (ms := number(value)) is not None and ms > 0)
    return next((round(ms, 3) or ms for ms in positive), None)


def bit_depth(value: object) -> int | None:
    """Bits that a pixel of ours may have, 1 to 16; else None."""
    bits = number(value)
    return int(bits) if bits is not None and 1 <= bits <= 16 else None


def _axes(axes: object) -> dict[str, int | str]:
    """The axes we know, of whatever an engine calls axes; the rest stays in the metadata."""
    if not isinstance(axes, Mapping):
        return {}
    places = ((name, _place(name, axes.get(name))) for name in ("time", "z", "channel", "position"))
    return {name: place for name, place in places if place is not None}


def _place(axis: str, value: object) -> int | str | None:
    """An index or, of a channel or position, a name; None for what is neither."""
    if axis in ("channel", "position") and isinstance(value, str):
        return value[:MAX_NAME] if value.isprintable() and value else None
    index = number(value)
    if index is None or abs(index) >= MAX_INDEX or index != int(index):
        return None
    return int(index)


def _useq_axes(event: Any) -> dict[str, object]:
    """Index of a useq event under our names; channels and positions by name where they have one."""
    index = getattr(event, "index", None)
    index = index if isinstance(index, Mapping) else {}
    axes = {_USEQ_AXES[key]: value for key, value in index.items() if key in _USEQ_AXES}
    if name := getattr(getattr(event, "channel", None), "config", None):
        axes["channel"] = name
    if name := getattr(event, "pos_name", None):
        axes["position"] = name
    if "g" in index:  # tiles of one position are places of their own
        axes["position"] = f"{axes.get('position', 0)} tile {index['g']}"
    return axes


def _with_camera(event: Any, axes: dict[str, object]) -> dict[str, object]:
    """Two cameras see one event: each gives a channel of its own."""
    index = getattr(event, "index", None)
    if not isinstance(index, Mapping) or "cam" not in index:
        return axes
    return axes | {"channel": f"{axes.get('channel', '')} camera {index['cam']}".strip()}


def _stated_properties(meta: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    stated = meta.get("property_values")
    for entry in stated if isinstance(stated, tuple | list) else ():
        if isinstance(entry, Mapping):
            yield f"{entry.get('dev')}-{entry.get('prop')}", entry.get("val")
    camera = meta.get("camera_metadata")
    yield from camera.items() if isinstance(camera, Mapping) else ()


def _as_plain(event: Any) -> object:
    try:
        return event.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    except Exception:  # an event of the user's own making: its text must do
        return repr(event)[:1000]

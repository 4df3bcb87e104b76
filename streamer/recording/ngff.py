"""What OME-Zarr 0.5 wants to know of an image and its labels; pure dictionaries, no store.

Axes are always t, c, z, y, x. The t axis of a recording counts frames in the order of their arrival,
whatever moved between them: event-driven and jagged acquisitions have no rectangle of time x z x position.
The true place of frame n stands in its row. There is one resolution level: a plane of a camera is small
enough to be viewed whole, and a pyramid would double the files written per frame while the light is on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

VERSION = "0.5"
AXES = ("t", "c", "z", "y", "x")

_COLOURS = ((0, 0, 0, 0), (230, 159, 0, 255), (86, 180, 233, 255), (213, 94, 0, 255))  # Okabe-Ito


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Physical size of a step along the axes; None where nobody stated it, which is then left unsaid."""

    pixel_um: float | None = None
    interval_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Name of a channel and the values a viewer should show between black and white."""

    label: str
    low: float
    high: float


def image_attributes(name: str, scale: Scale, channels: Sequence[Channel]) -> dict[str, Any]:
    """Group attributes of an image whose only level lies in `0`."""
    omero = {
        "channels": [
            {
                "label": channel.label,
                "active": position == 0,
                "color": "FFFFFF",
                "window": {
                    "min": channel.low,
                    "max": channel.high,
                    "start": channel.low,
                    "end": channel.high,
                },
            }
            for position, channel in enumerate(channels)
        ]
    }
    return {"ome": {"version": VERSION, "multiscales": [_multiscale(name, scale)], "omero": omero}}


def label_attributes(name: str, scale: Scale, classes: Mapping[int, str]) -> dict[str, Any]:
    """Group attributes of a label image in `labels/<name>`; `classes` names its values."""
    label = {
        "colors": [
            {"label-value": value, "rgba": list(_COLOURS[value % len(_COLOURS)])} for value in classes
        ],
        "properties": [{"label-value": value, "class": meaning} for value, meaning in classes.items()],
        "source": {"image": "../../"},
    }
    return {"ome": {"version": VERSION, "multiscales": [_multiscale(name, scale)], "image-label": label}}


def labels_attributes(names: Sequence[str]) -> dict[str, Any]:
    """Group attributes of `labels`, the folder of label images."""
    return {"ome": {"version": VERSION, "labels": list(names)}}


def _multiscale(name: str, scale: Scale) -> dict[str, Any]:
    time = {"name": "t", "type": "time"} | ({"unit": "second"} if scale.interval_s else {})
    micrometer = {"unit": "micrometer"} if scale.pixel_um else {}
    depth = {"name": "z", "type": "space"}  # one plane: no extent that could have a unit
    space = [depth, *({"name": axis, "type": "space"} | micrometer for axis in "yx")]
    pixel = scale.pixel_um or 1.0
    steps = [scale.interval_s or 1.0, 1.0, 1.0, pixel, pixel]
    return {
        "name": name,
        "axes": [time, {"name": "c", "type": "channel"}, *space],
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": steps}]}],
    }

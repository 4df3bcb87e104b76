"""What OME-Zarr 0.5 wants to know of an image and its labels; pure dictionaries, no store.

Axes are always t, c, z, y, x. The t axis of a raw image counts frames in the order of their arrival, whatever
moved between them: event-driven and jagged acquisitions have no rectangle of time x z x channel. Annotated
images are such rectangles, with holes; the rows say which planes are there. There is one resolution level: a
plane of a camera is small enough to be viewed whole, and a pyramid would double the files written per frame
while the light is on.

What NGFF has no word for stands beside it under `streamer`: position and segment of the image, the names of
the channels, of label images too, and the supported z of stacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

VERSION = "0.5"
#: Attribute of an image of stacks, once its run is closed: the z that signal supports, see `stacks.py`.
SUPPORTED_Z = "supported_z"
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


def image_attributes(
    name: str, scale: Scale, channels: Sequence[Channel], about: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Group attributes of an image whose only level lies in `0`; `about` is what else to say of it."""
    bare = {
        "ome": {"version": VERSION, "multiscales": [_multiscale(name, scale)], "omero": {"channels": []}},
        "streamer": {**(about or {}), "channels": []},
    }
    return with_channels(bare, channels)


def label_attributes(
    name: str, scale: Scale, classes: Mapping[int, str], channels: Sequence[Channel] = ()
) -> dict[str, Any]:
    """Group attributes of a label image in `labels/<name>`; `classes` names its values."""
    label = {
        "colors": [
            {"label-value": value, "rgba": list(_COLOURS[value % len(_COLOURS)])} for value in classes
        ],
        "properties": [{"label-value": value, "class": meaning} for value, meaning in classes.items()],
        "source": {"image": "../../"},
    }
    return {
        "ome": {"version": VERSION, "multiscales": [_multiscale(name, scale)], "image-label": label},
        "streamer": {"channels": [channel.label for channel in channels]},
    }


def labels_attributes(names: Sequence[str]) -> dict[str, Any]:
    """Group attributes of `labels`, the folder of label images."""
    return {"ome": {"version": VERSION, "labels": list(names)}}


def with_channels(attributes: Mapping[str, Any], channels: Sequence[Channel]) -> dict[str, Any]:
    """`attributes` of an image or label image with further channels."""
    ome, streamer = attributes["ome"], attributes["streamer"]
    names = [*streamer["channels"], *(channel.label for channel in channels)]
    changed = {**attributes, "streamer": {**streamer, "channels": names}}
    if "omero" in ome:
        shown = [*ome["omero"]["channels"], *map(_shown, channels)]
        shown = [{**channel, "active": position == 0} for position, channel in enumerate(shown)]
        changed["ome"] = {**ome, "omero": {**ome["omero"], "channels": shown}}
    return changed


def with_channel_count(attributes: Mapping[str, Any], count: int) -> dict[str, Any]:
    """`attributes` of an image or label image with its first `count` channels only, open for more planes."""
    ome, streamer = attributes["ome"], dict(attributes["streamer"])
    streamer.pop(SUPPORTED_Z, None)  # more slices may come; it is written again at the close
    changed = {**attributes, "streamer": {**streamer, "channels": streamer["channels"][:count]}}
    if "omero" in ome:
        changed["ome"] = {**ome, "omero": {**ome["omero"], "channels": ome["omero"]["channels"][:count]}}
    return changed


def _shown(channel: Channel) -> dict[str, Any]:
    window = {"min": channel.low, "max": channel.high, "start": channel.low, "end": channel.high}
    return {"label": channel.label, "color": "FFFFFF", "window": window}


def _multiscale(name: str, scale: Scale) -> dict[str, Any]:
    time = {"name": "t", "type": "time"} | ({"unit": "second"} if scale.interval_s else {})
    micrometer = {"unit": "micrometer"} if scale.pixel_um else {}
    depth = {"name": "z", "type": "space"}  # no profile states the step of a stage, so it has no unit
    space = [depth, *({"name": axis, "type": "space"} | micrometer for axis in "yx")]
    pixel = scale.pixel_um or 1.0
    steps = [scale.interval_s or 1.0, 1.0, 1.0, pixel, pixel]
    return {
        "name": name,
        "axes": [time, {"name": "c", "type": "channel"}, *space],
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": steps}]}],
    }

"""Image splitters: several detection channels side by side on one sensor, cut apart and registered.

Frames are cut before anything else and never resampled: interpolation averages neighbouring counts, which
are then no longer independent Poisson counts, so that no guard could judge their noise or test them. Only
what is shown and stored beside the counts, the denoised image and the labels, is brought into register.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.core import Frame, Result, Verdict
from streamer.metrics import warp, warp_labels
from streamer.pipeline.views import words_of
from streamer.profile import Channel

#: Between the engine's own channel and the detection channel: `488 nm / red`.
BETWEEN = " / "


def split(
    frame: Frame, channels: Sequence[Channel], *, together: bool = False
) -> tuple[tuple[Frame, ...], tuple[Verdict, ...]]:
    """One frame per detection channel, and a flag for each channel that lies beyond this frame's edge.

    The parts are views into the frame's pixels, with the channel's name on their channel axis (after the
    engine's own, where it states one). Without channels the frame itself is the one part. Channels that are
    denoised `together` are all cut, or none of them.
    """
    if not channels:
        return (frame,), ()
    parts, misfits = [], []
    for channel in channels:
        y, x, height, width = region_of(channel)
        named = replace(frame, axes={**frame.axes, "channel": _name(frame, channel)})
        if fits(channel, frame.pixels.shape):
            parts.append(replace(named, pixels=frame.pixels[y : y + height, x : x + width]))
        else:
            misfits.append(_misfit(named, channel))
    return () if together and misfits else tuple(parts), tuple(misfits)


def region_of(channel: Channel) -> tuple[int, int, int, int]:
    """[y, x, height, width] of a channel; frames are cut only where every region is known."""
    assert channel.region_px is not None, "a detector that splits"
    return channel.region_px


def fits(channel: Channel, shape_yx: tuple[int, ...]) -> bool:
    """Whether the channel's region lies within a sensor frame of this size."""
    y, x, height, width = region_of(channel)
    return y + height <= shape_yx[0] and x + width <= shape_yx[1]


def registered(
    result: Result, images: Sequence[NDArray[Any]], channels: Sequence[Channel]
) -> tuple[NDArray[Any], ...]:
    """Images made of a result, as they lie in the first channel; as they are without channels.

    float32 by bilinear interpolation, nan where this channel does not reach; uint8 classes by the nearest
    pixel, 0 there.
    """
    channel = next((c for c in channels if _is_named(result.frame, c)), None)
    if channel is None:
        return tuple(images)
    shape_yx, matrix = region_of(channels[0])[2:], np.array(channel.to_reference)
    return tuple(
        (warp_labels if image.dtype == np.uint8 else warp)(image, matrix, shape_yx) for image in images
    )


def _name(frame: Frame, channel: Channel) -> str:
    stated = frame.axes.get("channel")
    return channel.name if stated is None else f"{stated}{BETWEEN}{channel.name}"


def _is_named(part: Frame, channel: Channel) -> bool:
    name = part.axes.get("channel")
    return name == channel.name or str(name).endswith(BETWEEN + channel.name)


def _misfit(frame: Frame, channel: Channel) -> Verdict:
    rows, columns = frame.pixels.shape
    meaning = (
        f"not processed: region_px = {list(region_of(channel))} of {channel.name} lies beyond the frame of "
        f"{rows} x {columns} pixels"
    )
    return Verdict(
        guard="splitter", status="flag", measured=None, limit=None, meaning=meaning, view=words_of(frame)
    )

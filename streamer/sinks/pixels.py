"""Sinks that write pixels: the camera's own, and what the networks made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.core import Frame, Outcome, Result
from streamer.errors import RecordingError
from streamer.recording import (
    Channel,
    GrowingImage,
    Part,
    Parts,
    Place,
    Places,
    RunFolder,
    Scale,
    Volumes,
    create_image,
)

SEGMENTATION = {0: "background", 1: "tubule", 2: "sheet"}
TRUST = {0: "background", 1: "uncertain", 2: "supported", 3: "unsupported"}
_CLASSES = {"segmentation": SEGMENTATION, "trust": TRUST}


class RawSink:
    """Writes every frame untouched, into the image of its position and camera mode, in order of arrival.

    `parts` goes on from an earlier session.
    """

    def __init__(self, run: RunFolder, scale: Scale, parts: Parts | None = None) -> None:
        self._run = run
        self._scale = scale
        self._parts = parts or Parts()
        self._images: dict[str, GrowingImage] = {}
        self._written: dict[int, tuple[Part, int]] = {}

    def put(self, frame: Frame) -> None:
        """Append the frame's pixels."""
        plane = _plane(frame.pixels)
        axes, mode = frame.axes, frame.mode
        part = self._parts.part_of(axes.get("position"), axes.get("channel"), mode)
        image = self._images.get(part.raw) or _opened(self._run.path / part.raw)
        if image is None:
            image = create_image(
                self._run.path / part.raw,
                plane=plane,
                dtype=frame.pixels.dtype,
                scale=self._scale,
                channels=(_channel("detector", frame.pixels),),
                about=_about(part) | {"exposure_ms": mode.exposure_ms, "bit_depth": mode.bit_depth},
            )
        self._images[part.raw] = image
        index = image.pixels.extent[0]
        image.put({(index, 0, 0): frame.pixels})
        self._written[frame.seq] = part, index

    def part_of(self, seq: int) -> Part:
        """The part of a frame that has been written."""
        if seq not in self._written:
            raise RecordingError(f"{self._run.path}: frame {seq} has no pixels; hand the frame to raw first")
        return self._written[seq][0]

    def take(self, seq: int) -> tuple[Part, int]:
        """Where the frame stands: its part, and its place on the t axis of the raw image there.

        Told once, so that a run of hours does not grow in memory.
        """
        self.part_of(seq)
        return self._written.pop(seq)

    def close(self) -> None:
        """Nothing is held open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What is recorded of one result, registered to the first detection channel.

    Attributes:
        images: [y, x] float32 by name; the first is the channel that the labels belong to.
        labels: [y, x] uint8 by label image: segmentation and, where photons are known, trust.
    """

    images: Mapping[str, NDArray[np.float32]]
    labels: Mapping[str, NDArray[np.uint8]]


class AnnotatedSink:
    """Gathers what the networks made of processed frames into volumes [t, c, z, y, x].

    Channels are named after the images that `draw` gives and the channel of the result, as in `denoised red`;
    the label images keep the labels of a channel at that channel's c.

    Args:
        run: the folder.
        scale: size of a pixel and a frame.
        draw: what to record of a result.
        part_of: the part of a frame by number, `RawSink.part_of`.
        volumes: by name of the image; goes on from an earlier session.
    """

    def __init__(
        self,
        run: RunFolder,
        scale: Scale,
        draw: Callable[[Result], Drawn],
        part_of: Callable[[int], Part],
        volumes: Mapping[str, Volumes] | None = None,
    ) -> None:
        self._run = run
        self._scale = scale
        self._draw = draw
        self._part_of = part_of
        self._volumes = dict(volumes or {})
        self._images: dict[str, GrowingImage] = {}
        self._written: dict[int, Places] = {}

    def put(self, outcome: Outcome) -> None:
        """Write the planes of the outcome's results, if it has any, where they belong."""
        if not outcome.results:
            return
        frame, part = outcome.frame, self._part_of(outcome.frame.seq)
        planes, labels = _named(outcome.results, self._draw)
        volumes = self._volumes.setdefault(part.annotated, Volumes())
        known = len(volumes.channels)
        places = volumes.place(frame.axes.get("time"), frame.axes.get("z"), tuple(planes))
        new = tuple(_channel(name, planes[name]) for name in volumes.channels[known:])
        image = self._images.get(part.annotated) or _opened(self._run.path / part.annotated)
        if image is None:
            image, new = self._create(part, new, planes[volumes.channels[0]], labels), ()
        self._images[part.annotated] = image
        image.put(
            _placed(planes, places),
            {name: _placed(maps, places) for name, maps in labels.items()},
            new_channels=new,
        )
        self._written[frame.seq] = places

    def take(self, seq: int) -> Places | None:
        """Where the planes of a frame stand, None if it was not processed; told once."""
        return self._written.pop(seq, None)

    def close(self) -> None:
        """Nothing is held open."""

    def _create(
        self, part: Part, channels: tuple[Channel, ...], plane: NDArray[Any], labels: Iterable[str]
    ) -> GrowingImage:
        return create_image(
            self._run.path / part.annotated,
            plane=_plane(plane),
            dtype=plane.dtype,
            scale=self._scale,
            channels=channels,
            labels={name: _CLASSES[name] for name in labels},
            about=_about(part),
        )


def _named(
    results: tuple[Result, ...], draw: Callable[[Result], Drawn]
) -> tuple[dict[str, NDArray[Any]], dict[str, dict[str, NDArray[Any]]]]:
    """Planes by channel name, and those of each label image by the channel that they belong to."""
    planes: dict[str, NDArray[Any]] = {}
    labels: dict[str, dict[str, NDArray[Any]]] = {}
    for result in results:
        drawn = draw(result)
        names = [f"{name} {result.frame.axes.get('channel', '')}".rstrip() for name in drawn.images]
        planes |= zip(names, drawn.images.values(), strict=True)
        for name, plane in drawn.labels.items():
            labels.setdefault(name, {})[names[0]] = plane
    return planes, labels


def _placed(planes: Mapping[str, NDArray[Any]], places: Places) -> dict[Place, NDArray[Any]]:
    return {(places.t, places.c[name], places.z): plane for name, plane in planes.items()}


def _opened(path: Path) -> GrowingImage | None:
    """The image of an earlier session."""
    return GrowingImage(path) if path.exists() else None


def _about(part: Part) -> dict[str, Any]:
    return {"position": part.position, "segment": part.segment}


def _plane(pixels: NDArray[Any]) -> tuple[int, int]:
    if pixels.ndim != 2:
        raise RecordingError(f"frame has shape {pixels.shape}; hand over single planes [y, x]")
    return pixels.shape[0], pixels.shape[1]


def _channel(label: str, pixels: NDArray[Any]) -> Channel:
    """What a viewer should show: the first plane's range, without the brightest thousandth."""
    seen = pixels[np.isfinite(pixels)]  # a registered plane has no values beyond its channel's edge
    low, high = (float(seen.min()), float(np.percentile(seen, 99.9))) if seen.size else (0.0, 1.0)
    return Channel(label=label, low=low, high=max(high, low + 1.0))

"""Sinks that write pixels: the camera's own, and what the networks made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.core import Frame, Outcome, Result
from streamer.errors import RecordingError
from streamer.recording import Channel, GrowingImage, RunFolder, Scale, create_image

SEGMENTATION = {0: "background", 1: "tubule", 2: "sheet"}
TRUST = {0: "background", 1: "uncertain", 2: "supported", 3: "unsupported"}


class RawSink:
    """Writes every frame untouched; the image is made for the size and type of the first one."""

    def __init__(self, run: RunFolder, scale: Scale) -> None:
        self._run = run
        self._scale = scale
        self._image: GrowingImage | None = None
        self._indices: dict[int, int] = {}

    def put(self, frame: Frame) -> None:
        """Append the frame's pixels."""
        if self._image is None:
            self._image = create_image(
                self._run.raw,
                plane=_plane(frame.pixels),
                dtype=frame.pixels.dtype,
                scale=self._scale,
                channels=(_channel("detector", frame.pixels),),
            )
        self._indices[frame.seq] = self._image.pixels.append([frame.pixels])

    def index_of(self, seq: int) -> int:
        """Where the frame stands on the t axis; told once, so that a run of hours does not grow in memory."""
        if seq not in self._indices:
            raise RecordingError(f"{self._run.raw}: frame {seq} has no pixels; hand the frame to raw first")
        return self._indices.pop(seq)

    def close(self) -> None:
        """Nothing is held open."""


class AnnotatedSink:
    """Writes denoised frames, segmentation and trust of every processed frame.

    The annotated image has its own frame axis without holes; the row of a frame tells its place there.
    Uncertainty is a second channel if the first result has one. `trust` gives a result's [y, x] uint8 map:
    0 background, 1 uncertain, 2 supported, 3 unsupported.
    """

    def __init__(self, run: RunFolder, scale: Scale, trust: Callable[[Result], NDArray[np.uint8]]) -> None:
        self._run = run
        self._scale = scale
        self._trust = trust
        self._image: GrowingImage | None = None
        self._indices: dict[int, int] = {}

    def put(self, outcome: Outcome) -> None:
        """Append the outcome's result, if it has one; labels first, so that every image has its labels."""
        result = outcome.result
        if result is None:
            return
        planes = _planes(result)
        if self._image is None:
            self._image = create_image(
                self._run.annotated,
                plane=_plane(result.denoised),
                dtype=result.denoised.dtype,
                scale=self._scale,
                channels=tuple(_channel(label, plane) for label, plane in planes.items()),
                labels={"segmentation": SEGMENTATION, "trust": TRUST},
            )
        self._image.labels["segmentation"].append([result.labels])
        self._image.labels["trust"].append([self._trust(result)])
        self._indices[outcome.frame.seq] = self._image.pixels.append(list(planes.values()))

    def index_of(self, seq: int) -> int | None:
        """Where the frame stands on the t axis, None if it was not processed; told once."""
        return self._indices.pop(seq, None)

    def close(self) -> None:
        """Nothing is held open."""


def _planes(result: Result) -> dict[str, NDArray[np.float32]]:
    planes = {"denoised": result.denoised}
    return planes if result.uncertainty is None else planes | {"uncertainty": result.uncertainty}


def _plane(pixels: NDArray[Any]) -> tuple[int, int]:
    if pixels.ndim != 2:
        raise RecordingError(f"frame has shape {pixels.shape}; hand over single planes [y, x]")
    return pixels.shape[0], pixels.shape[1]


def _channel(label: str, pixels: NDArray[Any]) -> Channel:
    """What a viewer should show: the first frame's range, without the brightest thousandth."""
    low, high = float(pixels.min()), float(np.percentile(pixels, 99.9))
    return Channel(label=label, low=low, high=max(high, low + 1.0))

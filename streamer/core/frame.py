"""One acquired image as the detector gave it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

#: Pixel types a detector may deliver; everything else is refused at the door.
PIXEL_DTYPES = ("uint8", "uint16")


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraMode:
    """Size, pixel type, exposure and bit depth: a change of any opens a new segment of the recording."""

    shape_yx: tuple[int, int]
    dtype: str
    exposure_ms: float | None = None
    bit_depth: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One acquired image, its place in the acquisition and its clocks.

    Attributes:
        pixels: [y, x] counts exactly as the detector gave them, `uint8` or `uint16`; never altered.
        seq: number of the frame in its run, from 0, without gaps at the hook.
        axes: place in the acquisition, a subset of time, z, channel, position.
        hook_ns: monotonic clock of the microscope's machine when the hook was handed the frame.
        received_ns: monotonic clock of the processor when the frame arrived.
        wall_time_s: Unix time of the hook.
        metadata: the engine's own metadata, untouched.
        superseded: the overload policy `latest` chose a newer frame; record it, do not process it.
        exposure_ms: exposure time as the engine states it; None where it does not.
        bit_depth: bits of the detector's scale as the engine states them; None where it does not.
        state: device properties that the profile asks for, as `Device-Property`, read for this frame.
    """

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    seq: int
    axes: Mapping[str, int | str] = field(default_factory=dict)
    hook_ns: int = 0
    received_ns: int = 0
    wall_time_s: float = 0.0
    metadata: Mapping[str, object] = field(default_factory=dict)
    superseded: bool = False
    exposure_ms: float | None = None
    bit_depth: int | None = None
    state: Mapping[str, str | float] = field(default_factory=dict)

    @property
    def mode(self) -> CameraMode:
        """What must not change within one image of a recording."""
        return CameraMode(
            shape_yx=(self.pixels.shape[0], self.pixels.shape[1]),
            dtype=self.pixels.dtype.name,
            exposure_ms=self.exposure_ms,
            bit_depth=self.bit_depth,
        )

"""[detector]: what turns light into values, and how several channels share it."""

from __future__ import annotations

from itertools import combinations
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from streamer.profile.tables import (
    AsTuple,
    NotNegativeOrUnknown,
    PositiveOrUnknown,
    RegionOrUnknown,
    Row3,
    Table,
    WindowOrUnknown,
)

#: Channels of one splitter show the same field at nearly the same size.
_SCALES = (0.9, 1.1)
_IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


class DetectorCalibration(Table):
    """[detector.calibration]: what turns grey levels into photo-electrons.

    Attributes:
        gain_e_per_adu: photo-electrons per grey level.
        offset_adu: grey level of no light.
        read_noise_e: standard deviation of the read noise in photo-electrons.
    """

    gain_e_per_adu: PositiveOrUnknown
    offset_adu: NotNegativeOrUnknown
    read_noise_e: NotNegativeOrUnknown


class Filter(Table):
    """[[detector.filters]]: one of several emission filters that come before the whole sensor by turns.

    Attributes:
        name: the engine's name of the channel.
        window_nm: [lower, upper] end of the detection window.
    """

    name: str = Field(min_length=1)
    window_nm: WindowOrUnknown


class Channel(Table):
    """[[detector.channels]]: one of several detection channels side by side on one sensor.

    Attributes:
        name: as in the recording.
        window_nm: [lower, upper] end of the detection window.
        region_px: [y, x, height, width] of the channel on the sensor; where that is unknown of one channel,
            frames are not cut.
        to_reference: 2 x 3 matrix that takes (y, x, 1) of the first channel's region to (y, x) in this one's;
            measured with beads. Left out: they lie exactly alike.
    """

    name: str = Field(min_length=1)
    window_nm: WindowOrUnknown
    region_px: RegionOrUnknown
    to_reference: Annotated[tuple[Row3, Row3], AsTuple] = _IDENTITY

    @model_validator(mode="after")
    def _same_field(self) -> Self:
        linear = np.array(self.to_reference)[:, :2]
        sizes = np.linalg.svd(linear, compute_uv=False)
        if not (_SCALES[0] <= sizes.min() and sizes.max() <= _SCALES[1]):
            raise ValueError(
                f"to_reference = {[list(row) for row in self.to_reference]} scales by {sizes.min():.3g} to "
                f"{sizes.max():.3g}; channels of one sensor differ by less, use "
                f"{_SCALES[0]:g}-{_SCALES[1]:g} and rows [dy/dy, dy/dx, shift]"
            )
        return self


class Detector(Table):
    """[detector]: a counting detector (its values are photons) or a camera (grey levels).

    Attributes:
        kind: what its values are.
        window_nm: [lower, upper] end of the detection window, where there is only one.
        gate_ns: [first, last] time after the pulse at which photons count.
        pinhole_au: diameter of the pinhole in Airy units.
        bit_depth: bits of its scale.
        calibration: of a camera; without it there are no photons, and guards and networks need them.
        filters: windows that come by turns.
        channels: windows that lie side by side.
    """

    kind: Literal["counting", "camera"]
    window_nm: WindowOrUnknown = None
    gate_ns: WindowOrUnknown = None
    pinhole_au: PositiveOrUnknown = None
    bit_depth: int | None = Field(default=None, ge=8, le=16)
    calibration: DetectorCalibration | None = None
    filters: Annotated[tuple[Filter, ...], AsTuple] = ()
    channels: Annotated[tuple[Channel, ...], AsTuple] = ()

    @model_validator(mode="after")
    def _windows(self) -> Self:
        if not ("window_nm" in self.model_fields_set or self.filters or self.channels):
            raise ValueError('window_nm is missing; add [lower, upper] or "unknown", or filters or channels')
        named = {f"{each.name}: window_nm": each.window_nm for each in self.filters}
        named |= {f"{each.name}: window_nm": each.window_nm for each in self.channels}
        for key, window in {"window_nm": self.window_nm, "gate_ns": self.gate_ns, **named}.items():
            if window is not None and not 0 <= window[0] < window[1]:
                raise ValueError(f"{key} = {list(window)} is empty; give its lower end, then its upper end")
        return self

    @model_validator(mode="after")
    def _channels_apart(self) -> Self:
        for names in ([each.name for each in self.filters], [each.name for each in self.channels]):
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f'the channel name "{name}" is given twice; rename one')
        if self.channels and self.channels[0].to_reference != _IDENTITY:
            raise ValueError(
                f"{self.channels[0].name}: to_reference is given, but the first channel is the reference; "
                "leave it out there"
            )
        for a, b in combinations(self.channels, 2):
            if a.region_px and b.region_px and _overlap(a.region_px, b.region_px):
                raise ValueError(
                    f"the regions of {a.name} and {b.name}, {list(a.region_px)} and {list(b.region_px)}, "
                    "overlap; move one"
                )
        return self

    @property
    def splits(self) -> bool:
        """Whether its frames can be cut into channels: there are some, and every region is known."""
        return bool(self.channels) and all(channel.region_px for channel in self.channels)


_Region = tuple[int, int, int, int]


def _overlap(a: _Region, b: _Region) -> bool:
    return all(a[i] < b[i] + b[i + 2] and b[i] < a[i] + a[i + 2] for i in (0, 1))

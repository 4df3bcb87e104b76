"""The simulated microscope's parts, as Python devices of a Micro-Manager core."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray
from pymmcore_plus.experimental.unicore import CameraDevice, ShutterDevice, StageDevice, XYStageDevice

from streamer.simulation import Light, Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureRecord:
    """One exposure as the camera knows it, whatever became of its pixels afterwards.

    A fresh `Scene` of the same settings, exposed with these values in order, gives the same pixels and with
    them their ground truth.

    Attributes:
        index: number of the exposure on this camera, from 0, without gaps.
        sha256: of the [y, x] little-endian uint16 pixels, rows first.
        light: what the specimen got.
        focus_um: position of the focus stage.
        time_s: the specimen's own time, index times the nominal frame interval.
        end_ns: monotonic clock when the exposure was read out.
    """

    index: int
    sha256: str
    light: Light
    focus_um: float
    time_s: float
    end_ns: int


class Laser(ShutterDevice):
    """A laser line: a `Power` property in the line's own unit, behind a shutter.

    Args:
        unit: unit of the power, `uW` or `mW`; part of the property's name (`Power_uW`).
        max_power: largest power that is accepted.
    """

    def __init__(self, unit: Literal["uW", "mW"], max_power: float) -> None:
        super().__init__()
        self.power_property = f"Power_{unit}"
        self._power = 0.0
        self._open = False
        self.register_property(
            self.power_property,
            property_type=float,
            limits=(0.0, max_power),
            getter=Laser._get_power,
            setter=Laser._set_power,
        )

    @property
    def emitted(self) -> float:
        """Power that leaves the shutter, in the line's unit."""
        return self._power if self._open else 0.0

    def get_open(self) -> bool:
        return self._open

    def set_open(self, open: bool) -> None:
        self._open = open

    def _get_power(self) -> float:
        return self._power

    def _set_power(self, power: float) -> None:
        self._power = float(power)


class FocusStage(StageDevice):
    """The focus drive; 0 um is in focus."""

    def __init__(self) -> None:
        super().__init__()
        self._position_um = 0.0

    def get_position_um(self) -> float:
        return self._position_um

    def set_position_um(self, val: float) -> None:
        self._position_um = val

    def home(self) -> None:
        self._position_um = 0.0

    def set_origin(self) -> None:
        self._position_um = 0.0

    def stop(self) -> None:
        """Moves are instantaneous: there is nothing to stop."""


class SampleStage(XYStageDevice):
    """The xy stage. The simulated specimen is one field, so moving shows in the metadata only."""

    def __init__(self) -> None:
        super().__init__()
        self._xy_um = (0.0, 0.0)

    def get_position_um(self) -> tuple[float, float]:
        return self._xy_um

    def set_position_um(self, x: float, y: float) -> None:
        self._xy_um = (x, y)

    def home(self) -> None:
        self._xy_um = (0.0, 0.0)

    def set_origin_x(self) -> None:
        self._xy_um = (0.0, self._xy_um[1])

    def set_origin_y(self) -> None:
        self._xy_um = (self._xy_um[0], 0.0)

    def stop(self) -> None:
        """Moves are instantaneous: there is nothing to stop."""


class PointScanner(CameraDevice):
    """A point-scanning confocal detector that counts photons, as a camera of [y, x] uint16 frames.

    The light is read when an exposure starts. The specimen's clock advances by `interval_ms` with every
    exposure, however fast frames are really taken: the same seed gives the same pixels at any pace.

    Args:
        scene: the specimen and its optics.
        shape_yx: pixels of a frame.
        light: what the lasers emit at this moment.
        focus_um: where the focus stage stands at this moment.
        interval_ms: nominal time of one frame, the specimen's clock.
        exposure_ms: time one exposure really takes (longer where computing the photons takes longer).
        on_exposure: told of every exposure as it is read out, on the engine's thread.
    """

    def __init__(
        self,
        *,
        scene: Scene,
        shape_yx: tuple[int, int],
        light: Callable[[], Light],
        focus_um: Callable[[], float],
        interval_ms: float,
        exposure_ms: float,
        on_exposure: Callable[[ExposureRecord], None] | None = None,
    ) -> None:
        super().__init__()
        self._scene, self._shape_yx, self._light, self._focus_um = scene, shape_yx, light, focus_um
        self._interval_ms, self._exposure_ms = interval_ms, exposure_ms
        self._on_exposure = on_exposure
        self._off = threading.Event()
        self.log: list[ExposureRecord] = []
        self.register_property("ExposureIndex", property_type=int, getter=PointScanner._last_index)
        self.register_property("SpecimenTime_s", property_type=float, getter=PointScanner._last_time_s)

    @property
    def exposed(self) -> int:
        """Frames exposed since the camera was made."""
        return len(self.log)

    def get_exposure(self) -> float:
        return self._exposure_ms

    def set_exposure(self, exposure: float) -> None:
        self._exposure_ms = exposure

    def shape(self) -> tuple[int, int]:
        return self._shape_yx

    def dtype(self) -> DTypeLike:
        return np.uint16

    def shutdown(self) -> None:
        self._off.set()

    def start_sequence(
        self, n: int | None, get_buffer: Callable[[Sequence[int], DTypeLike], NDArray[np.uint16]]
    ) -> Iterator[Mapping[str, object]]:
        """Expose `n` frames (None: until closed), each yielded when it is read out."""
        taken = 0
        while n is None or taken < n:
            record = self._expose(get_buffer(self._shape_yx, np.uint16))
            taken += 1
            yield {"ExposureIndex": record.index, "SpecimenTime_s": record.time_s}

    def _expose(self, pixels: NDArray[np.uint16]) -> ExposureRecord:
        start_s = time.monotonic()
        index, light, focus_um = self.exposed, self._light(), self._focus_um()
        time_s = index * self._interval_ms / 1e3
        pixels[:] = self._scene.expose(index, time_s, light, focus_um).counts
        digest = hashlib.sha256(pixels.astype("<u2", copy=False).tobytes()).hexdigest()
        self._off.wait(start_s + self._exposure_ms / 1e3 - time.monotonic())
        record = ExposureRecord(
            index=index,
            sha256=digest,
            light=light,
            focus_um=focus_um,
            time_s=time_s,
            end_ns=time.monotonic_ns(),
        )
        self.log.append(record)
        if self._on_exposure is not None:
            self._on_exposure(record)
        return record

    def _last_index(self) -> int:
        return self.log[-1].index if self.log else -1

    def _last_time_s(self) -> float:
        return self.log[-1].time_s if self.log else 0.0

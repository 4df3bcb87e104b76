"""The simulated microscope's parts, as Python devices of a Micro-Manager core."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray
from pymmcore_plus.experimental.unicore import (
    CameraDevice,
    ShutterDevice,
    StageDevice,
    StateDevice,
    XYStageDevice,
)
from scipy.ndimage import affine_transform

from streamer.simulation import Exposure, Light, Scene, SceneSettings, count_photons

#: 2 x 3, of places (y, x, 1) to places (y, x).
Matrix = tuple[tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureRecord:
    """One exposure as the camera knows it, whatever became of its pixels afterwards.

    A fresh `Scene` of the same settings, exposed with these values in order, gives the same pixels and with
    them their ground truth.

    Attributes:
        index: number of the exposure on this camera, from 0, without gaps.
        field: which field of the specimen, (row, column) in fields of the size of a frame.
        transmission: of the filter before the detector.
        sha256: of the [y, x] little-endian uint16 pixels, rows first.
        light: what the specimen got.
        focus_um: position of the focus stage.
        time_s: the specimen's own time, index times the nominal frame interval.
        end_ns: monotonic clock when the exposure was read out.
    """

    index: int
    field: tuple[int, int]
    transmission: float
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
    """The xy stage; whoever looks at a place gets the field of the specimen that is nearest to it."""

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


class FilterWheel(StateDevice):
    """Detection filters before the detector, by name.

    Args:
        transmissions: share of the photons that each lets through.
    """

    def __init__(self, transmissions: Mapping[str, float]) -> None:
        super().__init__(dict(enumerate(transmissions)))
        self._transmissions = tuple(transmissions.values())
        self._state = 0

    @property
    def transmission(self) -> float:
        """Of the filter that is in."""
        return self._transmissions[self._state]

    def get_state(self) -> int:
        return self._state

    def set_state(self, position: int) -> None:
        self._state = int(position)


class Fields:
    """The specimen as a stage finds it: fields of the size of a frame, each a scene that bleaches on its own.

    The one at the origin has the seed of `settings`; the others have their own.
    """

    def __init__(self, settings: SceneSettings) -> None:
        self._settings = settings
        self._scenes: dict[tuple[int, int], Scene] = {(0, 0): Scene(settings)}

    def at(self, x_um: float, y_um: float) -> tuple[tuple[int, int], Scene]:
        """(row, column) of the field nearest to a place, and its scene."""
        height, width = (size * self._settings.pixel_nm / 1e3 for size in self._settings.shape_yx)
        place = (round(y_um / height), round(x_um / width))
        if place not in self._scenes:
            # Disjoint from the small seeds that users choose.
            seed = self._settings.seed + (1 << 32) + (place[0] % 65536) * 65536 + place[1] % 65536
            self._scenes[place] = Scene(replace(self._settings, seed=seed))
        return place, self._scenes[place]


@dataclass(frozen=True, slots=True, kw_only=True)
class Splitter:
    """A second detection channel to the right of the first on the same sensor.

    Attributes:
        to_reference: 2 x 3 matrix that takes (y, x, 1) of the first channel to (y, x) in the second.
        brightness: expected photons of the second channel over those of the first.
    """

    to_reference: Matrix
    brightness: float = 0.5

    def second(self, expected: NDArray[np.float32]) -> NDArray[np.float32]:
        """[y, x] expected photons of the second channel, from those of the first."""
        forward = np.asarray(self.to_reference)
        back = np.linalg.inv(forward[:, :2])
        warped = affine_transform(expected, back, -back @ forward[:, 2], order=3, mode="reflect")
        second: NDArray[np.float32] = np.maximum(warped, 0.0) * np.float32(self.brightness)
        return second


class PointScanner(CameraDevice):
    """A point-scanning confocal detector that counts photons, as a camera of [y, x] uint16 frames.

    The light is read when an exposure starts. The specimen's clock advances by `interval_ms` with every
    exposure, however fast frames are really taken: the same seed gives the same pixels at any pace.

    Args:
        look: the field of the specimen before the objective at this moment, and its scene.
        shape_yx: pixels of the scan; with a splitter the frame is twice as wide.
        light: what the lasers emit at this moment.
        focus_um: where the focus stage stands at this moment.
        transmission: of the detection filter at this moment.
        interval_ms: nominal time of one frame, the specimen's clock.
        exposure_ms: time one exposure really takes (longer where computing the photons takes longer).
        on_exposure: told of every exposure as it is read out, on the engine's thread.
        splitter: a second channel on the same sensor.
    """

    def __init__(
        self,
        *,
        look: Callable[[], tuple[tuple[int, int], Scene]],
        shape_yx: tuple[int, int],
        light: Callable[[], Light],
        focus_um: Callable[[], float],
        transmission: Callable[[], float],
        interval_ms: float,
        exposure_ms: float,
        on_exposure: Callable[[ExposureRecord], None] | None = None,
        splitter: Splitter | None = None,
    ) -> None:
        super().__init__()
        self._look, self._light, self._focus_um, self._transmission = look, light, focus_um, transmission
        self._splitter = splitter
        self._shape_yx = shape_yx if splitter is None else (shape_yx[0], 2 * shape_yx[1])
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
        field, scene = self._look()
        transmission = self._transmission()
        pixels[:] = self._detect(scene.expose(index, time_s, light, focus_um), index, scene, transmission)
        digest = hashlib.sha256(pixels.astype("<u2", copy=False).tobytes()).hexdigest()
        self._off.wait(start_s + self._exposure_ms / 1e3 - time.monotonic())
        record = ExposureRecord(
            index=index,
            field=field,
            transmission=transmission,
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

    def _detect(
        self, exposure: Exposure, index: int, scene: Scene, transmission: float
    ) -> NDArray[np.uint16]:
        """[y, x] counts behind filter and splitter."""
        counts = exposure.counts
        if transmission < 1.0:  # taken at random: what is left of a Poisson number is one again
            counts = _rng(scene, index).binomial(counts, transmission).astype(np.uint16)
        if self._splitter is None:
            return counts
        expected = (exposure.signal + exposure.background) * np.float32(transmission)
        return np.hstack([counts, count_photons(self._splitter.second(expected), _rng(scene, index))])

    def _last_index(self) -> int:
        return self.log[-1].index if self.log else -1

    def _last_time_s(self) -> float:
        return self.log[-1].time_s if self.log else 0.0


def _rng(scene: Scene, index: int) -> np.random.Generator:
    """Draws of the detection path of one exposure; the scene's own have other last words."""
    return np.random.default_rng((scene.settings.seed, 4, index))

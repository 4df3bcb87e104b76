"""[[lasers]], [scan] and [camera]: what a rig does to the light, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from streamer.profile.tables import (
    AsTuple,
    DeviceProperty,
    FractionOrUnknown,
    OrUnknown,
    Positive,
    PositiveOrUnknown,
    ShapeOrUnknown,
    Table,
    stated_number,
)

#: No laser on a microscope is stronger: 100 W.
MAX_MICROWATTS = 1e8

Role = Literal["excitation", "depletion"]


class Laser(Table):
    """[[lasers]]: one laser line and its power, `power_uw` or `power_mw`, at a stated place.

    Attributes:
        role: what the line is for.
        wavelength_nm: of the line.
        power_uw: power at that place in microwatt; this or `power_mw`.
        power_mw: the same in milliwatt.
        measured_at: where the power was measured.
        psf: shape of a depletion focus; for depletion lasers only.
        transmission_to_sample: part of the power that reaches the specimen; 1 where it was measured there.
        stated_by: [device, property] by which the acquisition engine states the power that is really set, in
            the unit of the power here.
        channels: channels of the engine in which the line is on; left out: in all of them.
    """

    role: Role
    wavelength_nm: Positive
    power_uw: PositiveOrUnknown = None
    power_mw: PositiveOrUnknown = None
    measured_at: Literal["back focal plane", "sample", "fibre output", "unknown"]
    psf: Literal["donut", "top-hat"] | None = None
    transmission_to_sample: FractionOrUnknown
    stated_by: DeviceProperty | None = None
    channels: Annotated[tuple[str, ...], AsTuple] | None = Field(default=None, min_length=1)

    @property
    def line(self) -> str:
        """Role and wavelength, as in `excitation 640 nm`."""
        return f"{self.role} {self.wavelength_nm:g} nm"

    @property
    def microwatts(self) -> float | None:
        """Power where it was measured; None where it is unknown."""
        if self.power_mw is not None:
            return self.power_mw * 1e3
        return self.power_uw

    def stated_uw(self, state: Mapping[str, str | float]) -> float | None:
        """Power that the engine states in `Frame.state`; None where it states none that makes sense."""
        per_unit = 1e3 if "power_mw" in self.model_fields_set else 1.0
        stated = stated_number(state, self.stated_by)
        return None if stated is None else stated * per_unit

    @model_validator(mode="after")
    def _one_power_and_the_shape(self) -> Self:
        if len(self.model_fields_set & {"power_uw", "power_mw"}) != 1:
            raise ValueError('give the power once, as power_uw or power_mw (a number or "unknown")')
        if (self.microwatts or 0.0) > MAX_MICROWATTS:
            raise ValueError(f"a power of {self.microwatts:g} uW is beyond any laser; check the unit")
        if (self.role == "depletion") != (self.psf is not None):
            raise ValueError('psf ("donut" or "top-hat") belongs to a depletion laser, and only there')
        return self

    @model_validator(mode="after")
    def _nothing_is_lost_at_the_sample(self) -> Self:
        if self.measured_at == "sample" and self.transmission_to_sample != 1:
            shown = "unknown" if self.transmission_to_sample is None else f"{self.transmission_to_sample:g}"
            raise ValueError(f'transmission_to_sample = {shown}; use 1 where measured_at = "sample"')
        return self


class Scan(Table):
    """[scan]: how a point scanner takes a frame.

    Attributes:
        dwell_us: time of one pass on one pixel.
        line_accumulation: passes per line.
        pixel_nm: size of a pixel in the specimen.
        shape_px: [y, x] of a frame.
        frame_ms: time from one frame to the next, fly-back included.
    """

    dwell_us: Positive
    line_accumulation: int = Field(ge=1)
    pixel_nm: Positive
    shape_px: ShapeOrUnknown
    frame_ms: PositiveOrUnknown

    @model_validator(mode="after")
    def _frame_holds_its_dwell(self) -> Self:
        rows, columns = self.shape_px or (1, 1)
        dwell_ms = self.dwell_us * self.line_accumulation * rows * columns / 1e3
        if self.frame_ms is not None and self.frame_ms < dwell_ms:
            raise ValueError(
                f"frame_ms = {self.frame_ms:g} is shorter than the dwell of all pixels, {dwell_ms:g} ms; "
                "give the time of a whole frame"
            )
        return self


class Camera(Table):
    """[camera]: how a camera takes a frame.

    Attributes:
        model: of the camera.
        exposure_ms: exposure of one frame.
        binning: camera pixels per pixel of a frame, along one side.
        pixel_nm: size of a pixel of a frame in the specimen, binning included.
        shape_px: [y, x] of a frame.
        frame_ms: time from one frame to the next.
        illuminated_um2: area of the specimen over which the power of a laser is spread.
    """

    model: str
    exposure_ms: PositiveOrUnknown
    binning: Annotated[Annotated[int, Field(ge=1, le=16)] | None, OrUnknown] = 1
    pixel_nm: PositiveOrUnknown
    shape_px: ShapeOrUnknown
    frame_ms: PositiveOrUnknown
    illuminated_um2: PositiveOrUnknown = None

    @model_validator(mode="after")
    def _frame_holds_its_exposure(self) -> Self:
        if self.frame_ms is not None and self.exposure_ms is not None and self.frame_ms < self.exposure_ms:
            raise ValueError(
                f"frame_ms = {self.frame_ms:g} is shorter than exposure_ms = {self.exposure_ms:g}; "
                "give the time from one frame to the next"
            )
        return self

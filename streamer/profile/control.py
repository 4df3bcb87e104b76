"""[control], [watchdog] and [recorded]: what an adaptive run may do to the microscope."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from streamer.profile.tables import AsTuple, DeviceProperty, NotNegative, Positive, Table

Quantity = Literal["excitation_uw", "dwell_us", "exposure_ms", "interval_s"]

#: Quantities that the engine knows itself; the others are properties of devices.
_OF_THE_ENGINE = ("exposure_ms", "interval_s")


class Knob(Table):
    """[[control.knobs]]: one quantity that a run may adjust, and the limits it never crosses.

    Attributes:
        quantity: what is adjusted.
        set_by: [device, property] of the engine, in the unit of the quantity; exposure and interval need
            none.
        minimum: lower limit, in the unit of the quantity.
        maximum: upper limit.
        factor: one adjustment multiplies by it.
    """

    quantity: Quantity
    set_by: DeviceProperty | None = None
    minimum: Positive
    maximum: Positive
    factor: Positive

    @model_validator(mode="after")
    def _turns_within_limits(self) -> Self:
        if self.minimum >= self.maximum:
            raise ValueError(f"minimum = {self.minimum:g} is not below maximum = {self.maximum:g}; lower it")
        if self.factor == 1:
            raise ValueError("factor = 1 changes nothing; use one above 1 to raise, below 1 to lower")
        if self.set_by is None and self.quantity not in _OF_THE_ENGINE:
            raise ValueError(
                f"set_by is missing; add the [device, property] of the engine that sets {self.quantity}"
            )
        return self


class Control(Table):
    """[control]: what an adaptive run may do; nothing unless it is stated here.

    Attributes:
        knobs: quantities that "adjust" may change; the first that is not at its limit is taken.
        pause_s: how long a "pause" lasts; 0 until somebody resumes the run.
    """

    knobs: Annotated[tuple[Knob, ...], AsTuple] = ()
    pause_s: NotNegative = 0.0

    @model_validator(mode="after")
    def _each_quantity_once(self) -> Self:
        quantities = [knob.quantity for knob in self.knobs]
        for quantity in quantities:
            if quantities.count(quantity) > 1:
                raise ValueError(f"[[control.knobs]] {quantity} is given twice; keep one")
        return self


class Watchdog(Table):
    """[watchdog]: what happens to a laser that no guard watches, because processor or link are dead.

    Attributes:
        unwatched: frames are kept and judged later, or the lasers are made dark.
        after_s: time without a verdict after which a run counts as unwatched.
    """

    unwatched: Literal["go on", "make safe"] = "go on"
    after_s: Positive = 30.0


class Recorded(Table):
    """[recorded]: what travels with each frame besides its own metadata.

    Attributes:
        properties: device properties, each as [device, property].
    """

    properties: Annotated[tuple[DeviceProperty, ...], AsTuple] = ()

"""A hardware profile: all its tables together, and what they must say of each other."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from streamer.core import Calibration
from streamer.profile.control import Control, Recorded, Watchdog
from streamer.profile.detector import Detector
from streamer.profile.judging import Guards, Policy
from streamer.profile.light import Camera, Laser, Role, Scan
from streamer.profile.processing import Processing
from streamer.profile.tables import AsTuple, Table


class About(Table):
    """[profile]: what the rig is, and where its numbers come from.

    Attributes:
        name: that of the file without `.toml`; recordings quote it.
        description: of the rig, in a sentence.
        source: where the numbers come from.
    """

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    description: str
    source: str


class HardwareProfile(Table):
    """One rig: what it does to the light, and how far the guards may go.

    Attributes:
        profile: what the rig is.
        lasers: its laser lines; `lasers = []` above all tables where none is known.
        scan: of a point scanner.
        camera: of a camera; a profile has one of the two.
        detector: what turns light into values.
        processing: what is computed of which frames.
        guards: thresholds and reactions.
        policy: when a verdict becomes a decision.
        control: what a run may adjust.
        watchdog: what happens to an unwatched laser.
        recorded: what travels with each frame.
    """

    profile: About
    lasers: Annotated[tuple[Laser, ...], AsTuple]
    scan: Scan | None = None
    camera: Camera | None = None
    detector: Detector
    processing: Processing = Processing()
    guards: Guards = Guards()
    policy: Policy = Policy()
    control: Control = Control()
    watchdog: Watchdog = Watchdog()
    recorded: Recorded = Recorded()

    @property
    def name(self) -> str:
        """The profile's own name, which is also its file's."""
        return self.profile.name

    @property
    def pixel_nm(self) -> float | None:
        """Size of a pixel in the specimen."""
        return self.scan.pixel_nm if self.scan else self.camera.pixel_nm if self.camera else None

    @property
    def shape_px(self) -> tuple[int, int] | None:
        """[y, x] of a frame."""
        return self.scan.shape_px if self.scan else self.camera.shape_px if self.camera else None

    @property
    def frame_ms(self) -> float | None:
        """Time from one frame to the next."""
        return self.scan.frame_ms if self.scan else self.camera.frame_ms if self.camera else None

    @property
    def properties(self) -> tuple[tuple[str, str], ...]:
        """Every [device, property] to read for each frame: those recorded, and those the ledger needs."""
        stating = (laser.stated_by for laser in self.lasers)
        setting = (knob.set_by for knob in self.control.knobs)
        needed = (*self.recorded.properties, *stating, *setting)
        return tuple(dict.fromkeys(of for of in needed if of is not None))

    def laser(self, role: Role) -> Laser | None:
        """The first laser of a role; None where the rig has none."""
        return next((laser for laser in self.lasers if laser.role == role), None)

    def planned(self, quantity: str) -> float | None:
        """The value with which a run begins of a quantity that `[control]` may adjust; None is unknown."""
        excitation = self.laser("excitation")
        values = {
            "excitation_uw": excitation.microwatts if excitation else None,
            "dwell_us": self.scan.dwell_us if self.scan else None,
            "exposure_ms": self.camera.exposure_ms if self.camera else None,
            "interval_s": None if self.frame_ms is None else self.frame_ms / 1e3,
        }
        return values[quantity]

    def calibration(self) -> Calibration | None:
        """Grey levels to photons; None for a camera whose calibration is absent or unknown."""
        stated = self.detector.calibration
        if stated is None:
            return Calibration() if self.detector.kind == "counting" else None
        if stated.gain_e_per_adu is None or stated.offset_adu is None or stated.read_noise_e is None:
            return None
        return Calibration(
            offset_adu=stated.offset_adu,
            gain_e_per_adu=stated.gain_e_per_adu,
            read_noise_e=stated.read_noise_e,
        )

    @property
    def uncalibrated(self) -> str:
        """Why there are no photons, and the cure; empty where grey levels can be made photons."""
        if self.calibration() is not None:
            return ""
        return (
            "grey levels are no photons while [detector.calibration] lacks gain, offset or read noise; "
            "measure them (`streamer calibrate PROFILE --photon-transfer --flat FLAT --dark DARK`) and state "
            "them there"
        )

    def to_dict(self) -> dict[str, object]:
        """The whole profile with every default filled in, ready for JSON or TOML."""
        return self.model_dump(mode="json")

    @model_validator(mode="after")
    def _scan_or_camera(self) -> Self:
        if (self.scan is None) == (self.camera is None):
            raise ValueError("give [scan] for a point scanner or [camera] for a camera, one of them")
        return self

    @model_validator(mode="after")
    def _each_line_once(self) -> Self:
        lines = [laser.line for laser in self.lasers]
        for line in lines:
            if lines.count(line) > 1:
                raise ValueError(f"[[lasers]] {line} is given twice; keep one")
        return self

    @model_validator(mode="after")
    def _regions_on_the_sensor(self) -> Self:
        for channel in self.detector.channels:
            if channel.region_px is None or self.shape_px is None:
                continue
            y, x, height, width = channel.region_px
            if y + height > self.shape_px[0] or x + width > self.shape_px[1]:
                raise ValueError(
                    f"[[detector.channels]] {channel.name}: region_px = {list(channel.region_px)} leaves "
                    f"the frame, shape_px = {list(self.shape_px)}; give [y, x, height, width] inside it"
                )
        return self

    @model_validator(mode="after")
    def _control_begins_within_limits(self) -> Self:
        adjusting = self.guards.actions.asking_for("adjust")
        if adjusting and not self.control.knobs:
            raise ValueError(
                f'[guards.actions.{adjusting[0]}] asks to "adjust"; add [[control.knobs]] to turn'
            )
        for knob in self.control.knobs:
            begins = self.planned(knob.quantity)
            if begins is not None and not knob.minimum <= begins <= knob.maximum:
                raise ValueError(
                    f"[[control.knobs]] {knob.quantity}: the run begins at {begins:g}, outside of "
                    f"{knob.minimum:g}-{knob.maximum:g}; widen the limits"
                )
        return self

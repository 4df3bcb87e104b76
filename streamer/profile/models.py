"""What a hardware profile holds. Every default of a guard or the policy is written here and nowhere else.

A quantity that nobody has measured is the string "unknown" in the file and None in Python; it is never
guessed.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from streamer.core import Calibration

UNKNOWN = "unknown"

#: No laser on a microscope is stronger: 100 W.
MAX_MICROWATTS = 1e8


def _none_if_unknown(value: object) -> object:
    return None if value == UNKNOWN else value


def _tuple_if_list(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value  # TOML has lists only


_OrUnknown = BeforeValidator(_none_if_unknown)
_AsTuple = BeforeValidator(_tuple_if_list)
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(gt=0, le=1)]
#: A probability that a guard may err.
Rate = Annotated[float, Field(gt=0, le=0.5)]
PositiveOrUnknown = Annotated[Positive | None, _OrUnknown]
NotNegativeOrUnknown = Annotated[NotNegative | None, _OrUnknown]
FractionOrUnknown = Annotated[Fraction | None, _OrUnknown]
#: Lower and upper end of a window, in the unit of its key.
WindowOrUnknown = Annotated[tuple[float, float] | None, _OrUnknown, _AsTuple]
#: [y, x] in pixels.
Shape = Annotated[tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]], _AsTuple]
#: What the policy does about a verdict; `ignore` does not even show it.
#: "pause" and "adjust" will join when an acquisition can carry them out.
Reaction = Literal["ignore", "note", "stop"]


class Table(BaseModel):
    """One table of a profile: strict types, no unknown keys, not changed after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        """As in the file: a stated "unknown" stays stated, a key that was left out stays out."""
        fields: dict[str, object] = handler(self)
        return {
            key: UNKNOWN if value is None else value
            for key, value in fields.items()
            if value is not None or key in self.model_fields_set
        }


class About(Table):
    """[profile]: what the rig is, and where its numbers come from."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    description: str
    source: str


class Laser(Table):
    """[[lasers]]: one laser line and its power, `power_uw` or `power_mw`, at a stated place."""

    role: Literal["excitation", "depletion"]
    wavelength_nm: Positive
    power_uw: PositiveOrUnknown = None
    power_mw: PositiveOrUnknown = None
    measured_at: Literal["back focal plane", "sample", "fibre output", "unknown"]
    psf: Literal["donut", "top-hat"] | None = None
    transmission_to_sample: FractionOrUnknown

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

    @model_validator(mode="after")
    def _one_power_and_the_shape(self) -> Self:
        if len(self.model_fields_set & {"power_uw", "power_mw"}) != 1:
            raise ValueError('give the power once, as power_uw or power_mw (a number or "unknown")')
        if (self.microwatts or 0.0) > MAX_MICROWATTS:
            raise ValueError(f"a power of {self.microwatts:g} uW is beyond any laser; check the unit")
        if (self.role == "depletion") != (self.psf is not None):
            raise ValueError('psf ("donut" or "top-hat") belongs to a depletion laser, and only there')
        return self


class Scan(Table):
    """[scan]: how a frame is scanned; `shape_px` is [y, x]."""

    dwell_us: Positive
    line_accumulation: int = Field(ge=1)
    pixel_nm: Positive
    shape_px: Shape
    frame_ms: PositiveOrUnknown

    @model_validator(mode="after")
    def _frame_holds_its_dwell(self) -> Self:
        rows, columns = self.shape_px
        dwell_ms = self.dwell_us * self.line_accumulation * rows * columns / 1e3
        if self.frame_ms is not None and self.frame_ms < dwell_ms:
            raise ValueError(
                f"frame_ms = {self.frame_ms:g} is shorter than the dwell of all pixels, {dwell_ms:g} ms; "
                "give the time of a whole frame"
            )
        return self


class DetectorCalibration(Table):
    """[detector.calibration]: what turns grey levels into photo-electrons."""

    gain_e_per_adu: PositiveOrUnknown
    offset_adu: NotNegativeOrUnknown
    read_noise_e: NotNegativeOrUnknown


class Detector(Table):
    """[detector]: a counting detector (its values are photons) or a camera (grey levels)."""

    kind: Literal["counting", "camera"]
    window_nm: WindowOrUnknown
    gate_ns: WindowOrUnknown = None
    pinhole_au: PositiveOrUnknown = None
    bit_depth: int | None = Field(default=None, ge=8, le=16)
    calibration: DetectorCalibration | None = None

    @model_validator(mode="after")
    def _windows_open_upwards(self) -> Self:
        for key, window in (("window_nm", self.window_nm), ("gate_ns", self.gate_ns)):
            if window is not None and not 0 <= window[0] < window[1]:
                raise ValueError(f"{key} = {list(window)} is empty; give its lower end, then its upper end")
        return self


class SignalMap(Table):
    """[guards.signal_map]: photons in a box around a pixel, and how many are signal (Rahm et al.).

    Attributes:
        box_px: side of the box; stated for the record, since no other side is computed.
        background_max: photons in a box up to which it is background.
        signal_min: photons in a box above which it is signal.
        tiles_min: tiles above background that make a specimen; fewer are hot pixels.
        false_pass_rate: probability that an empty field passes, per frame.
    """

    box_px: Literal[10] = 10
    background_max: float = Field(default=5, ge=0)
    signal_min: float = Field(default=25, gt=0)
    tiles_min: int = Field(default=10, ge=1)
    false_pass_rate: Rate = 1e-3

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.background_max >= self.signal_min:
            raise ValueError(
                f"background_max = {self.background_max:g} is not below signal_min = {self.signal_min:g}; "
                "lower it"
            )
        return self


class SimilarityGuard(Table):
    """[guards.similarity]: SSIM of adjacent predictions on the signal map's foreground.

    Attributes:
        range_photons: expected photons per pixel that span the predictions, the same for all frames.
        boxes_min: foreground, in boxes, below which there is nothing to compare.
        baseline_frames: comparisons that make the run's own healthy baseline.
        spread_min: least standard deviation to assume; smaller changes are of no interest.
        false_alarm_rate: probability of a reject in a healthy run of the planned length.
    """

    range_photons: Positive = 2.0
    boxes_min: int = Field(default=5, ge=1)
    baseline_frames: int = Field(default=30, ge=2)
    spread_min: Positive = 0.02
    false_alarm_rate: Rate = 0.01


class PhotonGuard(Table):
    """[guards.photons]: photons per foreground box over time, against the model's floor.

    Attributes:
        floor: photons per foreground box that the model needs to be believed.
        tolerance: relative error granted to the estimate at the floor.
        drop: relative fall below the tolerated floor that is to be found fastest.
        baseline_frames: frames that make the baseline.
        tiles_min: foreground tiles that a baseline frame needs.
        false_alarm_rate: probability of a reject in a run that never falls below the floor.
    """

    floor: Positive = 8.0
    tolerance: float = Field(default=0.1, ge=0, le=0.9)
    drop: float = Field(default=0.1, gt=0, le=0.9)
    baseline_frames: int = Field(default=5, ge=1)
    tiles_min: int = Field(default=10, ge=1)
    false_alarm_rate: Rate = 0.01


class RangeGuard(Table):
    """[guards.range]: the input against what the model was trained on, and against photon statistics.

    Attributes:
        noise_low, noise_high: pixel noise over that of photon counting, to accept.
        saturated_max: fraction of saturated pixels to accept.
        misfit_max: squared difference of prediction and counts over that of photon counting, to accept.
        tiles_min: tiles from which a median is taken.
    """

    noise_low: float = Field(default=0.8, ge=0)
    noise_high: Positive = 1.25
    saturated_max: float = Field(default=1e-3, ge=0, le=1)
    misfit_max: Positive = 2.0
    tiles_min: int = Field(default=10, ge=1)


class Reactions(Table):
    """[guards.actions.<guard>]: what the policy does about a flag and about a reject."""

    flag: Reaction = "note"
    reject: Reaction = "note"


class Actions(Table):
    """[guards.actions]: one row per guard.

    Only lost signal stops a run by default. Adjacent frames also agree less where a specimen starts to move,
    which is no fault and may be what the run is for.
    """

    signal_map: Reactions = Reactions(reject="stop")
    similarity: Reactions = Reactions()
    photons: Reactions = Reactions(reject="stop")
    range: Reactions = Reactions()


class Guards(Table):
    """[guards]: thresholds and reactions."""

    signal_map: SignalMap = SignalMap()
    similarity: SimilarityGuard = SimilarityGuard()
    photons: PhotonGuard = PhotonGuard()
    range: RangeGuard = RangeGuard()
    actions: Actions = Actions()


class Policy(Table):
    """[policy]: when a verdict may become a decision.

    Attributes:
        minimum_frames: frames that are always acquired before anything but the user may stop the run.
        sustained_frames: frames that must ask for an action before it is taken,
        window_frames: among so many last ones.
        planned_frames: frames over which error rates per run hold, where the run states no number;
            7 h at 4.6 s are 5,480.
        dry_run: decide and record, but leave the microscope alone.
    """

    minimum_frames: int = Field(default=20, ge=1)
    sustained_frames: int = Field(default=3, ge=1)
    window_frames: int = Field(default=4, ge=1)
    planned_frames: int = Field(default=6000, ge=1)
    dry_run: bool = False

    @model_validator(mode="after")
    def _attainable(self) -> Self:
        if self.sustained_frames > self.window_frames:
            raise ValueError(
                f"sustained_frames = {self.sustained_frames} is above window_frames = {self.window_frames}; "
                "lower it"
            )
        return self


class HardwareProfile(Table):
    """One rig: what it does to the light, and how far the guards may go."""

    profile: About
    lasers: Annotated[tuple[Laser, ...], _AsTuple, Field(min_length=1)]
    scan: Scan
    detector: Detector
    guards: Guards = Guards()
    policy: Policy = Policy()

    @property
    def name(self) -> str:
        """The profile's own name, which is also its file's."""
        return self.profile.name

    def laser(self, role: Literal["excitation", "depletion"]) -> Laser | None:
        """The first laser of a role; None where the rig has none."""
        return next((laser for laser in self.lasers if laser.role == role), None)

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

    def to_dict(self) -> dict[str, object]:
        """The whole profile with every default filled in, ready for JSON or TOML."""
        return self.model_dump(mode="json")

    @model_validator(mode="after")
    def _each_line_once(self) -> Self:
        lines = [laser.line for laser in self.lasers]
        for line in lines:
            if lines.count(line) > 1:
                raise ValueError(f"[[lasers]] {line} is given twice; keep one")
        return self

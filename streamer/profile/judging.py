"""[guards] and [policy]: every default of a guard or the policy is written here and nowhere else."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from streamer.profile.tables import Positive, PositiveOrUnknown, Rate, Reaction, Table


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
        misfit_max: squared difference of prediction and counts over that of photon counting, to accept beside
            chance; background apart.
        tiles_min: tiles from which a median is taken.
    """

    noise_low: float = Field(default=0.8, ge=0)
    noise_high: Positive = 1.25
    saturated_max: float = Field(default=1e-3, ge=0, le=1)
    misfit_max: Positive = 1.05
    tiles_min: int = Field(default=10, ge=1)


class Halving(Table):
    """[guards.halves]: frames whose photons are dealt into two halves, for `evidence` and `agreement`.

    Attributes:
        every_frames: frames of a view from one that is halved to the next; 0 for never. A halved frame costs
            two more denoisings and one more segmentation.
    """

    every_frames: int = Field(default=20, ge=0)


class EvidenceGuard(Table):
    """[guards.evidence]: photons of each drawn object against those around it, on halved frames.

    Attributes:
        false_discovery_rate: expected share of supported objects that are not there, at most.
        ratio: brightness over the surroundings that is granted to what is not there.
        smallest_px: objects of fewer pixels are not tested.
        objects_min: tested objects below which there is no share to speak of.
        flag_below, reject_below: supported share of the drawn area.
    """

    false_discovery_rate: Rate = 0.05
    ratio: float = Field(default=1.15, ge=1)
    smallest_px: int = Field(default=10, ge=1)
    objects_min: int = Field(default=10, ge=1)
    flag_below: float = Field(default=0.5, ge=0, le=1)
    reject_below: float = Field(default=0.2, ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.reject_below > self.flag_below:
            raise ValueError(
                f"reject_below = {self.reject_below:g} is above flag_below = {self.flag_below:g}; lower it"
            )
        return self


class AgreementGuard(Table):
    """[guards.agreement]: predictions from two halves of the photons against each other, on halved frames.

    Attributes:
        baseline_tests: comparisons that make the run's own healthy baseline.
        spread_min: least standard deviation to assume; smaller changes are of no interest.
        drawn_min_px: drawn pixels below which there is nothing to compare.
        false_alarm_rate: probability of a reject in a healthy run of the planned length.
    """

    baseline_tests: int = Field(default=15, ge=2)
    spread_min: Positive = 0.02
    drawn_min_px: int = Field(default=500, ge=1)
    false_alarm_rate: Rate = 0.01


class BleachingGuard(Table):
    """[guards.bleaching]: the light that is left, for how long it will do, and what takes it.

    The floor is that of [guards.photons].

    Attributes:
        baseline_frames: frames that make the baseline.
        tiles_min: foreground tiles that a baseline frame needs.
        refit_frames, refit_share: the forecast is made anew after so many frames, or so large a share of
            those so far.
        rise: of the light over the start, relative, that is flagged.
        area_loss, sharpness_loss: relative, that are flagged where they explain the loss of light.
    """

    baseline_frames: int = Field(default=5, ge=1)
    tiles_min: int = Field(default=10, ge=1)
    refit_frames: int = Field(default=20, ge=1)
    refit_share: float = Field(default=0.02, ge=0, le=1)
    rise: Positive = 0.5
    area_loss: float = Field(default=0.2, gt=0, lt=1)
    sharpness_loss: float = Field(default=0.2, gt=0, lt=1)


class ConsistencyGuard(Table):
    """[guards.consistency]: counts against what the prediction says they should be, window by window.

    Attributes:
        false_alarm_rate: probability that a right prediction is flagged, per frame and direction.
        model_error: relative error of a right prediction, standard deviation over a window.
        structure_spread: standard deviation of structure residuals of right predictions; 1 for a denoiser
            that nobody calibrated.
    """

    false_alarm_rate: Rate = 1e-3
    model_error: float = Field(default=0.08, ge=0, le=1)
    structure_spread: Positive = 0.85


class HealthGuard(Table):
    """[guards.health]: whether a frame is new and whole.

    Attributes:
        share_max: share of faulty rows from which a frame is rejected.
        false_alarm_rate: probability of any flag in a healthy run of the planned length.
        loss_max: share of the photons that may be lost to the counter's dead time.
        dead_time_ns: of the counter after each photon; without it dead time is not judged.
    """

    share_max: float = Field(default=0.02, ge=0, le=1)
    false_alarm_rate: Rate = 0.01
    loss_max: float = Field(default=0.1, gt=0, le=1)
    dead_time_ns: PositiveOrUnknown = None


class SceneGuard(Table):
    """[guards.scene]: focus, area, background and drift against the beginning of the run.

    Attributes:
        baseline_frames: frames that make the run's own beginning.
        sharpness_loss, area_loss, background_rise: relative, that a healthy specimen may wander by.
        drift_max_px: movement beyond which a frame is flagged, pixels; a plain limit, no test.
        false_alarm_rate: probability of any alarm about the first three in a healthy run.
    """

    baseline_frames: int = Field(default=30, ge=2)
    sharpness_loss: float = Field(default=0.08, ge=0, lt=1)
    area_loss: float = Field(default=0.3, ge=0, lt=1)
    background_rise: float = Field(default=0.4, ge=0)
    drift_max_px: Positive = 100
    false_alarm_rate: Rate = 0.01


class TrustGuard(Table):
    """[guards.trust]: how much of what is drawn is expected to be there.

    Attributes:
        flag_below: expected share of the drawn area that is true, below which a frame is flagged.
    """

    flag_below: float = Field(default=0.8, ge=0, le=1)


class Reactions(Table):
    """[guards.actions.<guard>]: what the policy does about a guard's verdicts.

    Attributes:
        flag: about a frame that is worth a look.
        reject: about a frame that is not to be believed.
    """

    flag: Reaction = "note"
    reject: Reaction = "note"


class Stops(Reactions):
    """[guards.actions.signal_map|photons|range]: guards that stop a run unless told otherwise.

    Attributes:
        flag: about a frame that is worth a look.
        reject: about a frame that is not to be believed.
    """

    reject: Reaction = "stop"


class Actions(Table):
    """[guards.actions]: one row per guard.

    What no healthy run does stops one by default: lost signal, and values that are not finite, which are all
    that `range` rejects. Adjacent frames also agree less where a specimen starts to move, which is no fault
    and may be what the run is for.
    """

    signal_map: Stops = Stops()
    similarity: Reactions = Reactions()
    photons: Stops = Stops()
    range: Stops = Stops()
    evidence: Reactions = Reactions()
    agreement: Reactions = Reactions()
    bleaching: Reactions = Reactions()
    consistency: Reactions = Reactions()
    health: Reactions = Reactions()
    scene: Reactions = Reactions()
    trust: Reactions = Reactions()

    def asking_for(self, reaction: Reaction) -> tuple[str, ...]:
        """The guards that a verdict lets ask for `reaction`."""
        return tuple(guard for guard, each in self if reaction in (each.flag, each.reject))


class Guards(Table):
    """[guards]: thresholds and reactions."""

    signal_map: SignalMap = SignalMap()
    similarity: SimilarityGuard = SimilarityGuard()
    photons: PhotonGuard = PhotonGuard()
    range: RangeGuard = RangeGuard()
    halves: Halving = Halving()
    evidence: EvidenceGuard = EvidenceGuard()
    agreement: AgreementGuard = AgreementGuard()
    bleaching: BleachingGuard = BleachingGuard()
    consistency: ConsistencyGuard = ConsistencyGuard()
    health: HealthGuard = HealthGuard()
    scene: SceneGuard = SceneGuard()
    trust: TrustGuard = TrustGuard()
    actions: Actions = Actions()


class Policy(Table):
    """[policy]: when a verdict may become a decision.

    Attributes:
        minimum_frames: frames that are always acquired before anything but the user may stop the run.
        sustained_frames: frames that must ask for an action before it is taken, among `window_frames`.
        window_frames: last frames that are looked at.
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

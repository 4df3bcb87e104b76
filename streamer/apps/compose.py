"""Profile and models into the stages of a run; live runs and replays are composed alike."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import streamer
from streamer import calibration as guard_calibration
from streamer.apps.judges import guards_of, responses_of
from streamer.core import Calibration, Decision, Frame, Provisional, Result, Verdict
from streamer.engines import LADDER, Precision, absence
from streamer.errors import PackageError, ProfileError
from streamer.guards import Guard, warm_up
from streamer.package import ModelPackage, load_package
from streamer.pipeline import (
    SLICES,
    Checkpoints,
    Compiled,
    Denoised,
    Running,
    RunState,
    Turns,
    carried,
    denoise,
    denoise_together,
    fits,
    neighbours,
    past,
    policy,
    present_values,
    process,
    region_of,
    registered,
    restored,
    segment,
    split,
    views,
)
from streamer.pipeline.halves import Halver, Partner
from streamer.pipeline.tiles import Tiled
from streamer.profile import HardwareProfile, Ledger
from streamer.recording import PackageUsed, RunInfo, profile_hash

#: The model a run uses when none is named.
DEFAULT_MODEL = "er-denoise-live"


#: What of an engine key decides how a network is compiled again.
_RECORDED_AS = {"engine": "runtime", "precision": "precision", "threads": "threads"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """Which networks to run, and how.

    Attributes:
        model: id or folder of the denoiser; None takes the default, or a replayed run's own.
        segmenter: id or folder of the segmenter; None takes the denoiser's partner.
        engine, precision, threads: as in `streamer.engines.compile_engine`.
    """

    model: str | None = None
    segmenter: str | None = None
    engine: str = "auto"
    precision: Precision | Literal["auto"] = "auto"
    threads: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The two networks of a run."""

    denoiser: Compiled
    segmenter: Compiled


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """What `streamer.pipeline.process` is made of for one run."""

    split: Callable[[Frame], tuple[tuple[Frame, ...], tuple[Verdict, ...]]]
    turns: Turns
    denoise: Callable[..., Denoised]
    together: Callable[[Sequence[Frame]], Sequence[Denoised]] | None
    segment: Callable[[Denoised], Result]
    halves: Halver
    judge: Callable[[Result], tuple[Verdict, ...]]
    policy: Callable[[Frame, Sequence[Verdict]], Decision]
    checkpoint: Callable[[], Mapping[str, NDArray[Any]] | None]

    def as_arguments(self) -> dict[str, Any]:
        """Keyword arguments of `process`."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def load_models(settings: ModelSettings, recorded: Mapping[str, Any] | None = None) -> Models:
    """Both packages, checked.

    Args:
        settings: which, and how.
        recorded: engine keys of an earlier run by role; what `settings` leaves to chance is taken from them,
            because another precision or number of threads may give other bits.

    Raises:
        PackageError: one is missing, damaged, of the wrong kind, or wants to be shown other slices than a run
            can show it.
    """
    denoiser = load_package(settings.model or DEFAULT_MODEL).require("denoiser")
    given = denoiser.description.inputs[0].channel_names
    if denoiser.config.context == "z" and given != SLICES:
        raise PackageError(
            f"{denoiser.id}: inputs.0 has the channels {', '.join(given)}; with config.streamer.context: z "
            f"they must be {', '.join(SLICES)}, in this order"
        )
    partner = settings.segmenter or denoiser.config.segmenter
    if partner is None:
        raise PackageError(f"{denoiser.id}: names no segmenter; give one with --segmenter")
    segmenter = load_package(partner).require("segmenter")
    return Models(
        denoiser=Compiled(denoiser, **_how(settings, recorded, "denoiser")),
        segmenter=Compiled(segmenter, **_how(settings, recorded, "segmenter")),
    )


def _how(settings: ModelSettings, recorded: Mapping[str, Any] | None, role: str) -> dict[str, Any]:
    """Arguments of `Compiled` for one of the networks."""
    how = {"engine": settings.engine, "precision": settings.precision, "threads": settings.threads}
    # The last key is of the shape that the frames had; one before it is of the warm-up.
    key = ((recorded or {}).get(role) or [{}])[-1]
    then = key.get("runtime")
    if settings.engine not in ("auto", then) or (then in LADDER and absence(then)):
        key = {}  # another engine, as told or because that one is not here: what it offers is its own
    left_open = [name for name, value in how.items() if value in ("auto", None)]
    return how | {name: key.get(_RECORDED_AS[name], how[name]) for name in left_open}


def with_calibration(path: Path | None, profile: HardwareProfile, models: Models) -> HardwareProfile:
    """The profile with what a calibration file measured; as it is without one.

    Raises:
        CalibrationError: the file was made for another profile or other networks, or is none.
    """
    if path is None:
        return profile
    return guard_calibration.apply(path, profile, (models.denoiser.package, models.segmenter.package))


def with_segment_every(every: int | None, profile: HardwareProfile) -> HardwareProfile:
    """The profile with every so many frames of a view segmented; as it is where nothing was told."""
    if every is None:
        return profile
    told = profile.processing.model_copy(update={"segment_every": every})
    return profile.model_copy(update={"processing": told})


class Composer:
    """Makes the stages of runs from one profile and one pair of networks.

    Args:
        profile: thresholds, reactions, calibration.
        models: the networks.
        calibration: grey levels to photons; None takes the profile's. Where that knows none either, the
            networks give a preview, and guards that need photons are off.

    Raises:
        PackageError: the denoiser does not say which photon range it was trained on, or denoises other
            channels together than the profile has.
    """

    def __init__(
        self,
        profile: HardwareProfile,
        models: Models,
        *,
        calibration: Calibration | None = None,
    ) -> None:
        self.profile, self.models = profile, models
        self.calibration: Calibration | Provisional = calibration or profile.calibration() or Provisional()
        #: Why guards that need photons are off, and the cure; empty where they are on.
        self.why_off = profile.uncalibrated if isinstance(self.calibration, Provisional) else ""
        #: Detection channels that a frame is cut into; none where it is not cut.
        self.channels = profile.detector.channels if profile.detector.splits else ()
        self._denoiser, self._segmenter = (
            self._in_tiles(model) for model in (models.denoiser, models.segmenter)
        )
        self._joint = models.denoiser.package.channels > 1
        if self._joint:
            _require_channels(profile, models.denoiser.package)
        self._trained = _trained_range(models.denoiser.package)
        self._reactions = {
            **profile.policy.model_dump(exclude={"planned_frames"}),
            "responses": responses_of(profile, self.why_off),
            "knobs": profile.control.knobs,
            "pause_s": profile.control.pause_s,
        }

    def stages(
        self, *, planned: int, checkpoint: Mapping[str, NDArray[Any]] | None = None, live: bool = False
    ) -> Stages:
        """Stages for one run; guards and policy start afresh, or where a checkpoint left them.

        Args:
            planned: frames planned, over which the error rates of the guards hold; 0 takes the profile's.
            checkpoint: `Outcome.checkpoint` of a run that goes on.
            live: the frames come from a microscope, whose watchdog waits for the verdicts.

        Raises:
            SourceError: the checkpoint is not of a run with these guards.
        """
        denoiser, segmenter = self.models.denoiser, self.models.segmenter
        guards = self.guards(planned=planned or self.profile.policy.planned_frames)
        of_slices = denoiser.package.config.context == "z"
        every = self.profile.processing.segment_every
        # Of a view, guards keep one image; of a stack, there is at most one more for each of its views.
        frames = 2 if of_slices else 1 + denoiser.package.past_frames
        images = frames + (every > 1)  # what was drawn last
        start = RunState(policy=policy.start(self.profile.control.knobs))
        if checkpoint is not None:
            start = restored(checkpoint, guards, start.policy)
        show = neighbours.step if of_slices else partial(past.step, frames=frames)
        shown: Running[past.PastState, ..., NDArray[np.float32]] = Running(show, start.past)
        draw = partial(segment, network_for=self._segmenter, size_multiple=segmenter.package.size_multiple)
        drawn: Running[carried.LabelsState, [Denoised], Result] = Running(
            partial(carried.step, every=every, segment=draw, images=images), start.labels
        )
        judge = Running(partial(views.step, guards=guards, images=images), start.views)
        decide = Running(self._decide, start.policy)
        halver = Halver(
            Partner(network_for=self._denoiser, size_multiple=denoiser.package.size_multiple),
            Partner(network_for=self._segmenter, size_multiple=segmenter.package.size_multiple),
            every=0 if self.why_off else self.profile.guards.halves.every_frames,
            read_noise_e=self._read_noise_e,
            state=start.halves,
        )
        return Stages(
            split=partial(split, channels=self.channels, together=self._joint),
            turns=Turns(
                neighbours.above if of_slices else neighbours.nothing_above,
                # Before the watchdog takes a verdict that waits for a frame for one that does not come.
                patience_s=self.profile.watchdog.after_s / 2 if live and of_slices else None,
            ),
            denoise=partial(
                denoise,
                calibration=self.calibration,
                network_for=self._denoiser,
                size_multiple=denoiser.package.size_multiple,
                shown=shown,
            ),
            together=self._together(),
            segment=drawn,
            halves=halver,
            judge=judge,
            policy=decide,
            checkpoint=Checkpoints(
                lambda: RunState(
                    views=judge.state,
                    past=shown.state,
                    labels=drawn.state,
                    halves=halver.state,
                    policy=decide.state,
                ),
                guards,
            ),
        )

    def _together(self) -> Callable[[Sequence[Frame]], Sequence[Denoised]] | None:
        """What denoises all channels of a frame at once; None for a denoiser of single ones."""
        if not self._joint:
            return None
        return partial(
            denoise_together,
            calibration=self.calibration,
            network_for=self._denoiser,
            size_multiple=self.models.denoiser.package.size_multiple,
        )

    def _in_tiles(self, model: Compiled) -> Tiled:
        largest_px = round(self.profile.processing.tiles_above_mpx * 1e6)
        return Tiled(model, model.package, largest_px=largest_px)

    def _decide(
        self, state: policy.PolicyState, frame: Frame, verdicts: Sequence[Verdict]
    ) -> tuple[policy.PolicyState, Decision]:
        present = present_values(self.profile, frame)
        return policy.step(state, verdicts, present=present, **self._reactions)

    def guards(self, *, planned: int) -> tuple[Guard[Any], ...]:
        """The guards with the profile's thresholds, in the order of their verdicts.

        Args:
            planned: frames planned; the channels that each is cut into are results of their own.
        """
        return guards_of(
            self.profile,
            read_noise_e=self._read_noise_e,
            trained=self._trained,
            planned=planned,
            channels=max(1, len(self.channels)),
            why_off=self.why_off,
        )

    @property
    def _read_noise_e(self) -> float:
        """0 where nobody knows it, and nobody looks at it."""
        return 0.0 if isinstance(self.calibration, Provisional) else self.calibration.read_noise_e

    def warm_up(self, shape_yx: tuple[int, int]) -> None:
        """Compile networks and kernels, so that the first real frame need not wait for them.

        Args:
            shape_yx: of the sensor's frames.

        Raises:
            ProfileError: the region of a detection channel lies beyond such a frame.
        """
        for channel in self.channels:
            if not fits(channel, shape_yx):
                raise ProfileError(
                    f"{self.profile.name}: [[detector.channels]] {channel.name}: region_px = "
                    f"{list(region_of(channel))} lies beyond frames of {shape_yx[0]} x {shape_yx[1]} pixels; "
                    "give the regions for this camera setting, or set the camera to the regions' sensor size"
                )
        stages = self.stages(planned=1)
        parts, _ = stages.split(Frame(pixels=np.ones(shape_yx, np.uint16), seq=0))
        denoised = stages.together(parts) if stages.together else [stages.denoise(part) for part in parts]
        for part, image in zip(parts, denoised, strict=True):
            result = stages.segment(image)
            registered(result, (result.denoised, result.labels), self.channels)
            warm_up(
                self.guards(planned=1), part.mode.shape_yx, halved=self.profile.guards.halves.every_frames > 0
            )

    def ledger(self, start: Mapping[str, float] | None = None) -> Ledger:
        """The light of a run by laser line; `start` is that of its frames so far."""
        return Ledger(self.profile, start)

    @property
    def engine_keys(self) -> dict[str, Any]:
        """Keys of the engines compiled so far, by role."""
        return {"denoiser": self.models.denoiser.keys, "segmenter": self.models.segmenter.keys}

    @property
    def engine_words(self) -> list[str]:
        """Which engine computes each network and why, a line each; none before they are compiled."""
        models = (self.models.denoiser, self.models.segmenter)
        return [f"engine of {model.words}" for model in models if model.words]

    def provenance(self, *, source: Mapping[str, Any], pixel_nm: float | None) -> RunInfo:
        """What `run.json` says of a run that begins now."""
        profile, stated = self.profile, self.profile.to_dict()
        models = (self.models.denoiser, self.models.segmenter)
        return RunInfo.model_validate(
            {
                "source": dict(source),
                "pixel_nm": pixel_nm,
                "interval_s": profile.frame_ms / 1e3 if profile.frame_ms else None,
                "calibration": asdict(self.calibration),
                "profile": stated,
                "profile_sha256": profile_hash(stated),
                "packages": [
                    PackageUsed(
                        id=model.package.id,
                        folder=str(model.package.folder),
                        sha256=model.package.hashes(),
                    )
                    for model in models
                ],
                "engine_keys": self.engine_keys,
                "thresholds": {"guards": stated["guards"], "policy": stated["policy"]},
                "versions": versions(),
            }
        )


def catch_up(stages: Stages, frames: Iterable[Frame]) -> None:
    """Process frames again that a run recorded after its checkpoint, without recording them.

    Guards and policy then stand where they stood after the last of them, to the last bit. Where a denoiser
    was shown a slice above that the run has not recorded, they do as soon as that comes again, in the next
    `process` with these stages.

    Args:
        stages: restored from the checkpoint.
        frames: recorded after it, in order; `checkpoint["seq"]` is the newest that it knows.
    """
    again = stages.as_arguments() | {"turns": stages.turns.again}
    process(frames, record=lambda frame: None, sinks=(), lag=lambda frame: (0.0, 0), **again)


def _require_channels(profile: HardwareProfile, denoiser: ModelPackage) -> None:
    """Refuse a denoiser of several channels for a profile that does not cut frames into as many, of one size.

    Raises:
        PackageError: so it is.
    """
    names = ", ".join(denoiser.description.inputs[0].channel_names)
    cut = profile.detector.channels if profile.detector.splits else ()
    if len(cut) != denoiser.channels:
        raise PackageError(
            f"{denoiser.id}: denoises {denoiser.channels} channels together ({names}), but {profile.name} "
            f"cuts frames into {len(cut)}; use a profile with as many [[detector.channels]], or another model"
        )
    sizes = {region_of(channel)[2:] for channel in cut}
    if len(sizes) > 1:
        raise PackageError(
            f"{denoiser.id}: denoises its channels together, but in {profile.name} they have the sizes "
            f"{', '.join(f'{y} x {x}' for y, x in sorted(sizes))}; give all region_px one height and width"
        )


def _trained_range(denoiser: ModelPackage) -> tuple[float, float]:
    if denoiser.trained_box_sum is None:
        raise PackageError(
            f"{denoiser.id}: states no config.streamer.trained_photons; add it, the range guard needs it"
        )
    return denoiser.trained_box_sum


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    found = {"streamer": streamer.__version__, "python": platform.python_version()}
    for name in ("numpy", "openvino", "torch", "zarr", "numba"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found

"""Null distributions of the guards for one model on one rig, from a dark movie or simulated ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from streamer.apps import calibrate_frames as frames_of
from streamer.apps import calibrate_simulated as simulated
from streamer.apps.calibrate_frames import Frames, Tick
from streamer.apps.calibrate_nulls import DarkNulls, HealthyNulls
from streamer.apps.compose import Composer, Models, ModelSettings, load_models, versions
from streamer.calibration import (
    DarkNull,
    DetectorSeen,
    GuardCalibration,
    HealthyNull,
    default_name,
    in_words,
    of_now,
    write,
)
from streamer.core import Calibration, Frame, Outcome
from streamer.errors import UsageError
from streamer.guards import Evidence
from streamer.pipeline import process
from streamer.pipeline.process import Sink
from streamer.profile import HardwareProfile, Processing, load_profile
from streamer.profile.judging import Halving

#: Simulated frames where no number is given. A rate of 1 % or more shows in 300 with 95 %.
DARK_FRAMES, HEALTHY_FRAMES = 300, 60
#: Dark frames that are halved, of each calibration; halving takes three times as long.
HALVED = 30
#: The word for simulated frames without light.
DARK = "dark"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateSettings:
    """What to calibrate, and with what.

    Attributes:
        profile: name or path of the rig's profile.
        models: the networks.
        dark: movie of the rig without light.
        run: recording of a healthy specimen on the rig.
        simulate: "dark", or a structure of the simulator, or both.
        frames: to simulate of each; None takes `DARK_FRAMES` and `HEALTHY_FRAMES`.
        size_px: height and width of simulated frames; None takes the profile's.
        seed: of simulated frames.
        dark_counts_per_s: of the simulated detector; None takes what is usual of its kind.
        out: file of the calibration; None takes `<profile>-<model>.calibration.json`.
        force: an existing file may be overwritten.
    """

    profile: str
    models: ModelSettings = field(default_factory=ModelSettings)
    dark: Path | None = None
    run: Path | None = None
    simulate: tuple[str, ...] = ()
    frames: int | None = None
    size_px: int | None = None
    seed: int = 0
    dark_counts_per_s: float | None = None
    out: Path | None = None
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateReport:
    """What was found and where it lies.

    Attributes:
        path: the file.
        calibration: what is in it.
        words: what it means, a sentence each.
    """

    path: Path
    calibration: GuardCalibration
    words: list[str]


def calibrate(settings: CalibrateSettings, tick: Tick = lambda stage, done, of: None) -> CalibrateReport:
    """Run frames through networks and guards as a run would, and write down what they make of them.

    Raises:
        UsageError: nothing to calibrate with, or frames that do not fit the profile or are not dark.
        RunError: a network cannot be compiled, or the file cannot be written.
    """
    _require_sources(settings)
    profile = load_profile(settings.profile)
    known = frames_of.known_calibration(profile, settings.profile)
    models = load_models(settings.models)
    path = settings.out or default_name(profile.name, models.denoiser.package.id)
    _require_new(path, settings.force)
    dark = _dark_frames(settings, profile, known, models)
    recorded = settings.run and frames_of.movie(settings.run, "--run", profile, known)
    specimens = _specimens(settings, profile, known, models)
    rig = _Rig(profile=profile, models=models, tick=tick)
    dark_null = healthy_null = None
    if dark is not None:
        option = "--dark" if settings.dark else "--simulate"
        seen = frames_of.look_at_dark(dark, profile, option, tick)
        dark_null = rig.dark(dark, seen)
    if recorded:
        healthy_null = rig.series(recorded)
    elif specimens:
        healthy_null = rig.specimens(specimens)
    calibration = of_now(
        profile,
        (models.denoiser.package, models.segmenter.package),
        engine_keys={"denoiser": models.denoiser.keys, "segmenter": models.segmenter.keys},
        versions=versions(),
        dark=dark_null,
        healthy=healthy_null,
    )
    write(path, calibration)
    return CalibrateReport(path=path, calibration=calibration, words=in_words(calibration))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rig:
    """Profile and networks, before which frames are shown."""

    profile: HardwareProfile
    models: Models
    tick: Tick

    def dark(self, frames: Frames, seen: DetectorSeen) -> DarkNull:
        """Of frames without light."""
        halved = max(1, frames.source.frames // HALVED)
        composer = self._composer(frames, halved)
        evidence = (guard for guard in composer.guards(planned=1) if isinstance(guard, Evidence))
        nulls = DarkNulls(self.profile, next(evidence, None))
        self._go_through(composer, frames, nulls, DARK)
        return nulls.found(frames.source, seen)

    def series(self, frames: Frames) -> HealthyNull:
        """Of a recording of one healthy specimen."""
        nulls = HealthyNulls(self.profile, frames.calibration.read_noise_e)
        self._go_through(self._composer(frames), frames, nulls, "healthy")
        return nulls.found(frames.source)

    def specimens(self, frames: simulated.SimulatedHealthy) -> HealthyNull:
        """Of healthy specimens that have nothing to do with each other: guards start afresh at each."""
        composer = self._composer(frames)
        nulls = HealthyNulls(self.profile, frames.calibration.read_noise_e)
        for done, specimen in enumerate(frames.specimens()):
            _process(specimen, composer, _Newest(nulls, specimen[-1].seq))
            self.tick("healthy", done + 1, frames.frames)
        return nulls.found(frames.source)

    def _composer(self, frames: Frames, halved: int = 0) -> Composer:
        """Stages for such frames; `halved`: every so many are halved, if the profile has any halved."""
        # Nulls are of frames that are all segmented.
        profile = self.profile.model_copy(update={"processing": Processing()})
        if halved and profile.guards.halves.every_frames:
            guards = profile.guards.model_copy(update={"halves": Halving(every_frames=halved)})
            profile = profile.model_copy(update={"guards": guards})
        composer = Composer(profile, self.models, calibration=frames.calibration)
        y, x = frames.source.shape_yx
        composer.warm_up((y, x))
        return composer

    def _go_through(self, composer: Composer, frames: Frames, nulls: Sink, stage: str) -> None:
        _process(self._told(frames, stage), composer, nulls)

    def _told(self, frames: Frames, stage: str) -> Iterator[Frame]:
        for done, frame in enumerate(frames):
            yield frame
            self.tick(stage, done + 1, frames.source.frames)


@dataclass(frozen=True, slots=True)
class _Newest:
    """Hands on the outcome of one frame; those before it are its past."""

    nulls: Sink
    seq: int

    def put(self, outcome: Outcome) -> None:
        """Take one frame's outcome."""
        if outcome.frame.seq == self.seq:
            self.nulls.put(outcome)


def _process(frames: Iterable[Frame], composer: Composer, nulls: Sink) -> None:
    process(
        frames,
        record=lambda frame: None,
        sinks=(nulls,),
        lag=lambda frame: (0.0, 0),
        **composer.stages(planned=0).as_arguments(),
    )


def _require_sources(settings: CalibrateSettings) -> None:
    """Refuse wishes that do not go together."""
    structures = [name for name in settings.simulate if name != DARK]
    for name in structures:
        simulated.require_structure(name)
    if len(structures) > 1:
        raise UsageError(f"--simulate {','.join(settings.simulate)}: give one structure, beside {DARK}")
    if settings.dark and DARK in settings.simulate:
        raise UsageError(f"--dark and --simulate {DARK}: both are without light; give one of them")
    if settings.run and structures:
        raise UsageError(f"--run and --simulate {structures[0]}: both are healthy; give one of them")
    if not (settings.dark or settings.run or settings.simulate):
        raise UsageError(
            "nothing to calibrate with; give --dark MOVIE, --simulate dark,er, or --run RUN; for a camera's "
            "gain --photon-transfer"
        )
    if settings.frames is not None and settings.frames < 2:
        raise UsageError(f"--frames {settings.frames}: how frames differ takes at least 2; use 300 or more")
    if settings.size_px is not None and settings.size_px < 40:
        raise UsageError(f"--size-px {settings.size_px}: too small for the guards' windows; use at least 40")


def _require_new(path: Path, force: bool) -> None:
    if path.exists() and not force:
        raise UsageError(f"--out {path}: exists and is not overwritten; choose another, or add --force")
    if not path.parent.is_dir():
        raise UsageError(f"--out {path}: there is no folder {path.parent}; make it, or choose another")


def _dark_frames(
    settings: CalibrateSettings, profile: HardwareProfile, known: Calibration, models: Models
) -> Frames | None:
    if settings.dark:
        return frames_of.movie(settings.dark, "--dark", profile, known)
    if DARK not in settings.simulate:
        return None
    return simulated.SimulatedDark(
        profile=profile,
        calibration=known,
        shape_yx=simulated.simulated_shape(profile, settings.size_px),
        frames=settings.frames or DARK_FRAMES,
        seed=settings.seed,
        dark_photons=simulated.dark_photons(profile, settings.dark_counts_per_s),
        stacks=models.denoiser.package.config.context == "z",
    )


def _specimens(
    settings: CalibrateSettings, profile: HardwareProfile, known: Calibration, models: Models
) -> simulated.SimulatedHealthy | None:
    structure = next((name for name in settings.simulate if name != DARK), None)
    if structure is None:
        return None
    denoiser = models.denoiser.package
    if denoiser.config.context == "z":
        raise UsageError(
            f"--simulate {structure}: {denoiser.id} is shown the slices around, which simulated specimens do "
            "not have; give a recording of healthy stacks with --run"
        )
    floor, trained = profile.guards.photons.floor, denoiser.trained_box_sum
    return simulated.SimulatedHealthy(
        profile=profile,
        calibration=known,
        structure=structure,
        shape_yx=simulated.simulated_shape(profile, settings.size_px),
        frames=settings.frames or HEALTHY_FRAMES,
        seed=settings.seed,
        low=floor,
        high=max(trained[1], floor) if trained else floor,
        past=denoiser.past_frames,
    )

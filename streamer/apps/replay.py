"""Recorded frames through the same path as live ones: nothing is copied, everything is computed again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from streamer.apps import compose
from streamer.apps.compose import ModelSettings
from streamer.apps.judges import off_in_words, spread_in_words
from streamer.apps.recorded import models_as_recorded, recorded_plan, recorded_profile
from streamer.apps.recorder import open_recorder
from streamer.apps.summary import Summary, Tally
from streamer.apps.watched import NOT_WATCHED, Say, Watched, Watching
from streamer.core import Calibration, Frame, Outcome
from streamer.errors import UsageError
from streamer.pipeline import process
from streamer.profile import HardwareProfile, load_profile
from streamer.recording import (
    RunFolder,
    RunInfo,
    close_run,
    create_run,
    is_run,
    iter_frames,
    read_info,
)
from streamer.sources import Recording, open_recording
from streamer.sources.live import LinkCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings:
    """What to replay, and what the files do not say of themselves.

    Attributes:
        paths: a RUN, OME-Zarr, NDTiff, or TIFF files and folders.
        out: folder of the new recording.
        profile: name or path of the hardware profile; None takes the one that the RUN was recorded under.
        offset_adu: grey level of no light, as stored; None takes the profile's.
        pixel_nm: pixel size; None takes the recording's, then the profile's.
        models: the networks; where none is named, those that the RUN was recorded with.
        segment_every: frames of a view from one that is segmented to the next; None takes the profile's.
        calibration: file of `streamer calibrate` for this profile and these models.
        speed: "max", or "realtime" at the pace at which the frames were acquired.
    """

    paths: tuple[Path, ...]
    out: Path
    profile: str | None = None
    offset_adu: float | None = None
    pixel_nm: float | None = None
    models: ModelSettings = field(default_factory=ModelSettings)
    segment_every: int | None = None
    calibration: Path | None = None
    speed: Literal["realtime", "max"] = "max"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The verdicts of a replay against those of the run it replays.

    Attributes:
        frames: frames judged in both.
        identical: frames of which every verdict is the same to the last bit.
        differing: sequence numbers of the others, the first 100.
        models_changed: packages whose files are not those of the recorded run.
        engines_changed: how the networks are computed otherwise than then, in words.
    """

    frames: int
    identical: int
    differing: tuple[int, ...]
    models_changed: tuple[str, ...]
    engines_changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """What a replay made of a recording.

    Attributes:
        summary: the new run in numbers.
        notes: what the user should know of the recording.
        verdicts: how often each guard said what: {guard: {status: frames}}.
        words: what each guard said of the last frame that it did not pass, or of the last of all.
        comparison: with the run's own verdicts; None where the recording has none.
        report: where the new run's report lies; None where it could not be written.
    """

    summary: Summary
    notes: tuple[str, ...]
    verdicts: dict[str, dict[str, int]]
    words: dict[str, str]
    comparison: Comparison | None
    report: str | None


@dataclass(slots=True)
class _Verdicts:
    """A sink that counts what the guards said."""

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)

    def put(self, outcome: Outcome) -> None:
        for verdict in outcome.verdicts:
            of_guard = self.counts.setdefault(verdict.guard, {})
            of_guard[verdict.status] = of_guard.get(verdict.status, 0) + 1
            if verdict.status != "pass" or of_guard.keys() == {"pass"}:
                self.words[verdict.guard] = verdict.meaning

    def close(self) -> None:
        pass


def replay(
    settings: ReplaySettings,
    *,
    watching: Watching = NOT_WATCHED,
    on_frame: Callable[[int, int], None] = lambda done, of: None,
    on_words: Say = lambda lines: None,
) -> ReplayReport:
    """Denoise, segment, judge and record every frame of a recording anew.

    Args:
        settings: what to replay.
        watching: how it may be watched.
        on_frame: told how many frames of how many are done.
        on_words: told what the user should know meanwhile, a line each.

    Raises:
        UsageError: something cannot be read, or was not told.
        RunError: a network cannot be compiled, or the disk will not have it.
    """
    recording = open_recording(settings.paths)
    before = _info_of(settings.paths)
    profile = _profile(settings, before)
    models = models_as_recorded(settings.models, before)
    profile = compose.with_calibration(settings.calibration, profile, models)
    profile = compose.with_segment_every(settings.segment_every, profile)
    calibration = _calibration(settings, profile, recording, before)
    composer = compose.Composer(profile, models, calibration=calibration)
    if composer.why_off:
        on_words([f"calibration: {off_in_words(composer.why_off)}"])
    elif doubt := spread_in_words(profile, models.denoiser.package.id):
        on_words([f"guard consistency: {doubt}"])
    composer.warm_up(recording.shape)
    on_words(composer.engine_words)
    planned = recorded_plan(before) if before else len(recording)
    pixel_nm = settings.pixel_nm or recording.pixel_nm or profile.pixel_nm
    source = {
        "kind": f"replay of {recording.kind}",
        "paths": [str(path) for path in recording.paths],
        "planned": planned,
        "shift_adu": _shift(recording, before),
    }
    info = composer.provenance(source=source, pixel_nm=pixel_nm)
    run = create_run(settings.out, info)
    tally, verdicts = Tally(), _Verdicts()
    recorder = open_recorder(
        run,
        profile,
        pixel_nm=pixel_nm,
        dose=composer.ledger().step,
        channels=composer.channels,
        with_trust=not composer.why_off,
        further=(tally, verdicts),
    )
    with Watched(run.path, "replay", watching, on_words) as watched:
        watched.follow({})  # what the page shows is in the recording
        try:
            with recorder:
                process(
                    _paced(recording, profile, settings.speed, on_frame),
                    record=recorder.put_raw,
                    sinks=(recorder,),
                    lag=_lag,
                    **composer.stages(planned=planned).as_arguments(),
                )
        except KeyboardInterrupt:
            close_run(run)
            raise
        close_run(run)
    return ReplayReport(
        summary=tally.summary(run.path, LinkCounts(received=len(recording))),
        notes=recording.notes,
        verdicts=verdicts.counts,
        words=verdicts.words,
        comparison=_compare(RunFolder(settings.paths[0]), run, before, info) if before else None,
        report=watched.report,
    )


def _info_of(paths: Sequence[Path]) -> RunInfo | None:
    return read_info(RunFolder(paths[0])) if len(paths) == 1 and is_run(paths[0]) else None


def _profile(settings: ReplaySettings, before: RunInfo | None) -> HardwareProfile:
    if settings.profile is not None:
        return load_profile(settings.profile)
    if before is None:
        raise UsageError(
            "--profile is missing: images do not say which microscope made them; "
            "`streamer profiles list` names those that are known"
        )
    return recorded_profile(settings.paths[0], before)


def _calibration(
    settings: ReplaySettings, profile: HardwareProfile, recording: Recording, before: RunInfo | None
) -> Calibration | None:
    """What turns these grey levels into photons; None leaves it to the profile."""
    shift = _shift(recording, before)
    known = profile.calibration()
    if before is not None and settings.profile is None and "provisional" not in before.calibration:
        known = Calibration(**before.calibration)
        known = replace(known, offset_adu=known.offset_adu - shift)
    if known is None:
        if settings.offset_adu is not None:
            told = f"--offset {settings.offset_adu:g} is not enough"
            raise UsageError(f"{told}: {profile.uncalibrated}, or leave out --offset")
        return None
    offset_adu = known.offset_adu if settings.offset_adu is None else settings.offset_adu
    return replace(known, offset_adu=offset_adu + shift)


def _shift(recording: Recording, before: RunInfo | None) -> int:
    """What was added to the stored grey levels, now or when the RUN was made of them."""
    shift = before.source.get("shift_adu", 0) if before else recording.shift_adu
    return shift if isinstance(shift, int) else 0


def _paced(
    recording: Recording,
    profile: HardwareProfile,
    speed: Literal["realtime", "max"],
    on_frame: Callable[[int, int], None],
) -> Iterator[Frame]:
    """The frames as if they arrived now; in real time at the pace of their acquisition."""
    clock, started_s, first_s = threading.Event(), time.monotonic(), None
    for done, frame in enumerate(recording):
        acquired_s = frame.wall_time_s or done * (profile.frame_ms or 0.0) / 1e3
        first_s = acquired_s if first_s is None else first_s
        if speed == "realtime":
            clock.wait(max(0.0, started_s + acquired_s - first_s - time.monotonic()))
        yield replace(frame, received_ns=time.monotonic_ns())
        on_frame(done + 1, len(recording))


def _lag(frame: Frame) -> tuple[float, int]:
    return (time.monotonic_ns() - frame.received_ns) / 1e6, 0


def _compare(old: RunFolder, new: RunFolder, before: RunInfo, after: RunInfo) -> Comparison:
    judged = {row["seq"]: row["verdicts"] for row in iter_frames(old) if row["processed"]}
    differing = []
    frames = 0
    for row in iter_frames(new):
        if row["processed"] and row["seq"] in judged:
            frames += 1
            if row["verdicts"] != judged[row["seq"]]:
                differing.append(row["seq"])
    was = {package.id: package.sha256 for package in before.packages}
    changed = (package.id for package in after.packages if was.get(package.id) != package.sha256)
    return Comparison(
        frames=frames,
        identical=frames - len(differing),
        differing=tuple(differing[:100]),
        models_changed=tuple(changed),
        engines_changed=(
            *_engine_changes(before.engine_keys, after.engine_keys),
            *_schedule_changes(before.profile, after.profile),
        ),
    )


def _schedule_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """That other frames are segmented than in the recorded run; older ones segmented each."""
    then, now = (profile.get("processing", {}).get("segment_every", 1) for profile in (old, new))
    if then != now:
        yield f"segment_every {then}, now {now}"


def _engine_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What differs between the engine keys of two runs, such as `denoiser precision f32, now bf16`."""
    for role, keys in new.items():
        then, now = (old.get(role) or [{}])[-1], (keys or [{}])[-1]
        for name in now.keys() - {"shape", "weights_sha256"}:
            if name in then and then[name] != now[name]:
                yield f"{role} {name} {then[name]}, now {now[name]}"

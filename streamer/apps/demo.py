"""The whole product on a simulated STED microscope: three processes, one specimen, one guard's stop."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console

from streamer.apps.children import Child
from streamer.apps.compose import ModelSettings
from streamer.apps.live import follow, processor_child
from streamer.apps.processor import ProcessorSettings
from streamer.apps.scenarios import SCENARIOS, ScenarioName
from streamer.apps.summary import percentiles
from streamer.apps.watched import NOT_WATCHED, Say, Watched, Watching
from streamer.errors import StreamerError
from streamer.microscope import MicroscopeSettings, microscope_process, planned_light, scene_settings
from streamer.profile import load_profile
from streamer.recording import RunFolder, iter_lines, open_raw
from streamer.shell import quoted
from streamer.simulation import bleaching_for, frame_dose_uw_us, survival_at

#: The bleaching that `--bleaching 1` stands for leaves this share of the dye alive at this frame: hours at
#: the low dose of Rahm et al., brought into two minutes.
SURVIVAL, AT_FRAME = 0.25, 110

#: A run whose dye falls below the first share must be stopped; one that keeps the second must not.
FADED, LASTS = 0.15, 0.6

#: How long the hook waits for a processor of which nothing is heard; it is on this very machine.
PATIENCE_S = 10.0

#: The simulated camera's own log, one line per exposure, beside the recording's files.
EXPOSURES = "exposures.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """A simulated run.

    Attributes:
        out: folder of the recording.
        profile: hardware profile of the simulated rig.
        frames: frames planned.
        bleaching: times the demo's own rate; 0 never bleaches.
        seed: of specimen and photons.
        shape_yx: frame size; None takes the profile's.
        frame_ms: time an exposure takes; None takes the profile's. The specimen's own clock is not changed.
        policy: overload policy of the hook.
        models: the networks.
        calibration: file of `streamer calibrate` for this profile and these models.
        control: the page may stop, pause and mark.
        scenario: what happens in it.
        on_stop, on_decision: whom to tell, see `streamer.sinks.notify`.
    """

    out: Path
    profile: str
    frames: int
    bleaching: float
    seed: int
    shape_yx: tuple[int, int] | None = None
    frame_ms: float | None = None
    policy: Literal["lossless", "latest"] = "lossless"
    models: ModelSettings = field(default_factory=ModelSettings)
    calibration: Path | None = None
    control: bool = False
    scenario: ScenarioName = "bleach"
    on_stop: str = ""
    on_decision: str = ""


def demo(
    settings: DemoSettings,
    *,
    console: Console,
    quiet: bool = False,
    watching: Watching = NOT_WATCHED,
    on_words: Say = lambda lines: None,
) -> dict[str, Any]:
    """Run microscope, processor and view; what became of every frame, as plain values.

    Args:
        settings: what to simulate.
        console: where the view goes.
        quiet: no view in the terminal.
        watching: how else it may be watched.
        on_words: told what the user should know meanwhile, a line each.

    Raises:
        KeyboardInterrupt: Ctrl-C; the recording is closed.
        StreamerError: something could not be done.
    """
    profile = load_profile(settings.profile)
    rate = settings.bleaching * bleaching_for(SURVIVAL, AT_FRAME, planned_light(profile))
    shape_yx = settings.shape_yx or profile.shape_px
    scene = scene_settings(profile, seed=settings.seed, bleaching=rate, shape_yx=shape_yx)
    scenario = SCENARIOS[settings.scenario]
    scene = replace(scene, **scenario.scene(profile, scene.shape_yx, scene.pixel_nm))
    processing = ProcessorSettings(
        profile=settings.profile,
        out=settings.out,
        models=settings.models,
        calibration=settings.calibration,
        endpoint="tcp://127.0.0.1:*",
        shape_yx=shape_yx,
        seeds={"specimen": settings.seed},
        notes={"simulated": {"bleaching": settings.bleaching}, "scenario": settings.scenario},
        control=settings.control,
        on_stop=settings.on_stop,
        on_decision=settings.on_decision,
    )
    with (
        Watched(settings.out, "demo", watching, on_words) as watched,
        processor_child(processing, on_words) as processor,
    ):
        ready = processor.expect("ready")
        watched.follow(ready)
        imaging = MicroscopeSettings(
            profile=settings.profile,
            scene=scene,
            endpoint=ready["endpoint"],
            frames=settings.frames,
            frame_ms=settings.frame_ms,
            policy=settings.policy,
            exposures_path=RunFolder(settings.out).path / EXPOSURES,
            patience_s=PATIENCE_S,
            incidents=scenario.incidents,
        )
        summary, seen = _image(processor, imaging, ready["preview"], settings.out, console, quiet)
    return _account(settings, rate, summary, seen) | {"report": watched.report}


def _image(
    processor: Child, imaging: MicroscopeSettings, preview: str, run: Path, console: Console, quiet: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Have the microscope expose beside the processor; what both say at their end."""
    words = f"what it had exposed is in {run}"
    with Child("microscope", microscope_process, imaging, if_it_dies=words) as microscope:
        try:
            follow(preview, processor, microscope, run=run, console=console, quiet=quiet)
        except KeyboardInterrupt:
            microscope.finish()  # its hook ends the run, which closes the recording
            _hear_out(processor, microscope)
            raise
        return _hear_out(processor, microscope)


def _hear_out(processor: Child, microscope: Child) -> tuple[dict[str, Any], dict[str, Any]]:
    """What both processes say at their end.

    Raises:
        StreamerError: one of them failed; if the processor did, with the place of the frames it did not take.
    """
    # A microscope that fails to start says so, and leaves the processor waiting: listen to it first.
    seen = None if processor.has_news() else microscope.expect("report")
    try:
        summary = processor.expect("summary")
    except StreamerError as error:
        microscope.finish()
        raise _with_kept_frames(error, seen or microscope.expect("report")) from None
    return summary, seen or microscope.expect("report")


def _with_kept_frames(error: StreamerError, seen: dict[str, Any]) -> StreamerError:
    """The processor's error, and where the frames are that it did not take."""
    hook = seen["hook"]
    if not hook["kept"]:
        return error
    counts = f"{hook['acknowledged']} of {seen['acquired']} frames are in the recording"
    rescue = f"streamer replay {quoted(hook['kept'])} --profile {quoted(hook['profile'])}"
    told = StreamerError(f"{error}; {counts}, the others in {hook['kept']}: {rescue}")
    told.exit_code = error.exit_code
    return told


def _account(
    settings: DemoSettings, rate: float, summary: dict[str, Any], seen: dict[str, Any]
) -> dict[str, Any]:
    """Every frame from the camera's counter to the recording, and how the run ended."""
    hook = seen["hook"]
    counts = {"exposed": seen["exposed"], "acquired": seen["acquired"]}
    counts |= {word: summary[word] for word in ("recorded", "processed", "dropped")}
    raw_equal = raw_equals_exposed(RunFolder(Path(summary["recording"])))
    whole = (
        raw_equal and counts["exposed"] == counts["acquired"] == counts["recorded"] and not counts["dropped"]
    )
    rightly = stopped_rightly(settings, rate, summary["stop"])
    return {
        "recording": summary["recording"],
        "seed": settings.seed,
        "scenario": settings.scenario,
        "bleaching": settings.bleaching,
        **counts,
        "raw_equals_exposed": raw_equal,
        "lag_ms": percentiles(hook["lag_ms"]),
        "waiting_max": summary["waiting_max"],
        "stage_ms": summary["stage_ms"],
        "stop": summary["stop"],
        "stop_to_safe_ms": hook["safe_ms"],
        "stop_to_end_ms": hook["ended_ms"],
        "lasers_safe": seen["safe"],
        "as_it_should": whole and seen["safe"] and rightly,
    }


def raw_equals_exposed(run: RunFolder) -> bool:
    """Whether the recording holds exactly what the simulated camera exposed, by sha256 of every frame."""
    exposed = [row["sha256"] for row in iter_lines(run.path / EXPOSURES)]
    raw = open_raw(run)
    planes = (np.asarray(raw[t, 0, 0], dtype="<u2") for t in range(raw.shape[0]))
    return exposed == [hashlib.sha256(plane.tobytes()).hexdigest() for plane in planes]


def stopped_rightly(settings: DemoSettings, rate: float, stop: Mapping[str, Any] | None) -> bool:
    """Whether the run ended as its scenario should; a stop that a person has asked for is right.

    Dye that fades must end in a stop, dye that lasts must not; in between either is right.
    """
    if stop is not None and "by" in stop:
        return True
    scenario, stopped = SCENARIOS[settings.scenario], stop is not None
    if scenario.stop_within is not None:
        return scenario.ended_rightly(settings.frames, stop)
    light = planned_light(load_profile(settings.profile))
    survival = survival_at(rate * settings.frames * frame_dose_uw_us(light))
    if survival < FADED:
        return stopped
    return not stopped or survival < LASTS

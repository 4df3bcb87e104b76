"""The guards of a run, with the thresholds of its profile; a new guard is added here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamer.guards import (
    Agreement,
    Bleaching,
    Consistency,
    Evidence,
    Guard,
    Health,
    HealthOfPixels,
    InputRange,
    Off,
    Photons,
    Scene,
    SignalMap,
    Similarity,
    Trust,
)
from streamer.guards.consistency import SPREAD_OF
from streamer.profile import HardwareProfile, planned_us
from streamer.profile.judging import ConsistencyGuard

#: Guards that have something to say without photons.
WITHOUT_PHOTONS = (Health.name,)


def guards_of(
    profile: HardwareProfile,
    *,
    read_noise_e: float,
    trained: tuple[float, float],
    planned: int,
    channels: int = 1,
    why_off: str = "",
) -> tuple[Guard[Any], ...]:
    """The guards in the order of their verdicts.

    Args:
        profile: thresholds, and what is known of the detector.
        read_noise_e: of the camera, photo-electrons per pixel; 0 for a counting detector.
        trained: photons per foreground box, least and most, that the denoiser was trained on.
        planned: frames planned, over which error rates per run hold.
        channels: results that each frame is cut into.
        why_off: why those that need photons are off; empty where they are on.
    """
    said, results = profile.guards, planned * channels
    guards: tuple[Guard[Any], ...] = (
        SignalMap(**said.signal_map.model_dump(exclude={"box_px"}), read_noise_e=read_noise_e),
        Similarity(
            **said.similarity.model_dump(),
            background_max=said.signal_map.background_max,
            planned_frames=results,
        ),
        Photons(**said.photons.model_dump(), planned_frames=results, read_noise_e=read_noise_e),
        InputRange(
            **said.range.model_dump(),
            trained_low=trained[0],
            trained_high=trained[1],
            signal_min=said.signal_map.signal_min,
            bit_depth=profile.detector.bit_depth,
            read_noise_e=read_noise_e,
        ),
        *_of_halves(profile, read_noise_e, results),
        Bleaching(
            **said.bleaching.model_dump(),
            floor=said.photons.floor,
            planned_frames=planned,
            interval_s=profile.frame_ms / 1e3 if profile.frame_ms else None,
            read_noise_e=read_noise_e,
        ),
        Consistency(**said.consistency.model_dump(), read_noise_e=read_noise_e),
        Health(
            **said.health.model_dump(exclude={"dead_time_ns"}),
            dead_time_ns=said.health.dead_time_ns,
            planned_frames=results,
            exposure_us=planned_us(profile),
            bit_depth=profile.detector.bit_depth,
            read_noise_e=read_noise_e,
        ),
        Scene(**said.scene.model_dump(), planned_frames=results, pixel_nm=profile.pixel_nm),
        Trust(**said.trust.model_dump()),
    )
    return tuple(_without_photons(guard, why_off) for guard in guards) if why_off else guards


def _without_photons(guard: Guard[Any], why_off: str) -> Guard[Any]:
    return HealthOfPixels(health=guard) if isinstance(guard, Health) else Off(name=guard.name, why=why_off)


def responses_of(profile: HardwareProfile, why_off: str = "") -> dict[str, Any]:
    """What the policy does about each guard's verdicts; a guard that is off asks for nothing."""
    actions: Mapping[str, Any] = profile.guards.actions.model_dump()
    return {name: each for name, each in actions.items() if not why_off or name in WITHOUT_PHOTONS}


def off_in_words(why_off: str) -> str:
    """Which guards are off, why, and the cure."""
    on = " and ".join(WITHOUT_PHOTONS)
    return f"all guards but {on} are off, and what is drawn is a preview and not to be measured: {why_off}"


def _of_halves(profile: HardwareProfile, read_noise_e: float, results: int) -> tuple[Guard[Any], ...]:
    """Those that need photons dealt into halves; none where the profile asks for none."""
    said, every = profile.guards, profile.guards.halves.every_frames
    if not every:
        return ()
    return (
        Evidence(**said.evidence.model_dump(), read_noise_e=read_noise_e),
        Agreement(
            **said.agreement.model_dump(), planned_tests=-(-results // every), pixel_nm=profile.pixel_nm
        ),
    )


def spread_in_words(profile: HardwareProfile, denoiser: str) -> str:
    """What to know where `consistency` judges a denoiser by the default of another one; else empty."""
    spread = profile.guards.consistency.structure_spread
    if denoiser == SPREAD_OF or spread != ConsistencyGuard().structure_spread or profile.uncalibrated:
        return ""
    return (
        f"structure_spread = {spread:g} was measured with {SPREAD_OF}, and false alarms with "
        f"{denoiser} may be more or fewer than stated; measure it with `streamer calibrate {profile.name} "
        f"--model {denoiser} --simulate er` (or --run RECORDING) and give the file with --calibration"
    )

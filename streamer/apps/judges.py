"""The guards of a run, with the thresholds of its profile; a new guard is added here."""

from __future__ import annotations

from typing import Any

from streamer.guards import (
    Agreement,
    Bleaching,
    Consistency,
    Evidence,
    Guard,
    Health,
    InputRange,
    Photons,
    Scene,
    SignalMap,
    Similarity,
    Trust,
)
from streamer.profile import HardwareProfile, planned_us


def guards_of(
    profile: HardwareProfile,
    *,
    read_noise_e: float,
    trained: tuple[float, float],
    planned: int,
    channels: int = 1,
) -> tuple[Guard[Any], ...]:
    """The guards in the order of their verdicts.

    Args:
        profile: thresholds, and what is known of the detector.
        read_noise_e: of the camera, photo-electrons per pixel; 0 for a counting detector.
        trained: photons per foreground box, least and most, that the denoiser was trained on.
        planned: frames planned, over which error rates per run hold.
        channels: results that each frame is cut into.
    """
    said, results = profile.guards, planned * channels
    return (
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

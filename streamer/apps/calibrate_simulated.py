"""Frames to calibrate with where no rig is at hand: darkness and specimens before the profile's detector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamer.calibration import Source
from streamer.core import Calibration, Frame
from streamer.errors import UsageError
from streamer.profile import HardwareProfile, planned_us
from streamer.simulation import (
    STRUCTURES,
    Scene,
    SceneSettings,
    camera_grey_levels,
    count_photons,
    foreground_box_sum,
    sample_settings,
)

#: Seeds of specimens of this room, apart from those of training, of model cards and of benchmarks.
FIRST_SPECIMEN = 730_000_000_000
#: From one frame to the next, where the profile does not know.
USUAL_FRAME_MS = 600.0
#: Slices of a simulated dark stack.
SLICES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedDark:
    """The profile's detector without light: dark counts, read noise, offset; stacks for models of slices."""

    profile: HardwareProfile
    calibration: Calibration
    shape_yx: tuple[int, int]
    frames: int
    seed: int
    dark_photons: float
    stacks: bool = False

    @property
    def source(self) -> Source:
        """What it is."""
        return Source(
            kind="simulated", what="dark", frames=self.frames, shape_yx=list(self.shape_yx), seed=self.seed
        )

    def __iter__(self) -> Iterator[Frame]:
        expected = np.full(self.shape_yx, self.dark_photons, np.float32)
        for seq in range(self.frames):
            rng = np.random.default_rng((self.seed, 61, seq))
            axes = {"time": seq // SLICES, "z": seq % SLICES} if self.stacks else {"time": seq}
            pixels = detected(expected, self.profile, self.calibration, rng)
            yield Frame(pixels=pixels, seq=seq, axes=axes)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedHealthy:
    """Specimens before the profile's detector, at every brightness the model is made for.

    Of each there is one frame, and before it those that a model with a past is shown. The median photon sum
    of foreground boxes is drawn log-uniformly between `low` and `high`.
    """

    profile: HardwareProfile
    calibration: Calibration
    structure: str
    shape_yx: tuple[int, int]
    frames: int
    seed: int
    low: float
    high: float
    past: int = 0

    @property
    def source(self) -> Source:
        """What it is."""
        return Source(
            kind="simulated",
            what=self.structure,
            frames=self.frames,
            shape_yx=list(self.shape_yx),
            seed=self.seed,
        )

    def __iter__(self) -> Iterator[Frame]:
        return (frame for specimen in self.specimens() for frame in specimen)

    def specimens(self) -> Iterator[tuple[Frame, ...]]:
        """The frames of one specimen after the other, the oldest first."""
        for index in range(self.frames):
            number = FIRST_SPECIMEN + 1_000_000 * self.seed + index
            settings, light, time_s = sample_settings("test", number, self.shape_yx, self.structure)
            settings = replace(settings, pixel_nm=self.profile.pixel_nm or settings.pixel_nm)
            scene, rng = Scene(settings), np.random.default_rng((number, 62))
            interval_s = (self.profile.frame_ms or USUAL_FRAME_MS) / 1e3
            moments = [time_s + age * interval_s for age in range(-self.past, 1)]
            looks = [scene.expected(max(moment, 0.0), light) for moment in moments]
            signal, background, labels = looks[-1]
            found = foreground_box_sum(signal + background, labels)
            box_sum = self.low * (self.high / self.low) ** rng.random()
            scale = np.float32(1.0 if np.isnan(found) else box_sum / found)
            yield tuple(
                Frame(pixels=detected(scale * (lit + other), self.profile, self.calibration, rng), seq=seq)
                for seq, (lit, other, _) in enumerate(looks)
            )


def detected(
    expected: NDArray[np.float32],
    profile: HardwareProfile,
    calibration: Calibration,
    rng: np.random.Generator,
) -> NDArray[np.uint16]:
    """[y, x] what the profile's detector gives for expected photons."""
    if calibration == Calibration():
        return count_photons(expected, rng)
    grey = camera_grey_levels(expected, calibration, rng)
    bits = profile.detector.bit_depth
    return grey if bits is None else np.minimum(grey, np.uint16(2**bits - 1))


def simulated_shape(profile: HardwareProfile, size_px: int | None) -> tuple[int, int]:
    """[y, x] of simulated frames: as told, else the profile's.

    Raises:
        UsageError: neither is known.
    """
    if size_px is not None:
        return size_px, size_px
    if profile.shape_px is None:
        raise UsageError(f'{profile.name}: shape_px = "unknown"; state it in the profile, or give --size-px')
    return profile.shape_px


def dark_photons(profile: HardwareProfile, counts_per_s: float | None) -> float:
    """Photons that a pixel gives in the dark of one frame.

    A counting detector has the dark counts of the simulated one unless told otherwise, a camera none: its
    read noise is far above its dark current.

    Raises:
        UsageError: a rate without the time it counts for.
    """
    rate = counts_per_s
    if rate is None:
        rate = SceneSettings(seed=0).dark_counts_per_s if profile.detector.kind == "counting" else 0.0
    time_us = planned_us(profile)
    if rate and time_us is None:
        raise UsageError(
            f'{profile.name}: exposure_ms = "unknown", so that {rate:g} dark counts per second are unknown '
            "per frame; state it in the profile"
        )
    return rate * 1e-6 * (time_us or 0.0)


def require_structure(name: str) -> None:
    """Refuse what cannot be simulated.

    Raises:
        UsageError: an unknown structure.
    """
    if name not in STRUCTURES:
        raise UsageError(f"--simulate {name}: unknown; use dark, {', '.join(STRUCTURES)}")

"""Frames to calibrate with: a dark movie or a healthy recording, and what the dark says of the detector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.calibration import DetectorSeen, Series, Source, look_through
from streamer.core import Calibration, Frame
from streamer.errors import SourceError, UsageError
from streamer.profile import HardwareProfile
from streamer.sources import Recording, open_recording

#: Told what is being done, how many frames of how many are done.
Tick = Callable[[str, int, int], None]
#: Pixels of a box.
BOX_PIXELS = 100


class Frames(Protocol):
    """Frames that can be gone through again."""

    @property
    def calibration(self) -> Calibration:
        """Grey levels of these frames to photons."""
        ...

    @property
    def source(self) -> Source:
        """What they are, for the record."""
        ...

    def __iter__(self) -> Iterator[Frame]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Movie:
    """A recorded series."""

    path: Path
    recording: Recording
    calibration: Calibration

    @property
    def source(self) -> Source:
        """What it is."""
        return Source(
            kind="movie",
            what=str(self.path),
            frames=len(self.recording),
            shape_yx=list(self.recording.shape),
        )

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.recording)


def movie(path: Path, option: str, profile: HardwareProfile, calibration: Calibration) -> Movie:
    """A recording that fits the profile.

    Raises:
        SourceError: unreadable, one frame only, or of another size or bit depth than the profile's.
    """
    recording = open_recording((path,))
    count, (y, x) = len(recording), recording.shape
    if count < 2:
        raise SourceError(
            f"{option} {path}: {count} frame; how frames differ takes at least 2, record 300 or more"
        )
    if profile.shape_px is not None and recording.shape != profile.shape_px:
        stated = " x ".join(map(str, profile.shape_px))
        raise SourceError(
            f"{option} {path}: frames of {y} x {x} pixels, {profile.name} states shape_px = {stated}; limits "
            "of guards depend on the size, record it as a run is recorded"
        )
    bits = profile.detector.bit_depth
    stored = 8 * recording.dtype.itemsize
    if bits is not None and stored < bits:
        raise SourceError(
            f"{option} {path}: values of {stored} bits, {profile.name} states bit_depth = {bits}; record "
            "it as a run is recorded"
        )
    shifted = replace(calibration, offset_adu=calibration.offset_adu + recording.shift_adu)
    return Movie(path=path, recording=recording, calibration=shifted)


def look_at_dark(
    frames: Frames, profile: HardwareProfile, option: str, tick: Tick = lambda stage, done, of: None
) -> DetectorSeen:
    """What frames without light say of the detector.

    Raises:
        SourceError: they are not dark by the profile's own limits, or beyond its bit depth.
    """
    series = look_through(f"{option} {frames.source.what}", _told(frames, tick))
    _require_within(series, profile)
    seen = _seen(series, frames.calibration)
    _require_dark(series.name, seen, profile)
    return seen


def _told(frames: Frames, tick: Tick) -> Iterator[NDArray[np.uint8] | NDArray[np.uint16]]:
    for done, frame in enumerate(frames):
        yield frame.pixels
        tick("detector", done + 1, frames.source.frames)


def _seen(series: Series, calibration: Calibration) -> DetectorSeen:
    usual = float(np.median(series.level))
    sound = series.variance <= 16 * max(float(np.median(series.variance)), 1 / 12)  # without hot pixels
    sound &= np.abs(series.level - usual) <= 16 * np.sqrt(np.maximum(series.variance, 1.0))
    gain, noise = calibration.gain_e_per_adu, calibration.read_noise_e
    level = float(series.level[sound].mean())
    variance_e = gain**2 * float(series.variance[sound].mean())
    photons = gain * (level - calibration.offset_adu)
    expected = max(photons, 0.0) + noise**2
    return DetectorSeen(
        offset_adu=level,
        read_noise_e=variance_e**0.5,
        stated_offset_adu=calibration.offset_adu,
        stated_read_noise_e=noise,
        photons_per_px=photons,
        dispersion=variance_e / expected if expected > 0 else None,
    )


def _require_dark(name: str, seen: DetectorSeen, profile: HardwareProfile) -> None:
    box, limit = BOX_PIXELS * seen.photons_per_px, profile.guards.signal_map.signal_min
    if abs(box) <= limit:
        return
    told = (
        f"{name}: {box:.3g} photons in a box of 10 x 10 pixels by the profile's calibration, where "
        f"{limit:g} are signal"
    )
    extra = seen.read_noise_e**2 - seen.stated_read_noise_e**2
    if box > 0 and (profile.detector.kind == "counting" or extra > 0.5 * seen.photons_per_px):
        raise SourceError(f"{told}; this is light: close every shutter, switch lasers and room light off")
    raise SourceError(
        f"{told}; it is no noisier than the dark, so that offset_adu = {seen.stated_offset_adu:g} is wrong: "
        f"the dark level is {seen.offset_adu:.2f}, measure it with --photon-transfer"
    )


def _require_within(series: Series, profile: HardwareProfile) -> None:
    bits, top = profile.detector.bit_depth, int(series.highest.max())
    if bits is not None and top > 2**bits - 1:
        raise SourceError(
            f"{series.name}: grey level {top}, but {profile.name} states [detector] bit_depth = {bits}; "
            "correct the profile, or record it in the mode that it describes"
        )


def known_calibration(profile: HardwareProfile, told: str) -> Calibration:
    """The profile's.

    Raises:
        UsageError: it has none.
    """
    found = profile.calibration()
    if found is None:
        raise UsageError(
            f"{profile.name}: [detector.calibration] gain_e_per_adu, offset_adu and read_noise_e are not all "
            f"known; measure them first: streamer calibrate {told} --photon-transfer --flat FLAT --dark DARK"
        )
    return found

"""Photon transfer of a rig's camera, from two recorded series to the lines of its profile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.apps.calibrate_frames import Tick
from streamer.calibration import PhotonTransfer, Series, look_through, photon_transfer
from streamer.errors import ProfileError, SourceError, UsageError
from streamer.profile import HardwareProfile, list_profiles, load_profile
from streamer.profile.calibrating import with_calibration, write_profile
from streamer.sources import Recording, open_recording


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """What to measure a camera with.

    Attributes:
        profile: name or path of the rig's profile.
        flat: series of evenly lit frames: whatever `streamer replay` reads.
        dark: series without light, in the same camera setting.
        write: new profile file with what was measured.
        force: an existing file may be overwritten.
    """

    profile: str
    flat: Path
    dark: Path
    write: Path | None = None
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraReport:
    """What was measured.

    Attributes:
        found: the numbers.
        toml: lines for [detector.calibration], by key.
        written: the new profile, where one was asked for.
    """

    found: PhotonTransfer
    toml: dict[str, str]
    written: str | None


def calibrate_camera(settings: CameraSettings, tick: Tick = lambda stage, done, of: None) -> CameraReport:
    """Measure gain, offset and read noise, and write them down.

    Raises:
        UsageError: series that cannot be read, do not belong together or tell no gain; a profile that is not
            of a camera, or that may not be written.
    """
    profile = load_profile(settings.profile)
    if profile.detector.kind == "counting":
        raise ProfileError(
            f'{profile.name}: [detector] kind = "counting": its values are photons already; photon transfer '
            'is for kind = "camera"'
        )
    _require_new(settings)
    flat, dark = (_opened(path) for path in (settings.flat, settings.dark))
    _require_one_mode(flat, dark, settings)
    full_scale = _full_scale(profile, flat)
    of_dark = look_through(str(settings.dark), _grey(dark, "dark", tick))
    of_flat = look_through(str(settings.flat), _grey(flat, "flat", tick), of_dark.level)
    for series in (of_dark, of_flat):
        _require_within(series, full_scale, profile)
    found = photon_transfer(of_flat, of_dark, full_scale=full_scale)
    toml = toml_lines(found)
    written = _write(settings, found, toml) if settings.write else None
    return CameraReport(found=found, toml=toml, written=written)


def toml_lines(found: PhotonTransfer) -> dict[str, str]:
    """Lines for [detector.calibration], by key, each with its interval."""
    flats, darks = found.frames
    day = time.strftime("%Y-%m-%d")
    numbers = {
        "gain_e_per_adu": found.gain_e_per_adu,
        "offset_adu": found.offset_adu,
        "read_noise_e": found.read_noise_e,
    }
    lines = {}
    for key, each in numbers.items():
        value = f"{key} = {each.value:.5g}"
        lines[key] = f"{value:28} # 95 %: {each.low:.5g} to {each.high:.5g}"
    lines["gain_e_per_adu"] += f"; photon transfer of {flats} flat and {darks} dark frames, {day}"
    return lines


def _opened(path: Path) -> Recording:
    return open_recording((path,))


def _require_new(settings: CameraSettings) -> None:
    """Refuse what could not be written before a long measurement, not after it."""
    path = settings.write
    if path is None:
        return
    if path.suffix != ".toml":
        raise UsageError(f"--write {path}: a profile is a .toml file; use --write {path.stem or 'rig2'}.toml")
    if path.exists() and not settings.force:
        raise UsageError(f"--write {path}: exists and is not overwritten; choose another, or add --force")


def _require_one_mode(flat: Recording, dark: Recording, settings: CameraSettings) -> None:
    of_flat, of_dark = (
        f"{one.shape[0]} x {one.shape[1]} pixels of {one.dtype.newbyteorder('=').name}"
        for one in (flat, dark)
    )
    if of_flat != of_dark:
        raise SourceError(
            f"{settings.flat} has frames of {of_flat}, {settings.dark} of {of_dark}; record both with the "
            "same camera setting"
        )


def _full_scale(profile: HardwareProfile, flat: Recording) -> int:
    bits = profile.detector.bit_depth or 8 * flat.dtype.itemsize - (flat.dtype.kind == "i")
    return int(2**bits - 1)


def _require_within(series: Series, full_scale: int, profile: HardwareProfile) -> None:
    top = int(series.highest.max())
    if top > full_scale:
        raise SourceError(
            f"{series.name}: grey level {top}, but {profile.name} states [detector] bit_depth = "
            f"{profile.detector.bit_depth}, which ends at {full_scale}; correct the profile, or record in "
            "the camera mode that it describes"
        )


def _grey(recording: Recording, stage: str, tick: Tick) -> Iterator[NDArray[Any]]:
    """Grey levels as they are stored."""
    for done, frame in enumerate(recording):
        shift = recording.shift_adu
        yield frame.pixels.astype(np.int32) - shift if shift else frame.pixels
        tick(stage, done + 1, len(recording))


def _write(settings: CameraSettings, found: PhotonTransfer, toml: dict[str, str]) -> str:
    path = settings.write
    assert path is not None
    if found.offset_adu.value < 0:
        raise SourceError(
            f"{settings.dark}: offset_adu = {found.offset_adu.value:.3g}, and a profile holds 0 or more; "
            "record without subtracting a background, or write the profile by hand and replay with --offset"
        )
    source = list_profiles().get(settings.profile, Path(settings.profile))
    text = with_calibration(source.read_text(encoding="utf-8"), path.stem, toml, str(path))
    write_profile(path, text, force=settings.force)
    load_profile(path)  # sound, or the user is told now
    return str(path)

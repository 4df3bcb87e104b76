"""A small camera rig for tests: its profile, and movies of it as TIFF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from streamer.core import Calibration
from streamer.simulation import camera_grey_levels

#: What the camera really does.
TRUE = Calibration(gain_e_per_adu=0.46, offset_adu=100.3, read_noise_e=1.6)
SIZE_PX = 64

_PROFILE = """
# A comment that stays.
[profile]
name = "{name}"
description = "Spinning disk of a test."
source = "a test"

[[lasers]]
role = "excitation"
wavelength_nm = 488
power_uw = 100
measured_at = "back focal plane"
transmission_to_sample = "unknown"

[camera]
model = "simulated sCMOS"
exposure_ms = 50
binning = 1
pixel_nm = 20
shape_px = [64, 64]
frame_ms = 100
illuminated_um2 = "unknown"

[detector]
kind = "camera"
window_nm = [500, 550]
bit_depth = 16
{calibration}
[guards.photons]  # after the calibration
floor = 8.0
"""

_UNKNOWN = """
[detector.calibration]
gain_e_per_adu = "unknown"   # to be measured
offset_adu = "unknown"
read_noise_e = "unknown"
"""


def known(calibration: Calibration = TRUE) -> str:
    """The table of a measured camera."""
    lines = [f"{key} = {getattr(calibration, key)}" for key in Calibration.__slots__]
    return "\n".join(["", "[detector.calibration]", *lines, ""])


def write_rig(folder: Path, name: str = "rig", calibration: str = _UNKNOWN) -> Path:
    """A profile of the camera rig."""
    path = folder / f"{name}.toml"
    path.write_text(_PROFILE.format(name=name, calibration=calibration))
    return path


def write_movie(path: Path, photons: float, frames: int = 40, seed: int = 1, size_px: int = SIZE_PX) -> Path:
    """A series of evenly lit frames, or of dark ones with 0 photons."""
    rng = np.random.default_rng(seed)
    expected = np.full((size_px, size_px), photons, np.float32)
    expected *= np.linspace(0.6, 1.0, size_px, dtype=np.float32)
    tifffile.imwrite(
        path,
        np.stack([camera_grey_levels(expected, TRUE, rng) for _ in range(frames)]),
        photometric="minisblack",
        metadata={"axes": "TYX"},
    )
    return path

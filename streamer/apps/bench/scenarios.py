"""Cameras that people have, and how long each is looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from streamer.errors import UsageError

Form = Literal["quick", "full"]

#: A rig for frames of any size with one or two channels; photons are counted, so that every guard judges.
_PROFILE = """\
lasers = []

[profile]
name = "{name}"
description = "Made by streamer bench for frames of this size."
source = "streamer bench"

[camera]
model = "replayed frames"
exposure_ms = {frame_ms}
binning = 1
pixel_nm = 20
shape_px = [{height}, {width}]
frame_ms = {frame_ms}
illuminated_um2 = "unknown"

[detector]
kind = "camera"
window_nm = {window}
bit_depth = 16

[detector.calibration]    # a definition, not a measurement: the frames are drawn as photons
gain_e_per_adu = 1
offset_adu = 0
read_noise_e = 0
"""
_CHANNEL = """
[[detector.channels]]
name = "{name}"
window_nm = "unknown"
region_px = [0, {left}, {height}, {width}]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A camera.

    Attributes:
        name: as on the command line.
        words: what camera that is.
        shape_yx: of one channel.
        channels: side by side on the sensor.
        interval_ms: between frames.
        profile: hardware profile; empty for one that is made for frames of this size.
    """

    name: str
    words: str
    shape_yx: tuple[int, int]
    channels: int
    interval_ms: float
    profile: str = ""

    @property
    def sensor_yx(self) -> tuple[int, int]:
        """Of the sensor's frames."""
        return self.shape_yx[0], self.shape_yx[1] * self.channels

    @property
    def rate_hz(self) -> float:
        """Frames a second."""
        return 1e3 / self.interval_ms

    def shrunk(self, size_px: int | None) -> Scenario:
        """The same with square frames of another size, to try things out; itself for None."""
        if size_px is None:
            return self
        return replace(self, shape_yx=(size_px, size_px), words=f"{self.words}, but {size_px} px")

    def profile_in(self, folder: Path) -> str:
        """Name of the hardware profile, or the path of one that is written to `folder`."""
        if self.profile:
            return self.profile
        height, width = self.sensor_yx
        path = folder / f"bench_{self.name.replace('-', '_')}.toml"
        window = '"unknown"' if self.channels > 1 else "[650, 720]"
        text = _PROFILE.format(
            name=path.stem, frame_ms=self.interval_ms, height=height, width=width, window=window
        )
        if self.channels > 1:
            text = text.replace(f"window_nm = {window}\n", "")
            each = width // self.channels
            for number in range(self.channels):
                text += _CHANNEL.format(name=f"c{number}", left=number * each, height=height, width=each)
        path.write_text(text, encoding="utf-8")
        return str(path)


SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="sted-600",
            words="live-cell STED, 600x600 at 0.6 s a frame",
            shape_yx=(600, 600),
            channels=1,
            interval_ms=600.0,
            profile="abberior_er_low",
        ),
        Scenario(
            name="two-channel-10hz",
            words="image splitter, two channels of 1200x1200 at 10 Hz",
            shape_yx=(1200, 1200),
            channels=2,
            interval_ms=100.0,
        ),
        Scenario(
            name="two-channel-30hz",
            words="image splitter, two channels of 1200x1200 at 30 Hz",
            shape_yx=(1200, 1200),
            channels=2,
            interval_ms=1000 / 30,
        ),
        Scenario(
            name="camera-2048",
            words="sCMOS camera, 2048x2048 at 100 Hz",
            shape_yx=(2048, 2048),
            channels=1,
            interval_ms=10.0,
        ),
    )
}
#: The scenario that is looked at longest, and the one with baselines in the quick form.
MAIN = "sted-600"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Seconds that a scenario's phases may take.

    Attributes:
        idle, saturated, overload: by phase.
        baseline: each of the baselines; 0 leaves them out.
        rounds: in which the phases take turns.
        held_bytes: of raw frames in the overload phase, which wait in memory or in the spool.
        start: making frames, compiling networks and kernels, opening and closing the recording: a guess.
    """

    idle: float
    saturated: float
    overload: float
    baseline: float
    rounds: int
    start: float
    held_bytes: int = 400 << 20

    @property
    def total_s(self) -> float:
        """About so long it takes; the baselines are three."""
        return self.start + self.idle + self.saturated + self.overload + 3 * self.baseline


_BUDGETS: Mapping[tuple[Form, bool], Budget] = {
    ("quick", True): Budget(idle=42, saturated=24, overload=0, baseline=10, rounds=4, start=20),
    ("quick", False): Budget(idle=8, saturated=10, overload=3, baseline=0, rounds=2, start=25),
    ("full", True): Budget(idle=660, saturated=480, overload=0, baseline=120, rounds=10, start=20),
    ("full", False): Budget(
        idle=240, saturated=240, overload=20, baseline=60, rounds=6, start=40, held_bytes=4 << 30
    ),
}


def budget_of(name: str, form: Form, *, baseline: bool, seconds: float | None = None) -> Budget:
    """The time of a scenario; `seconds` takes the place of that of each phase."""
    budget = _BUDGETS[form, name == MAIN]
    if seconds is not None:
        budget = replace(
            budget,
            idle=seconds,
            saturated=seconds,
            overload=0 if name == MAIN else seconds,
            baseline=seconds if budget.baseline else 0,
            rounds=2,
            start=8,
        )
    return budget if baseline else replace(budget, baseline=0)


def chosen(names: tuple[str, ...]) -> tuple[Scenario, ...]:
    """The scenarios of these names; all for none.

    Raises:
        UsageError: there is none of that name.
    """
    if unknown := [name for name in names if name not in SCENARIOS]:
        raise UsageError(f"--scenario {unknown[0]}: unknown; use {', '.join(SCENARIOS)}")
    return tuple(SCENARIOS[name] for name in names or SCENARIOS)


def in_words(seconds: float) -> str:
    """A duration as people say it: "about 4 min"."""
    return f"about {seconds:.0f} s" if seconds < 90 else f"about {math.ceil(seconds / 60)} min"

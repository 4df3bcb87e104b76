"""What may happen in a simulated run, and how it should then end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from streamer.microscope import NO_INCIDENTS, Incidents, frame_time_ms
from streamer.profile import HardwareProfile

ScenarioName = Literal["healthy", "bleach", "shutter", "defocus", "leave", "dark"]

#: Guards that say that light or foreground is gone.
_LIGHT = frozenset({"photons", "signal_map"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens, and how it should end.

    Attributes:
        tells: the same for the user.
        frames: planned, unless told otherwise.
        bleaching: times the demo's rate, unless told otherwise.
        incidents: what goes wrong at the microscope.
        specimen: changes of the specimen's settings.
        cell_radius, cell_offset, speed: of a cell that moves: its size and where it is in widths of the
            field, and widths per frame; speed 0 leaves the cell as it is.
        stop_within: first and last frame at which it should be stopped; None where nothing but dye decides.
        stopped_by: guards of which one should give the reason; empty where none should stop it.
    """

    tells: str
    frames: int
    bleaching: float = 0.0
    incidents: Incidents = NO_INCIDENTS
    specimen: Mapping[str, Any] = field(default_factory=dict)
    cell_radius: float = 0.75
    cell_offset: float = 0.2
    speed: float = 0.0
    stop_within: tuple[int, int] | None = None
    stopped_by: frozenset[str] = frozenset()

    def scene(self, profile: HardwareProfile, shape_yx: tuple[int, int], pixel_nm: float) -> dict[str, Any]:
        """Changes of `SceneSettings` for fields of this size."""
        if not self.speed:
            return dict(self.specimen)
        width_um = max(shape_yx) * pixel_nm / 1e3
        frames_per_s = 1e3 / frame_time_ms(profile, shape_yx)
        return {
            **self.specimen,
            "cell_radius_um": self.cell_radius * width_um,
            "cell_offset_um": self.cell_offset * width_um,
            "drift_nm_per_s": self.speed * width_um * 1e3 * frames_per_s,
        }

    def ended_rightly(self, frames: int, stop: Mapping[str, Any] | None) -> bool:
        """Whether a run of so many planned frames was stopped in time and for its reason, or not at all."""
        if self.stop_within is None:
            return stop is None
        first, last = self.stop_within
        if stop is None:
            return frames <= last
        guards = {verdict["guard"] for verdict in stop["evidence"]}
        return first <= stop["frame"] <= last and bool(guards & self.stopped_by)


#: The dye alone decides how `bleach` ends; see `streamer.apps.demo.stopped_rightly`.
SCENARIOS: Mapping[ScenarioName, Scenario] = {
    "healthy": Scenario(tells="nothing happens; it runs to its end", frames=120),
    "bleach": Scenario(tells="the dye fades, until the light is too little", frames=260, bleaching=1.0),
    "shutter": Scenario(
        tells="the shutter falls shut at frame 40",
        frames=70,
        incidents=Incidents(shutter_closes_at=40),
        stop_within=(42, 50),
        stopped_by=_LIGHT,
    ),
    "defocus": Scenario(
        tells="the focus is lost from frame 25 on",
        frames=180,
        incidents=Incidents(focus_lost_from=25, focus_um_per_frame=0.007),
        stop_within=(60, 170),
        stopped_by=_LIGHT,
    ),
    "leave": Scenario(
        tells="the cell leaves the field",
        frames=140,
        speed=0.015,
        stop_within=(20, 130),
        stopped_by=_LIGHT,
    ),
    "dark": Scenario(
        tells="no light reaches the detector from the start",
        frames=40,
        specimen={"dark": True},
        stop_within=(20, 30),
        stopped_by=frozenset({"signal_map"}),
    ),
}

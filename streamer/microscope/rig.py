"""The simulated STED microscope: a real core, simulated devices, the light of one hardware profile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

from streamer.errors import MicroscopeError, ProfileError
from streamer.microscope.devices import (
    ExposureRecord,
    Fields,
    FilterWheel,
    FocusStage,
    Laser,
    Matrix,
    PointScanner,
    SampleStage,
    Splitter,
)
from streamer.microscope.incidents import NO_INCIDENTS, Incidents
from streamer.microscope.unicore import EngineCore, open_core
from streamer.profile import HardwareProfile, Scan
from streamer.simulation import Light, Scene, SceneSettings

#: Time a galvo scanner needs to fly back and settle, per line: (600 ms - 180 ms of dwell) / 600 lines of the
#: low-dose row of Rahm's Table 1. Used where a profile does not state its frame time.
LINE_OVERHEAD_US = 700.0

#: Detection filters of the rig: presets of the config group "Channel", and what they let through.
CHANNELS = {"open": 1.0, "narrow": 0.4}

#: Powers no simulated laser exceeds: the watt class of a pulsed depletion laser, a milliwatt of excitation.
_MAX_POWER = {"uW": 1_000.0, "mW": 1_000.0}


def frame_time_ms(profile: HardwareProfile, shape_yx: tuple[int, int]) -> float:
    """Time of one frame: as the profile states, else every line scanned and flown back for each pass."""
    scan = _scan(profile)
    if scan.frame_ms is not None and shape_yx == scan.shape_px:
        return scan.frame_ms
    rows, columns = shape_yx
    return rows * scan.line_accumulation * (columns * scan.dwell_us + LINE_OVERHEAD_US) / 1e3


def scene_settings(profile: HardwareProfile, *, seed: int, **changes: Any) -> SceneSettings:
    """A specimen of the size of one detection channel; `changes` are further fields of `SceneSettings`.

    Raises:
        ProfileError: the profile does not say what it scans.
    """
    scan = _scan(profile)
    if scan.shape_px is None:
        raise ProfileError(f'{profile.name}: [scan] shape_px = "unknown"; simulating needs a number')
    channels = _channels(profile)
    shape_yx = channels[0][0] if channels else scan.shape_px
    scanned = SceneSettings(seed=seed, shape_yx=shape_yx, pixel_nm=scan.pixel_nm)
    return replace(scanned, **changes)


def _channels(profile: HardwareProfile) -> list[tuple[tuple[int, int], Matrix]]:
    """[y, x] and place of each detection channel on the sensor; none without a splitter."""
    channels = profile.detector.channels
    regions = [channel.region_px for channel in channels]
    if not regions:
        return []
    _, _, height, width = regions[0] or (0, 0, 0, 0)
    if regions != [(0, 0, height, width), (0, width, height, width)]:
        raise ProfileError(
            f"{profile.name}: [[detector.channels]] region_px = {regions}; the simulated splitter has two "
            "channels of one size side by side, the first at 0, 0"
        )
    return [((height, width), channel.to_reference) for channel in channels]


def _splitter(profile: HardwareProfile) -> Splitter | None:
    channels = _channels(profile)
    return Splitter(to_reference=channels[1][1]) if channels else None


def planned_light(profile: HardwareProfile) -> Light:
    """The light a frame gets under this profile.

    Raises:
        ProfileError: a power is unknown, or the detector does not count photons.
    """
    if profile.detector.kind != "counting":
        raise ProfileError(
            f'{profile.name}: [detector] kind = "{profile.detector.kind}"; '
            'the simulated microscope counts photons, use "counting"'
        )
    return Light(
        excitation_uw=_microwatts(profile, "excitation"),
        depletion_mw=_microwatts(profile, "depletion") / 1e3,
        dwell_us=_scan(profile).dwell_us,
        line_accumulation=_scan(profile).line_accumulation,
    )


def _scan(profile: HardwareProfile) -> Scan:
    if profile.scan is None:
        raise ProfileError(f"{profile.name}: no [scan]; the simulated microscope is a point scanner")
    return profile.scan


def _microwatts(profile: HardwareProfile, role: Literal["excitation", "depletion"]) -> float:
    laser = profile.laser(role)
    if laser is None:
        return 0.0
    if laser.microwatts is None:
        raise ProfileError(f"{profile.name}: the power of {laser.line} is unknown; simulating needs a number")
    return laser.microwatts


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedRig:
    """An open core with its devices; see `open_rig`.

    Attributes:
        core: the Micro-Manager core.
        camera: the point-scanning camera, with its log of every exposure.
        excitation: laser in uW.
        depletion: laser in mW.
        stage: xy stage, from field to field.
        scene: the field of the specimen at the origin, for the ground truth of a frame.
        light: what a frame gets while the lasers are on.
    """

    core: EngineCore
    camera: PointScanner
    excitation: Laser
    depletion: Laser
    stage: SampleStage
    scene: Scene
    light: Light

    def arm(self) -> None:
        """Both lasers to the powers of the profile, shutters open."""
        self._set(self.excitation, self.light.excitation_uw, is_open=True)
        self._set(self.depletion, self.light.depletion_mw, is_open=True)

    def make_safe(self) -> None:
        """Both lasers to zero power behind closed shutters, verified by reading back.

        Callable from any thread, also while the camera exposes: no lock is shared with it.

        Raises:
            MicroscopeError: a laser does not say that it is dark; both have been told to be.
        """
        for laser in (self.excitation, self.depletion):
            self._set(laser, 0.0, is_open=False)
        if lit := [
            laser.get_label() for laser in (self.excitation, self.depletion) if not self._is_dark(laser)
        ]:
            raise MicroscopeError(
                f"{' and '.join(lit)}: not dark after being switched off; use the interlock"
            )

    @property
    def safe(self) -> bool:
        """Whether both lasers say that they are dark."""
        return self._is_dark(self.excitation) and self._is_dark(self.depletion)

    def _set(self, laser: Laser, power: float, *, is_open: bool) -> None:
        self.core.setShutterOpen(laser.get_label(), is_open)
        self.core.setProperty(laser.get_label(), laser.power_property, power)

    def _is_dark(self, laser: Laser) -> bool:
        power = float(self.core.getProperty(laser.get_label(), laser.power_property))
        return power == 0.0 and not self.core.getShutterOpen(laser.get_label())


@contextmanager
def open_rig(
    profile: HardwareProfile,
    settings: SceneSettings,
    *,
    frame_ms: float | None = None,
    on_exposure: Callable[[ExposureRecord], None] | None = None,
    incidents: Incidents = NO_INCIDENTS,
) -> Iterator[SimulatedRig]:
    """The microscope of `profile` in front of the specimen of `settings`; closing leaves the lasers dark.

    Args:
        profile: powers, dwell and accumulation; with two detection channels, frames are twice as wide.
        settings: the specimen; its shape and pixel size are those of one channel.
        frame_ms: time an exposure really takes; default the nominal frame time of the scan, by which
            the specimen's own clock advances in any case.
        on_exposure: told of every exposure as it is read out, on the engine's thread.
        incidents: what goes wrong meanwhile.

    Raises:
        ProfileError: the profile lacks what a simulation needs.
        MicroscopeError: another core is open in this process.
    """
    light, splitter = planned_light(profile), _splitter(profile)
    rows, columns = settings.shape_yx
    interval_ms = frame_time_ms(profile, (rows, 2 * columns if splitter else columns))
    excitation, depletion = Laser("uW", _MAX_POWER["uW"]), Laser("mW", _MAX_POWER["mW"])
    focus, stage, wheel, fields = FocusStage(), SampleStage(), FilterWheel(CHANNELS), Fields(settings)

    def emitted() -> Light:
        return replace(light, excitation_uw=excitation.emitted, depletion_mw=depletion.emitted)

    def exposed(exposure: ExposureRecord) -> None:
        if on_exposure is not None:
            on_exposure(exposure)
        incidents.after(exposure.index + 1, core, "Excitation")

    camera = PointScanner(
        look=lambda: fields.at(*stage.get_position_um()),
        shape_yx=settings.shape_yx,
        light=emitted,
        focus_um=focus.get_position_um,
        transmission=lambda: wheel.transmission,
        interval_ms=interval_ms,
        exposure_ms=interval_ms if frame_ms is None else frame_ms,
        on_exposure=exposed,
        splitter=splitter,
    )
    devices = {
        "Camera": camera,
        "Excitation": excitation,
        "Depletion": depletion,
        "Focus": focus,
        "Stage": stage,
        "Filter": wheel,
    }
    with open_core(devices) as core:
        _configure(core, settings.pixel_nm)
        rig = SimulatedRig(
            core=core,
            camera=camera,
            excitation=excitation,
            depletion=depletion,
            stage=stage,
            scene=fields.at(0.0, 0.0)[1],
            light=light,
        )
        try:
            yield rig
        finally:
            rig.make_safe()


def _configure(core: EngineCore, pixel_nm: float) -> None:
    """What a configuration file would say: default devices, pixel size, channel presets."""
    core.setCameraDevice("Camera")
    core.setFocusDevice("Focus")
    core.setXYStageDevice("Stage")
    core.definePixelSizeConfig("scan")
    core.setPixelSizeUm("scan", pixel_nm / 1e3)
    core.setPixelSizeConfig("scan")
    for name in CHANNELS:
        core.defineConfig("Channel", name, "Filter", "Label", name)

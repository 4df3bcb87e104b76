"""What can be known before a long run begins: will it fit, does the profile fit, who watches.

Nothing here stops a microscope: a "fail" is for a person to read.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from streamer.apps.judges import off_in_words, responses_of, spread_in_words
from streamer.package import ModelPackage
from streamer.profile import HardwareProfile, Knob, Laser
from streamer.wire import Hello

CheckStatus = Literal["pass", "warn", "fail", "unknown"]

#: Recorded beside the camera's own bytes, per pixel: denoised float32, segmentation and trust uint8; and the
#: uncertainty float32, where the model gives one.
ANNOTATED_BYTES, UNCERTAINTY_BYTES = 6, 4
#: A disk fuller than this at the end of a run is worth a warning.
FULL = 0.8
#: An open-ended run on a disk that is full sooner is worth a warning.
HOURS_MIN = 12.0
#: No run has more frames, whatever a hook says.
MAX_PLANNED = 10**12
#: Relative difference of a stated and a reported quantity that is rounding.
ROUNDING = 0.01


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at before a run.

    Attributes:
        check: what was looked at.
        status: pass, warn (worth a thought), fail (will go wrong), unknown (nobody stated it).
        words: what was found, and the cure where there is one to take.
    """

    check: str
    status: CheckStatus
    words: str


def preflight(
    profile: HardwareProfile,
    hello: Hello,
    out: Path,
    *,
    denoiser: ModelPackage | None = None,
    state: Mapping[str, str | float] | None = None,
    free_bytes: int | None = None,
    now: datetime | None = None,
) -> tuple[Check, ...]:
    """Everything that can be checked when a hook has announced its run.

    Args:
        profile: the rig.
        hello: what the hook says of the run, and the core of its camera.
        out: folder of the recording.
        denoiser: the model; None leaves its check out.
        state: device properties, as they travel with a frame; None before the first frame.
        free_bytes: room on the disk; default that of `out`.
        now: when the run begins; default now, in local time.
    """
    free = shutil.disk_usage(_existing(out)).free if free_bytes is None else free_bytes
    core, planned = _Core(hello), min(max(hello.planned, 0), MAX_PLANNED)
    annotated = ANNOTATED_BYTES + UNCERTAINTY_BYTES * bool(denoiser and denoiser.gives_uncertainty)
    return (
        _disk(profile, core, planned, free, annotated),
        _end(_interval_s(profile, core), planned, now or datetime.now().astimezone()),
        *_camera(profile, core),
        *_lasers(profile, state),
        _calibration(profile),
        *([_trained(denoiser)] if denoiser else []),
        *_guards(profile, core),
        *(_spread(profile, denoiser) if denoiser else ()),
    )


def to_json(checks: Sequence[Check]) -> list[dict[str, str]]:
    """For run.json."""
    return [asdict(check) for check in checks]


class _Core:
    """What the core reports of its camera; anything that is no number counts as not reported."""

    def __init__(self, hello: Hello) -> None:
        self._said = hello.camera
        self.exposure_ms = self._number("exposure_ms")
        self.binning = self._number("binning")
        self.bit_depth = self._number("bit_depth")
        pixel_um = self._number("pixel_um")
        self.pixel_nm = None if pixel_um is None else pixel_um * 1e3
        shape = self._said.get("shape")
        sides = [_finite(side) for side in shape] if isinstance(shape, list | tuple) else []
        whole = [int(side) for side in sides if side is not None and side >= 1]
        self.shape_px = (whole[0], whole[1]) if len(whole) == len(sides) == 2 else None

    def _number(self, name: str) -> float | None:
        return _finite(self._said.get(name))


def _finite(value: object) -> float | None:
    """A positive number of ordinary size, whatever a hook may have sent."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 < value < 1e12 else None


def _existing(path: Path) -> Path:
    """The nearest folder that is there already."""
    return next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())


def _interval_s(profile: HardwareProfile, core: _Core) -> float | None:
    """From one frame to the next; a camera that states nothing better takes no less than its exposure."""
    frame_ms = profile.frame_ms or (core.exposure_ms if profile.camera else None)
    return None if frame_ms is None else frame_ms / 1e3


def _disk(profile: HardwareProfile, core: _Core, planned: int, free: int, annotated: int) -> Check:
    """Whether the run fits; `annotated` bytes a pixel are recorded beside the camera's own."""
    shape = core.shape_px or profile.shape_px
    if shape is None:
        words = f"{_size(free)} free; how much a frame needs is unknown, state shape_px in the profile"
        return Check("disk", "unknown", words)
    depth = core.bit_depth or profile.detector.bit_depth or 16
    frame = shape[0] * shape[1] * ((1 if depth <= 8 else 2) + annotated)
    if planned:
        return _planned_disk(planned, frame, free)
    interval_s = _interval_s(profile, core)
    if interval_s is None:
        words = f"room for {free // frame} frames in {_size(free)}; open-ended, the interval is unknown"
        return Check("disk", "unknown", words)
    hours = free / frame * interval_s / 3600
    words = f"open-ended: {_size(free)} are full in {hours:.3g} h at {interval_s:g} s a frame, uncompressed"
    few = hours < HOURS_MIN
    cure = "; make room, or put --out on a larger disk" if few else ""
    return Check("disk", "warn" if few else "pass", words + cure)


def _planned_disk(planned: int, frame: int, free: int) -> Check:
    need = planned * frame
    words = f"{planned} frames need {_size(need)} of {_size(free)} free, uncompressed"
    if need > free:
        cure = f"full after frame {free // frame}; make room, or put --out on a larger disk"
        return Check("disk", "fail", f"{words}; {cure}")
    if need > FULL * free:
        return Check("disk", "warn", f"{words}; leave room for the spool, make more")
    return Check("disk", "pass", words)


def _end(interval_s: float | None, planned: int, now: datetime) -> Check:
    if not planned:
        return Check("end", "unknown", "open-ended; Hook(planned=...) states the frames")
    if interval_s is None:
        words = f"{planned} frames of unknown interval; state frame_ms in the profile"
        return Check("end", "unknown", words)
    takes = timedelta(seconds=min(planned * interval_s, 1e9))
    words = f"{planned} frames at {interval_s:g} s or more end {now + takes:%A %d %B, %H:%M} at the earliest"
    return Check("end", "pass", words)


def _camera(profile: HardwareProfile, core: _Core) -> Iterator[Check]:
    camera = profile.camera
    yield _agree("pixel size", "nm", profile.pixel_nm, core.pixel_nm, "fail")
    depth = profile.detector.bit_depth
    yield _agree("bit depth", "bits", depth, core.bit_depth, "fail")
    if camera:  # what a scanner calls exposure and binning is up to its adapter
        yield _agree("binning", "pixels", camera.binning, core.binning, "fail")
        yield _agree("exposure", "ms", camera.exposure_ms, core.exposure_ms, "warn")
    yield _shape(profile, core)


def _agree(
    check: str, unit: str, stated: float | None, reported: float | None, otherwise: CheckStatus
) -> Check:
    if stated is None or reported is None:
        found = [f"{value:g} {unit}" if value else "unknown" for value in (stated, reported)]
        words = f"{found[0]} in the profile, {found[1]} to the core"
        return Check(check, "unknown", words)
    if math.isclose(stated, reported, rel_tol=ROUNDING):
        return Check(check, "pass", f"{reported:g} {unit}")
    words = f"the profile says {stated:g} {unit}, the core {reported:g} {unit}; correct the wrong one"
    return Check(check, otherwise, words)


def _shape(profile: HardwareProfile, core: _Core) -> Check:
    shape, channels = core.shape_px or profile.shape_px, profile.detector.channels
    if shape is None:
        return Check("frame size", "unknown", "neither profile nor core state it")
    for channel in channels:
        region = channel.region_px
        if region and (region[0] + region[2] > shape[0] or region[1] + region[3] > shape[1]):
            words = (
                f"region_px = {list(region)} of {channel.name} leaves frames of {list(shape)}; "
                "correct the regions, or read out the whole sensor"
            )
            return Check("frame size", "fail", words)
    stated = profile.shape_px
    if stated and stated != shape:
        words = (
            f"the core takes {list(shape)}, the profile plans {list(stated)}; dose and disk go by the core"
        )
        return Check("frame size", "warn", words)
    return Check("frame size", "pass", f"{list(shape)} pixels")


def _lasers(profile: HardwareProfile, state: Mapping[str, str | float] | None) -> Iterator[Check]:
    if not profile.lasers:
        words = "the profile states no [[lasers]]: there is no dose, and no power is checked"
        yield Check("lasers", "unknown", words)
    knobs = {knob.quantity: knob for knob in profile.control.knobs}
    for laser in profile.lasers:
        is_set = laser == profile.laser("excitation")
        yield _laser(laser, laser.stated_uw(state or {}), knobs.get("excitation_uw") if is_set else None)


def _laser(laser: Laser, stated_uw: float | None, knob: Knob | None) -> Check:
    planned_uw = laser.microwatts
    if stated_uw is None:
        planned = "unknown" if planned_uw is None else f"{planned_uw:g} uW"
        return Check(laser.line, "unknown", f"{planned} in the profile, not stated by the engine")
    if knob and not knob.minimum <= stated_uw <= knob.maximum:
        words = (
            f"{stated_uw:g} uW is outside of the limits of control, {knob.minimum:g}-{knob.maximum:g} uW; "
            "set it inside them, or correct [[control.knobs]]"
        )
        return Check(laser.line, "fail", words)
    if planned_uw is not None and not math.isclose(planned_uw, stated_uw, rel_tol=ROUNDING):
        words = (
            f"the profile says {planned_uw:g} uW, the engine {stated_uw:g} uW; the dose goes by the engine"
        )
        return Check(laser.line, "warn", words)
    return Check(laser.line, "pass", f"{stated_uw:g} uW")


def _calibration(profile: HardwareProfile) -> Check:
    if (found := profile.calibration()) is None:
        return Check("calibration", "warn", off_in_words(profile.uncalibrated))
    if profile.detector.kind == "counting":
        return Check("calibration", "pass", "the detector counts photons")
    words = (
        f"{found.gain_e_per_adu:g} e/ADU, offset {found.offset_adu:g}, read noise {found.read_noise_e:g} e"
    )
    return Check("calibration", "pass", words)


def _trained(denoiser: ModelPackage) -> Check:
    if denoiser.trained_box_sum is None:
        words = f"{denoiser.id} states no trained_photons; add them, the range guard needs them"
        return Check("model", "fail", words)
    low, high = denoiser.trained_box_sum
    words = f"{denoiser.id}, trained on {low:g}-{high:g} photons a box"
    return Check("model", "pass", words)


def _guards(profile: HardwareProfile, core: _Core) -> Iterator[Check]:
    ignored = [guard for guard, each in profile.guards.actions if each.flag == each.reject == "ignore"]
    for guard in ignored:
        words = f"both verdicts are ignored; see [guards.actions.{guard}]"
        yield Check(f"guard {guard}", "warn", words)
    if core.bit_depth is None and profile.detector.bit_depth is None and profile.detector.kind == "camera":
        words = "saturation is seen at the largest pixel value only; state [detector] bit_depth"
        yield Check("guard range", "warn", words)
    if profile.detector.channels and not profile.detector.splits:
        words = "frames are not cut: measure the region_px that are unknown"
        yield Check("splitter", "warn", words)
    asking = profile.guards.actions.asking_for("stop")
    stops = [guard for guard in asking if guard in responses_of(profile, profile.uncalibrated)]
    if profile.policy.dry_run or not stops:
        why = 'no reaction in [guards.actions] is "stop"'
        if profile.policy.dry_run:
            why = "[policy] dry_run = true"
        elif asking:
            why = "those that may are off, see calibration"
        yield Check("stop", "warn", f"no guard will stop this run: {why}")
    else:
        yield Check("stop", "pass", f"on {', '.join(stops)}")


def _spread(profile: HardwareProfile, denoiser: ModelPackage) -> Iterator[Check]:
    if words := spread_in_words(profile, denoiser.id):
        yield Check("guard consistency", "warn", words)


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:,.3g} GB" if n_bytes < 1e12 else f"{n_bytes / 1e12:,.3g} TB"

"""What the study of the guards shows them: simulated runs whose truth is known, frame by frame.

Specimens are of the test range (`streamer.simulation.sample_settings`), which no training has seen, with
seeds from `SEEDS` on, which no test of the guards uses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamer.apps.scenarios import SCENARIOS
from streamer.core import Calibration
from streamer.microscope import frame_time_ms
from streamer.profile import HardwareProfile
from streamer.simulation import Light, Scene, SceneSettings, foreground_box_sum, sample_settings
from streamer.simulation.detector import camera_grey_levels
from streamer.simulation.sampling import STRUCTURES

Image = NDArray[np.float32]

#: First seed of the study.
SEEDS = 8_800_000
#: Time between frames, and frames of a run, of the seven hours of Rahm et al.
INTERVAL_S, FULL_LENGTH = 4.6, 5480
#: Something happens in one of so many frames, by seed, so that no schedule of the guards is favoured; in runs
#: that all guards judge after the baselines of those that need one most, but for `agreement`.
ONSETS, AFTER_LEARNING, AFTER_ALL_LEARNED = 8, 24, 40
#: Height and width of the fields: small ones for what happens at once; larger ones for all guards; for runs
#: of full length about the smallest fields of Rahm et al., 7.5 x 10 um: in smaller ones half of the structure
#: may wander out of view in seven hours, and the estimate of light wanders by a third. Bleaching is seen in
#: these and in the fields that this software is made for.
SMALL_PX, LARGE_PX, LONG_PX, FADE_PX = 200, 300, 400, 600
#: Stage jump of `move`, pixels.
JUMP_PX = 120
#: Focus lost at once, um.
BLUR_UM = 0.7
#: Light from out of focus in the median foreground box, over that of the structure.
HAZE = (1.5, 2.0)
#: A STED counts photons. A camera that nearly does reads with half an electron of noise: 5 in a box, where
#: structure has 24 to 33 photons at the start. With 1.3, as of most CMOS cameras, the network itself fails
#: at so few photons (SSIM against the truth 0.07 and 0.18 at the start of two runs).
COUNTER = Calibration()
CAMERA = Calibration(offset_adu=100.0, gain_e_per_adu=0.5, read_noise_e=0.5)
#: Stray light, photons per pixel: up to as much as the specimen gives.
STRAY = (0.0, 0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One frame and its truth.

    Attributes:
        counts: [y, x] what the detector gives: photons, or a camera's grey levels.
        signal: [y, x] expected in-focus photons.
        expected: [y, x] all expected photons.
        labels: [y, x] true classes.
    """

    counts: NDArray[np.uint16]
    signal: Image
    expected: Image
    labels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """A specimen with the light on it, and the time of the first frame."""

    settings: SceneSettings
    light: Light
    start_s: float = 0.0
    interval_s: float = INTERVAL_S


Shots = Iterator[Shot]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind of run.

    Attributes:
        tells: what happens, in words.
        show: the frames of the run with a seed.
        frames: how many.
        size_px: height and width of the field.
        every_guard: whether the networks see every frame; else guards that need only photons judge it.
        onset: first frame at which something may happen, 0 where it is so from the start; None where nothing
            does.
        onsets: in how many frames it may begin.
        life: frames until the light meets the model's floor; 0 where it does not.
        detector: what turns its values into photons; by default they are.
        should: how it should end.
    """

    tells: str
    show: Callable[[Case, int, HardwareProfile], Shots]
    frames: int
    size_px: int = LARGE_PX
    every_guard: bool = True
    onset: int | None = AFTER_ALL_LEARNED
    onsets: int = ONSETS
    life: int = 0
    detector: Calibration = COUNTER
    should: str = "stop"


def onset_of(case: Case, seed: int) -> int | None:
    """Frame at which something happens in the run with this seed; None where nothing does."""
    return None if case.onset is None else case.onset + seed % case.onsets


def specimen(seed: int, size_px: int, structure: str = "er") -> Specimen:
    """One of the test range; it bleaches by a third in `FULL_LENGTH` frames."""
    settings, light, start_s = sample_settings("test", SEEDS + seed, (size_px, size_px), structure)
    return Specimen(settings=settings, light=light, start_s=start_s)


def _shots(
    of: Specimen,
    frames: int,
    share: Callable[[int], float] = lambda seq: 1.0,
    focus_um: Callable[[int], float] = lambda seq: 0.0,
) -> Shots:
    """Frames under a `share` of the excitation."""
    scene = Scene(of.settings)
    for seq in range(frames):
        light = replace(of.light, excitation_uw=of.light.excitation_uw * share(seq))
        found = scene.expose(seq, of.start_s + seq * of.interval_s, light, focus_um(seq))
        yield Shot(
            counts=found.counts,
            signal=found.signal,
            expected=found.signal + found.background,
            labels=found.labels,
        )


def _healthy(case: Case, seed: int, profile: HardwareProfile) -> Shots:
    return _shots(specimen(seed, case.size_px), case.frames)


def _shutter(case: Case, seed: int, profile: HardwareProfile) -> Shots:
    onset = onset_of(case, seed) or 0
    return _shots(specimen(seed, case.size_px), case.frames, lambda seq: float(seq < onset))


def _detector(case: Case, seed: int, profile: HardwareProfile) -> Shots:
    """The detector counts no more, not even its own dark counts."""
    onset = onset_of(case, seed) or 0
    for seq, shot in enumerate(_healthy(case, seed, profile)):
        yield shot if seq < onset else replace(shot, counts=np.zeros_like(shot.counts))


def _background(case: Case, seed: int, profile: HardwareProfile) -> Shots:
    """Nothing is in focus any more; what comes from out of focus stays, and even stray light comes."""
    onset, rng = onset_of(case, seed) or 0, np.random.default_rng((SEEDS, seed))
    stray = np.float32(rng.uniform(*STRAY))
    for seq, shot in enumerate(_healthy(case, seed, profile)):
        if seq >= onset:
            around = shot.expected - shot.signal + stray
            counts = rng.poisson(around).astype(np.uint16)
            shot = replace(shot, counts=counts, signal=np.zeros_like(around), expected=around)
        yield shot


def _dark(case: Case, seed: int, profile: HardwareProfile) -> Shots:
    of = specimen(seed, case.size_px)
    return _shots(replace(of, settings=replace(of.settings, dark=True)), case.frames)


def _defocus(case: Case, seed: int, profile: HardwareProfile) -> Shots:
    creeps = SCENARIOS["defocus"].incidents
    first = creeps.focus_lost_from or 0

    def focus_um(seq: int) -> float:
        return max(seq - first + 1, 0) * creeps.focus_um_per_frame

    return _shots(specimen(seed, case.size_px), case.frames, focus_um=focus_um)


def _blur(case: Case, seed: int, profile: HardwareProfile) -> Shots:
    onset = onset_of(case, seed) or 0
    return _shots(specimen(seed, case.size_px), case.frames, focus_um=lambda seq: BLUR_UM * (seq >= onset))


def _leave(case: Case, seed: int, profile: HardwareProfile) -> Shots:
    """As in `streamer demo`; its drift begins at time 0."""
    of, shape_yx = specimen(seed, case.size_px), (case.size_px, case.size_px)
    changes = SCENARIOS["leave"].scene(profile, shape_yx, of.settings.pixel_nm)
    pace_s = frame_time_ms(profile, shape_yx) / 1e3
    moved = Specimen(settings=replace(of.settings, **changes), light=of.light, interval_s=pace_s)
    return _shots(moved, case.frames)


def _move(case: Case, seed: int, profile: HardwareProfile) -> Shots:
    """The stage jumps to another place of the same cell."""
    large, onset = specimen(seed, case.size_px + JUMP_PX), onset_of(case, seed) or 0
    for seq, shot in enumerate(_shots(large, case.frames)):
        first = JUMP_PX if seq >= onset else 0
        window = np.s_[first : first + case.size_px, first : first + case.size_px]
        yield Shot(
            counts=shot.counts[window].copy(),
            signal=shot.signal[window].copy(),
            expected=shot.expected[window].copy(),
            labels=shot.labels[window].copy(),
        )


def _other(case: Case, seed: int, profile: HardwareProfile) -> Shots:
    structure = STRUCTURES[1 + seed % (len(STRUCTURES) - 1)]
    return _shots(specimen(seed, case.size_px, structure), case.frames)


def _fade_once(case: Case, seed: int, profile: HardwareProfile) -> Shots:
    return _once(case, specimen(seed, case.size_px), profile)


def _once(case: Case, of: Specimen, profile: HardwareProfile) -> Shots:
    share = _to_floor(of, profile)
    return _fading(case, of, lambda seq: share ** (seq / case.life))


def _fade_twice(case: Case, seed: int, profile: HardwareProfile) -> Shots:
    """A share of the dye that bleaches fast, and the rest."""
    of, rng = specimen(seed, case.size_px), np.random.default_rng((SEEDS, seed, case.life))
    left = _to_floor(of, profile)
    fast, lasts = rng.uniform(0.15, 0.4), rng.uniform(0.05, 0.3)
    slow = (left - fast * math.exp(-1.0 / lasts)) / (1.0 - fast)

    def share(seq: int) -> float:
        time = seq / case.life
        return float(fast * math.exp(-time / lasts) + (1.0 - fast) * slow**time)

    return _fading(case, of, share)


def _fade_haze(case: Case, seed: int, profile: HardwareProfile) -> Shots:
    """More light from out of focus than from the structure, which keeps its own; all of it fades."""
    of, rng = specimen(seed, case.size_px), np.random.default_rng((SEEDS, seed))
    even = replace(of.settings, out_of_focus=1.0)
    signal, background, labels = Scene(even).expected(of.start_s, of.light)
    ratio = foreground_box_sum(signal, labels) / foreground_box_sum(background, labels)
    hazy = replace(even, out_of_focus=rng.uniform(*HAZE) * ratio)
    return _once(case, replace(of, settings=hazy), profile)


def _fade_camera(case: Case, seed: int, profile: HardwareProfile) -> Shots:
    for seq, shot in enumerate(_fade_once(case, seed, profile)):
        rng = np.random.default_rng((SEEDS, seed, seq))
        yield replace(shot, counts=camera_grey_levels(shot.expected, case.detector, rng))


def _to_floor(of: Specimen, profile: HardwareProfile) -> float:
    """Share of the start's photons that belongs to the model's floor."""
    signal, background, labels = Scene(of.settings).expected(of.start_s, of.light)
    return profile.guards.photons.floor / foreground_box_sum(signal + background, labels)


def _fading(case: Case, of: Specimen, share: Callable[[int], float]) -> Shots:
    return _shots(replace(of, settings=replace(of.settings, bleaching=0.0)), case.frames, share)


def _gone(tells: str, show: Callable[[Case, int, HardwareProfile], Shots]) -> Case:
    frames = AFTER_LEARNING + ONSETS + 8
    return Case(
        tells=tells, show=show, frames=frames, size_px=SMALL_PX, every_guard=False, onset=AFTER_LEARNING
    )


def _faded(
    life: int, show: Callable[[Case, int, HardwareProfile], Shots], words: str, size_px: int = FADE_PX
) -> Case:
    return Case(
        tells=f"{words}, to the floor in {life:,} frames",
        show=show,
        frames=round(1.3 * life),
        size_px=size_px,
        every_guard=False,
        onset=0,
        onsets=1,
        life=life,
    )


_LONG = Case(
    tells="nothing happens for seven hours",
    show=_healthy,
    frames=FULL_LENGTH,
    size_px=LONG_PX,
    every_guard=False,
    onset=None,
    should="run",
)
LIVES = (250, 800, 2000)
_FADING = {
    **{f"fade-once-{life}": _faded(life, _fade_once, "one exponential") for life in LIVES},
    **{f"fade-twice-{life}": _faded(life, _fade_twice, "two exponentials") for life in LIVES},
}
_CREEPS_FROM = SCENARIOS["defocus"].incidents.focus_lost_from
CASES: Mapping[str, Case] = {
    # Judged by the guards that ask for a stop.
    "small-healthy": replace(_LONG, size_px=SMALL_PX),
    "gone-shutter": _gone("the shutter falls shut", _shutter),
    "gone-detector": _gone("the detector counts no more", _detector),
    "gone-background": _gone("structure gone, stray light stays", _background),
    **{f"small-{name}": replace(case, size_px=LONG_PX) for name, case in _FADING.items()},
    # Judged by all guards.
    "all-healthy": Case(tells="nothing happens", show=_healthy, frames=600, onset=None, should="run"),
    "all-shutter": Case(tells="the shutter falls shut", show=_shutter, frames=60),
    "all-detector": Case(tells="the detector counts no more", show=_detector, frames=60),
    "all-background": Case(tells="structure gone, stray light stays", show=_background, frames=60),
    "all-dark": Case(tells="dark from the start", show=_dark, frames=40, onset=0, onsets=1),
    "all-defocus": Case(
        tells="focus creeps away, 7 nm a frame", show=_defocus, frames=180, onset=_CREEPS_FROM, onsets=1
    ),
    "all-blur": Case(tells="focus lost at once, by 0.7 um", show=_blur, frames=90, should="run"),
    "all-leave": Case(tells="the cell leaves the field", show=_leave, frames=140, onset=1, onsets=1),
    "all-move": Case(tells="the stage jumps on the same cell", show=_move, frames=90, should="run"),
    "all-other": Case(
        tells="other structure than the ER", show=_other, frames=60, onset=0, onsets=1, should="run"
    ),
    "long-healthy": _LONG,
    **_FADING,
    "fade-haze-800": _faded(800, _fade_haze, "one exponential under haze 1.5 to 2 times as bright", LONG_PX),
    "fade-camera-800": replace(
        _faded(800, _fade_camera, "one exponential on a camera with 0.5 electrons of read noise", LONG_PX),
        detector=CAMERA,
    ),
}

"""What the simulated microscope does to light and time."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from remembering import OpenRig, RememberingHook
from scipy.ndimage import affine_transform

from streamer.errors import MicroscopeError, ProfileError
from streamer.microscope import Plan, open_rig, run_acquisition, scene_settings
from streamer.microscope.devices import Laser
from streamer.microscope.rig import frame_time_ms, planned_light
from streamer.profile import HardwareProfile, load_profile
from streamer.simulation import Scene

#: An engine that hangs does so in threads no exception reaches: show them all and leave.
pytestmark = [pytest.mark.live, pytest.mark.timeout(20, method="thread")]


@pytest.mark.parametrize(
    ("profile", "shape_yx", "expected_ms"),
    [
        pytest.param("abberior_er_low", (600, 600), 600, id="stated by the profile"),
        pytest.param("abberior_er_ground_truth", (600, 600), 3600, id="six passes of 300 + 700 us lines"),
        pytest.param("abberior_er_low", (100, 200), 80, id="another shape"),
    ],
)
def test_frame_time_follows_dwell_accumulation_and_flyback(
    profile: str, shape_yx: tuple[int, int], expected_ms: float
) -> None:
    assert frame_time_ms(load_profile(profile), shape_yx) == pytest.approx(expected_ms)


def test_light_and_field_are_those_of_the_profile(small_rig: OpenRig) -> None:
    profile = load_profile("abberior_er_ground_truth")
    light, scene = planned_light(profile), scene_settings(profile, seed=1, bleaching=0.5)
    assert (light.excitation_uw, light.depletion_mw) == (56.3, 166)
    assert (light.dwell_us, light.line_accumulation) == (0.5, 6)
    assert (scene.shape_yx, scene.pixel_nm, scene.bleaching) == ((600, 600), 20, 0.5)
    with small_rig() as rig:
        assert rig.core.getPixelSizeUm() == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("table", "changes", "message"),
    [
        pytest.param("lasers", {"power_uw": None}, "power of excitation 640 nm is unknown", id="power"),
        pytest.param("detector", {"kind": "camera"}, r'kind = "camera".*use "counting"', id="detector"),
    ],
)
def test_a_profile_that_cannot_be_simulated_says_why(
    table: str, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ProfileError, match=message):
        planned_light(_changed(load_profile("abberior_er_low"), table, changes))


def _changed(profile: HardwareProfile, table: str, changes: dict[str, object]) -> HardwareProfile:
    part = getattr(profile, table)
    changed = (
        (part[0].model_copy(update=changes), *part[1:])
        if isinstance(part, tuple)
        else part.model_copy(update=changes)
    )
    return profile.model_copy(update={table: changed})


def test_the_same_seed_gives_the_same_pixels_at_any_pace(small_rig: OpenRig) -> None:
    taken = []
    for frame_ms in (0, 30):
        with small_rig(frame_ms=frame_ms) as rig:
            taken.append(
                [
                    exposure.sha256
                    for exposure in run_acquisition(rig, RememberingHook(), Plan(time_points=4)).exposures
                ]
            )
    assert taken[0] == taken[1]


def test_the_log_of_exposures_reproduces_every_frame_and_its_truth(small_rig: OpenRig) -> None:
    hook = RememberingHook()
    with small_rig() as rig:
        report, settings = run_acquisition(rig, hook, Plan(time_points=4)), rig.scene.settings
    again = Scene(settings)
    for exposure, frame in zip(report.exposures, hook.frames, strict=True):
        truth = again.expose(exposure.index, exposure.time_s, exposure.light, exposure.focus_um)
        np.testing.assert_array_equal(truth.counts, frame)


def test_safe_lasers_leave_dark_counts_only(small_rig: OpenRig) -> None:
    with small_rig() as rig:
        rig.arm()
        rig.core.snapImage()
        lit = rig.core.getImage()
        rig.make_safe()
        rig.core.snapImage()
        dark = rig.core.getImage()
        expected = dark.size * 1e5 * 0.5e-6
    assert abs(int(dark.sum()) - expected) < 5 * np.sqrt(expected)
    assert int(lit.sum()) > 1.3 * expected
    assert [rig.camera.log[i].light.excitation_uw for i in (0, 1)] == [4.8, 0]
    assert rig.camera.log[1].light.depletion_mw == 0


def test_lasers_go_dark_while_the_camera_exposes(small_rig: OpenRig) -> None:
    with small_rig(frame_ms=2000) as rig:
        rig.arm()
        snap = threading.Thread(target=rig.core.snapImage)
        snap.start()
        rig.make_safe()
        assert rig.safe
        assert rig.camera.exposed == 0, "making safe has waited for the exposure"
        rig.camera.shutdown()
        snap.join()


def test_a_laser_that_stays_on_is_named(small_rig: OpenRig, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_rig() as rig:
        rig.arm()
        monkeypatch.setattr(Laser, "set_open", lambda self, open: None)
        with pytest.raises(MicroscopeError, match="Excitation and Depletion: not dark"):
            rig.make_safe()
        assert not rig.safe
        assert rig.excitation.emitted == rig.depletion.emitted == 0, "the powers were taken away all the same"
        monkeypatch.undo()


def test_focus_and_stage_move_through_the_core(small_rig: OpenRig) -> None:
    with small_rig() as rig:
        rig.core.setPosition(0.4)
        rig.core.setXYPosition(3.0, -2.0)
        rig.arm()
        rig.core.snapImage()
        assert rig.camera.log[0].focus_um == rig.core.getPosition() == 0.4
        assert rig.core.getXYPosition() == (3.0, -2.0)


def test_a_second_core_in_one_process_is_refused(small_rig: OpenRig) -> None:
    with small_rig(), pytest.raises(MicroscopeError, match="already open"), small_rig():
        pass


def test_a_rig_can_be_opened_again_after_closing(small_rig: OpenRig) -> None:
    for _ in range(3):
        with small_rig() as rig:
            assert run_acquisition(rig, RememberingHook(), Plan(time_points=2)).acquired == 2


def test_another_place_is_another_field_that_bleaches_on_its_own(small_rig: OpenRig) -> None:
    plan = Plan(time_points=3, positions={"here": (0.0, 0.0), "there": (5.0, 0.0)})
    with small_rig(bleaching=1e4) as rig:
        hook = RememberingHook()
        exposures = run_acquisition(rig, hook, plan).exposures
        alone = Scene(rig.scene.settings)
    assert [exposure.field for exposure in exposures] == [(0, 0), (0, 5)] * 3
    for exposure, frame in zip(exposures[::2], hook.frames[::2], strict=True):
        truth = alone.expose(exposure.index, exposure.time_s, exposure.light, exposure.focus_um)
        np.testing.assert_array_equal(truth.counts, frame)
    assert not np.array_equal(hook.frames[0], hook.frames[1])


def test_a_filter_takes_its_share_of_the_photons(small_rig: OpenRig) -> None:
    with small_rig() as rig:
        hook = RememberingHook()
        run_acquisition(rig, hook, Plan(time_points=20, channels=("open", "narrow")))
    counts = [int(frame.sum()) for frame in hook.frames]
    lit, filtered = sum(counts[::2]), sum(counts[1::2])
    assert abs(filtered - 0.4 * lit) < 5 * np.sqrt(0.4 * lit + 0.16 * lit)


def test_the_second_channel_of_a_splitter_is_the_first_one_moved() -> None:
    profile = load_profile("simulated_splitter")
    first, second = profile.detector.channels
    settings = scene_settings(profile, seed=2, photons_per_uw_us=20.0)  # so many photons that noise is small
    with open_rig(profile, settings, frame_ms=0.0) as rig:
        hook = RememberingHook()
        run_acquisition(rig, hook, Plan(time_points=1))
    (frame,) = hook.frames
    assert frame.shape == profile.shape_px
    left, right = (
        frame[y : y + height, x : x + width].astype(np.float64)
        for y, x, height, width in (first.region_px, second.region_px)
    )
    matrix = np.asarray(second.to_reference)
    registered = affine_transform(right, matrix[:, :2], matrix[:, 2], order=3)
    inner = np.s_[16:-16, 16:-16]
    agreement = np.corrcoef(left[inner].ravel(), registered[inner].ravel())[0, 1]
    unmoved = np.corrcoef(left[inner].ravel(), right[inner].ravel())[0, 1]
    assert agreement > 0.99
    assert unmoved < 0.95
    assert registered[inner].sum() / left[inner].sum() == pytest.approx(0.5, rel=0.01)

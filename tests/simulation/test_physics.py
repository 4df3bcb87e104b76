"""Optics, bleaching and detectors against their formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamer.core import Calibration
from streamer.simulation import LOW_DOSE, REFERENCE_DOSE, Light, SceneSettings, sted_fwhm_nm
from streamer.simulation.bleaching import bleaching_for, frame_dose_uw_us, survival_at
from streamer.simulation.detector import camera_grey_levels, count_photons
from streamer.simulation.optics import image_of

SETTINGS = SceneSettings(seed=0)


@pytest.mark.parametrize(
    ("depletion_mw", "focus_um", "fwhm_nm"),
    [
        pytest.param(0.0, 0.0, 680 / 2.8, id="confocal"),
        pytest.param(15.0, 0.0, 680 / 2.8 / np.sqrt(2), id="saturation power"),
        pytest.param(166.0, 0.0, 69.9, id="Rahm's depletion power"),
        pytest.param(0.0, 0.35, 680 / 2.8 * np.sqrt(2), id="defocus of one axial length"),
    ],
)
def test_the_psf_follows_the_square_root_law(depletion_mw: float, focus_um: float, fwhm_nm: float) -> None:
    assert sted_fwhm_nm(SETTINGS, depletion_mw, focus_um) == pytest.approx(fwhm_nm, rel=1e-3)


@pytest.mark.parametrize("depletion_mw", [0.0, 30.0, 166.0])
def test_the_image_of_a_point_is_the_psf(depletion_mw: float) -> None:
    settings = replace(SETTINGS, pixel_nm=5.0)
    point = np.zeros((256, 256), np.float32)
    point[128, 128] = 1.0
    sharp, _ = image_of(point, settings, depletion_mw, 0.0)
    assert sharp[128, 128] == pytest.approx(1.0, rel=0.01)
    width_nm = 5.0 * np.sum(sharp[128] > sharp[128, 128] / 2)
    assert width_nm == pytest.approx(sted_fwhm_nm(settings, depletion_mw), abs=10.0)


def test_out_of_focus_light_keeps_its_share() -> None:
    emitters = np.random.default_rng(3).random((256, 256), np.float32)
    settings = replace(SETTINGS, out_of_focus=0.2, haze=0.0)
    sharp, background = image_of(emitters, settings, 166.0, 0.0)
    assert background.mean() == pytest.approx(0.2 * sharp.mean(), rel=1e-3)
    assert background.std() < 0.1 * sharp.std()


@pytest.mark.parametrize(
    ("light", "dose"),
    [
        pytest.param(LOW_DOSE, (4.8 + 0.83) * 0.5, id="low"),
        pytest.param(REFERENCE_DOSE, (56.3 + 0.83) * 3.0, id="ground truth"),
        pytest.param(replace(LOW_DOSE, excitation_uw=0.0), 0.83 * 0.5, id="depletion alone"),
    ],
)
def test_bleaching_dose_is_power_times_time(light: Light, dose: float) -> None:
    assert frame_dose_uw_us(light) == pytest.approx(dose)


def test_seven_hours_at_low_dose_leave_most_of_the_signal() -> None:
    assert survival_at(0.0) == 1.0
    assert 0.6 < survival_at(5_480 * frame_dose_uw_us(LOW_DOSE)) < 0.75
    assert survival_at(5_480 * frame_dose_uw_us(REFERENCE_DOSE)) < 1e-3


@pytest.mark.parametrize("survival", [0.9, 0.5, 0.25, 0.01])
@pytest.mark.parametrize("frames", [1, 110, 5_000])
def test_the_multiplier_reaches_the_survival_asked_for(survival: float, frames: int) -> None:
    rate = bleaching_for(survival, frames, LOW_DOSE)
    assert survival_at(rate * frames * frame_dose_uw_us(LOW_DOSE)) == pytest.approx(survival, rel=1e-9)


def test_a_counter_counts() -> None:
    counts = count_photons(np.full((300, 300), 3.0, np.float32), np.random.default_rng(1))
    assert counts.dtype == np.uint16
    assert counts.mean() == pytest.approx(3.0, abs=0.05)
    assert counts.var() == pytest.approx(3.0, abs=0.1)


def test_a_camera_adds_offset_gain_and_read_noise() -> None:
    calibration = Calibration(offset_adu=100.0, gain_e_per_adu=0.5, read_noise_e=2.0)
    expected = np.full((300, 300), 40.0, np.float32)
    grey = camera_grey_levels(expected, calibration, np.random.default_rng(1))
    assert grey.dtype == np.uint16
    electrons = calibration.to_photons(grey)
    assert electrons.mean() == pytest.approx(40.0, abs=0.2)
    assert electrons.var() == pytest.approx(40.0 + 4.0, rel=0.03)
    bright = camera_grey_levels(np.full((4, 4), 1e6, np.float32), calibration, np.random.default_rng(1))
    assert (bright == 65_535).all()

"""Dose is power x dwell x accumulation, and unknown where a factor is unknown."""

from __future__ import annotations

import pytest

from streamer.profile import HardwareProfile, LineDose, dose, dose_ratio, load_profile

EXCITATION, DEPLETION = "excitation 640 nm", "depletion 775 nm"


def with_laser(rig: HardwareProfile, **change: object) -> HardwareProfile:
    stated = rig.to_dict()
    lasers = stated["lasers"]
    assert isinstance(lasers, list)
    lasers[0].update(change)
    return HardwareProfile.model_validate(stated)


def spinning_disk(**camera: object) -> LineDose:
    """Dose of 2 mW at the sample over 100 um x 100 um for 50 ms on pixels of 65 nm; `camera` changes it."""
    laser = {"power_mw": 2, "measured_at": "sample", "transmission_to_sample": 1}
    lit = {"model": "any", "exposure_ms": 50, "pixel_nm": 65, "illuminated_um2": 1e4}
    stated = load_profile("zhanghao_m1").to_dict()
    stated["lasers"] = [{"role": "excitation", "wavelength_nm": 488, **laser}]
    stated["camera"] = {**lit, "shape_px": "unknown", "frame_ms": "unknown", **camera}
    (line,) = dose(HardwareProfile.model_validate(stated))
    return line


def test_a_camera_spreads_the_power_over_the_illuminated_area() -> None:
    line = spinning_disk()
    # 2000 uW x 50,000 us x (0.065 um)^2 / 10,000 um2
    assert line.energy_pj == pytest.approx(2000 * 50_000 * 0.065**2 / 1e4)
    # 2 mW x 50 ms = 1e-4 J on 1e-4 cm2
    assert line.sample_j_per_cm2 == pytest.approx(1.0)
    assert (line.energy_lacks, line.sample_lacks) == ((), ())


@pytest.mark.parametrize(
    ("key", "energy_known", "sample_known"),
    [
        pytest.param("exposure_ms", False, False, id="exposure"),
        pytest.param("illuminated_um2", False, False, id="area"),
        pytest.param("pixel_nm", False, True, id="pixel"),
    ],
)
def test_what_a_camera_does_not_state_makes_its_dose_unknown(
    key: str, energy_known: bool, sample_known: bool
) -> None:
    line = spinning_disk(**{key: "unknown"})
    assert (line.energy_pj is not None, line.sample_j_per_cm2 is not None) == (energy_known, sample_known)
    assert line.energy_lacks == (key,)
    assert line.sample_lacks == (() if sample_known else (key,))


def test_ground_truth_over_low_dose_is_the_papers_figure() -> None:
    ratio = dose_ratio(load_profile("abberior_er_ground_truth"), load_profile("abberior_er_low"))
    assert ratio[EXCITATION] == pytest.approx(56.3 * 6 / 4.8)  # 70.4
    assert ratio[DEPLETION] == pytest.approx(6.0)


def test_dose_per_pixel_in_picojoule() -> None:
    energy_pj = {line.line: line.energy_pj for line in dose(load_profile("abberior_er_low"))}
    assert energy_pj == {EXCITATION: pytest.approx(4.8 * 0.5), DEPLETION: pytest.approx(166_000 * 0.5)}


def test_milliwatt_and_microwatt_mean_the_same_light() -> None:
    low = load_profile("abberior_er_low")
    stated = low.to_dict()
    lasers = stated["lasers"]
    assert isinstance(lasers, list)
    lasers[0]["power_mw"] = lasers[0].pop("power_uw") / 1e3
    assert dose_ratio(HardwareProfile.model_validate(stated), low)[EXCITATION] == pytest.approx(1)


def test_the_sample_sees_joules_per_area_only_through_a_known_transmission() -> None:
    low = load_profile("abberior_er_low")
    assert dose(low)[0].sample_j_per_cm2 is None
    # 2.4 pJ x 0.5 on (20 nm)^2 = 4e-12 cm2
    assert dose(with_laser(low, transmission_to_sample=0.5))[0].sample_j_per_cm2 == pytest.approx(0.3)


def test_an_unknown_power_makes_the_dose_unknown() -> None:
    low = load_profile("abberior_er_low")
    dark = with_laser(low, power_uw="unknown")
    assert dose(dark)[0].energy_pj is None
    assert dose_ratio(dark, low)[EXCITATION] is None

"""What a simulated exposure owes its users: honest photons, ground truth, repeatability."""

from __future__ import annotations

from dataclasses import replace

import luck
import numpy as np
import pytest

from streamer.metrics.quality import median_box_sum
from streamer.simulation import LOW_DOSE, REFERENCE_DOSE, Exposure, Light, Scene, SceneSettings
from streamer.simulation.bleaching import bleaching_for

SMALL = SceneSettings(seed=5, shape_yx=(200, 240))
STILL = replace(
    SMALL, rearrangement_nm_per_s=0.0, drift_nm_per_s=0.0, dynamic_fraction=0.0, sheet_fraction=0.0
)


def first(settings: SceneSettings, light: Light = LOW_DOSE, focus_um: float = 0.0) -> Exposure:
    return Scene(settings).expose(0, 0.0, light, focus_um)


def test_an_exposure_has_the_shapes_and_types_it_promises() -> None:
    exposure = first(SMALL)
    images = exposure.counts, exposure.signal, exposure.background, exposure.labels
    assert [image.shape for image in images] == [(200, 240)] * 4
    assert [image.dtype for image in images] == [np.uint16, np.float32, np.float32, np.uint8]
    assert set(np.unique(exposure.labels)) == {0, 1, 2}


def test_equal_settings_and_calls_give_equal_exposures() -> None:
    one, two = Scene(SMALL), Scene(SMALL)
    for index in range(3):
        first_time, second_time = (scene.expose(index, 0.6 * index, LOW_DOSE) for scene in (one, two))
        np.testing.assert_array_equal(first_time.counts, second_time.counts)
        np.testing.assert_array_equal(first_time.signal, second_time.signal)


def test_structure_depends_on_seed_and_time_alone() -> None:
    settings = replace(SMALL, bleaching=0.0)
    forth, back = Scene(settings), Scene(settings)
    early, late = forth.expose(0, 3.0, LOW_DOSE), forth.expose(1, 50.0, LOW_DOSE)
    np.testing.assert_array_equal(back.expose(0, 50.0, LOW_DOSE).signal, late.signal)
    np.testing.assert_array_equal(back.expose(1, 3.0, LOW_DOSE).signal, early.signal)
    assert not np.array_equal(first(replace(settings, seed=6)).labels, first(settings).labels)


def test_counts_are_poisson_around_the_expectation() -> None:
    seed = luck.seed()
    exposure = first(replace(SMALL, seed=seed), REFERENCE_DOSE)
    expected = (exposure.signal + exposure.background).astype(np.float64)
    chi_square = np.mean((exposure.counts - expected) ** 2 / expected)
    # Variance of one term: 2 + 1 / expected.
    sigma = np.sqrt(np.mean(2 + 1 / expected) / expected.size)
    assert abs(chi_square - 1) < 5 * sigma


@pytest.mark.parametrize(
    ("light", "ratio"),
    [
        pytest.param(REFERENCE_DOSE, 70.375, id="ground truth row of Rahm's table 1"),
        pytest.param(replace(LOW_DOSE, excitation_uw=9.6), 2.0, id="excitation power"),
        pytest.param(replace(LOW_DOSE, dwell_us=1.5), 3.0, id="dwell time"),
        pytest.param(replace(LOW_DOSE, line_accumulation=4), 4.0, id="line accumulation"),
        pytest.param(replace(LOW_DOSE, excitation_uw=0.0), 0.0, id="no light"),
    ],
)
def test_photons_follow_the_dose(light: Light, ratio: float) -> None:
    np.testing.assert_allclose(first(SMALL, light).signal, ratio * first(SMALL).signal, rtol=1e-5)


def test_more_depletion_sharpens_and_dims() -> None:
    blunt = first(SMALL, replace(LOW_DOSE, depletion_mw=20.0)).signal
    sharp = first(SMALL, replace(LOW_DOSE, depletion_mw=300.0)).signal
    assert sharp.mean() < blunt.mean() / 4
    assert np.abs(np.diff(sharp)).mean() / sharp.mean() > 1.5 * np.abs(np.diff(blunt)).mean() / blunt.mean()


def test_defocus_blurs_and_dims() -> None:
    focused, defocused = first(SMALL).signal, first(SMALL, focus_um=0.5).signal
    assert defocused.mean() < 0.6 * focused.mean()
    assert defocused.std() / defocused.mean() < 0.9 * focused.std() / focused.mean()


def test_light_comes_from_where_the_labels_say() -> None:
    exposure = first(SMALL)
    levels = [exposure.signal[exposure.labels == label].mean() for label in range(3)]
    assert levels[1] > 5 * levels[0]
    assert levels[2] > 5 * levels[0]


def test_the_default_gives_the_photons_of_rahms_low_dose() -> None:
    seeds = luck.seeds(5)
    exposures = [first(SceneSettings(seed=seed)) for seed in seeds]
    medians = [median_box_sum(exposure.counts, exposure.labels) for exposure in exposures]
    assert all(20 <= median <= 40 for median in medians), medians
    assert 24 <= np.median(medians) <= 32


def test_neighbouring_frames_look_alike_and_distant_ones_do_not() -> None:
    scene = Scene(replace(SMALL, bleaching=0.0))
    now, soon, late = (scene.expose(0, time_s, LOW_DOSE).signal.ravel() for time_s in (0.0, 0.6, 120.0))
    assert np.corrcoef(now, soon)[0, 1] > 0.95
    assert np.corrcoef(now, late)[0, 1] < 0.7


def test_a_still_specimen_stays() -> None:
    scene = Scene(replace(STILL, bleaching=0.0))
    early, late = (scene.expose(0, time_s, LOW_DOSE).signal for time_s in (0.0, 500.0))
    np.testing.assert_array_equal(early, late)


def test_drift_moves_the_whole_specimen() -> None:
    scene = Scene(replace(STILL, bleaching=0.0, drift_nm_per_s=10.0))
    early, late = (scene.expose(0, time_s, LOW_DOSE).signal for time_s in (0.0, 20.0))
    spectrum = np.fft.rfft2(late) * np.conj(np.fft.rfft2(early))
    shift = np.unravel_index(np.argmax(np.fft.irfft2(spectrum, early.shape)), early.shape)
    shift_px = [(s + size // 2) % size - size // 2 for s, size in zip(shift, early.shape, strict=True)]
    assert np.hypot(*shift_px) == pytest.approx(20.0 * 10.0 / SMALL.pixel_nm, abs=1.0)


def test_the_dark_mode_shows_dark_counts_and_bleaches_nothing() -> None:
    scene = Scene(replace(SMALL, dark=True, dark_counts_per_s=1e5, bleaching=1e6))
    exposure = scene.expose(0, 0.0, LOW_DOSE)
    assert not exposure.signal.any()
    assert not exposure.labels.any()
    np.testing.assert_allclose(exposure.background, 1e5 * 0.5e-6, rtol=1e-6)
    assert scene.survival == 1.0


def test_an_empty_field_holds_haze_and_no_cell() -> None:
    exposure = first(replace(SMALL, cell_radius_um=0.0))
    assert not exposure.labels.any()
    assert exposure.signal.max() < 1e-6
    assert exposure.background.min() > 0
    assert np.isnan(median_box_sum(exposure.counts, exposure.labels))


def test_a_detector_saturates_at_its_full_scale() -> None:
    exposure = first(replace(SMALL, photons_per_uw_us=1e6))
    assert exposure.counts.max() == 65_535


@pytest.mark.parametrize("bleaching", [0.0, 50.0, 500.0])
def test_signal_falls_with_survival(bleaching: float) -> None:
    scene = Scene(replace(STILL, bleaching=bleaching))
    exposures = [scene.expose(index, 0.6 * index, LOW_DOSE) for index in range(4)]
    survivals = [exposure.survival for exposure in exposures]
    assert survivals[0] == 1.0
    assert all(np.diff(survivals) < 0) if bleaching else survivals == [1.0] * 4
    for exposure in exposures:
        np.testing.assert_allclose(exposure.signal, exposure.survival * exposures[0].signal, rtol=1e-5)


def test_a_sped_up_scene_fades_when_it_was_asked_to() -> None:
    tiny = SceneSettings(seed=1, shape_yx=(40, 40), bleaching=bleaching_for(0.25, 110, LOW_DOSE))
    scene = Scene(tiny)
    survivals = [scene.expose(index, 0.0, LOW_DOSE).survival for index in range(111)]
    assert survivals[110] == pytest.approx(0.25, rel=1e-6)

"""Microtubules, mitochondria, actin rings, puncta: what each of them owes, and what makes it itself."""

from __future__ import annotations

from dataclasses import replace

import luck
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from streamer.errors import UsageError
from streamer.simulation import (
    LOW_DOSE,
    REFERENCE_DOSE,
    STRUCTURES,
    Scene,
    SceneSettings,
    foreground_box_sum,
    sample_settings,
)
from streamer.simulation.sampling import Split, ranges_of
from streamer.simulation.settings import Structure
from streamer.simulation.structures import ActinRings, Microtubules, Mitochondria, Puncta

OTHERS = STRUCTURES[1:]
GROWN: dict[str, Structure] = {
    "microtubules": Microtubules(),
    "mitochondria": Mitochondria(),
    "actin-rings": ActinRings(),
    "puncta": Puncta(density_per_um2=3.0),
}
every = pytest.mark.parametrize("structure", OTHERS)


def plain(structure: Structure | str, **changes: object) -> Scene:
    """A scene in the middle of its cell."""
    grown = GROWN[structure] if isinstance(structure, str) else structure
    settings = SceneSettings(seed=6, shape_yx=(160, 220), bleaching=0.0, structure=grown, cell_offset_um=0.0)
    return Scene(replace(settings, **changes))  # type: ignore[arg-type]


def correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


@every
def test_an_exposure_shows_structure_where_the_labels_say(structure: str) -> None:
    exposure = plain(structure).expose(0, 3.0, REFERENCE_DOSE)
    images = exposure.counts, exposure.signal, exposure.background, exposure.labels
    assert [image.shape for image in images] == [(160, 220)] * 4
    assert [image.dtype for image in images] == [np.uint16, np.float32, np.float32, np.uint8]
    assert set(np.unique(exposure.labels)) == {0, 1}
    inside, outside = (exposure.signal[exposure.labels == label].mean() for label in (1, 0))
    assert inside > 4 * outside
    assert 0.01 < exposure.labels.mean() < 0.6


@every
def test_equal_calls_in_any_order_give_equal_exposures(structure: str) -> None:
    forth, back = plain(structure), plain(structure)
    early, late = forth.expose(0, 3.0, LOW_DOSE), forth.expose(1, 50.0, LOW_DOSE)
    np.testing.assert_array_equal(back.expose(1, 50.0, LOW_DOSE).counts, late.counts)
    np.testing.assert_array_equal(back.expose(0, 3.0, LOW_DOSE).counts, early.counts)
    assert not np.array_equal(plain(structure, seed=7).expose(0, 3.0, LOW_DOSE).signal, early.signal)


@every
def test_counts_are_poisson_around_the_expectation(structure: str) -> None:
    seed = luck.seed()
    exposure = plain(structure, seed=seed).expose(0, 0.0, REFERENCE_DOSE)
    expected = (exposure.signal + exposure.background).astype(np.float64)
    chi_square = np.mean((exposure.counts - expected) ** 2 / expected)
    sigma = np.sqrt(np.mean(2 + 1 / expected) / expected.size)
    assert abs(chi_square - 1) < 5 * sigma


@every
def test_motion_is_smooth(structure: str) -> None:
    scene = plain(structure)
    looks = [scene.expected(time_s, LOW_DOSE)[0] for time_s in (10.0, 10.1, 10.2, 10.8, 100.0)]
    step, two, soon, late = (1 - correlation(looks[0], look) for look in looks[1:])
    assert 0 < step < 0.02
    # The error of a smooth motion grows with the square of time.
    assert 2.5 * step < two < 6 * step
    assert soon < 0.25
    assert late > 2 * soon


@every
def test_drift_moves_everything_and_runs_out_of_nothing(structure: str) -> None:
    scene = plain(structure, rearrangement_nm_per_s=0.0, dynamic_fraction=0.0, drift_nm_per_s=200.0)
    if structure == "puncta":
        scene = plain(
            Puncta(density_per_um2=3.0, mobile=0.0),
            **{
                name: getattr(scene.settings, name)
                for name in ("rearrangement_nm_per_s", "dynamic_fraction", "drift_nm_per_s")
            },
        )
    now, next_, far = (scene.expected(time_s, LOW_DOSE)[0] for time_s in (0.0, 0.5, 30.0))
    spectrum = np.fft.rfft2(next_) * np.conj(np.fft.rfft2(now))
    shift = np.unravel_index(np.argmax(np.fft.irfft2(spectrum, now.shape)), now.shape)
    shift_px = [(s + size // 2) % size - size // 2 for s, size in zip(shift, now.shape, strict=True)]
    assert np.hypot(*shift_px) == pytest.approx(5.0, abs=1.0)
    # 6 um further than a field of 3.2 x 4.4 um.
    assert far.mean() > 0.2 * now.mean()


@every
def test_no_cell_no_structure(structure: str) -> None:
    exposure = plain(structure, cell_radius_um=0.0).expose(0, 0.0, LOW_DOSE)
    assert not exposure.labels.any()
    assert exposure.signal.max() < 1e-6


@every
def test_pixels_of_another_size_show_the_same_specimen(structure: str) -> None:
    fine = plain(structure).expected(0.0, REFERENCE_DOSE)[0]
    coarse = plain(structure, pixel_nm=40.0, shape_yx=(80, 110)).expected(0.0, REFERENCE_DOSE)[0]
    # The same photons per place, for a pixel is a place where the beam rests.
    np.testing.assert_allclose(coarse.mean(), fine.mean(), rtol=0.1)
    binned = fine.reshape(80, 2, 110, 2).mean(axis=(1, 3))
    assert correlation(coarse, binned) > 0.97


@every
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_draws_stay_in_their_ranges(split: Split, structure: str) -> None:
    ranges = ranges_of(structure, split)
    for seed in range(3):
        settings, _, time_s = sample_settings(split, seed, (48, 64), structure)
        assert settings.shape_yx == (48, 64)
        assert time_s >= 0
        for name, (low, high) in ranges.items():
            holder = settings if hasattr(settings, name) else settings.structure
            assert low <= getattr(holder, name) <= high


@every
def test_test_ranges_reach_beyond_training(structure: str) -> None:
    training, test = ranges_of(structure, "train"), ranges_of(structure, "test")
    assert training.keys() == test.keys()
    for name, (low, high) in test.items():
        if name == "cell_offset_um":  # test draws always hold some of the cell
            continue
        train_low, train_high = training[name]
        assert low <= train_low
        assert high >= train_high
        assert high - low > train_high - train_low


def test_splits_and_structures_share_no_specimen() -> None:
    splits: tuple[Split, ...] = ("train", "validation", "test")
    drawn = [
        sample_settings(split, seed, (32, 32), structure)[0].seed
        for split in splits
        for seed in range(3)
        for structure in STRUCTURES
    ]
    assert len(set(drawn)) == len(drawn)
    assert sample_settings("train", 2, (32, 32), "puncta") == sample_settings("train", 2, (32, 32), "puncta")


@every
def test_held_out_frames_have_the_box_sum_that_was_drawn(structure: str) -> None:
    for seed in luck.seeds(2):
        settings, light, time_s = sample_settings("test", seed, (256, 200), structure)
        signal, background, labels = Scene(settings).expected(time_s, light)
        found = foreground_box_sum(signal + background, labels)
        # A field may by chance hold nothing of what is rare.
        assert np.isnan(found) or 24.4 < found < 33.1


def test_an_unknown_structure_is_refused() -> None:
    with pytest.raises(UsageError, match="structure = 'golgi'; use one of er, microtubules"):
        sample_settings("test", 1, (64, 64), "golgi")


def test_boxes_on_scattered_spots_are_centred_on_them() -> None:
    labels = np.zeros((100, 100), np.uint8)
    labels[24:27, 24:27] = labels[69:72, 79:82] = 1
    photons = labels * 2.0
    assert foreground_box_sum(photons, labels) == pytest.approx(18.0)
    assert np.isnan(foreground_box_sum(photons, np.zeros_like(labels)))


def test_microtubules_are_thin_and_even() -> None:
    settings = Microtubules(density_per_um=0.4, grain=0.0, brightness_spread=0.0, length_um=20.0)
    scene = plain(settings, pixel_nm=10.0, shape_yx=(400, 400), dynamic_fraction=0.0)
    emitters, labels = scene.emitters(0.0)
    # Filaments have pi x 25 nm of wall per length; their labels are 95 nm wide.
    length_um = labels.sum() * 0.01**2 / 0.095
    wall_um2 = emitters.sum() / scene.settings.labels_per_um2
    assert wall_um2 / (np.pi * 0.025) == pytest.approx(length_um, rel=0.15)
    bright = emitters > 0.05 * emitters.max()
    # Only where filaments cross is it wider.
    assert np.quantile(ndimage.distance_transform_edt(bright)[bright], 0.95) < 2.5


@pytest.mark.parametrize("catastrophe_s", [0.5, 20.0])
def test_ends_of_microtubules_grow_and_shrink_at_their_speeds(catastrophe_s: float) -> None:
    scene = plain("microtubules", dynamic_fraction=1.0)
    specimen = Microtubules(growth_um_per_s=0.2).grow(scene.settings)
    speed = (specimen.reach_um(catastrophe_s + 1e-4) - specimen.reach_um(catastrophe_s)) / 1e-4
    growing, shrinking = speed[speed > 0], speed[speed < 0]
    np.testing.assert_allclose(growing, 0.2, rtol=1e-4)
    np.testing.assert_allclose(shrinking, -0.4, rtol=1e-4)
    assert len(growing) > len(shrinking) > 0


@pytest.mark.parametrize("stain", ["inner", "outer"])
def test_mitochondria_are_stained_in_the_membrane_asked_for(stain: str) -> None:
    settings = Mitochondria(stain=stain, width_um=0.5, cristae=1.0, density_per_um2=0.6)  # type: ignore[arg-type]
    emitters, labels = plain(settings, shape_yx=(400, 400)).emitters(0.0)
    depth_um = ndimage.distance_transform_edt(labels) * 0.02
    wall = emitters[(depth_um > 0) & (depth_um < 0.05)].mean()
    core = emitters[depth_um > 0.17].mean()
    # Two membranes flat in the middle, seen on edge at the wall; cristae are highest in the middle.
    assert wall > 1.5 * core if stain == "outer" else core > 0.8 * wall


def test_mitochondria_do_not_lie_upon_each_other() -> None:
    settings = Mitochondria(density_per_um2=1.5, persistence_um=50.0, width_um=0.25, length_um=2.0)
    labels = plain(settings, shape_yx=(400, 400), curvature_nm=0.0).emitters(0.0)[1]
    bodies, count = ndimage.label(labels)
    sizes = ndimage.sum_labels(labels, bodies, np.arange(1, count + 1)) * 0.02**2
    assert count > 15
    assert np.median(sizes) < 1.0


def test_rings_stand_190_nm_apart() -> None:
    settings = ActinRings(ringed=1.0, cortex=0.0, patches=0.0, persistence_um=1e3)
    emitters, labels = plain(settings, shape_yx=(400, 400), curvature_nm=0.0).emitters(0.0)
    size = min(emitters.shape)
    power = np.abs(np.fft.fft2(emitters[:size, :size])) ** 2
    per_um = np.hypot(*np.meshgrid(*[np.fft.fftfreq(size, 0.02)] * 2))
    rings = np.arange(2.5, 9.0, 0.25)
    profile = [power[(per_um >= low) & (per_um < low + 0.25)].max() for low in rings]
    assert rings[int(np.argmax(profile))] + 0.125 == pytest.approx(1 / 0.19, abs=0.3)
    assert max(profile) > 8 * np.median(profile)
    assert (emitters[labels > 0].sum() / emitters.sum()) > 0.3


def test_gaps_in_the_lattice_leave_the_cortex() -> None:
    full, gaps = (
        plain(ActinRings(ringed=ringed, patches=0.0), shape_yx=(300, 300)).emitters(0.0)[1].mean()
        for ringed in (1.0, 0.5)
    )
    assert 0.3 * full < gaps < 0.75 * full


def test_puncta_carry_the_membrane_of_spheres() -> None:
    settings = Puncta(diameter_spread=0.0, brightness_spread=0.0, diameter_nm=200.0, density_per_um2=0.5)
    scene = plain(settings, shape_yx=(300, 300), pixel_nm=25.0)
    emitters, labels = scene.emitters(0.0)
    bodies, count = ndimage.label(labels)
    sums = ndimage.sum_labels(emitters, bodies, np.arange(1, count + 1)) / scene.settings.labels_per_um2
    assert np.median(sums) == pytest.approx(np.pi * 0.2**2, rel=0.05)
    areas = ndimage.sum_labels(labels, bodies, np.arange(1, count + 1)) * 0.025**2
    assert np.median(areas) == pytest.approx(np.pi * 0.135**2, rel=0.12)


def test_some_puncta_travel_and_the_others_tremble() -> None:
    scene = plain(Puncta(mobile=0.5, transport_nm_per_s=400.0, density_per_um2=2.0))
    specimen = Puncta(mobile=0.5, transport_nm_per_s=400.0).grow(scene.settings)
    walks = [walk.at(30.0) - walk.at(0.0) for walk in (specimen._transport, specimen._jitter)]
    travelled, trembled = (np.hypot(*walk.T) for walk in walks)
    assert np.mean(travelled > 0.0) == pytest.approx(0.5, abs=0.25)
    assert ((travelled == 0.0) == (trembled > 0.0)).all()
    assert np.median(travelled[travelled > 0]) > 4 * np.median(trembled[trembled > 0])

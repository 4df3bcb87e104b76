"""Objects are called real when photons say so, and not more often wrongly than stated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage, stats

from streamer.apps import compose
from streamer.core import Calibration, Frame, Result
from streamer.core.result import Halves
from streamer.guards import Guard, from_arrays, to_arrays
from streamer.guards.conformance import GuardConformance, movie, one
from streamer.guards.evidence import Evidence
from streamer.metrics.objects import NEAREST_PX, PIECE_PX, pieces, surroundings
from streamer.metrics.rates import discoveries, excess_p_values, share_of_nulls
from streamer.metrics.thinning import halves
from streamer.pipeline import denoise, segment
from streamer.pipeline.halves import Halver, HalvesState, Partner
from streamer.simulation import LOW_DOSE, Scene, SceneSettings, at_box_sum, foreground_box_sum

EVIDENCE = Evidence(
    false_discovery_rate=0.05,
    ratio=1.15,
    smallest_px=10,
    objects_min=5,
    flag_below=0.5,
    reject_below=0.2,
    read_noise_e=0.0,
)
Field = tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.bool_], float]


def with_halves(
    seq: int, photons: NDArray[np.float32], drawn: NDArray[np.bool_], read_noise_e: float = 0.0
) -> Result:
    """A result with halves, of which the first was drawn as told."""
    a, b = halves(photons, seq, read_noise_e)
    dealt = Halves(photons_a=a, photons_b=b, denoised_a=a, denoised_b=b, labels_a=drawn.astype(np.uint8))
    return replace(one(seq, photons, drawn), halves=dealt)


def halved_movie() -> list[Result]:
    """The movie of the conformance tests; every fourth frame has halves."""
    return [
        with_halves(result.frame.seq, result.photons, result.labels > 0)
        if result.frame.seq % 4 == 0
        else result
        for result in movie()
    ]


class TestEvidence(GuardConformance):
    def make(self) -> Guard[Any]:
        return EVIDENCE


@pytest.mark.parametrize("cut", [0, 1, 4, 5, 30])
def test_a_run_with_halves_goes_on_from_a_stored_state(cut: int) -> None:
    state, whole, resumed = EVIDENCE.start(), [], []
    for number, result in enumerate(halved_movie()):
        if number == cut:
            state = from_arrays(EVIDENCE.start(), to_arrays(state))
        state, verdict = EVIDENCE.step(state, result)
        resumed.append(verdict)
    state = EVIDENCE.start()
    for result in halved_movie():
        state, verdict = EVIDENCE.step(state, result)
        whole.append(verdict)
    assert whole == resumed
    assert [verdict.measured is None for verdict in whole] == [seq % 4 != 0 for seq in range(len(whole))]
    assert whole[0].measured > whole[36].measured  # it fades away


# Objects


def test_a_net_is_cut_at_its_junctions_and_into_pieces_of_bounded_length() -> None:
    labels = np.zeros((90, 90), np.uint8)
    labels[20:25, 5:85] = labels[65:70, 5:85] = labels[20:70, 43:48] = 1
    ids = pieces(labels)
    np.testing.assert_array_equal(ids > 0, labels > 0)
    assert len({int(ids[22, 15]), int(ids[22, 75]), int(ids[67, 15]), int(ids[45, 45])}) == 4
    lengths = [
        max(np.ptp(place, axis=1)) for place in (np.nonzero(ids == i) for i in range(1, ids.max() + 1))
    ]
    assert max(lengths) <= PIECE_PX + 10
    assert all(ndimage.label(ids == i, np.ones((3, 3)))[1] == 1 for i in range(1, ids.max() + 1))


def test_a_sheet_is_cut_into_tiles_and_a_spot_is_one_object() -> None:
    labels = np.zeros((120, 120), np.uint8)
    labels[10:90, 10:90] = 2
    y, x = np.mgrid[:120, :120]
    labels[np.hypot(y - 105, x - 105) < 4] = 1
    ids = pieces(labels)
    areas = np.bincount(ids.ravel())[1:]
    assert 20 <= areas.size <= 60
    assert areas.max() < 700
    assert len(np.unique(ids[100:112, 100:112])) == 2  # the spot and nothing


def test_surroundings_keep_away_from_everything_drawn_and_belong_to_one_object() -> None:
    labels = np.zeros((100, 100), np.uint8)
    labels[10:90, 10:60] = 1
    labels[10:90, 75:80] = 1
    ids = pieces(labels)
    around, lender = surroundings(ids)
    distance = ndimage.distance_transform_edt(ids == 0)
    assert (distance[around > 0] > NEAREST_PX).all()
    assert (lender[1:] > 0).all()
    lends = np.bincount(around.ravel(), minlength=lender.size) >= 100
    assert lends[lender[1:]].all()
    assert (lender[1:] == np.arange(1, lender.size))[lends[1:]].all()


def test_what_is_drawn_everywhere_has_no_surroundings() -> None:
    _, lender = surroundings(pieces(np.ones((64, 64), np.uint8)))
    assert not lender.any()


# Tests of single objects, and of many


def test_the_p_value_is_that_of_the_binomial_test() -> None:
    inside, outside = np.array([0.0, 3, 7, 30]), np.array([5.0, 0, 9, 20])
    area, around = np.array([40.0, 40, 50, 60]), np.array([80.0, 20, 100, 60])
    p = 1.2 * area / (1.2 * area + around)
    expected = stats.binom.sf(inside - 1, inside + outside, p)
    found = excess_p_values(inside, area, outside, around, ratio=1.2, read_noise_e=0.0)
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.parametrize("read_noise_e", [0.0, 0.7, 1.6])
def test_an_object_that_is_not_there_is_seldom_found(read_noise_e: float) -> None:
    rng, n = np.random.default_rng(8), 100_000
    for rate in (0.03, 0.3, 3.0):
        inside, outside = rng.poisson(rate * 100, n) * 1.0, rng.poisson(rate * 250, n) * 1.0
        inside += rng.normal(0, read_noise_e * 10, n)
        outside += rng.normal(0, read_noise_e * 250**0.5, n)
        area, around = np.full(n, 100.0), np.full(n, 250.0)
        found = excess_p_values(inside, area, outside, around, ratio=1.0, read_noise_e=read_noise_e)
        for level in (0.05, 0.01, 0.001):
            assert (found <= level).sum() <= stats.binom.ppf(1 - 1e-4, n, 1.1 * level)


def test_discoveries_are_those_of_benjamini_and_hochberg() -> None:
    p_values = np.array([0.001, 0.9, 0.012, 0.011, 0.2, 0.04, 1.0])
    expected = stats.false_discovery_control(p_values, method="bh") <= 0.05
    np.testing.assert_array_equal(discoveries(p_values, 0.05), expected)
    assert not discoveries(np.zeros(0), 0.05).size


def test_the_share_of_nulls_is_estimated() -> None:
    rng = np.random.default_rng(1)
    p_values = np.concatenate([rng.random(4000), rng.random(6000) * 1e-3])
    assert share_of_nulls(p_values) == pytest.approx(0.4, abs=0.03)
    assert np.isnan(share_of_nulls(np.zeros(0)))


# Error rate and power on simulated specimens


def fields(count: int, first: int) -> list[Field]:
    """Expected photons, what is drawn, where no true structure is near, foreground box sum.

    Drawn are the truth and, where that is farther than 80 nm, the truth of another specimen. Structure and
    background vary as in the test split of the simulator, and beyond its out-of-focus light.
    """
    made = []
    for seed in range(first, first + count):
        rng = np.random.default_rng((5, seed))
        settings = SceneSettings(
            seed=seed,
            shape_yx=(200, 200),
            mesh_um=rng.uniform(0.6, 1.8),
            tubule_nm=rng.uniform(60, 110),
            sheet_fraction=rng.uniform(0.02, 0.45),
            out_of_focus=rng.uniform(0.03, 0.35),
            haze=rng.uniform(0.01, 0.09),
        )
        signal, background, labels = Scene(settings).expected(0.0, LOW_DOSE)
        invented = Scene(replace(settings, seed=seed + 10**6)).expected(0.0, LOW_DOSE)[2]
        far = ndimage.distance_transform_edt(labels == 0) > 4.0
        drawn = (labels > 0) | ((invented > 0) & far)
        box_sum = foreground_box_sum(signal + background, labels)
        if np.isfinite(box_sum):
            made.append((signal + background, drawn.astype(np.uint8), far, box_sum))
    return made


FIELDS = fields(60, 500)


@pytest.mark.parametrize("box_sum", [8.0, 25.0, 100.0, 400.0])
def test_at_most_the_stated_share_of_supported_objects_is_invented(box_sum: float) -> None:
    """Upper 95 % bound of the mean share over fields, of which about a third of the objects is invented."""
    rng, shares, found, real = np.random.default_rng(9), [], 0, 0
    for expected, drawn, far, at in FIELDS:
        half = rng.poisson(expected * box_sum / at / 2).astype(np.float32)
        objects = EVIDENCE.objects(
            Halves(photons_a=half, photons_b=half, denoised_a=half, denoised_b=half, labels_a=drawn)
        )
        size = objects.area.size
        far_px = np.bincount(objects.ids.ravel(), weights=far.ravel(), minlength=size)
        invented = far_px > objects.area / 2
        shares.append((objects.supported & invented).sum() / max(1, objects.supported.sum()))
        found += int((objects.supported & ~invented).sum())
        real += int((objects.tested & ~invented).sum())
    bound = np.mean(shares) + 1.645 * np.std(shares, ddof=1) / len(shares) ** 0.5
    print(f"box sum {box_sum}: share {np.mean(shares):.4f}, at most {bound:.4f}; power {found / real:.2f}")
    assert bound <= 0.05
    assert found / real > {8.0: 0.2, 25.0: 0.85, 100.0: 0.97, 400.0: 0.97}[box_sum]


@pytest.mark.parametrize("read_noise_e", [0.0, 0.7, 1.6])
def test_of_fields_without_structure_few_support_anything(read_noise_e: float) -> None:
    """Objects are drawn where the first half is bright by chance; then every discovery is a false one."""
    rng, wrong, count = np.random.default_rng(12), 0, 0
    guard = replace(EVIDENCE, ratio=1.0, read_noise_e=read_noise_e)
    for rate in (0.05, 0.3, 2.0):
        for seed in range(40):
            image = rng.poisson(rate, (128, 128)) + rng.normal(0, read_noise_e, (128, 128))
            a, b = halves(image.astype(np.float32), seed, read_noise_e)
            smooth = ndimage.gaussian_filter(a, 2.5)
            drawn = (smooth > np.quantile(smooth, 0.85)).astype(np.uint8)
            found = guard.objects(
                Halves(photons_a=a, photons_b=b, denoised_a=a, denoised_b=b, labels_a=drawn)
            )
            wrong, count = wrong + bool(found.supported.any()), count + 1
    print(f"{wrong} of {count} fields")
    assert wrong <= stats.binom.ppf(0.999, count, 0.05)


def test_the_same_photons_would_be_circular() -> None:
    rng = np.random.default_rng(13)
    image = rng.poisson(0.3, (128, 128)).astype(np.float32)
    smooth = ndimage.gaussian_filter(image, 2.5)
    drawn = (smooth > np.quantile(smooth, 0.85)).astype(np.uint8)
    found = EVIDENCE.objects(
        Halves(photons_a=image, photons_b=image, denoised_a=image, denoised_b=image, labels_a=drawn)
    )
    assert found.supported.sum() > 0.4 * found.tested.sum()


# Verdicts over time


def scenes(lights: list[float | None]) -> list[Result]:
    """Drawn stripes with so much light above background; None has no halves."""
    rng, (_, x) = np.random.default_rng(3), np.mgrid[:128, :128]
    drawn = x % 40 < 6
    return [
        one(seq, np.zeros((128, 128), np.float32), drawn)
        if light is None
        else with_halves(seq, rng.poisson(0.05 + light * drawn).astype(np.float32), drawn)
        for seq, light in enumerate(lights)
    ]


def statuses(lights: list[float | None]) -> list[str]:
    state, said = EVIDENCE.start(), []
    for result in scenes(lights):
        state, verdict = EVIDENCE.step(state, result)
        said.append(verdict.status)
        assert (verdict.measured is None) == (result.halves is None)
    return said


@pytest.mark.parametrize(
    ("lights", "expected"),
    [
        ([None, 1, None], ["pass"] * 3),
        ([1, None, 0, None, 1, None], ["pass", "pass", "reject", "pass", "pass", "pass"]),
        ([1, None, 0, None, 0, None, None], ["pass", "pass", "reject", "pass", "reject", "reject", "reject"]),
        ([0, None, 1, None], ["reject", "reject", "pass", "pass"]),
        ([0, None, 0, None, 1, None], ["reject", "reject", "reject", "reject", "pass", "pass"]),
    ],
    ids=["before and after", "one bad test", "two bad tests", "a bad first test", "recovers"],
)
def test_what_stands_between_tests(lights: list[float | None], expected: list[str]) -> None:
    assert statuses(lights) == expected


def test_an_empty_drawing_is_nothing_to_judge() -> None:
    _, verdict = EVIDENCE.step(
        EVIDENCE.start(), with_halves(0, np.ones((64, 64), np.float32), np.zeros((64, 64), bool))
    )
    assert (verdict.status, verdict.measured) == ("pass", None)
    assert "0 objects" in verdict.meaning


def test_a_drawing_that_fills_the_field_is_told() -> None:
    full = with_halves(0, np.ones((64, 64), np.float32), np.ones((64, 64), np.bool_))
    _, verdict = EVIDENCE.step(EVIDENCE.start(), full)
    assert (verdict.status, verdict.measured) == ("flag", None)
    assert "fills the field" in verdict.meaning


# With the shipped networks


def test_a_drawing_of_another_specimen_is_rejected() -> None:
    rng = np.random.default_rng(14)
    expected, drawn, far, at = FIELDS[0]
    half = rng.poisson(expected * 25 / at / 2).astype(np.float32)
    invented = np.where(far, drawn, 0).astype(np.uint8)
    dealt = Halves(photons_a=half, photons_b=half, denoised_a=half, denoised_b=half, labels_a=invented)
    _, verdict = EVIDENCE.step(EVIDENCE.start(), replace(one(0, half, drawn > 0), halves=dealt))
    assert verdict.status == "reject"
    assert verdict.values["not_there_share"] > 0.8


@pytest.fixture(scope="module")
def halving() -> Callable[[Frame], Result]:
    """Denoise, segment and deal out with the shipped networks."""
    models = compose.load_models(compose.ModelSettings(precision="f32", threads=1))
    multiple = models.denoiser.package.size_multiple
    denoiser, segmenter = (
        Partner(network_for=network, size_multiple=multiple)
        for network in (models.denoiser, models.segmenter)
    )
    halver = Halver(denoiser, segmenter, every=1, read_noise_e=0.0, state=HalvesState())

    def halved(frame: Frame) -> Result:
        denoised = denoise(
            frame, calibration=Calibration(), network_for=models.denoiser, size_multiple=multiple
        )
        return halver(denoised, segment(denoised, network_for=models.segmenter, size_multiple=multiple))

    return halved


@pytest.mark.parametrize(
    ("box_sum", "lowest", "highest"),
    [(25.0, 0.85, 1.0), (2.0, 0.0, 0.2)],
    ids=["healthy", "below what the network knows"],
)
def test_what_the_shipped_networks_draw_is_supported_as_long_as_there_is_light(
    halving: Callable[[Frame], Result], box_sum: float, lowest: float, highest: float
) -> None:
    for seed in range(40, 43):
        plain = SceneSettings(seed=seed, shape_yx=(240, 240), bleaching=0.0)
        exposure = Scene(at_box_sum(plain, LOW_DOSE, 0.0, box_sum)).expose(0, 0.0, LOW_DOSE)
        _, verdict = EVIDENCE.step(EVIDENCE.start(), halving(Frame(pixels=exposure.counts, seq=seed)))
        assert verdict.measured is None or lowest <= verdict.measured <= highest
        assert verdict.measured is not None or box_sum < 10

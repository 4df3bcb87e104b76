"""Halves of the photons agree on what is there; a run whose halves cease to is told from a healthy one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from streamer.core import Result, Verdict
from streamer.core.result import Halves
from streamer.guards import Guard, from_arrays, to_arrays
from streamer.guards.agreement import Agreement, agreement_of
from streamer.guards.conformance import GuardConformance, movie, one
from streamer.metrics.fourier import fourier_rings
from streamer.metrics.thinning import halves

AGREEMENT = Agreement(
    baseline_tests=15,
    spread_min=0.02,
    drawn_min_px=100,
    planned_tests=100,
    false_alarm_rate=0.01,
    pixel_nm=20.0,
)
Image = NDArray[np.float32]


def blurred(image: Image) -> Image:
    return np.asarray(ndimage.gaussian_filter(image, 2.0), np.float32)


def with_halves(seq: int, photons: Image, drawn: NDArray[np.bool_], read_noise_e: float = 0.0) -> Result:
    """A result whose denoiser is a blur."""
    a, b = halves(photons, seq, read_noise_e)
    dealt = Halves(
        photons_a=a,
        photons_b=b,
        denoised_a=blurred(a),
        denoised_b=blurred(b),
        labels_a=drawn.astype(np.uint8),
    )
    return replace(one(seq, photons, drawn), halves=dealt)


def stripes(lights: Sequence[float | None], read_noise_e: float = 0.0) -> list[Result]:
    """Drawn stripes with so much light above background, drifting; None has no halves."""
    rng, (y, x) = np.random.default_rng(3), np.mgrid[:128, :128]
    made = []
    for seq, light in enumerate(lights):
        drawn = (x + y // 2 + seq) % 40 < 8
        photons = rng.poisson(0.1 + (light or 0.0) * drawn) + rng.normal(0, read_noise_e, drawn.shape)
        photons = photons.astype(np.float32)
        made.append(
            one(seq, photons, drawn) if light is None else with_halves(seq, photons, drawn, read_noise_e)
        )
    return made


def verdicts(guard: Agreement, results: Iterable[Result]) -> list[Verdict]:
    state, said = guard.start(), []
    for result in results:
        state, verdict = guard.step(state, result)
        said.append(verdict)
    return said


class TestAgreement(GuardConformance):
    def make(self) -> Guard[Any]:
        return replace(AGREEMENT, baseline_tests=4, planned_tests=40)


@pytest.mark.parametrize("cut", [0, 1, 4, 15, 30])
def test_a_run_with_halves_goes_on_from_a_stored_state(cut: int) -> None:
    guard = replace(AGREEMENT, baseline_tests=4)
    results = [
        with_halves(result.frame.seq, result.photons, result.labels > 0) if number % 3 == 0 else result
        for number, result in enumerate(movie())
    ]
    state, said = guard.start(), []
    for number, result in enumerate(results):
        if number == cut:
            state = from_arrays(guard.start(), to_arrays(state))
        state, verdict = guard.step(state, result)
        said.append(verdict)
    assert said == verdicts(guard, results)
    assert [verdict.measured is None for verdict in said] == [seq % 3 != 0 for seq in range(len(said))]


@pytest.mark.parametrize(
    ("a", "b", "expected", "low"),
    [
        (1.0, 1.0, 1.0, 0.0),
        (1.0, 0.0, 0.0, 1.0),
        (2.0, 1.0, 0.8, 0.0),
        (0.0, 0.0, 0.0, 1.0),
    ],
    ids=["equal", "not in the other", "half as bright", "nothing in either"],
)
def test_agreement_is_the_overlap_of_what_is_drawn(a: float, b: float, expected: float, low: float) -> None:
    drawn = np.zeros((60, 60), np.uint8)
    drawn[10:50, 10:50] = 1
    first, second = (np.float32(0.3) + np.float32(light) * drawn for light in (a, b))
    dealt = Halves(photons_a=first, photons_b=second, denoised_a=first, denoised_b=second, labels_a=drawn)
    np.testing.assert_allclose(agreement_of(dealt), (expected, low), atol=1e-5)


def test_what_one_half_alone_shows_is_told_by_place() -> None:
    drawn = np.ones((60, 120), np.uint8)
    drawn[:, ::7] = 0
    first = drawn.astype(np.float32)
    second = first.copy()
    second[:, 60:] = 0
    dealt = Halves(photons_a=first, photons_b=second, denoised_a=first, denoised_b=second, labels_a=drawn)
    assert agreement_of(dealt)[1] == pytest.approx(0.5)


@pytest.mark.parametrize("read_noise_e", [0.0, 1.6])
def test_a_healthy_run_passes_and_one_that_fades_is_rejected(read_noise_e: float) -> None:
    light = 1.0 if read_noise_e == 0 else 6.0
    said = verdicts(AGREEMENT, stripes([light] * 45, read_noise_e))
    assert {verdict.status for verdict in said} == {"pass"}
    assert said[14].limit is None
    assert said[-1].limit < said[-1].measured
    said = verdicts(AGREEMENT, stripes([light] * 25 + [0.0] * 15, read_noise_e))
    rejected = next(seq for seq, verdict in enumerate(said) if verdict.status == "reject")
    assert 25 <= rejected <= 28
    assert "no longer agree" in said[rejected].meaning


def test_the_limit_is_where_this_frame_alone_would_tip_the_test() -> None:
    for verdict in verdicts(AGREEMENT, stripes([1.0] * 20 + [0.3] * 10 + [0.0] * 5))[15:]:
        assert (verdict.status == "reject") == (verdict.measured <= verdict.limit)


def test_between_comparisons_the_last_finding_stands_until_the_halves_agree_again() -> None:
    lights = [1.0] * 16 + [None, 0.0, 0.0, None, None, *[1.0] * 30, None]
    said = verdicts(AGREEMENT, stripes(lights))
    assert (said[16].status, said[16].measured) == ("pass", None)
    assert [said[seq].status for seq in (19, 20)] == [said[18].status] * 2
    assert said[18].status in ("flag", "reject")
    assert said[-1].status == "pass"


@pytest.mark.parametrize("name", ["denoised_a", "denoised_b", "photons_b"])
def test_a_half_that_is_not_finite_is_not_judged_and_leaves_no_trace(name: str) -> None:
    (first,) = stripes([1.0])
    assert first.halves is not None
    broken = getattr(first.halves, name).copy()
    broken[3, 4] = np.nan
    result = replace(first, halves=replace(first.halves, **{name: broken}))
    state, verdict = AGREEMENT.step(AGREEMENT.start(), result)
    assert verdict.status == "flag"
    assert state.baseline.size == 0


def test_too_little_drawn_is_nothing_to_compare() -> None:
    empty = with_halves(0, np.ones((64, 64), np.float32), np.zeros((64, 64), np.bool_))
    (verdict,) = verdicts(AGREEMENT, [empty])
    assert (verdict.status, verdict.measured) == ("pass", None)


# Resolution


def test_resolution_is_told_where_the_pixel_size_is_known() -> None:
    result = stripes([4.0])
    (known,), (unknown,) = (verdicts(replace(AGREEMENT, pixel_nm=nm), result) for nm in (20.0, None))
    assert 40.0 < known.values["resolution_nm"] < 2000.0
    assert "resolution_nm" not in unknown.values


def test_resolution_is_lost_with_the_photons() -> None:
    said = verdicts(AGREEMENT, stripes([8.0] * 16 + [0.4]))
    assert said[-1].values["resolution_nm"] > 1.2 * said[-1].values["resolution_start_nm"]


@pytest.mark.parametrize("read_noise_e", [0.0, 0.3, 0.7, 1.6, 3.0])
@pytest.mark.parametrize("photons", [0.1, 1.0])
def test_halves_of_nothing_do_not_correlate(photons: float, read_noise_e: float) -> None:
    """Weighted mean of the rings within 0.05 of nothing, or below where read noise is rounded away."""
    rng = np.random.default_rng(17)
    image = rng.poisson(photons, (256, 256)) + rng.normal(0, read_noise_e, (256, 256))
    a, b = halves(image.astype(np.float32), 1, read_noise_e)
    rings = fourier_rings(a, b)
    correlation = float(np.average(rings.correlation, weights=rings.pixels))
    print(f"{photons} photons, read noise {read_noise_e}: {correlation:+.3f}")
    assert -0.2 < correlation < 0.02


def test_dealing_a_camera_image_as_if_it_were_counts_would_correlate() -> None:
    rng = np.random.default_rng(18)
    image = np.maximum(np.rint(rng.poisson(1.0, (256, 256)) + rng.normal(0, 1.6, (256, 256))), 0)
    rings = fourier_rings(*halves(image.astype(np.float32), 1))
    assert float(np.average(rings.correlation, weights=rings.pixels)) > 0.15

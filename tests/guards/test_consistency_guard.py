"""Counts that do not show what is drawn, or show what is not, are told from chance."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from scipy.stats import binom

from streamer.core import Frame, Result, Verdict
from streamer.guards import Guard
from streamer.guards.conformance import GuardConformance
from streamer.guards.consistency import SIDES, SINGLE, Consistency, _windows, chance_limit
from streamer.simulation import Scene, foreground_box_sum, sample_settings

CONSISTENCY = Consistency(false_alarm_rate=1e-3, model_error=0.08, structure_spread=0.85, read_noise_e=0.0)
SIDE = 300
Image = NDArray[np.float32]


class TestConsistency(GuardConformance):
    def make(self) -> Guard[Any]:
        return CONSISTENCY


def judged(counts: NDArray[np.generic], predicted: Image, guard: Consistency = CONSISTENCY) -> Verdict:
    photons = counts.astype(np.float32)
    frame = Frame(pixels=np.clip(counts, 0, 65535).astype(np.uint16), seq=0)
    labels = (predicted > 0.05).astype(np.uint8)
    result = Result(frame=frame, photons=photons, denoised=predicted.astype(np.float32), labels=labels)
    return guard.step(guard.start(), result)[1]


@cache
def specimen(seed: int, box_sum: float) -> tuple[Image, Image]:
    """Expected photons in focus, and besides; both [y, x]."""
    settings, light, time_s = sample_settings("test", seed, (SIDE, SIDE))
    signal, background, labels = Scene(settings).expected(time_s, light)
    scale = np.float32(box_sum / foreground_box_sum(signal + background, labels))
    return signal * scale, background * scale


@cache
def denoiser() -> Any:
    """The shipped network for these fields, padded to what it takes."""
    pytest.importorskip("openvino")
    from streamer.engines import compile_engine
    from streamer.package import load_package

    package = load_package("er-denoise-live")
    more = -SIDE % package.size_multiple
    network = compile_engine(package, (SIDE + more, SIDE + more), precision="f32", threads=1)

    def denoise(counts: NDArray[np.generic]) -> Image:
        padded = np.pad(counts.astype(np.float32), ((0, more), (0, more)), mode="reflect")
        return np.ascontiguousarray(network(padded[None, None])[0, 0, :SIDE, :SIDE])

    return denoise


def tubule(row: float, column: float, angle: float, length: float, peak: float) -> Image:
    """[y, x] photons of a straight tubule, as wide as the microscope shows one."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    along = (y - row) * np.sin(angle) + (x - column) * np.cos(angle)
    across = (y - row) * np.cos(angle) - (x - column) * np.sin(angle)
    beyond = np.maximum(np.abs(along) - length / 2, 0)
    return (peak * np.exp(-(across**2 + beyond**2) / (2 * 1.95**2))).astype(np.float32)


def empty_places(signal: Image, box_sum: float) -> NDArray[np.intp]:
    """[place, 2] pixels far from structure and border."""
    far = ~maximum_filter(signal > 0.1 * box_sum / 100, 41)
    far[:50], far[-50:], far[:, :50], far[:, -50:] = False, False, False, False
    return np.argwhere(far)


def test_the_limit_of_how_many_windows_may_disagree_is_the_binomial_quantile() -> None:
    for tests in (1, 4, 225, 900, 10_404):
        for rate in (5e-4, 0.05):
            assert chance_limit(tests, SINGLE, rate) == binom.isf(rate, tests, SINGLE)


@pytest.mark.parametrize("box_sum", [0.5, 4.0, 28.0, 84.0])
def test_the_truth_is_flagged_no_more_often_than_stated(box_sum: float) -> None:
    """The prediction is the truth itself, which no noise follows: residuals are Poisson."""
    rng = np.random.default_rng(20_011)
    guard = replace(CONSISTENCY, false_alarm_rate=0.05, structure_spread=1.0)
    verdicts = [
        judged(rng.poisson(signal + background), signal, guard)
        for signal, background in (specimen(7_700_000 + k % 4, box_sum) for k in range(80))
    ]
    flagged = sum(verdict.status != "pass" for verdict in verdicts)
    print(f"{flagged} of {len(verdicts)} flagged, median dispersion of windows", end=" ")
    print(np.median([verdict.values["dispersion"] for verdict in verdicts]))
    assert flagged <= binom.isf(1e-4, len(verdicts), 2 * 0.05)  # two directions


@pytest.mark.parametrize("box_sum", [9.3, 28.0, 84.0])
def test_predictions_of_the_shipped_network_invent_nothing(box_sum: float) -> None:
    rng = np.random.default_rng(7)
    for seed in range(8):
        signal, background = specimen(7_800_000 + seed, box_sum)
        counts = rng.poisson(signal + background)
        verdict = judged(counts, denoiser()(counts))
        assert verdict.status != "reject", verdict
        assert verdict.measured is not None
        assert verdict.limit is not None
        assert verdict.measured > verdict.limit, verdict


@pytest.mark.parametrize(
    ("box_sum", "length", "least"),
    [(84.0, 20, 0.85), (28.0, 40, 0.75), (9.3, 80, 0.3)],
    ids=lambda value: f"{value:g}",
)
def test_an_invented_tubule_is_found_where_it_is(box_sum: float, length: float, least: float) -> None:
    """As bright as the tubules of its field, pasted where there is none; at least the share `least` of 24."""
    rng = np.random.default_rng(3)
    found, near = 0, 0
    for seed in range(8):
        signal, background = specimen(7_900_000 + seed, box_sum)
        counts = rng.poisson(signal + background)
        predicted = denoiser()(counts)
        peak = float(np.quantile(predicted[predicted > box_sum / 200], 0.75))
        places = empty_places(signal, box_sum)
        if not len(places):
            places = np.array([[150, 150]])
        for row, column in places[rng.integers(len(places), size=3)]:
            pasted = predicted + tubule(row, column, float(rng.uniform(0, np.pi)), length, peak)
            verdict = judged(counts, pasted)
            if verdict.measured < verdict.limit:
                found += 1
                words = verdict.meaning.replace(",", "").split()
                if "row" in words:
                    at = [int(words[words.index(axis) + 1]) for axis in ("row", "column")]
                    near += bool(np.hypot(at[0] - row, at[1] - column) < length / 2 + 40)
    print(f"{found} of 24 found, {near} of them named near their place")
    assert found >= least * 24
    assert near >= 0.8 * found


def test_lost_structure_is_flagged_where_it_is() -> None:
    signal, background = specimen(7_900_001, 28.0)
    counts = np.random.default_rng(8).poisson(signal + background)
    row, column = np.argwhere(signal[60:-60, 60:-60] > np.quantile(signal, 0.97))[0] + 60
    y, x = np.mgrid[:SIDE, :SIDE]
    predicted = np.where(np.hypot(y - row, x - column) < 20, 0.0, denoiser()(counts))
    verdict = judged(counts, predicted)
    assert verdict.status == "flag"
    assert "that the prediction leaves out" in verdict.meaning
    assert verdict.values["lost_residual"] > -verdict.limit


def test_a_prediction_of_another_place_is_rejected() -> None:
    signal, background = specimen(7_900_002, 28.0)
    counts = np.random.default_rng(9).poisson(signal + background)
    verdict = judged(counts, denoiser()(counts)[::-1, ::-1])
    assert verdict.status == "reject"
    assert "structure is drawn that the photons do not show, in" in verdict.meaning
    assert verdict.values["windows_against"] > verdict.values["windows_limit"]


def test_haze_that_the_prediction_leaves_out_is_background() -> None:
    rng = np.random.default_rng(10)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    verdict = judged(rng.poisson(0.05 + 0.1 * x + 0.05 * y), np.zeros((SIDE, SIDE), np.float32))
    assert verdict.status == "pass", verdict.meaning


def test_read_noise_of_a_camera_is_no_disagreement() -> None:
    signal, background = specimen(7_900_003, 84.0)
    rng = np.random.default_rng(11)
    counts = rng.poisson(signal + background) + rng.normal(0, 1.6, signal.shape)
    blind = judged(counts, signal)
    knowing = judged(counts, signal, replace(CONSISTENCY, read_noise_e=1.6))
    assert (blind.status, knowing.status) == ("reject", "pass"), (blind, knowing)


@pytest.mark.parametrize(
    ("shape", "status", "meaning"),
    [((4, 6), "flag", "smaller than a window"), ((20, 25), "pass", "agree"), ((33, 250), "pass", "agree")],
    ids=["smaller than a window", "one window", "narrow"],
)
def test_small_fields(shape: tuple[int, int], status: str, meaning: str) -> None:
    counts = np.random.default_rng(12).poisson(0.3, shape)
    verdict = judged(counts, np.full(shape, 0.3, np.float32))
    assert verdict.status == status
    assert meaning in verdict.meaning


def test_windows_are_sums_of_their_tiles() -> None:
    tiles = np.random.default_rng(3).random((7, 9))
    for side in SIDES:
        wanted = [
            [tiles[y : y + side, x : x + side].sum(axis=0).sum() for x in range(10 - side)]
            for y in range(8 - side)
        ]
        np.testing.assert_allclose(_windows(tiles, side), wanted, rtol=1e-14)
    assert _windows(tiles[:3], 4).size == 0

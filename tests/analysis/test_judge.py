"""Reports on methods whose faults are known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from specimens_for_judging import Image, Oracle, blurred, frames, raw

from streamer.analysis import MEASURES, compare, compare_all, held_out, judge, judge_images
from streamer.analysis.faint import BACKGROUND_MAX, CURVE, detection_curve, threshold_at
from streamer.analysis.judge import EMPTY_FIELD_PHOTONS, empty_fields
from streamer.analysis.measures import FRAMES_TO_BOOTSTRAP, FRAMES_TO_SHOW, swapped_p
from streamer.errors import UsageError
from streamer.metrics.quality import gain_interval_db, linear_fit_psnr

SEED = 77


@pytest.fixture(scope="module")
def reports() -> dict[str, dict[str, object]]:
    methods = {"raw": raw, "blurred": blurred, "oracle": Oracle(error=0.01, stated=0.01)}
    return {name: judge(method, frames(), SEED) for name, method in methods.items()}


def value(report: dict, name: str) -> float:
    return float(report["metrics"][name]["value"])


def test_a_report_is_json_and_names_known_measures(reports: dict) -> None:
    for report in reports.values():
        assert json.loads(json.dumps(report, allow_nan=False)) == report
        assert set(report["metrics"]) <= set(MEASURES)
        for found in report["metrics"].values():
            assert found["undefined"] <= len(found["per_frame"])
            if found["interval_95"] and found["value"] is not None:
                low, high = found["interval_95"]
                assert low - 1e-9 <= found["value"] <= high + 1e-9


def test_psnr_and_its_gain_are_those_of_the_model_cards(reports: dict) -> None:
    truth = [frame.truth for frame in frames()]
    quality = {
        name: linear_fit_psnr([method(frame.counts)[0] for frame in frames()], truth)
        for name, method in (("raw", raw), ("blurred", blurred))
    }
    assert value(reports["blurred"], "psnr") == pytest.approx(quality["blurred"].psnr_db, abs=1e-3)
    found = compare(reports["blurred"], reports["raw"], "psnr", SEED)
    expected = gain_interval_db(quality["blurred"], quality["raw"], np.random.default_rng(SEED))
    assert found["interval_95"] == pytest.approx(expected, abs=1e-3)
    assert found["standing"] == "better"


def test_a_good_method_is_good_by_every_measure(reports: dict) -> None:
    oracle = reports["oracle"]
    assert value(oracle, "psnr") > 30
    assert value(oracle, "ssim") > 0.9
    assert value(oracle, "ms_ssim") > 0.98
    assert value(oracle, "pearson") > 0.99
    assert value(oracle, "frc_ratio") < 1.1
    assert value(oracle, "rsp") > 0.9
    assert value(oracle, "intensity_slope") == pytest.approx(1.0, abs=0.01)
    assert value(oracle, "intensity_r") > 0.99
    assert value(oracle, "faint_kept") > 0.9
    assert value(oracle, "mae") == pytest.approx(0.01 * np.sqrt(2 / np.pi), rel=0.1)


def test_intervals_of_a_normal_error_cover_nine_tenths(reports: dict) -> None:
    for place in ("foreground", "background", "all"):
        assert value(reports["oracle"], f"coverage_{place}") == pytest.approx(0.9, abs=0.01)
    assert "coverage_all" not in reports["raw"]["metrics"]


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_a_wrong_photon_scale_shows_in_the_slope_alone(gain: float) -> None:
    report = judge(Oracle(gain=gain), frames(), SEED)
    assert value(report, "intensity_slope") == pytest.approx(gain, rel=0.01)
    assert report["fit"]["gain"] == pytest.approx(gain, rel=0.01)
    assert report["metrics"]["nrmse"]["value"] < 0.01


def test_a_linear_filter_leaves_the_fourier_correlation_as_it_was(reports: dict) -> None:
    raw_nm, blurred_nm = (value(reports[name], "frc_nm") for name in ("raw", "blurred"))
    assert blurred_nm == pytest.approx(raw_nm, rel=0.02)


def test_a_method_is_equal_to_itself_and_measures_of_the_frames_are_not_compared(reports: dict) -> None:
    found = compare_all(reports["raw"], reports["raw"], SEED)
    assert {each["standing"] for each in found.values()} == {"equal"}
    assert "frc_reference_nm" not in found
    assert all(each["mann_whitney"]["p_holm"] == 1.0 for each in found.values() if "mann_whitney" in each)


@pytest.mark.parametrize("frames", [2, 3, 5, 6, 8])
def test_with_few_frames_equal_methods_are_rarely_told_apart(frames: int) -> None:
    rng, told = np.random.default_rng(frames), 0
    for _ in range(200):
        first, second = rng.standard_normal((2, frames))
        told += compare(bare(first), bare(second), "ssim", SEED)["standing"] != "equal"
    # Nominal at most 5 %: more than 20 of 200 has odds below 0.001. The bootstrap alone gives 20-100.
    assert told <= (20 if frames >= FRAMES_TO_SHOW else 0)


@pytest.mark.parametrize(
    ("frames", "standing"), [(5, "equal"), (6, "better"), (FRAMES_TO_BOOTSTRAP - 1, "better")]
)
def test_a_difference_in_every_frame_is_shown_from_six_frames_on(frames: int, standing: str) -> None:
    low = np.random.default_rng(3).random(frames)
    found = compare(bare(low + 0.1), bare(low), "ssim", SEED)
    assert found["standing"] == standing
    measure = MEASURES["ssim"]
    assert swapped_p(measure, low[:, None, None] + 0.1, low[:, None, None]) == pytest.approx(
        2.0 ** (1 - frames)
    )


def bare(values: np.ndarray) -> dict[str, object]:
    """A report of one measure."""
    metrics = {"ssim": {"per_frame": values.tolist()}}
    return {"metrics": metrics, "specimens": list(range(len(values))), "median_box_sum": []}


def test_comparisons_turn_round_with_their_order(reports: dict) -> None:
    for name in ("psnr", "mae", "intensity_slope", "ssim"):
        forth = compare(reports["oracle"], reports["raw"], name, SEED)
        back = compare(reports["raw"], reports["oracle"], name, SEED)
        assert (forth["standing"], back["standing"]) == ("better", "worse")
        assert forth["difference"] == pytest.approx(-back["difference"])


def test_reports_of_other_frames_are_not_compared(reports: dict) -> None:
    other = judge(raw, held_out("er", 2, 6, size_px=96), SEED)
    with pytest.raises(ValueError, match="different frames"):
        compare(reports["raw"], other, "psnr", SEED)
    with pytest.raises(ValueError, match="not in both"):
        compare(reports["raw"], reports["oracle"], "coverage_all", SEED)


def test_resolution_is_tested_against_the_references(reports: dict) -> None:
    tests = reports["raw"]["resolution_tests"]
    assert set(tests) == {"frc", "rolling_frc"}
    assert tests["frc"]["effect"] == 1.0  # every raw frame resolves less than every pair of references
    assert tests["frc"]["p"] <= tests["frc"]["p_holm"] <= 2 * tests["frc"]["p"]


def test_images_too_small_for_a_measure_lack_it() -> None:
    report = judge(raw, held_out("er", 2, 6, size_px=48), SEED)
    assert report["metrics"]["ms_ssim"] | {"per_frame": []} == {
        "value": None,
        "interval_95": None,
        "undefined": 2,
        "per_frame": [],
    }
    assert "rolling_frc_nm" not in report["metrics"]
    assert "frc_nm" in report["metrics"]


def test_a_method_that_draws_nothing_is_told_so_and_not_given_numbers() -> None:
    report = judge(lambda photons: (np.zeros_like(photons), None), frames(), SEED)
    assert value(report, "empty_false") == 0.0
    assert value(report, "faint_kept") == 0.0
    for name in ("frc_nm", "pearson", "rsp", "intensity_slope", "decorrelation_nm"):
        assert report["metrics"][name]["value"] is None, name
    assert report["frc_states"]["prediction"] == {"resolved": 0, "beyond-nyquist": 0, "no-correlation": 6}


def test_a_method_that_draws_everywhere_fails_on_empty_fields() -> None:
    report = judge(lambda photons: (photons + 0.2, None), frames(), SEED)
    assert value(report, "empty_false") == 1.0
    assert value(report, "dark_false") == 1.0
    assert report["empty"]["threshold_at_1_percent"] > 20


def test_empty_fields_have_the_dose_of_the_frames() -> None:
    (bright,) = held_out("er", 1, 5, box_sum=280.0, size_px=192)
    hazy, dark = empty_fields((bright, bright), 1)
    assert np.mean(hazy) == pytest.approx(10 * EMPTY_FIELD_PHOTONS, rel=0.05)
    assert np.mean(dark) < 1e-3


def test_the_detection_curve_runs_from_strict_to_lax() -> None:
    rng = np.random.default_rng(1)
    empty = rng.gamma(2.0, 1.0, 10_000).astype(np.float32)
    points = detection_curve(empty, [empty[:5000] + 3, np.zeros(0, np.float32)])
    assert len(points) == len(CURVE) + 1
    assert [p["threshold"] for p in points] == sorted((p["threshold"] for p in points), reverse=True)
    assert [p["kept"] for p in points] == sorted(p["kept"] for p in points)
    at_background = next(point for point in points if point["threshold"] == BACKGROUND_MAX)
    assert at_background["false"] == pytest.approx(float(np.mean(empty > BACKGROUND_MAX)))


@pytest.mark.parametrize("false", CURVE)
def test_a_threshold_lets_at_most_its_share_through(false: float) -> None:
    counts = np.random.default_rng(2).poisson(3, 5_000).astype(np.float32)  # with many ties
    threshold = threshold_at(counts, false)
    assert np.mean(counts > threshold) <= false
    assert np.mean(counts > threshold - 1) > false


def test_recorded_pairs_are_judged_without_a_truth() -> None:
    predictions = [blurred(frame.counts)[0] for frame in frames()]
    report = judge_images(predictions, [frame.reference_a for frame in frames()], 20.0, SEED)
    assert {"psnr", "ssim", "frc_nm", "rsp", "rolling_frc_nm"} <= set(report["metrics"])
    assert not {"intensity_slope", "frc_ratio", "empty_false"} & set(report["metrics"])
    json.dumps(report, allow_nan=False)


IMAGE = np.ones((64, 64), np.float32)


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        ([IMAGE], [IMAGE], "at least 2"),
        ([IMAGE, IMAGE], [IMAGE], "give a pair for each"),
        ([IMAGE, IMAGE[:32]], [IMAGE, IMAGE], "same size"),
        ([IMAGE, IMAGE * np.float32(np.nan)], [IMAGE, IMAGE], "not finite"),
        ([IMAGE, IMAGE], [IMAGE, IMAGE], "all constant"),
    ],
    ids=["one", "unequal numbers", "sizes", "not a number", "constant"],
)
def test_images_that_cannot_be_judged_are_refused(
    predictions: list[Image], references: list[Image], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        judge_images(predictions, references, 20.0, SEED)


def test_frames_that_cannot_be_judged_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 2"):
        judge(raw, frames()[:1], SEED)
    with pytest.raises(UsageError, match="different sizes"):
        judge(raw, (*frames()[:1], *held_out("er", 1, 6, size_px=96)), SEED)
    with pytest.raises(UsageError, match="not finite"):
        judge(lambda photons: (photons * np.float32(np.nan), None), frames(), SEED)

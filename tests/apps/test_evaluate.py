"""Evaluations as the application makes them: of packages, of recorded pairs, of images."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from tiny_package import MakePackage, rewrite

from streamer.analysis import TEST_FRAMES, TEST_SEED, held_out, pictures
from streamer.apps.evaluate import EvaluateOptions, evaluate
from streamer.apps.evaluated import Judged, RangeOpinion, denoise_by, judged_on
from streamer.engines import compile_engine
from streamer.errors import SourceError, UsageError
from streamer.package import load_package
from streamer.training import judge_denoiser, load_network
from streamer.training.evaluate import as_denoise

COUNTS: dict[str, Any] = {"offset_adu": 0.0, "gain_e_per_adu": 1.0, "pixel_nm": 20.0}
SMALL: dict[str, Any] = {"frames": 2, "size_px": 72, "seed": 3, "threads": 1}


def test_models_are_judged_beside_the_raw_frames_and_compared_in_pairs(
    make_package: MakePackage, tmp_path: Path
) -> None:
    models = str(make_package("one")), str(make_package("two"))
    out = tmp_path / "out"
    found = evaluate(EvaluateOptions(models=models, levels=(9.3, 84.0), out=out, **SMALL))
    assert [level["level"] for level in found["levels"]] == [9.3, 84.0]
    for level in found["levels"]:
        assert list(level["methods"]) == ["raw", "one", "two"]
        pairs = [(pair["first"], pair["second"]) for pair in level["comparisons"]]
        assert pairs == [("one", "raw"), ("two", "raw"), ("two", "one")]
        equal = level["comparisons"][2]["metrics"]
        assert {each["standing"] for each in equal.values()} == {"equal"}  # the same weights twice
        assert set(level["range"]) == {"one", "two"}
    assert found["about"] | SMALL == found["about"] | {"seed": 3, "threads": 1}
    assert set(found["about"]["models"]) == {"one", "two"}
    _check_files(out, found)


def _check_files(out: Path, found: dict[str, Any]) -> None:
    assert json.loads((out / "evaluation.json").read_text()) == json.loads(json.dumps(found))
    with (out / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    (psnr,) = (row for row in rows if (row["level"], row["method"], row["metric"]) == ("84.0", "one", "psnr"))
    assert float(psnr["value"]) == found["levels"][1]["methods"]["one"]["metrics"]["psnr"]["value"]
    with (out / "comparisons.csv").open() as file:
        assert {row["standing"] for row in csv.DictReader(file)} <= {"better", "equal", "worse"}
    for kind in ("samples", "error-map", "frc", "rolling-frc", "faint"):
        picture = (out / f"{kind}-er-level-9.3.png").read_bytes()
        assert picture.startswith(b"\x89PNG")
    assert not list(out.glob("reliability*"))  # these models state no deviation


def test_the_same_evaluation_gives_the_same_numbers(make_package: MakePackage) -> None:
    options = EvaluateOptions(models=(str(make_package("one")),), **SMALL)
    assert evaluate(options) == evaluate(options)


def test_two_packages_of_one_name_are_told_apart(make_package: MakePackage) -> None:
    folder = str(make_package("one"))
    found = evaluate(EvaluateOptions(models=(folder, folder), **SMALL))
    assert list(found["levels"][0]["methods"]) == ["raw", "one (1)", "one (2)"]


def test_a_package_is_run_as_the_pipeline_runs_it(make_package: MakePackage) -> None:
    package = load_package(make_package("one"))
    photons = np.random.default_rng(1).poisson(1.0, (45, 51)).astype(np.float32)
    found, deviation = denoise_by(package, engine="auto", precision="f32", threads=1)(photons)
    padded = np.pad(photons, ((0, 3), (0, 5)), mode="reflect")[None, None]
    expected = compile_engine(package, (48, 56), precision="f32", threads=1)(padded)[0, 0, :45, :51]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert deviation is None


def test_without_options_the_card_decides(make_package: MakePackage) -> None:
    folder = make_package("one")
    plain = judged_on(load_package(folder))
    assert plain == Judged(frames=TEST_FRAMES, seed=TEST_SEED, size_px=600, structures=("er",))
    story = {"test": {"frames": 2, "structures": {"puncta": {}, "er": {}}}, "recipe": {"field_px": 80}}
    (folder / "training.json").write_text(json.dumps(story))
    found = evaluate(EvaluateOptions(models=(str(folder),), threads=1))
    assert found["about"] | {"frames": 2, "seed": TEST_SEED, "size_px": 80} == found["about"]
    assert [level["structure"] for level in found["levels"]] == ["puncta", "er"]


@pytest.mark.parametrize(
    "story", ["{", "[]", '{"test": {"frames": 3}, "recipe": {}}'], ids=["cut", "list", "recorded"]
)
def test_a_card_that_says_nothing_of_specimens_is_judged_on_the_usual_ones(
    make_package: MakePackage, story: str
) -> None:
    folder = make_package("one")
    (folder / "training.json").write_text(story)
    assert judged_on(load_package(folder)).frames == TEST_FRAMES


def test_a_denoiser_of_slices_is_judged_on_stacks_as_its_card_was(tmp_path: Path) -> None:
    package = load_package("er-denoise-stack")
    card = judge_denoiser(as_denoise(load_network(package), 3), ("er",), 2, 2 * 72, slices=True)
    options = EvaluateOptions(models=("er-denoise-live", package.id), out=tmp_path, **SMALL)
    found = evaluate(replace(options, seed=TEST_SEED))
    (level,) = found["levels"]
    report, expected = level["methods"][package.id], card["structures"]["er"]
    assert found["about"]["size_px"] == card["size_px"] == 72
    assert report["specimens"] == expected["specimens"]
    for name, measured in expected["metrics"].items():
        value = report["metrics"][name]["value"]
        assert (
            value is None
            if measured["value"] is None
            else value == pytest.approx(measured["value"], rel=1e-3)
        )
    assert (
        report["metrics"]["psnr"]["value"] > level["methods"]["er-denoise-live"]["metrics"]["psnr"]["value"]
    )
    assert found["about"]["notes"] == [
        "2 stacks, each slice with those below and above: intervals over stacks"
    ]
    assert (tmp_path / "reliability-er-low-dose.png").exists()


def test_the_card_of_a_denoiser_of_slices_says_how_large_they_are() -> None:
    found = judged_on(load_package("er-denoise-stack"))
    assert found == Judged(frames=TEST_FRAMES, seed=TEST_SEED, size_px=300, structures=("er",), slices=True)


def test_the_range_guard_speaks_of_doses_that_the_model_never_saw(make_package: MakePackage) -> None:
    package = load_package(make_package("one"))  # trained on box sums of 10 to 60
    bright = [frame.shown for frame in held_out("er", 2, 3, box_sum=500.0, size_px=192)]
    said = RangeOpinion(package, threads=1).of(bright, lambda photons: (photons, None))
    assert said["flag"] >= 1  # a field with little of the cell in it may hold too few boxes to say
    assert "the model was trained on 10-60" in said["words"][0]


def test_a_model_without_a_photon_range_is_not_given_an_opinion(make_package: MakePackage) -> None:
    folder = make_package("one")
    rewrite(folder, lambda said: said["config"]["streamer"].pop("trained_photons"))
    said = RangeOpinion(load_package(folder), threads=1).of([], lambda photons: (photons, None))
    assert said == {"words": ["not judged: the model states no photon range of its training"]}


@pytest.fixture(scope="module")
def exposures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Low and high doses of three fields, as 16-bit TIFFs, and the truth in floating point."""
    folder = tmp_path_factory.mktemp("exposures")
    for name in ("low", "high", "truth"):
        (folder / name).mkdir()
    for number, frame in enumerate(held_out("er", 3, 8, box_sum=84.0, size_px=160)):
        images: dict[str, NDArray[Any]] = {
            "low": frame.counts.astype(np.uint16),
            "high": frame.reference_a.astype(np.uint16),
            "truth": frame.truth,
        }
        for name, image in images.items():
            tifffile.imwrite(folder / name / f"cell{number}.tif", image)
    return folder


def test_recorded_pairs_are_judged_against_the_high_dose(
    exposures: Path, make_package: MakePackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: dict[str, Any] = {}
    monkeypatch.setattr(pictures, "draw_samples", lambda *of: shown.update(called=of[-1]))
    options = EvaluateOptions(
        models=(str(make_package("one")),), pairs=exposures, out=tmp_path, threads=1, **COUNTS
    )
    found = evaluate(options)
    (level,) = found["levels"]
    assert list(level["methods"]) == ["raw", "one"]
    assert level["methods"]["raw"]["frames"] == 3
    assert level["methods"]["raw"]["metrics"]["frc_nm"]["value"] > 40
    assert (found["about"]["pairs"], found["about"]["refused"]) == (exposures.name, [])
    assert shown == {"called": "high dose"}
    assert (tmp_path / "frc-pairs.png").exists()


def test_grey_levels_of_pairs_become_photons_as_told(exposures: Path, make_package: MakePackage) -> None:
    options = EvaluateOptions(models=(str(make_package("one")),), pairs=exposures, threads=1, **COUNTS)
    counts, halves = (
        evaluate(replace(options, gain_e_per_adu=gain))["levels"][0]["methods"]["raw"]["metrics"]
        for gain in (1.0, 0.5)
    )
    assert halves["mae"]["value"] == pytest.approx(counts["mae"]["value"] / 2, rel=0.03)
    assert halves["ssim"]["value"] == pytest.approx(counts["ssim"]["value"], abs=0.03)


def test_nothing_about_recorded_images_is_guessed(exposures: Path) -> None:
    options = EvaluateOptions(models=("er-denoise-live",), pairs=exposures)
    with pytest.raises(UsageError, match="grey levels are not photons: give --profile"):
        evaluate(options)
    with pytest.raises(UsageError, match="give --pixel-nm, or a --profile"):
        evaluate(replace(options, offset_adu=0.0, gain_e_per_adu=1.0))
    with pytest.raises(UsageError, match="give --pixel-nm, or a --profile"):
        evaluate(EvaluateOptions(predicted=exposures / "high", truth=exposures / "truth"))


def test_pairs_that_show_different_fields_are_named(exposures: Path, tmp_path: Path) -> None:
    for name, number in (("low", 0), ("high", 1)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.tif").write_bytes((exposures / name / f"cell{number}.tif").read_bytes())
    with pytest.raises(SourceError, match=r"0 pairs that can be judged.*1 do not fit, the first: a"):
        evaluate(EvaluateOptions(models=("er-denoise-live",), pairs=tmp_path, **COUNTS))


def test_predicted_images_of_any_method_are_judged(exposures: Path, tmp_path: Path) -> None:
    options = EvaluateOptions(
        predicted=exposures / "high", truth=exposures / "truth", pixel_nm=25.0, out=tmp_path / "out"
    )
    report = evaluate(options)["levels"][0]["methods"]["predicted"]
    assert report["pixel_nm"] == 25.0
    assert report["metrics"]["pearson"]["value"] > 0.9
    assert report["fit"]["gain"] == pytest.approx(84 / 28 / 70.4, rel=0.3)
    assert (tmp_path / "out" / "metrics.csv").exists()


def test_images_of_other_names_pair_by_order_and_that_is_said(exposures: Path, tmp_path: Path) -> None:
    for number in range(3):
        image = (exposures / "high" / f"cell{number}.tif").read_bytes()
        (tmp_path / ("cell0.tif" if number == 0 else f"field{number}.tif")).write_bytes(image)
    options = EvaluateOptions(predicted=tmp_path, truth=exposures / "truth", pixel_nm=20.0)
    (note,) = evaluate(options)["about"]["notes"]
    assert note == "paired by order, names differ in 2 pairs: the first is field1 with cell1"
    told = evaluate(replace(options, predicted=exposures / "high"))["about"]["notes"]
    assert told == []


def test_images_that_do_not_pair_are_refused(exposures: Path, tmp_path: Path) -> None:
    small = 1 + np.eye(64, dtype=np.float32)
    for number in range(2):
        tifffile.imwrite(tmp_path / f"{number}.tif", small)
    options = EvaluateOptions(predicted=exposures / "high", truth=tmp_path, pixel_nm=20.0)
    with pytest.raises(SourceError, match=r"3 images, but .* holds 2"):
        evaluate(options)
    one = exposures / "low" / "cell0.tif"
    with pytest.raises(SourceError, match="1 image; intervals need at least 2"):
        evaluate(replace(options, predicted=one, truth=one))
    tifffile.imwrite(tmp_path / "2.tif", small)
    with pytest.raises(SourceError, match=r"cell0 is 160x160 pixels, 0 of .* 64x64; both .* same size"):
        evaluate(options)


FILES = Path("a.tif")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"models": ()}, "no model given"),
        ({"predicted": FILES}, "belong together"),
        ({"predicted": FILES, "truth": FILES}, "leave models"),
        ({"pairs": FILES, "levels": (28.0,)}, "--levels: only of simulated specimens, not of --pairs"),
        ({"pairs": FILES, "frames": 3, "size_px": 96}, "--frames, --size-px: only of simulated"),
        ({"models": (), "predicted": FILES, "truth": FILES, "structures": ("er",)}, "not of --predicted"),
        ({"gain_e_per_adu": 2.0}, "--gain: only of --pairs and --predicted"),
        ({"levels": (28.0, 0.0)}, "above 0"),
        ({"levels": (float("nan"),)}, "above 0"),
        ({"structures": ("er", "sponge")}, "sponge: unknown; use er, microtubules"),
        ({"frames": 1}, "at least 2"),
        ({"size_px": 32}, "too small"),
        ({"pixel_nm": 0.0, "pairs": FILES}, "above 0"),
        ({"out": Path(__file__)}, "is a file; name a folder"),
        ({"models": ("nobody",)}, 'no model is called "nobody"'),
        ({"models": ("er-segment-live",)}, "use a denoiser"),
        ({"pairs": Path("nowhere"), **COUNTS}, "nowhere: no folder"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_evaluated_is_refused_in_one_line(changed: dict[str, Any], message: str) -> None:
    options = replace(EvaluateOptions(models=("er-denoise-live",)), **changed)
    with pytest.raises(UsageError, match=message) as raised:
        evaluate(options)
    assert "\n" not in str(raised.value)

"""Errors without a truth are those against the truth, and real images are counts, as they are taken for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from bench.classical import GRIDS, gaussian
from bench.real import IMAGES, OURS, RECIPE, run
from bench.real_counts import RealImage, deviance, evidence, load_images, split, squared_error
from streamer.errors import SourceError


def expected_photons(shape: tuple[int, int] = (64, 64), seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return gaussian((rng.random(shape) > 0.98).astype(np.float32) * 400.0, 2.0) + np.float32(2.0)


def test_the_error_without_a_truth_is_the_true_error_on_average() -> None:
    truth, share = expected_photons(), 0.1
    found, true = [], []
    for seed in range(60):
        counts = np.random.default_rng((seed, 1)).poisson(truth)
        part = split(RealImage(name="x", counts=counts), seed, share)
        prediction = gaussian(part.shown, 1.0)
        found.append(squared_error(prediction, part.held_out, share))
        true.append(np.mean((prediction - share * truth) ** 2))
    spread = np.std(np.array(found) - true) / np.sqrt(len(true))
    assert np.mean(found) == pytest.approx(np.mean(true), abs=4 * spread)
    assert spread < 0.05 * np.mean(true)  # the test can tell


def test_the_deviance_is_least_for_the_truth() -> None:
    truth, share = expected_photons(), 0.1
    part = split(RealImage(name="x", counts=np.random.default_rng(2).poisson(truth)), 3, share)
    least = deviance(share * truth, part.held_out, share)
    assert least == pytest.approx(1.0, abs=0.15)  # one degree of freedom for each pixel
    for wrong in (1.1 * share * truth, 0.9 * share * truth, part.shown):
        assert deviance(wrong, part.held_out, share) > least


def test_no_photon_is_shown_and_held_out() -> None:
    image = RealImage(name="x", counts=np.random.default_rng(2).poisson(expected_photons()))
    part = split(image, 3, 0.1)
    np.testing.assert_array_equal(part.shown + part.held_out, image.counts)
    assert part.shown.sum() == pytest.approx(0.1 * image.counts.sum(), rel=0.05)
    np.testing.assert_array_equal(split(image, 3, 0.1).shown, part.shown)


@pytest.mark.parametrize(
    ("change", "are_counts"),
    [
        (lambda counts: counts, True),
        (lambda counts: 3 * counts, False),
        (lambda counts: counts // 2, False),
        (lambda counts: np.minimum(counts, 12), False),
    ],
    ids=["counts", "scaled", "coarser", "saturated"],
)
def test_grey_levels_are_not_taken_for_counts(change, are_counts: bool) -> None:
    counts = np.random.default_rng(4).poisson(expected_photons((128, 128)))
    assert evidence(change(counts)).are_counts is are_counts


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (np.zeros((2, 8, 8), np.uint16), "one plane"),
        (np.zeros((8, 8), np.float32), "one plane"),
        (np.full((8, 8), -1, np.int16), "not negative"),
    ],
    ids=["stack", "fractions", "negative"],
)
def test_images_that_hold_no_counts_are_refused(tmp_path: Path, values, complaint: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", values)
    with pytest.raises(SourceError, match=complaint):
        load_images(tmp_path)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no TIFF"):
        load_images(tmp_path)


def test_the_zero_of_signed_numbers_is_taken_off(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.array([[32768, 32770]], np.uint16))
    assert load_images(tmp_path)[0].counts.tolist() == [[0, 2]]


def test_the_short_form_compares_every_method_on_the_same_photons() -> None:
    images = [
        RealImage(
            name=f"image {seed}", counts=np.random.default_rng(seed).poisson(expected_photons(seed=seed))
        )
        for seed in (1, 2)
    ]
    few = {name: grid[5::40] for name, grid in GRIDS.items()}
    recipe = replace(RECIPE, steps=2, patch_px=32, batch=1)
    results, predicted, parts = run(images, recipe, seed=5, filters=few)
    rows = {row["method"]: row for row in results["rows"]}
    assert set(rows) == {"raw", *GRIDS, OURS, "self-trained, Noise2Void"}
    assert results["quick"]
    assert rows["raw"]["gain_db"]["value"] == 0
    assert rows[OURS]["against"]["gain_db"] == {
        "difference": 0.0,
        "interval_95": [0.0, 0.0],
        "standing": "equal",
    }
    for each in predicted:
        for image, part in zip(each.images, parts, strict=True):
            assert image.shape == part.shown.shape
    # Two steps teach a network nothing; a filter works at once.
    assert rows["Gaussian"]["gain_db"]["value"] > 3
    assert rows["Gaussian"]["against"]["gain_db"]["standing"] == "better"


@pytest.mark.realdata
def test_the_real_images_are_photon_counts(realdata: Path) -> None:
    images = load_images(realdata / IMAGES)
    assert len(images) == 10
    for image in images:
        assert image.counts.min() == 0
        assert evidence(image.counts).are_counts, image.name

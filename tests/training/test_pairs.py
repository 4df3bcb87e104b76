"""Recorded pairs: who belongs together, what is refused, and what a network is taught from them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from streamer.core import Calibration
from streamer.errors import SourceError
from streamer.networks import build
from streamer.training import Recipe
from streamer.training.pairing import Pairing, dose_folders, read_pairs, require_aligned
from streamer.training.pairs import PairExamples
from streamer.training.rescale import apply_scale, fit_rescale
from streamer.training.tasks import predict

WritePairs = Callable[..., Path]
LIVE = {"name": "unet-rcan-live", "entry": 4, "widths": [4], "bridge": [4], "groups": 1, "blocks": 1}
LIVE["attention"] = False


def paired(root: Path, **options: float) -> Pairing:
    return read_pairs(root / "low", root / "high", Calibration(), **options)  # type: ignore[arg-type]


def test_images_pair_by_name_without_the_dose_at_its_end(write_pairs: WritePairs) -> None:
    pairing = paired(write_pairs(per_day=1))
    assert [pair.name for pair in pairing.pairs] == [f"2026-05-0{day + 1}/cell{day}_low" for day in range(3)]
    assert {pair.day for pair in pairing.pairs} == {"2026-05-01", "2026-05-02", "2026-05-03"}
    assert not pairing.refused


def test_pages_of_two_stacks_pair_by_number(write_pairs: WritePairs, tmp_path: Path) -> None:
    root = write_pairs(days=("one",), per_day=3)
    for dose in ("low", "high"):
        pages = [tifffile.imread(path) for path in sorted((root / dose).rglob("*.tif"))]
        tifffile.imwrite(tmp_path / f"{dose}.tif", np.stack(pages), photometric="minisblack")
    pairing = read_pairs(tmp_path / "low.tif", tmp_path / "high.tif", Calibration())
    assert [pair.name for pair in pairing.pairs] == ["low#0", "low#1", "low#2"]


def test_folders_of_days_hold_folders_of_doses(tmp_path: Path) -> None:
    for day in ("monday", "tuesday"):
        for dose in ("low", "high"):
            (tmp_path / day / dose).mkdir(parents=True)
    assert [day for day, _, _ in dose_folders(tmp_path)] == ["monday", "tuesday"]
    shutil.rmtree(tmp_path / "monday" / "low")
    shutil.rmtree(tmp_path / "tuesday" / "high")
    with pytest.raises(SourceError, match=r"holds no low/ and high/, nor do its sub-folders"):
        dose_folders(tmp_path)


def test_shifted_pairs_are_moved_and_cropped(write_pairs: WritePairs) -> None:
    for pair in paired(write_pairs(per_day=1, shift=(5, -3))).pairs:
        assert (pair.shift.y, pair.shift.x) == pytest.approx((5, -3), abs=0.6)
        assert pair.low.shape == pair.high.shape
        assert pair.low.shape[0] < 96
        assert np.isfinite(pair.high).all()


def test_pairs_beyond_the_bound_are_refused_one_by_one_and_together(write_pairs: WritePairs) -> None:
    pairing = paired(write_pairs(per_day=1, shift=(9, 0)), max_shift_px=4.0)
    assert not pairing.pairs
    assert all("shifted by" in line and "--max-shift-px 4" in line for line in pairing.refused)
    with pytest.raises(SourceError, match=r"3 of 3 pairs do not fit, the first: .*check that both folders"):
        require_aligned(pairing)


def test_unrelated_images_are_refused(write_pairs: WritePairs) -> None:
    root = write_pairs(days=("one",), per_day=4)
    files = sorted((root / "high" / "one").glob("*.tif"))
    pixels = [tifffile.imread(path) for path in files]
    for path, other in zip(files, [*pixels[1:], pixels[0]], strict=True):
        tifffile.imwrite(path, other)
    pairing = paired(root, max_shift_px=2.0)
    assert len(pairing.refused) >= 3


def lonely(root: Path) -> None:
    next((root / "high").rglob("*.tif")).unlink()


def cropped(root: Path) -> None:
    path = next((root / "high").rglob("*.tif"))
    tifffile.imwrite(path, tifffile.imread(path)[:-4])


def twice(root: Path) -> None:
    path = next((root / "low").rglob("*.tif"))
    shutil.copy(path, path.with_name(path.name.replace("_low", "")))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lonely, r"cell\d_low without a partner in .*high; images pair by name"),
        (cropped, r"96x96 pixels at low dose, 96x92 at high dose"),
        (twice, r"would both pair with one image; rename one"),
    ],
    ids=["unpaired", "different sizes", "same name twice"],
)
def test_folders_that_cannot_be_paired_are_refused(
    spoil: Callable[[Path], None], words: str, write_pairs: WritePairs
) -> None:
    root = write_pairs(per_day=1)
    spoil(root)
    with pytest.raises(SourceError, match=words) as refused:
        paired(root)
    assert "\n" not in str(refused.value)


@pytest.fixture
def examples(write_pairs: WritePairs) -> PairExamples:
    pairs = paired(write_pairs(per_day=1)).pairs
    recipe = Recipe(seed=3, batch=16, patch_px=32)
    return PairExamples(pairs[:2], recipe, pairs[2:], multiple=8)


def test_targets_are_brought_to_the_dose_of_the_input(examples: PairExamples) -> None:
    assert examples.ratio == pytest.approx(50, rel=0.02)
    batch = examples.batch(0)
    assert batch.photons.shape == batch.signal.shape == (16, 1, 32, 32)
    assert float(batch.photons.mean()) == pytest.approx(float(batch.signal.mean()), rel=0.1)
    low, high = examples.box_sums
    level = batch.noise.square().flatten() * 100
    assert 0 < low <= high
    assert float(level.min()) >= 0.9 * low
    assert float(level.max()) <= 1.1 * high


def test_a_batch_of_pairs_is_a_function_of_recipe_and_step(examples: PairExamples) -> None:
    first, again, other = (examples.batch(step) for step in (4, 4, 5))
    assert torch.equal(first.photons, again.photons)
    assert torch.equal(first.signal, again.signal)
    assert not torch.equal(first.photons, other.photons)


def test_giving_the_frame_back_gains_nothing(examples: PairExamples) -> None:
    assert examples.score(torch.nn.Identity())["gain_db"] == pytest.approx(0.0)


def test_a_model_s_scale_is_found_and_goes_into_its_weights() -> None:
    torch.manual_seed(0)
    network = build(LIVE).eval()
    shown = np.random.default_rng(0).poisson(2.0, (32, 32)).astype(np.float32)
    before = predict(network, shown, 8)
    found = fit_rescale([before], [1.7 * before])
    assert found.scale == pytest.approx(1.7, rel=1e-4)
    assert found.fitted_offset == pytest.approx(0.0, abs=1e-4)
    assert apply_scale(network, found.scale)
    assert np.allclose(predict(network, shown, 8), 1.7 * before, rtol=1e-4, atol=1e-6)


def test_outliers_beyond_the_percentiles_do_not_move_the_scale() -> None:
    predicted = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    target = 2 * predicted
    target[0, :5] = 1e6
    assert fit_rescale([predicted], [target]).scale == pytest.approx(2.0, rel=0.01)


def test_a_network_whose_last_layer_is_not_linear_is_left_alone() -> None:
    network = build({"name": "care-unet", "first": 4})
    assert not apply_scale(network, 1.5)


def test_patches_shrink_to_the_smallest_image(write_pairs: WritePairs) -> None:
    pairs = paired(write_pairs(per_day=1)).pairs
    examples = PairExamples(pairs[:2], replace(Recipe(), batch=1, patch_px=304), pairs[2:], multiple=16)
    assert examples.batch(0).photons.shape[-1] == 96

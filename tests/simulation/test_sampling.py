"""Draws for training and tests."""

from __future__ import annotations

import luck
import numpy as np
import pytest

from streamer.metrics.quality import median_box_sum
from streamer.simulation import LOW_DOSE, Scene, sample_settings
from streamer.simulation.sampling import RANGES, Split


def test_splits_share_no_specimen() -> None:
    splits: tuple[Split, ...] = ("train", "validation", "test")
    seeds = {sample_settings(split, seed)[0].seed for split in splits for seed in range(200)}
    assert len(seeds) == 600


def test_a_draw_is_a_function_of_split_and_seed() -> None:
    assert sample_settings("train", 4) == sample_settings("train", 4)
    assert sample_settings("train", 4) != sample_settings("train", 5)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_draws_stay_in_their_ranges(split: Split) -> None:
    ranges = RANGES["test" if split == "test" else "train"]
    for seed in range(50):
        settings, _, time_s = sample_settings(split, seed, (64, 96))
        assert settings.shape_yx == (64, 96)
        assert time_s >= 0
        assert all(low <= getattr(settings, name) <= high for name, (low, high) in ranges.items())


def test_test_structure_reaches_beyond_training() -> None:
    for name in ("mesh_um", "tubule_nm", "curvature_nm"):
        (low, high), (train_low, train_high) = RANGES["test"][name], RANGES["train"][name]
        assert low < train_low
        assert high > train_high


def test_held_out_frames_have_the_photons_of_the_low_dose() -> None:
    seeds = luck.seeds(12)
    for seed in seeds:
        settings, light, time_s = sample_settings("test", seed)
        exposure = Scene(settings).expose(0, time_s, light)
        assert light == LOW_DOSE
        assert 20 <= median_box_sum(exposure.counts, exposure.labels) <= 40, seed


def test_training_sees_healthy_and_nearly_gone_and_empty_fields() -> None:
    medians = []
    for seed in range(80):
        settings, light, time_s = sample_settings("train", seed, (200, 200))
        exposure = Scene(settings).expose(0, time_s, light)
        medians.append(median_box_sum(exposure.counts, exposure.labels))
    assert np.nanquantile(medians, 0.05) < 5
    assert np.nanquantile(medians, 0.95) > 55
    assert (
        0.005
        < np.mean([sample_settings("train", seed)[0].cell_radius_um == 0 for seed in range(1_000)])
        < 0.08
    )

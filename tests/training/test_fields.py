"""Simulated fields and the batches drawn from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from streamer.metrics.quality import median_box_sum
from streamer.training import Field, Recipe, draw_batch, make_fields


@pytest.fixture(scope="module")
def fields(tiny_recipe: Recipe) -> tuple[Field, ...]:
    return tuple(make_fields("train", replace(tiny_recipe, field_px=300), 3))


def test_a_field_holds_one_photon_per_pixel_in_its_median_foreground_box(fields: tuple[Field, ...]) -> None:
    for field in fields:
        if (field.labels != 0).any():
            photons = field.signal.astype(np.float32) + field.background.astype(np.float32)
            assert median_box_sum(photons, field.labels) == pytest.approx(100.0, rel=0.01)


def test_field_number_i_does_not_depend_on_how_many_are_made(tiny_recipe: Recipe) -> None:
    one, two = (list(make_fields("train", tiny_recipe, count)) for count in (1, 2))
    assert np.array_equal(one[0].signal, two[0].signal)
    assert not np.array_equal(two[0].signal, two[1].signal)


def test_training_and_validation_share_no_field(tiny_recipe: Recipe) -> None:
    training, validation = (next(make_fields(split, tiny_recipe, 1)) for split in ("train", "validation"))
    assert not np.array_equal(training.signal, validation.signal)


def test_a_batch_is_a_function_of_recipe_and_step(fields: tuple[Field, ...], tiny_recipe: Recipe) -> None:
    first, again, other = (draw_batch(fields, tiny_recipe, step) for step in (4, 4, 5))
    assert torch.equal(first.photons, again.photons)
    assert torch.equal(first.signal, again.signal)
    assert not torch.equal(first.photons, other.photons)


def test_batches_are_counts_around_signal_and_background_at_the_drawn_dose(
    fields: tuple[Field, ...], tiny_recipe: Recipe
) -> None:
    recipe = replace(tiny_recipe, batch=64)
    batch = draw_batch(fields, recipe, 0)
    assert batch.photons.shape == batch.signal.shape == (64, 1, 32, 32)
    assert torch.equal(batch.photons, batch.photons.round())
    low, high = (end / 100.0 for end in recipe.box_sum)
    shown = (batch.labels > 0).any(2).any(1)
    level = batch.noise.flatten()[shown].square()  # shot noise: its square is the photons
    low, high = low * 0.999, high * 1.001
    assert low <= float(level.min()) <= float(level.max()) <= high
    excess = (batch.photons - batch.signal).mean((1, 2, 3))[shown] / level
    assert 0.0 < float(excess.mean()) < 0.5  # the background, which no patch is without


def test_errors_in_an_empty_patch_are_held_against_the_noise_of_its_haze(
    fields: tuple[Field, ...], tiny_recipe: Recipe
) -> None:
    empty = [replace(field, signal=field.signal * 0, labels=field.labels * 0) for field in fields]
    batch = draw_batch(tuple(empty), replace(tiny_recipe, batch=64), 0)
    expected = torch.stack([counts.mean() for counts in batch.photons])
    assert float(expected.mean()) == pytest.approx(float(batch.noise.square().mean()), rel=0.1)


def test_labels_turn_with_their_image(fields: tuple[Field, ...], tiny_recipe: Recipe) -> None:
    batch = draw_batch(fields, replace(tiny_recipe, batch=32), 1)
    inside, outside = (batch.signal[:, 0][mask].mean() for mask in (batch.labels > 0, batch.labels == 0))
    assert float(inside) > 3 * float(outside)

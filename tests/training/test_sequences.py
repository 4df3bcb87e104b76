"""Fields with context and the batches drawn from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from streamer.simulation import foreground_box_sum
from streamer.training import Recipe
from streamer.training.sequences import (
    ContextField,
    StackExamples,
    TimeExamples,
    make_stack_fields,
    make_time_fields,
)

RECIPE = Recipe(seed=5, batch=6, patch_px=32, field_px=112, box_sum=(10.0, 40.0), structures=("er", "puncta"))
EXAMPLES = {"time": TimeExamples, "stack": StackExamples}
kinds = pytest.mark.parametrize("kind", ["time", "stack"])


class First(nn.Module):
    """Gives one of its channels back."""

    def __init__(self, channel: int, scale: float = 1.0) -> None:
        super().__init__()
        self.channel, self.scale = channel, scale

    def forward(self, photons: Tensor) -> Tensor:
        return photons[:, self.channel : self.channel + 1] * self.scale


@pytest.fixture(scope="module")
def fields() -> Mapping[str, tuple[ContextField, ...]]:
    return {
        "time": tuple(make_time_fields("train", RECIPE, 4)),
        "stack": tuple(make_stack_fields("train", RECIPE, 4)),
    }


@kinds
def test_a_field_holds_its_context_in_half_precision(
    fields: Mapping[str, tuple[ContextField, ...]], kind: str
) -> None:
    for field in fields[kind]:
        assert field.signal.shape == field.labels.shape == (112, 112)
        assert field.expected.shape == (3, 112, 112)
        assert field.signal.dtype == field.expected.dtype == np.float16
        bytes_per_px = sum(part.nbytes for part in (field.signal, field.expected, field.labels)) / 112**2
        assert bytes_per_px * 300 * 600**2 < 1e9
        # What is in focus is part of what is seen.
        assert (field.expected[0] >= field.signal * 0.99 - 1e-3).all()


def test_the_newest_frame_holds_one_photon_per_pixel_in_its_median_foreground_box(
    fields: Mapping[str, tuple[ContextField, ...]],
) -> None:
    for field in fields["time"]:
        if field.labels.any():
            found = foreground_box_sum(field.expected[0].astype(np.float32), field.labels)
            assert found == pytest.approx(100.0, rel=0.01)


def test_field_number_i_does_not_depend_on_how_many_are_made(
    fields: Mapping[str, tuple[ContextField, ...]],
) -> None:
    alone = next(make_time_fields("train", RECIPE, 1))
    assert np.array_equal(alone.expected, fields["time"][0].expected)
    other = next(make_time_fields("validation", RECIPE, 1))
    assert not np.array_equal(other.expected, alone.expected)


@kinds
def test_a_batch_is_a_function_of_recipe_and_step(
    fields: Mapping[str, tuple[ContextField, ...]], kind: str
) -> None:
    one, two = (EXAMPLES[kind](fields=fields[kind], validation=(), recipe=RECIPE) for _ in range(2))
    two.batch(1)
    assert torch.equal(one.batch(4).photons, two.batch(4).photons)
    assert torch.equal(one.batch(4).signal, two.batch(4).signal)
    assert not torch.equal(one.batch(4).photons, one.batch(5).photons)


@kinds
def test_batches_hold_counts_around_what_is_expected(
    fields: Mapping[str, tuple[ContextField, ...]], kind: str
) -> None:
    batch = EXAMPLES[kind](fields=fields[kind], validation=(), recipe=replace(RECIPE, batch=64)).batch(0)
    assert batch.photons.shape == (64, 3, 32, 32)
    assert batch.signal.shape == (64, 1, 32, 32)
    assert batch.labels.shape == (64, 32, 32)
    assert batch.noise.shape == (64, 1, 1, 1)
    assert torch.equal(batch.photons, batch.photons.round())
    shown = batch.labels.flatten(1).any(1)
    level = batch.noise.flatten()[shown].square() * 100.0
    assert 9.99 <= float(level.min()) <= float(level.max()) <= 40.01
    # The frame itself exceeds its signal by a background alone; a slice has more of it.
    excess = (batch.photons[:, :1] - batch.signal).mean()
    assert 0.0 < float(excess) < float(batch.signal.mean()) * (1 if kind == "time" else 4)


@kinds
def test_a_tenth_of_the_patches_lacks_context_and_repeats_what_there_is(
    fields: Mapping[str, tuple[ContextField, ...]], kind: str
) -> None:
    batch = EXAMPLES[kind](fields=fields[kind], validation=(), recipe=replace(RECIPE, batch=600)).batch(0)
    now, one, two = batch.photons.unbind(1)
    seen = batch.photons.flatten(1).sum(1) > 0
    same = [(a == b).flatten(1).all(1) & seen for a, b in ((now, one), (one, two), (now, two))]
    if kind == "time":
        # Only the oldest is missing, or everything but the frame itself; never the middle one alone.
        lonely = same[1]
        assert bool((same[0] <= same[1]).all())
        assert 0.2 < float(same[0].sum() / lonely.sum()) < 0.8
    else:
        # The slice below is missing, or the one above.
        lonely = same[0] | same[2]
        assert 0.2 < float(same[0].sum() / lonely.sum()) < 0.8
    assert 0.05 < float(lonely.float().mean()) < 0.15


@kinds
def test_a_network_is_scored_by_what_it_gains_over_the_raw_frame(
    fields: Mapping[str, tuple[ContextField, ...]], kind: str
) -> None:
    examples = EXAMPLES[kind](fields=fields[kind], validation=fields[kind][:2], recipe=RECIPE)
    unchanged, scaled, older = (examples.score(network) for network in (First(0), First(0, 3.0), First(2)))
    assert list(unchanged) == [f"gain_db_at_{level}" for level in (5, 10, 28, 100)]
    # One gain and offset are fitted: a factor changes nothing, another frame does.
    assert list(unchanged.values()) == pytest.approx([0.0] * 4)
    assert list(scaled.values()) == pytest.approx([0.0] * 4, abs=1e-6)
    assert older["gain_db_at_100"] < -0.1


def test_fields_move_between_frames_at_many_speeds() -> None:
    still, moving = 0, 0
    for field in make_time_fields("train", replace(RECIPE, structures=("er",), field_px=64, seed=9), 12):
        now, before, _ = field.expected.astype(np.float32)
        if field.labels.any():
            change = 1 - np.corrcoef(now.ravel(), before.ravel())[0, 1]
            still += change < 0.02
            moving += change > 0.2
    assert still > 0
    assert moving > 0

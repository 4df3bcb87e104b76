"""Simulated fields to learn from: expected photons, so that every draw of a patch has fresh noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from streamer.metrics.quality import median_box_sum
from streamer.simulation import Scene, foreground_box_sum, sample_settings
from streamer.simulation.sampling import Split
from streamer.training.examples import Batch
from streamer.training.recipe import Recipe

#: Brightness taken for fields without a cell, as median photon sum of a foreground box.
EMPTY_BOX_SUM = 28.0
#: Photons per pixel below which an error in an empty patch no longer matters.
LEAST_LEVEL = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One simulated field, scaled to a median of one photon per pixel in its foreground boxes.

    Attributes:
        signal: [y, x] float16 expected photons in focus.
        background: [y, x] float16 expected photons from elsewhere.
        labels: [y, x] uint8 true classes.
    """

    signal: NDArray[np.float16]
    background: NDArray[np.float16]
    labels: NDArray[np.uint8]


def make_field(split: Split, seed: int, size_px: int, structure: str = "er") -> Field:
    """Simulate one field of a split."""
    settings, light, time_s = sample_settings(split, seed, (size_px, size_px), structure)
    exposure = Scene(settings).expose(0, time_s, light)
    # Thin structures fill no box to the half. Of the ER, shipped models state what the plain median gives.
    measured = median_box_sum if structure == "er" else foreground_box_sum
    box_sum = measured(exposure.signal + exposure.background, exposure.labels)
    scale = np.float32(100.0 / (EMPTY_BOX_SUM if np.isnan(box_sum) else box_sum))
    return Field(
        signal=(exposure.signal * scale).astype(np.float16),
        background=(exposure.background * scale).astype(np.float16),
        labels=exposure.labels,
    )


def make_fields(split: Split, recipe: Recipe, count: int) -> Iterator[Field]:
    """Simulate `count` fields of `recipe.structures` in turn; field i of a seed is the same for any count."""
    for index in range(count):
        structure = recipe.structures[index % len(recipe.structures)]
        yield make_field(split, recipe.seed * 1_000_000 + index, recipe.field_px, structure)


def draw_batch(fields: tuple[Field, ...], recipe: Recipe, step: int) -> Batch:
    """The batch of a step: a pure function of recipe and step, so that a resumed training goes on exactly."""
    rng = np.random.default_rng((recipe.seed, 21, step))
    patches = [_draw_patch(fields[rng.integers(len(fields))], recipe, rng) for _ in range(recipe.batch)]
    signal, background, labels, noise = (np.stack(parts) for parts in zip(*patches, strict=True))
    return Batch(
        photons=torch.from_numpy(rng.poisson(signal + background).astype(np.float32))[:, None],
        signal=torch.from_numpy(signal)[:, None],
        labels=torch.from_numpy(labels.astype(np.int64)),
        noise=torch.from_numpy(noise)[:, None, None, None],
    )


def _draw_patch(
    field: Field, recipe: Recipe, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8], np.float32]:
    """Crop, turn, flip and choose the dose."""
    size, (low, high) = recipe.patch_px, recipe.box_sum
    top, left = rng.integers(0, np.array(field.labels.shape) - size + 1)
    turns, flip = int(rng.integers(4)), bool(rng.integers(2))
    level = np.float32(low * (high / low) ** rng.random() / 100.0)

    def cut(image: NDArray[np.generic]) -> NDArray[np.generic]:
        patch = np.rot90(image[top : top + size, left : left + size], turns)
        return patch[:, ::-1] if flip else patch

    signal, background = (cut(image).astype(np.float32) * level for image in (field.signal, field.background))
    labels = cut(field.labels).astype(np.uint8)
    # The haze beside a bright cell looks like a dim sheet. Held against the cell's level, an error there
    # would cost nothing, and the network would draw sheets where nothing is: hold it against the haze.
    brightness = level if labels.any() else np.float32(max(background.mean(), LEAST_LEVEL))
    return signal, background, labels, np.sqrt(brightness)

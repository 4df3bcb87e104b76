"""Learning from frames that are seen with others: the moments before, or the slices below and above.

As in `streamer.training.fields`, fields hold expected photons, and every draw of a patch has fresh noise.
What a network is shown has the frame itself first: [frame, before, before that] or [slice, below, above].
Where there is no such frame, at the start of a run or the border of a stack, the nearest one that exists
stands in for it, with the very noise it has: a repeated frame tells nothing new.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from streamer.metrics.quality import linear_fit_psnr
from streamer.simulation import StackScene, foreground_box_sum, sample_settings
from streamer.simulation.depth import STACK_PIXEL_NM, fullest
from streamer.simulation.sampling import Split
from streamer.simulation.series import (
    ContextExposure,
    Smear,
    moments,
    smear,
    stack_exposures,
    time_exposures,
)
from streamer.training.examples import Batch
from streamer.training.fields import EMPTY_BOX_SUM, LEAST_LEVEL
from streamer.training.recipe import Recipe
from streamer.training.tasks import LEVELS, expected

__all__ = [
    "ContextExposure",
    "ContextField",
    "Smear",
    "StackExamples",
    "TimeExamples",
    "make_stack_fields",
    "make_time_fields",
    "smear",
    "stack_exposures",
    "time_exposures",
]

#: Seconds between frames, drawn log-uniformly for each field: 0.3-0.6 s a frame, to Rahm's 4.6 s.
INTERVAL_S = (0.3, 5.0)
#: So many of the fields drift as a whole, by this many pixels from frame to frame (log-uniform).
DRIFTING = 0.8
DRIFT_PX = (0.1, 8.0)
#: Patches that lack some of their context.
LONELY = 0.1

Counts = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextField:
    """One simulated field and its context, scaled to a median of one photon per pixel in foreground boxes.

    With two frames or slices of context it takes 9 bytes a pixel: 300 fields of 600 x 600 px, 0.97 GB.

    Attributes:
        signal: [y, x] float16 expected photons in focus of the frame itself.
        expected: [frames, y, x] float16 all expected photons of the frame itself and of its context.
        labels: [y, x] uint8 true classes of the frame itself.
    """

    signal: NDArray[np.float16]
    expected: NDArray[np.float16]
    labels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class _ContextExamples(ABC):
    """Crops of fields with fresh noise; score in dB of PSNR gained over the raw frames.

    Attributes:
        fields: to learn from.
        validation: to be judged on, as whole frames.
        recipe: its seed, batch, patch_px and box_sum count here.
    """

    fields: tuple[ContextField, ...]
    validation: tuple[ContextField, ...]
    recipe: Recipe

    def batch(self, step: int) -> Batch:
        """Crops, turns, flips, doses and noise of a step."""
        rng = np.random.default_rng((self.recipe.seed, 41, step))
        patches = [self._patch(rng) for _ in range(self.recipe.batch)]
        photons, signal, labels, noise = (np.stack(parts) for parts in zip(*patches, strict=True))
        return Batch(
            photons=torch.from_numpy(photons),
            signal=torch.from_numpy(signal)[:, None],
            labels=torch.from_numpy(labels.astype(np.int64)),
            noise=torch.from_numpy(noise)[:, None, None, None],
        )

    def score(self, network: nn.Module) -> Mapping[str, float]:
        """Gain on whole validation fields at each of `LEVELS`."""
        return {f"gain_db_at_{level:g}": self._gain_db(network, level) for level in LEVELS}

    def _gain_db(self, network: nn.Module, box_sum: float) -> float:
        level = np.float32(box_sum / 100.0)
        truth = [field.signal.astype(np.float32) * level for field in self.validation]
        raw = [
            _counts(
                field.expected.astype(np.float32) * level, np.random.default_rng((self.recipe.seed, 42, i))
            )
            for i, field in enumerate(self.validation)
        ]
        denoised = [expected(network, counts) for counts in raw]
        frames = [counts[0] for counts in raw]
        return linear_fit_psnr(denoised, truth).psnr_db - linear_fit_psnr(frames, truth).psnr_db

    def _patch(self, rng: np.random.Generator) -> tuple[Counts, Counts, NDArray[np.uint8], np.float32]:
        """Crop, turn, flip, choose the dose and draw the photons."""
        field = self.fields[rng.integers(len(self.fields))]
        size, (low, high) = self.recipe.patch_px, self.recipe.box_sum
        top, left = rng.integers(0, np.array(field.labels.shape) - size + 1)
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))
        level = np.float32(low * (high / low) ** rng.random() / 100.0)

        def cut(image: NDArray[np.generic]) -> NDArray[np.generic]:
            patch = np.rot90(image[..., top : top + size, left : left + size], turns, axes=(-2, -1))
            return np.ascontiguousarray(patch[..., ::-1] if flip else patch)

        signal, mean = (cut(image).astype(np.float32) * level for image in (field.signal, field.expected))
        labels = cut(field.labels).astype(np.uint8)
        photons = _counts(mean, rng)
        if rng.random() < LONELY:
            self._forget(photons, rng)
        # As in `fields`: without structure, an error is held against the haze.
        haze = np.float32(max((mean[0] - signal).mean(), LEAST_LEVEL))
        return photons, signal, labels, np.sqrt(level if labels.any() else haze)

    @abstractmethod
    def _forget(self, photons: Counts, rng: np.random.Generator) -> None:
        """Put what exists in the place of context that is to be missing, in [frames, y, x]."""


class TimeExamples(_ContextExamples):
    """Frames with the ones before them, newest first."""

    def _forget(self, photons: Counts, rng: np.random.Generator) -> None:
        exist = int(rng.integers(1, max(2, len(photons))))
        photons[exist:] = photons[exist - 1]


class StackExamples(_ContextExamples):
    """Slices with the ones below and above."""

    def _forget(self, photons: Counts, rng: np.random.Generator) -> None:
        photons[int(rng.integers(1, len(photons)))] = photons[0]


def make_time_fields(split: Split, recipe: Recipe, count: int, frames: int = 3) -> Iterator[ContextField]:
    """Simulate `count` fields of `recipe.structures` in turn, one by one, each at `frames` moments."""
    for index in range(count):
        structure = recipe.structures[index % len(recipe.structures)]
        shape_yx = (recipe.field_px, recipe.field_px)
        settings, light, _ = sample_settings(split, recipe.seed * 1_000_000 + index, shape_yx, structure)
        rng = np.random.default_rng((settings.seed, 43))
        interval_s = _log_uniform(rng, INTERVAL_S)
        shift_px = _log_uniform(rng, DRIFT_PX) if rng.random() < DRIFTING else 0.0
        signals, means, labels = moments(settings, light, frames, interval_s, shift_px)
        yield _field(signals[0], means, labels, foreground_box_sum(means[0], labels))


def make_stack_fields(split: Split, recipe: Recipe, count: int) -> Iterator[ContextField]:
    """Simulate `count` slices of `recipe.structures` in turn, each with the ones below and above it."""
    for index in range(count):
        structure = recipe.structures[index % len(recipe.structures)]
        shape_yx = (recipe.field_px, recipe.field_px)
        settings, light, time_s = sample_settings(split, recipe.seed * 1_000_000 + index, shape_yx, structure)
        scene = StackScene(replace(settings, pixel_nm=STACK_PIXEL_NM), slices=3)
        signal, background, labels = scene.expected(time_s, light)
        mean, full = signal + background, fullest(labels)
        box_sum = foreground_box_sum(mean[full], labels[full])
        yield _field(signal[1], mean[[1, 0, 2]], labels[1], box_sum)


def _field(signal: Counts, mean: Counts, labels: NDArray[np.uint8], box_sum: float) -> ContextField:
    scale = np.float32(100.0 / (EMPTY_BOX_SUM if np.isnan(box_sum) else box_sum))
    return ContextField(
        signal=(signal * scale).astype(np.float16), expected=(mean * scale).astype(np.float16), labels=labels
    )


def _log_uniform(rng: np.random.Generator, ends: tuple[float, float]) -> float:
    low, high = ends
    return float(low * (high / low) ** rng.random())


def _counts(mean: Counts, rng: np.random.Generator) -> Counts:
    return rng.poisson(mean).astype(np.float32)

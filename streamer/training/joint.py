"""Learning to denoise the detection channels of one moment at once.

Channels that are named alike show one dye through several windows: the same specimen at several brightnesses.
Others show structures of their own. Each holds a share of the others' light (bleed-through), which belongs to
what it shows: a network that took it off would contradict the counts. On the sensor they lie a little apart,
because counts are never resampled; so does what is learned from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from streamer.metrics.quality import linear_fit_psnr
from streamer.simulation.sampling import Split
from streamer.training.examples import Batch
from streamer.training.fields import LEAST_LEVEL, Field, make_field
from streamer.training.recipe import Recipe
from streamer.training.tasks import LEVELS, predict

#: Share of another channel's light, drawn for each patch, and how far a further channel lies off, in pixels.
BLEED_MAX, SHIFT_MAX_PX = 0.1, 3
#: How much larger the seeds of the specimens in a further channel are.
_FURTHER = 250_000

Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointExamples:
    """Crops of several channels with fresh noise; score in dB of PSNR gained over raw, mean over channels.

    Attributes:
        fields: to learn from; each has a field for every channel, scaled to one photon per foreground pixel.
        validation: to be judged on, as whole frames.
        recipe: its seed, batch, patch_px and box_sum count here.
    """

    fields: tuple[tuple[Field, ...], ...]
    validation: tuple[tuple[Field, ...], ...]
    recipe: Recipe

    def batch(self, step: int) -> Batch:
        """Crops, turns, flips, doses, bleed-through, shifts and noise of a step."""
        rng = np.random.default_rng((self.recipe.seed, 61, step))
        patches = [self._patch(rng) for _ in range(self.recipe.batch)]
        photons, signal, labels, noise = (np.stack(parts) for parts in zip(*patches, strict=True))
        return Batch(
            photons=torch.from_numpy(photons),
            signal=torch.from_numpy(signal),
            labels=torch.from_numpy(labels.astype(np.int64)),
            noise=torch.from_numpy(noise)[..., None, None],
        )

    def score(self, network: nn.Module) -> Mapping[str, float]:
        """Gain on whole validation fields at each of `LEVELS`."""
        return {f"gain_db_at_{level:g}": self._gain_db(network, level) for level in LEVELS}

    def _gain_db(self, network: nn.Module, box_sum: float) -> float:
        shown = [whole(field, (box_sum,) * len(field), (self.recipe.seed, 62)) for field in self.validation]
        found = [expected_channels(network, counts) for counts, _ in shown]
        gains = []
        for channel in range(self.recipe.channels):
            truth = [images[channel] for _, images in shown]
            denoised = linear_fit_psnr([images[channel] for images in found], truth)
            raw = linear_fit_psnr([counts[channel] for counts, _ in shown], truth)
            gains.append(denoised.psnr_db - raw.psnr_db)
        return float(np.mean(gains))

    def _patch(self, rng: np.random.Generator) -> tuple[Image, Image, NDArray[np.uint8], Image]:
        """Photons and signal [channels, y, x], the first channel's labels, the noise of each channel."""
        field = self.fields[rng.integers(len(self.fields))]
        size, (low, high) = self.recipe.patch_px, self.recipe.box_sum
        room = np.array(field[0].labels.shape) - size
        corner = rng.integers(0, room + 1)
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))
        levels = low * (high / low) ** rng.random(len(field)) / 100.0
        bleed = rng.uniform(0.0, BLEED_MAX, len(field))
        shifts = rng.integers(-SHIFT_MAX_PX, SHIFT_MAX_PX + 1, (len(field), 2))
        corners = [np.clip(corner + (shift if n else 0), 0, room) for n, shift in enumerate(shifts)]

        def cut(images: Sequence[NDArray[np.generic]], place: NDArray[np.int64]) -> NDArray[np.generic]:
            top, left = place
            patch = np.stack([image[top : top + size, left : left + size] for image in images])
            patch = np.rot90(patch, turns, axes=(1, 2))
            return np.ascontiguousarray(patch[..., ::-1] if flip else patch)

        signals, means, labels, noise = [], [], [], []
        for channel, place in enumerate(corners):
            share = np.where(np.arange(len(field)) == channel, 1.0, bleed[channel])
            weights = (share * levels).astype(np.float32)
            signal = np.tensordot(weights, cut([each.signal for each in field], place).astype(np.float32), 1)
            light = [each.signal + each.background for each in field]
            mean = np.tensordot(weights, cut(light, place).astype(np.float32), 1)
            drawn = cut([field[channel].labels], place)[0].astype(np.uint8)
            # As in `fields`: without structure, an error is held against the haze.
            haze = max(float((mean - signal).mean()), LEAST_LEVEL)
            signals.append(signal)
            means.append(mean)
            labels.append(drawn)
            noise.append(np.sqrt(levels[channel] if drawn.any() else haze))
        photons = rng.poisson(np.stack(means)).astype(np.float32)
        return photons, np.stack(signals), labels[0], np.array(noise, np.float32)


def make_joint_fields(split: Split, recipe: Recipe, count: int) -> Iterator[tuple[Field, ...]]:
    """Simulate `count` fields, one by one, each with what every channel shows; equal structures share one."""
    for index in range(count):
        number = recipe.seed * 1_000_000 + index
        made: dict[str, Field] = {}
        for channel, structure in enumerate(recipe.structures):
            if structure not in made:
                seed = number + channel * _FURTHER
                made[structure] = make_field(split, seed, recipe.field_px, structure)
        yield tuple(made[structure] for structure in recipe.structures)


def whole(field: Sequence[Field], box_sums: Sequence[float], seed: tuple[int, ...]) -> tuple[Image, Image]:
    """Counts and truth [channels, y, x] of a whole field without bleed-through; a seed draws one noise."""
    scale = (np.array(box_sums, np.float32) / np.float32(100.0))[:, None, None]
    signal = scale * np.stack([each.signal for each in field]).astype(np.float32)
    background = scale * np.stack([each.background for each in field]).astype(np.float32)
    counts = np.random.default_rng(seed).poisson(signal + background).astype(np.float32)
    return counts, signal


def expected_channels(network: nn.Module, counts: Image) -> Image:
    """[channels, y, x] expected photons of as many, without the deviations that may stand behind them."""
    images: Image = predict(network, counts)[: len(counts)]
    return images

"""A smooth specimen under photon noise, and a training of seconds on it."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import nn

from streamer.networks import LiveDenoiser
from streamer.training.examples import Examples
from streamer.training.losses import batch_loss
from streamer.training.recipe import Recipe

RECIPE = Recipe(seed=3, steps=150, batch=4, patch_px=32, learning_rate=5e-3, precision="f32")
MULTIPLE = 8


def smooth_truth(seed: int, size_px: int = 96, photons: float = 3.0) -> NDArray[np.float32]:
    """[y, x] expected photons: bright blobs about five pixels wide."""
    blobs = gaussian_filter(np.random.default_rng(seed).normal(size=(size_px, size_px)), 2.5, mode="wrap")
    bright = np.exp(1.2 * blobs / blobs.std())
    return (photons * bright / bright.mean()).astype(np.float32)


def counted(truth: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """[y, x] counts of it."""
    return np.random.default_rng((seed, 7)).poisson(truth).astype(np.float32)


def train_briefly(examples: Examples, recipe: Recipe = RECIPE) -> nn.Module:
    """A tiny network after a few seconds."""
    torch.manual_seed(recipe.seed)
    network = LiveDenoiser(entry=8, widths=(8, 16), bridge=(16,), groups=1, blocks=1, attention=False).train()
    optimizer = torch.optim.AdamW(network.parameters(), recipe.learning_rate)
    for step in range(recipe.steps):
        warm_up = min(1.0, (step + 1) / 20)
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
        optimizer.zero_grad()
        torch.autograd.backward(batch_loss(network, examples.batch(step), recipe))
        nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimizer.step()
    return network.eval()


class Fixed(nn.Module):
    """A network that answers by a function of its input, numpy [y, x] to [y, x]."""

    def __init__(self, answer) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, photons: torch.Tensor) -> torch.Tensor:
        images = [self.answer(image) for image in photons[:, 0].numpy()]
        return torch.from_numpy(np.stack(images).astype(np.float32))[:, None]

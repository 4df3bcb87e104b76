"""Learning from noisy images alone with a blind spot: Noise2Void (Krull, Buchholz, Jug, CVPR 2019).

Some pixels are overwritten by a neighbour's value, and the network must say what they were. It cannot copy
their noise, which it does not see, and where noise is independent from pixel to pixel and of mean zero the
best answer is the expected signal given the surroundings. It needs no counts, so it suits cameras with read
noise; but it never learns from a pixel's own value, and correlated noise it reproduces.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from streamer.errors import UsageError
from streamer.training.examples import Batch
from streamer.training.fields import LEAST_LEVEL
from streamer.training.noisy import Plane, check_images, check_recipe, draw_patch, fitting_patch_px
from streamer.training.recipe import Recipe
from streamer.training.tasks import predict

#: One pixel in each cell of this size is hidden: 64 in a patch of 64 x 64 pixels, as published.
CELL_PX = 8
#: How far the neighbour may lie whose value hides a pixel.
REACH_PX = 5


class BlindSpotExamples:
    """Batches with hidden pixels, which alone count in the loss, and a score from hidden pixels.

    Args:
        images: [y, x] float32 photons to learn from; read noise, fractions and negative values are fine.
        recipe: its seed, batch and patch_px; patches shrink to the smallest image.
        validation: [y, x] float32 photons of other images, to judge by.
        multiple: what height and width must divide by for the network.

    Errors: UsageError for images that are missing, empty, too small or not finite.
    """

    def __init__(
        self, images: Sequence[Plane], recipe: Recipe, validation: Sequence[Plane], *, multiple: int = 16
    ) -> None:
        check_recipe(recipe)
        check_images(images, "training")
        check_images(validation, "validation")
        _check_likelihood(images, recipe)
        self._images = tuple(images)
        self._recipe = recipe
        self._multiple = multiple
        # A patch must hold a cell, or nothing of it would count.
        self._patch_px, _ = (
            fitting_patch_px(group, recipe.patch_px, math.lcm(multiple, CELL_PX))
            for group in (images, validation)
        )
        self._held_out = tuple(
            (image, *hide(image, np.random.default_rng((recipe.seed, 34, index))))
            for index, image in enumerate(validation)
        )

    def batch(self, step: int) -> Batch:
        """Patches with hidden pixels; `weight` is 1 there and 0 elsewhere."""
        rng = np.random.default_rng((self._recipe.seed, 32, step))
        patches = [draw_patch(self._images, self._patch_px, rng) for _ in range(self._recipe.batch)]
        pairs = [hide(patch, rng) for patch in patches]
        shown, hidden = (np.stack(parts) for parts in zip(*pairs, strict=True))
        level = np.maximum(shown.mean((1, 2), keepdims=True), LEAST_LEVEL)
        return Batch(
            photons=torch.from_numpy(shown)[:, None],
            signal=torch.from_numpy(np.stack(patches))[:, None],
            labels=torch.zeros(shown.shape, dtype=torch.int64),
            noise=torch.from_numpy(np.sqrt(level))[:, None],
            weight=torch.from_numpy(hidden.astype(np.float32))[:, None],
        )

    def score(self, network: nn.Module) -> Mapping[str, float]:
        """Share of the variance of hidden pixels that is predicted, noise included.

        1 - MSE / variance: 0 for the mean of the hidden pixels. As nothing predicts their noise, the best
        possible value is below 1 and belongs to the images: compare networks on the same ones only.
        """
        found, truth = [], []
        for image, shown, hidden in self._held_out:
            found.append(predict(network, shown, self._multiple)[hidden].astype(np.float64))
            truth.append(image[hidden].astype(np.float64))
        predicted, true = np.concatenate(found), np.concatenate(truth)
        return {"variance_explained": float(1.0 - np.mean((predicted - true) ** 2) / max(true.var(), 1e-12))}


def _check_likelihood(images: Sequence[Plane], recipe: Recipe) -> None:
    """UsageError where a Poisson likelihood would take the negative half of read noise for 0."""
    lowest = min(float(image.min()) for image in images)
    if recipe.loss == "poisson" and lowest < 0:
        raise UsageError(f"loss = poisson: the images go down to {lowest:.3g} photons; use rms-edge")


def hide(image: Plane, rng: np.random.Generator) -> tuple[Plane, NDArray[np.bool_]]:
    """Overwrite one random pixel of each whole cell by another one near it; the image and where it was done.

    The other pixel is uniform among those at most `REACH_PX` rows and columns away, without the pixel itself
    (uniform pixel selection); beyond an edge it is taken from the opposite side of the pixel.
    """
    cells = np.indices((image.shape[0] // CELL_PX, image.shape[1] // CELL_PX)).reshape(2, -1) * CELL_PX
    places = cells + rng.integers(CELL_PX, size=cells.shape)
    width = 2 * REACH_PX + 1
    near = rng.integers(width**2 - 1, size=cells.shape[1])
    near += near >= width**2 // 2  # leaves out the middle, the pixel itself
    steps = np.stack(np.divmod(near, width)) - REACH_PX
    limits = np.array(image.shape)[:, None]
    beyond = (places + steps < 0) | (places + steps >= limits)
    others = places + np.where(beyond, -steps, steps)
    shown, hidden = image.copy(), np.zeros(image.shape, np.bool_)
    shown[tuple(places)] = image[tuple(others)]
    hidden[tuple(places)] = True
    return shown, hidden

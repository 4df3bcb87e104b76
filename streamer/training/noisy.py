"""Noisy images and nothing else: what the methods that learn from them alone have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.errors import UsageError
from streamer.training.recipe import Recipe

#: [y, x] photons of one image.
Plane = NDArray[np.float32]


def check_recipe(recipe: Recipe) -> None:
    """UsageError for settings that cannot be learned from noisy images alone.

    The best answer by the absolute error is a median, and the median of few photons is 0 (Noise2Noise: the
    loss must be least at the mean). The frames before a frame are not given.
    """
    if recipe.loss == "mae":
        raise UsageError("loss = mae: its best answer to single photons is their median, 0; use rms-edge")
    if recipe.frames != 1:
        raise UsageError(f"frames = {recipe.frames}: noisy images alone have no time; use 1")


def check_images(images: Sequence[Plane], what: str) -> None:
    """UsageError where there is no image, or one that is not [y, x], not finite, or without any light."""
    if not images:
        raise UsageError(f"no {what} images; give at least one")
    for index, image in enumerate(images, start=1):
        place = f"{what} image {index} of {len(images)}"
        if image.ndim != 2:
            raise UsageError(f"{place}: has shape {image.shape}; give planes [y, x]")
        if not np.isfinite(image).all():
            raise UsageError(f"{place}: holds values that are not finite; mask or leave out the image")
        if image.size == 0 or image.min() == image.max():
            raise UsageError(f"{place}: is empty, every pixel is the same; leave it out")


def fitting_patch_px(images: Sequence[Plane], patch_px: int, multiple: int) -> int:
    """The largest patch, `patch_px` at most, that fits into every image and that the network can divide.

    Errors: UsageError where not even the smallest does.
    """
    shape = min((image.shape for image in images), key=min)
    size: int = min(patch_px, *shape) // multiple * multiple
    if size == 0:
        raise UsageError(
            f"smallest image {shape[0]} x {shape[1]} px, patches of {patch_px} px: the network needs "
            f"{multiple} px at least; give larger ones"
        )
    return size


def draw_patch(images: Sequence[Plane], size_px: int, rng: np.random.Generator) -> Plane:
    """A random crop [size_px, size_px] of a random image, turned and flipped at random."""
    image = images[int(rng.integers(len(images)))]
    top, left = rng.integers(0, np.array(image.shape) - size_px + 1)
    patch: Plane = np.rot90(image[top : top + size_px, left : left + size_px], int(rng.integers(4)))
    return patch[:, ::-1] if rng.integers(2) else patch

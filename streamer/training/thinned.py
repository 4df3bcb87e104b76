"""Learning from noisy counts alone: the network sees some of an image's photons and answers to the others.

Split-photon Noise2Noise. Let n be the counts of a pixel, Poisson with expectation m, and let each photon be
kept with probability p. By the thinning theorem the kept ones, a, are Poisson with expectation p m, the
others, b, Poisson with (1 - p) m, and independent of a. The target p / (1 - p) x b therefore has, whatever a
is, the expectation of the input, p m, and a network trained on it by any squared error approaches

    f(a) = E[p / (1 - p) x b | a] = E[p m | a]:

the expected photons *at the dose of its input*, as if it had been trained on the truth (Noise2Noise: Lehtinen
et al., ICML 2018; for photons that accumulate: Krull et al., "Image Denoising and the Generative Accumulation
of Photons", 2023; thinning in general: Neufeld et al., JMLR 25, 2024). Input and output share one unit, so f
needs no knowledge of p, and the full counts can be fed in at the end: f(n) = E[m | n], in photons, without a
factor. What is not proven is that step from p < 1 to p = 1; p is drawn anew for each patch, so the network
sees many doses, up to 0.95 of the full one, and learns how its answer goes with the dose.

Exact for detectors that count photons. Read noise, gain, offset, and averaged or resampled pixels make the
parts correlated, and the network then learns noise: such images are refused (`BlindSpotExamples` takes them).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from streamer.errors import UsageError
from streamer.metrics.noise import noise_ratio
from streamer.metrics.thinning import is_counts, thin
from streamer.training.examples import Batch
from streamer.training.fields import LEAST_LEVEL
from streamer.training.noisy import Plane, check_images, check_recipe, draw_patch, fitting_patch_px
from streamer.training.recipe import Recipe
from streamer.training.tasks import predict

#: Range of the fraction of photons that the network is shown, drawn uniformly for each patch.
KEPT = (0.5, 0.95)
#: Fraction of photons shown when the network is judged: halves make the score least uncertain.
KEPT_SCORE = 0.5
#: Pixel noise over that of photon counting, as hardware profiles accept it by default.
NOISE_RATIO = (0.8, 1.25)


class ThinnedExamples:
    """Batches and a score from raw counts, without any truth.

    Args:
        images: [y, x] float32 counts to learn from.
        recipe: its seed, batch and patch_px; patches shrink to the smallest image.
        validation: [y, x] float32 counts of other images, to judge by.
        multiple: what height and width must divide by for the network.

    Errors: UsageError for images that are missing, empty, too small, not finite, or no photon counts.
    """

    def __init__(
        self, images: Sequence[Plane], recipe: Recipe, validation: Sequence[Plane], *, multiple: int = 16
    ) -> None:
        check_recipe(recipe)
        for group, what in ((images, "training"), (validation, "validation")):
            check_images(group, what)
            fitting_patch_px(group, recipe.patch_px, multiple)
            _refuse_grey_levels(group, what)
        self._images = tuple(images)
        self._recipe = recipe
        self._multiple = multiple
        self._patch_px = fitting_patch_px(images, recipe.patch_px, multiple)
        self._held_out = tuple(
            thin(image, KEPT_SCORE, np.random.default_rng((recipe.seed, 33, index)))
            for index, image in enumerate(validation)
        )

    def batch(self, step: int) -> Batch:
        """Freshly thinned patches: the kept photons, and the others scaled to the same expectation."""
        rng = np.random.default_rng((self._recipe.seed, 31, step))
        patches = [self._patch(rng) for _ in range(self._recipe.batch)]
        shown, target, noise = (np.stack(parts).astype(np.float32) for parts in zip(*patches, strict=True))
        return Batch(
            photons=torch.from_numpy(shown)[:, None],
            signal=torch.from_numpy(target)[:, None],
            labels=torch.zeros(shown.shape, dtype=torch.int64),
            noise=torch.from_numpy(noise)[:, None, None, None],
        )

    def _patch(self, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.floating], float]:
        """Input, target, and the standard deviation of their difference per pixel."""
        share = rng.uniform(*KEPT)
        kept, others = thin(draw_patch(self._images, self._patch_px, rng), share, rng)
        # From the kept photons only: weights that knew the target would pull the answer away from its mean.
        noise = math.sqrt(max(float(kept.mean()), LEAST_LEVEL) / (1.0 - share))
        return kept, others * (share / (1.0 - share)), noise

    def score(self, network: nn.Module) -> Mapping[str, float]:
        """Share of the photon noise that is removed: 1 - MSE(denoised) / MSE(raw), both against the truth.

        The truth is not needed. Against the target t = c b with c = p / (1 - p), the squared error of any
        f(a) is on average the one against the truth plus the variance of t, c^2 (1 - p) m, of which c^2 b is
        an unbiased estimate. The raw error is the variance of a, its mean. 1 is perfect, 0 is as good as raw,
        below 0 worse.
        """
        scale = KEPT_SCORE / (1.0 - KEPT_SCORE)
        error = raw = 0.0
        for kept, others in self._held_out:
            photons = predict(network, kept.astype(np.float32), self._multiple).astype(np.float64)
            error += float(np.sum((photons - scale * others) ** 2) - scale**2 * others.sum())
            raw += float(kept.sum())
        return {"noise_removed": 1.0 - error / max(raw, 1.0)}


def _refuse_grey_levels(images: Sequence[Plane], what: str) -> None:
    """UsageError for images whose values or whose noise are not those of counted photons."""
    for index, image in enumerate(images, start=1):
        if not is_counts(image):
            raise UsageError(
                f"{what} image {index} of {len(images)}: holds values that are not whole numbers from 0 on, "
                f"so its photons cannot be thinned; give raw counts, with --offset the "
                "grey level of no light; for cameras with read noise learn with --method noise2void"
            )
    ratios = [noise_ratio(np.ascontiguousarray(image, np.float32)) for image in images]
    middle, (low, high) = float(np.median(ratios)), NOISE_RATIO
    if not low <= middle <= high:
        cause = (
            "too little: tell the grey level of no light (--offset), then photons per grey level (--gain)"
            if middle < low
            else "too much: tell photons per grey level (--gain); for read noise use --method noise2void"
        )
        raise UsageError(
            f"{what} images: their noise has {middle:.2g} times the variance of counted photons (accepted "
            f"{low:g}-{high:g}), {cause}"
        )

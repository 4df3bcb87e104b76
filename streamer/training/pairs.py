"""Learning from recorded pairs: a low-dose frame is shown, a high-dose frame of the same field is the target.

The high-dose frame is brought to the low dose by one factor for all pairs, the ratio of all photons of the
training pairs. The network then answers in photons at the dose of its input, as one trained on simulated
truth does; unlike there the answer holds the background that the high-dose frame shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.filters import threshold_otsu
from torch import nn

from streamer.metrics import tile_sums
from streamer.metrics.quality import linear_fit_psnr
from streamer.training.examples import Batch
from streamer.training.fields import LEAST_LEVEL
from streamer.training.noisy import fitting_patch_px
from streamer.training.pairing import Pair
from streamer.training.recipe import Recipe
from streamer.training.tasks import expected

_Image = NDArray[np.float32]
#: Side of the boxes in which photons are summed, pixels.
BOX_PX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """One pair as it is learned from.

    Attributes:
        photons: [y, x] at low dose.
        target: [y, x] the high-dose frame, in photons at the low dose.
        foreground: [tile y, tile x] which 10x10 boxes of the target hold structure.
        box_sum: median photon sum of those boxes at low dose.
    """

    photons: _Image
    target: _Image
    foreground: NDArray[np.bool_]
    box_sum: float


def dose_ratio(pairs: Sequence[Pair]) -> float:
    """Photons at high dose over photons at low dose, of all pairs together."""
    low, high = (
        sum(float(image.sum(dtype=np.float64)) for image in images)
        for images in ([pair.low for pair in pairs], [pair.high for pair in pairs])
    )
    return high / low


def expose(pair: Pair, ratio: float) -> Exposed:
    """A pair at the low dose; its foreground is that of the high-dose frame."""
    target = pair.high / np.float32(ratio)
    return Exposed(
        photons=pair.low,
        target=target,
        foreground=foreground_boxes(target),
        box_sum=foreground_box_sum(pair.low, target),
    )


def foreground_boxes(image: _Image) -> NDArray[np.bool_]:
    """[tile y, tile x] the 10x10 boxes that hold structure, by Otsu's threshold on roots of their sums."""
    roots = np.sqrt(np.maximum(tile_sums(image, BOX_PX), 0.0))
    found: NDArray[np.bool_] = roots > threshold_otsu(roots)  # type: ignore[no-untyped-call]
    return found


def foreground_box_sum(photons: _Image, shown: _Image) -> float:
    """Median photon sum of the boxes where `shown` [y, x] holds structure; NaN where none does."""
    sums = tile_sums(photons, BOX_PX)[foreground_boxes(shown)]
    return float(np.median(sums)) if sums.size else float("nan")


class PairExamples:
    """Crops of pairs; score in dB of PSNR gained over the low-dose frames of the validation pairs.

    Args:
        pairs: to learn from.
        recipe: its seed, batch and patch_px count; patches shrink to the smallest image.
        validation: other pairs, best of other days, to judge by.
        multiple: what height and width must divide by for the network.

    Errors: UsageError where an image is smaller than the smallest patch.
    """

    def __init__(
        self, pairs: Sequence[Pair], recipe: Recipe, validation: Sequence[Pair], *, multiple: int = 16
    ) -> None:
        self.ratio = dose_ratio(pairs)
        self.training = tuple(expose(pair, self.ratio) for pair in pairs)
        self.validation = tuple(expose(pair, self.ratio) for pair in validation)
        self._recipe, self._multiple = recipe, multiple
        self._patch_px = fitting_patch_px([pair.low for pair in pairs], recipe.patch_px, multiple)

    @cached_property
    def box_sums(self) -> tuple[float, float]:
        """Lowest and highest median photon sum in foreground boxes of the training frames."""
        known = [each.box_sum for each in self.training]
        return float(np.nanmin(known)), float(np.nanmax(known))

    def batch(self, step: int) -> Batch:
        """Crops, turns and flips of a step."""
        rng = np.random.default_rng((self._recipe.seed, 35, step))
        patches = [self._patch(rng) for _ in range(self._recipe.batch)]
        photons, target, noise = (np.stack(parts).astype(np.float32) for parts in zip(*patches, strict=True))
        return Batch(
            photons=torch.from_numpy(photons)[:, None],
            signal=torch.from_numpy(target)[:, None],
            labels=torch.zeros(photons.shape, dtype=torch.int64),
            noise=torch.from_numpy(noise)[:, None, None, None],
        )

    def score(self, network: nn.Module) -> Mapping[str, float]:
        """Gain over all validation pairs, one linear fit for each of both."""
        raw = [each.photons for each in self.validation]
        targets = [each.target for each in self.validation]
        denoised = [expected(network, image, self._multiple) for image in raw]
        gain_db = linear_fit_psnr(denoised, targets).psnr_db - linear_fit_psnr(raw, targets).psnr_db
        return {"gain_db": gain_db}

    def _patch(self, rng: np.random.Generator) -> tuple[_Image, _Image, float]:
        """Photons, target, and the shot noise that errors are held against, as for simulated patches."""
        shown = self.training[int(rng.integers(len(self.training)))]
        size = self._patch_px
        top, left = rng.integers(0, np.array(shown.photons.shape) - size + 1)
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))

        def cut(image: _Image) -> _Image:
            patch = np.rot90(image[top : top + size, left : left + size], turns)
            return patch[:, ::-1] if flip else patch

        photons, target = cut(shown.photons), cut(shown.target)
        boxes = tuple(slice(start // BOX_PX, (start + size) // BOX_PX) for start in (int(top), int(left)))
        structured = bool(shown.foreground[boxes].any())
        level = shown.box_sum / BOX_PX**2 if structured else float(target.mean())
        return photons, target, float(np.sqrt(max(level, LEAST_LEVEL)))

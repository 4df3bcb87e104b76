"""One scale per model that makes its photons right on average, fitted on training images only.

Rahm et al. fit one scale and offset per model on predicted training instances against their ground truth,
after clipping outside the 1st-99th percentile; the test set is never used. A network that works in photons
keeps its zero (the detector's calibration fixes it), so the scale alone goes into the weights, and the offset
of the full fit is stated, to show that nothing is missing. Networks trained on simulated truth need neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from streamer.metrics.quality import linear_fit
from streamer.networks import InPhotons, LiveDenoiser, UNetRCAN

#: Percentiles of the training pixels outside of which both images are clipped.
CLIP_PERCENTILES = (1.0, 99.0)

_Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescale:
    """What predictions must be multiplied by to be right on average over the training images.

    Attributes:
        scale: through zero.
        fitted_scale, fitted_offset: of the paper's fit of both; the offset in photons per pixel.
        applied: whether the scale is in the weights.
    """

    scale: float
    fitted_scale: float
    fitted_offset: float
    applied: bool = False


def fit_rescale(predictions: Sequence[_Image], targets: Sequence[_Image]) -> Rescale:
    """Least squares over all pixels of all training images [y, x], clipped; a scale of 1 where all is 0."""
    clipped = [_clipped(images) for images in (predictions, targets)]
    predicted, target = clipped
    power = float(predicted @ predicted)
    gain, offset = linear_fit([predicted], [target])
    scale = float(predicted @ target) / power if power > 0 else 1.0
    return Rescale(scale=scale, fitted_scale=gain, fitted_offset=offset)


@torch.no_grad()
def apply_scale(network: nn.Module, scale: float) -> bool:
    """Multiply what a network predicts by `scale` > 0, in its last layer; False where that is not linear.

    Outputs are squares of the last layer's, which therefore takes the root of the scale.
    """
    inner = network.network if isinstance(network, InPhotons) else network
    if scale <= 0 or not isinstance(inner, LiveDenoiser | UNetRCAN):
        return False
    head = inner.rcan.head
    for weights in head.parameters():
        weights.mul_(scale**0.5)
    return True


def _clipped(images: Sequence[_Image]) -> NDArray[np.float64]:
    pixels = np.concatenate([np.ravel(image) for image in images]).astype(np.float64)
    return np.asarray(np.clip(pixels, *np.percentile(pixels, CLIP_PERCENTILES)))

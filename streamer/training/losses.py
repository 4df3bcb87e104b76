"""What the networks are punished for."""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: Weight of the Laplacian term and the offset under the root, as published for UNet-RCAN.
EDGE_WEIGHT = 0.05
OFFSET = 1e-6


def denoising_loss(predicted: Tensor, signal: Tensor, noise: Tensor) -> Tensor:
    """Published loss of UNet-RCAN: root-mean-square error of the batch plus `EDGE_WEIGHT` times that of its
    4-neighbour Laplacian; here on photons [b, 1, y, x] over each patch's shot noise [b, 1, 1, 1], so that
    neither bright nor dim patches rule.
    """
    error = (predicted - signal) / noise
    return _root_mean_square(error) + EDGE_WEIGHT * _root_mean_square(_laplacian(error))


def segmentation_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Weighted cross-entropy of [b, classes, y, x] against [b, y, x]."""
    return nn.functional.cross_entropy(logits, labels, weight=weights)


def _root_mean_square(error: Tensor) -> Tensor:
    return torch.sqrt(error.square().mean() + OFFSET)


def _laplacian(image: Tensor) -> Tensor:
    """4-neighbour Laplacian of the inside, [b, 1, y - 2, x - 2]."""
    inside = image[..., 1:-1, 1:-1]
    vertical = image[..., :-2, 1:-1] + image[..., 2:, 1:-1]
    horizontal = image[..., 1:-1, :-2] + image[..., 1:-1, 2:]
    return vertical + horizontal - 4 * inside

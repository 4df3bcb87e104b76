"""What the networks are punished for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from streamer.training.examples import Batch
from streamer.training.recipe import LossName, Recipe

#: Weight of the Laplacian term and the offset under the root, as published for UNet-RCAN.
EDGE_WEIGHT = 0.05
OFFSET = 1e-6
#: Photons below which the logarithm of the Poisson likelihood goes on as its tangent.
LEAST_PHOTONS = 1e-2


def batch_loss(network: nn.Module, batch: Batch, recipe: Recipe) -> Tensor:
    """Loss of a denoiser on a batch of any kind, by `recipe.loss`.

    A network of several `stages` (UNet-RCAN: the U-Net's output and the refined one) is punished for each,
    as published: their losses add up. With `batch.weight` only the pixels that count are looked at.
    """
    photons = batch.photons.contiguous(memory_format=torch.channels_last)
    dtype = torch.float16 if recipe.precision == "f16" else torch.bfloat16
    with torch.autocast(photons.device.type, dtype, enabled=recipe.precision != "f32"):
        stages = getattr(network, "stages", None)
        outputs = stages(photons) if stages else (network(photons),)
    costs = [_LOSSES[recipe.loss](output.float(), batch) for output in outputs]
    return costs[0] if len(costs) == 1 else torch.stack(costs).sum()


def segmentation_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Weighted cross-entropy of [b, classes, y, x] against [b, y, x]."""
    return nn.functional.cross_entropy(logits, labels, weight=weights)


def rms_edge(predicted: Tensor, batch: Batch) -> Tensor:
    """Published loss of UNet-RCAN: root-mean-square error of the batch plus `EDGE_WEIGHT` times that of its
    4-neighbour Laplacian; here on photons [b, 1, y, x] over each patch's shot noise [b, 1, 1, 1], so that
    neither bright nor dim patches rule. Single pixels that count have no edges: there the first term is all.
    """
    error = (predicted - batch.signal) / batch.noise
    if batch.weight is not None:
        return torch.sqrt(_mean(error.square(), batch) + OFFSET)
    return _root_mean_square(error) + EDGE_WEIGHT * _root_mean_square(_laplacian(error))


def mae(predicted: Tensor, batch: Batch) -> Tensor:
    """Mean absolute error over the shot noise."""
    return _mean(((predicted - batch.signal) / batch.noise).abs(), batch)


def mse(predicted: Tensor, batch: Batch) -> Tensor:
    """Mean squared error over the shot noise's variance."""
    return _mean(((predicted - batch.signal) / batch.noise).square(), batch)


def poisson(predicted: Tensor, batch: Batch) -> Tensor:
    """Deviance of the target under a Poisson law of the predicted mean: 2 [m - y + y log(y / m)].

    Below `LEAST_PHOTONS`, and for what a network in training calls negative photons, the logarithm goes on as
    its tangent and m as |m|, so that the gradient still points towards the target.
    """
    target = batch.signal.clamp_min(0.0)
    log = torch.log(predicted.clamp_min(LEAST_PHOTONS))
    log = log + (predicted - LEAST_PHOTONS).clamp_max(0.0) / LEAST_PHOTONS
    return _mean(2.0 * (predicted.abs() - target + torch.xlogy(target, target) - target * log), batch)


_LOSSES: Mapping[LossName, Callable[[Tensor, Batch], Tensor]] = {
    "rms-edge": rms_edge,
    "mae": mae,
    "mse": mse,
    "poisson": poisson,
}


def _mean(cost: Tensor, batch: Batch) -> Tensor:
    """Mean over the pixels that count."""
    if batch.weight is None:
        return cost.mean()
    return (cost * batch.weight).sum() / batch.weight.sum().clamp_min(1.0)


def _root_mean_square(error: Tensor) -> Tensor:
    return torch.sqrt(error.square().mean() + OFFSET)


def _laplacian(image: Tensor) -> Tensor:
    """4-neighbour Laplacian of the inside, [b, 1, y - 2, x - 2]."""
    inside = image[..., 1:-1, 1:-1]
    vertical = image[..., :-2, 1:-1] + image[..., 2:, 1:-1]
    horizontal = image[..., 1:-1, :-2] + image[..., 1:-1, 2:]
    return vertical + horizontal - 4 * inside

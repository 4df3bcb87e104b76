"""The two trainings: what a step's loss is and how a network is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streamer.metrics.quality import linear_fit_psnr
from streamer.training.fields import Field, draw_batch
from streamer.training.loop import Loss, Score
from streamer.training.losses import denoising_loss, segmentation_loss
from streamer.training.recipe import CLASSES, Recipe

#: Median box sums at which whole validation fields are judged.
LEVELS = (5.0, 10.0, 28.0, 100.0)
#: Cross-entropy weights of background, tubule, sheet: tubules are thin and most easily lost.
CLASS_WEIGHTS = (1.0, 1.5, 1.0)


def denoiser_task(
    fields: tuple[Field, ...], validation: tuple[Field, ...], recipe: Recipe
) -> tuple[Loss, Score]:
    """Loss against the noise-free photons in focus; score in dB of PSNR gained over the raw frames."""

    def loss(network: nn.Module, step: int) -> Tensor:
        batch = draw_batch(fields, recipe, step)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bf16):
            predicted = network(_laid_out(batch.photons))
        return denoising_loss(predicted.float(), batch.signal, batch.noise)

    def score(network: nn.Module) -> Mapping[str, float]:
        return {f"gain_db_at_{level:g}": _gain_db(network, validation, recipe, level) for level in LEVELS}

    return loss, score


def segmenter_task(
    denoiser: nn.Module, fields: tuple[Field, ...], validation: tuple[Field, ...], recipe: Recipe
) -> tuple[Loss, Score]:
    """Loss of the classes seen in the denoiser's output; score as intersection over union of each class."""
    weights = torch.tensor(CLASS_WEIGHTS)
    denoiser = denoiser.eval()

    def loss(network: nn.Module, step: int) -> Tensor:
        batch = draw_batch(fields, recipe, step)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bf16):
            with torch.no_grad():
                denoised = denoiser(_laid_out(batch.photons)).float()
            logits = network.logits(denoised)  # type: ignore[operator]
        return segmentation_loss(logits.float(), batch.labels, weights)

    def score(network: nn.Module) -> Mapping[str, float]:
        scores: dict[str, float] = {}
        for level in LEVELS:
            found = [
                predict_labels(network, predict(denoiser, noisy(f, level, recipe.seed))) for f in validation
            ]
            overlap = intersection_over_union(found, [field.labels for field in validation])
            scores |= {
                f"iou_{name}_at_{level:g}": value for name, value in zip(CLASSES, overlap, strict=True)
            }
        return scores

    return loss, score


def noisy(field: Field, box_sum: float, seed: int) -> NDArray[np.float32]:
    """[y, x] counts of a whole field at a median box sum; the same seed draws the same noise."""
    expected = (field.signal.astype(np.float32) + field.background.astype(np.float32)) * (box_sum / 100.0)
    return np.random.default_rng((seed, 22)).poisson(expected).astype(np.float32)


@torch.inference_mode()
def predict(network: nn.Module, image: NDArray[np.float32], multiple: int = 16) -> NDArray[np.float32]:
    """[y, x] to [y, x], or [classes, y, x], in float32; pads by reflection to the size multiple and crops."""
    height, width = image.shape
    padded = np.pad(image, ((0, -height % multiple), (0, -width % multiple)), mode="reflect")
    output: NDArray[np.float32] = network(_laid_out(torch.from_numpy(padded)[None, None])).numpy()
    return (
        output[0, ..., :height, :width].squeeze(0) if output.shape[1] == 1 else output[0, :, :height, :width]
    )


def predict_labels(segmenter: nn.Module, denoised: NDArray[np.float32]) -> NDArray[np.uint8]:
    """[y, x] classes of a denoised frame."""
    labels: NDArray[np.uint8] = predict(segmenter, denoised).argmax(0).astype(np.uint8)
    return labels


def intersection_over_union(
    found: Sequence[NDArray[np.uint8]], truth: Sequence[NDArray[np.uint8]]
) -> tuple[float, ...]:
    """One value per class over all frames together; 1 where a class is neither found nor there."""
    a, b = (np.concatenate([labels.ravel() for labels in frames]) for frames in (found, truth))
    both = [np.sum((a == label) & (b == label)) for label in range(len(CLASSES))]
    either = [np.sum((a == label) | (b == label)) for label in range(len(CLASSES))]
    return tuple(float(n / m) if m else 1.0 for n, m in zip(both, either, strict=True))


def _gain_db(network: nn.Module, fields: tuple[Field, ...], recipe: Recipe, box_sum: float) -> float:
    raw = [noisy(field, box_sum, recipe.seed) for field in fields]
    truth = [field.signal.astype(np.float32) * (box_sum / 100.0) for field in fields]
    denoised = [predict(network, image) for image in raw]
    return linear_fit_psnr(denoised, truth).psnr_db - linear_fit_psnr(raw, truth).psnr_db


def _laid_out(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)

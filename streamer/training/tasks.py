"""Learning from simulated fields, and whole frames through a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streamer.metrics.quality import linear_fit_psnr
from streamer.training.examples import Batch
from streamer.training.fields import Field, draw_batch
from streamer.training.losses import segmentation_loss
from streamer.training.recipe import CLASSES, Recipe

#: Median box sums at which whole validation fields are judged.
LEVELS = (5.0, 10.0, 28.0, 100.0)
#: Cross-entropy weights of background, tubule, sheet: tubules are thin and most easily lost.
CLASS_WEIGHTS = (1.0, 1.5, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedExamples:
    """Denoising: crops of simulated fields with fresh noise; score in dB of PSNR gained over raw frames."""

    fields: tuple[Field, ...]
    validation: tuple[Field, ...]
    recipe: Recipe

    def batch(self, step: int) -> Batch:
        """Crops, turns, flips and noise of a step."""
        return draw_batch(self.fields, self.recipe, step)

    def score(self, network: nn.Module) -> Mapping[str, float]:
        """Gain on whole validation fields at each of `LEVELS`."""
        return {f"gain_db_at_{level:g}": self._gain_db(network, level) for level in LEVELS}

    def _gain_db(self, network: nn.Module, box_sum: float) -> float:
        raw = [noisy(field, box_sum, self.recipe.seed) for field in self.validation]
        truth = [field.signal.astype(np.float32) * (box_sum / 100.0) for field in self.validation]
        denoised = [expected(network, image) for image in raw]
        return linear_fit_psnr(denoised, truth).psnr_db - linear_fit_psnr(raw, truth).psnr_db


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmenterExamples:
    """Segmentation of the denoiser's output; score as intersection over union of each class."""

    denoiser: nn.Module
    fields: tuple[Field, ...]
    validation: tuple[Field, ...]
    recipe: Recipe

    def batch(self, step: int) -> Batch:
        """As for a denoiser; the loss denoises it."""
        return draw_batch(self.fields, self.recipe, step)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Weighted cross-entropy of the classes seen in the denoiser's output."""
        weights = torch.tensor(CLASS_WEIGHTS, device=batch.photons.device)
        denoiser = self.denoiser.to(batch.photons.device).eval()
        with torch.autocast(
            batch.photons.device.type, torch.bfloat16, enabled=self.recipe.precision != "f32"
        ):
            with torch.no_grad():
                denoised = denoiser(_laid_out(batch.photons))[:, :1].float()
            logits = network.logits(denoised)  # type: ignore[operator]
        return segmentation_loss(logits.float(), batch.labels, weights)

    def score(self, network: nn.Module) -> Mapping[str, float]:
        """Of each class on whole validation fields at each of `LEVELS`."""
        scores: dict[str, float] = {}
        for level in LEVELS:
            images = [noisy(field, level, self.recipe.seed) for field in self.validation]
            found = [predict_labels(network, expected(self.denoiser, image)) for image in images]
            overlap = intersection_over_union(found, [field.labels for field in self.validation])
            scores |= {
                f"iou_{name}_at_{level:g}": value for name, value in zip(CLASSES, overlap, strict=True)
            }
        return scores


def noisy(field: Field, box_sum: float, seed: int) -> NDArray[np.float32]:
    """[y, x] counts of a whole field at a median box sum; the same seed draws the same noise."""
    expected = (field.signal.astype(np.float32) + field.background.astype(np.float32)) * (box_sum / 100.0)
    return np.random.default_rng((seed, 22)).poisson(expected).astype(np.float32)


@torch.inference_mode()
def predict(network: nn.Module, image: NDArray[np.float32], multiple: int = 16) -> NDArray[np.float32]:
    """[y, x] or [frames, y, x] to [y, x], or [channels, y, x] where there are several, in float32.

    Pads by reflection to the size multiple and crops; runs where the network's weights are.
    """
    height, width = image.shape[-2:]
    margin = ((0, 0),) * (image.ndim - 2)
    padded = np.pad(image, (*margin, (0, -height % multiple), (0, -width % multiple)), mode="reflect")
    tensor = torch.from_numpy(padded.reshape(1, -1, *padded.shape[-2:])).to(_device(network))
    output: NDArray[np.float32] = network(_laid_out(tensor)).float().cpu().numpy()
    cropped = output[0, :, :height, :width]
    return cropped[0] if len(cropped) == 1 else cropped


def expected(denoiser: nn.Module, image: NDArray[np.float32], multiple: int = 16) -> NDArray[np.float32]:
    """[y, x] expected photons of a denoiser, without the deviation it may state beside them."""
    output = predict(denoiser, image, multiple)
    return output if output.ndim == 2 else output[0]


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


def _laid_out(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)


def _device(network: nn.Module) -> torch.device:
    return next((weights.device for weights in network.parameters()), torch.device("cpu"))

"""How close an image comes to the truth, where the truth is known.

Photon scales differ between methods (a filter keeps the background, a network may not), so each method is
given one gain and one offset over all of its frames, never one per frame: a method that misjudges brightness
from frame to frame pays for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.metrics.tiles import foreground_tiles, tile_sums

Image = NDArray[np.generic]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """PSNR of one method on a set of frames.

    Attributes:
        psnr_db: over all pixels of all frames together.
        frame_psnr_db: [frame] of each frame, under the same fit and peak.
        gain: fitted; truth is about gain x prediction + offset.
        offset: fitted, photons.
        peak: highest minus lowest value of all truths, photons.
    """

    psnr_db: float
    frame_psnr_db: NDArray[np.float64]
    gain: float
    offset: float
    peak: float


def linear_fit(predictions: Sequence[Image], truths: Sequence[Image]) -> tuple[float, float]:
    """Gain and offset that bring all predictions closest to the truths in the least-squares sense.

    A prediction without any contrast gets gain 0 and the mean of the truths as offset.
    """
    prediction = np.concatenate([np.ravel(image).astype(np.float64) for image in predictions])
    truth = np.concatenate([np.ravel(image).astype(np.float64) for image in truths])
    centred = prediction - prediction.mean()
    variance = centred @ centred
    gain = float(centred @ (truth - truth.mean()) / variance) if variance > 0 else 0.0
    return gain, float(truth.mean() - gain * prediction.mean())


def psnr_db(prediction: Image, truth: Image, peak: float) -> float:
    """Peak signal-to-noise ratio: 10 log10(peak^2 / mean squared error); infinite for equal images."""
    error = float(np.mean(np.square(prediction.astype(np.float64) - truth.astype(np.float64))))
    return float(10.0 * np.log10(peak**2 / error)) if error > 0 else float("inf")


def mean_absolute_error(prediction: Image, truth: Image) -> float:
    """Mean of |prediction - truth|, in the unit of the images."""
    return float(np.mean(np.abs(prediction.astype(np.float64) - truth.astype(np.float64))))


def normalised_root_mean_square_error(prediction: Image, truth: Image) -> float:
    """Root of the mean squared error over that of the mean squared truth; nan where the truth is all 0."""
    scale = float(np.sqrt(np.mean(np.square(truth.astype(np.float64)))))
    error = prediction.astype(np.float64) - truth.astype(np.float64)
    return float(np.sqrt(np.mean(np.square(error)))) / scale if scale > 0 else float("nan")


def pearson(a: Image, b: Image) -> float:
    """Correlation of the pixels of two images; nan where one of them is constant."""
    first, second = (np.ravel(image).astype(np.float64) for image in (a, b))
    first, second = first - first.mean(), second - second.mean()
    norm = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / norm if norm > 0 else float("nan")


def linear_fit_psnr(predictions: Sequence[Image], truths: Sequence[Image]) -> Quality:
    """PSNR of one method: one gain and offset over all frames, the peak is the data range of all truths.

    Args:
        predictions: images [y, x] of one method.
        truths: noise-free images [y, x], in the same order.

    Raises:
        ValueError: no frames, or not as many predictions as truths.
    """
    if not truths or len(predictions) != len(truths):
        raise ValueError(
            f"{len(predictions)} predictions for {len(truths)} truths; pass one of each per frame"
        )
    gain, offset = linear_fit(predictions, truths)
    peak = float(max(image.max() for image in truths)) - float(min(image.min() for image in truths))
    fitted = [gain * image.astype(np.float64) + offset for image in predictions]
    errors = [
        np.mean(np.square(image - truth.astype(np.float64)))
        for image, truth in zip(fitted, truths, strict=True)
    ]
    sizes = [image.size for image in truths]
    with np.errstate(divide="ignore"):
        frames = 10.0 * np.log10(peak**2 / np.array(errors))
        total = 10.0 * np.log10(peak**2 / np.average(errors, weights=sizes))
    return Quality(psnr_db=float(total), frame_psnr_db=frames, gain=gain, offset=offset, peak=peak)


def median_box_sum(counts: Image, labels: NDArray[np.uint8], size: int = 10) -> float:
    """Median photon sum of foreground boxes: the tiles of which at least half of the pixels have a label.

    NaN where there is none.
    """
    foreground = foreground_tiles(labels, size)
    return float(np.median(tile_sums(counts, size)[foreground])) if foreground.any() else float("nan")


def gain_interval_db(
    method: Quality,
    reference: Quality,
    rng: np.random.Generator,
    draws: int = 2_000,
    sizes: Sequence[int] | None = None,
) -> tuple[float, float]:
    """95 % interval of how much higher a method's PSNR is than a reference's on the same frames, in dB.

    Percentile bootstrap over frames; the fits stay as they are. `sizes` are the frames' numbers of pixels,
    by which their errors count; None: all are equal.
    """
    picks = rng.integers(len(method.frame_psnr_db), size=(draws, len(method.frame_psnr_db)))
    weights = np.ones(len(method.frame_psnr_db)) if sizes is None else np.array(sizes) / np.mean(sizes)
    errors, against = (
        10.0 ** (-quality.frame_psnr_db[picks] / 10.0) * weights[picks] for quality in (method, reference)
    )
    low, high = np.quantile(10.0 * np.log10(against.mean(axis=1) / errors.mean(axis=1)), [0.025, 0.975])
    return float(low), float(high)

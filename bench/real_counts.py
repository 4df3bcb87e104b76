"""Real images of single photons: loading, whether they are counts, thinning, errors without a truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from streamer.errors import SourceError
from streamer.metrics import noise_ratio
from streamer.metrics.fourier import Rings, resolution
from streamer.metrics.statistics import Floats
from streamer.metrics.thinning import thin

Counts = NDArray[np.int64]
Image = NDArray[np.float32]

#: Where signed numbers stored in uint16 have their zero.
SIGNED_ZERO = 1 << 15
#: Noise over that of photon counting, within which an image passes for counts.
NOISE_LIMITS = (0.9, 1.1)
#: Share of the photons that the denoisers are shown.
SHOWN = 0.1
#: Predictions below this many photons per pixel (of the shown tenth) count as this many in the deviance.
LEAST_PHOTONS = 1e-3
#: Side of the blocks whose noise is looked at by brightness, pixels.
BLOCK_PX = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class RealImage:
    """One image: its file's name and [y, x] values with the zero taken off."""

    name: str
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What speaks for values being photon counts.

    Attributes:
        mean: value per pixel.
        smallest_step: between values that occur; counts give 1, counts times a factor give the factor.
        missing: share of the whole numbers up to the 99th percentile that do not occur.
        noise_ratio: pixel-to-pixel variance over the mean; 1 for counts, the factor for scaled counts.
        noise_ratio_bright: the same in the brightest tenth of blocks, where dead time would lower it.
        are_counts: step 1, the first ratio within `NOISE_LIMITS`, the second not below them; above 1 it may
            be, where structure is finer than pixels.
    """

    mean: float
    smallest_step: float
    missing: float
    noise_ratio: float
    noise_ratio_bright: float
    are_counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One image thinned: the photons [y, x] shown to denoisers, and the others, which are independent."""

    name: str
    shown: Image
    held_out: Image


def load_images(folder: Path) -> tuple[RealImage, ...]:
    """Every TIFF below a folder, with the zero of signed numbers taken off.

    Raises:
        SourceError: there is none, or one is not a plane of whole numbers from zero on.
    """
    files = sorted(path for path in folder.rglob("*.tif*") if path.is_file())
    if not files:
        raise SourceError(f"{folder}: holds no TIFF; give the folder of the real images")
    return tuple(_load(path) for path in files)


def _load(path: Path) -> RealImage:
    values = tifffile.imread(path)
    if values.ndim != 2 or not np.issubdtype(values.dtype, np.integer):
        raise SourceError(f"{path}: {values.dtype} of shape {values.shape}; needs one plane of whole numbers")
    counts = values.astype(np.int64)
    if counts.min() >= SIGNED_ZERO:
        counts -= SIGNED_ZERO
    if counts.min() < 0:
        raise SourceError(f"{path}: lowest value {counts.min()}; counts are not negative, take off the zero")
    return RealImage(name=path.stem, counts=counts)


def evidence(counts: Counts) -> Evidence:
    """Gaps between values, and noise against brightness."""
    found = np.unique(counts)
    below = found[found <= np.percentile(counts, 99)]
    blocks = sorted(_blocks(counts), key=lambda block: float(block.mean()))
    bright = blocks[-max(1, len(blocks) // 10) :]
    ratio = noise_ratio(counts.astype(np.float32))
    ratio_bright = float(
        np.average([noise_ratio(block) for block in bright], weights=[block.mean() for block in bright])
    )
    step = float(np.diff(found).min()) if found.size > 1 else 0.0
    low, high = NOISE_LIMITS
    return Evidence(
        mean=float(counts.mean()),
        smallest_step=step,
        missing=1.0 - below.size / (int(below.max()) + 1),
        noise_ratio=ratio,
        noise_ratio_bright=ratio_bright,
        are_counts=step == 1 and low <= ratio <= high and low <= ratio_bright,
    )


def _blocks(counts: Counts) -> list[Image]:
    rows, columns = (range(0, size - BLOCK_PX + 1, BLOCK_PX) for size in counts.shape)
    values = counts.astype(np.float32)
    return [values[y : y + BLOCK_PX, x : x + BLOCK_PX] for y in rows for x in columns]


def split(image: RealImage, seed: int, share: float = SHOWN) -> Split:
    """The photons that are shown and those that are held out."""
    shown, others = thin(image.counts, share, np.random.default_rng((seed, *image.name.encode())))
    return Split(name=image.name, shown=shown.astype(np.float32), held_out=others.astype(np.float32))


def squared_error(prediction: Image, held_out: Image, shown: float) -> float:
    """Mean squared error of a prediction at the shown dose, photons^2 per pixel, without knowing the truth.

    With q = 1 - `shown` and truth t at the full dose the held-out y is Poisson of mean q t and independent of
    the prediction p of `shown` t, so E[(q / shown p - y)^2 - y] = (q / shown)^2 (p - `shown` t)^2: divided by
    (q / shown)^2 it is unbiased for the true error, and no constant is left. It may come out below 0.
    """
    factor = (1.0 - shown) / shown
    difference = factor * prediction.astype(np.float64) - held_out
    return float(np.mean(difference**2 - held_out)) / factor**2


def deviance(prediction: Image, held_out: Image, shown: float) -> float:
    """Mean Poisson deviance of photons y held out, 2 (y log(y / m) - y + m), m the scaled prediction."""
    expected = (1.0 - shown) / shown * np.maximum(prediction.astype(np.float64), LEAST_PHOTONS)
    logs = np.log(np.maximum(held_out, 1.0) / expected)
    return float(np.mean(2.0 * (np.where(held_out > 0, held_out * logs, 0.0) - held_out + expected)))


def mean_resolution_px(curves: Floats, rings: Rings) -> float:
    """Where the mean of FRC curves [image, ring] falls below 1/7, pixels; 2 if never, nan if never above."""
    mean = Rings(frequency=rings.frequency, correlation=curves.mean(axis=0), pixels=rings.pixels)
    found = resolution(mean, pixel_nm=1.0)
    if found.nm is not None:
        return found.nm
    return 2.0 if found.state == "beyond-nyquist" else float("nan")

"""Specimens of the test range, which no training has seen, with everything that is true about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.simulation import (
    LOW_DOSE,
    REFERENCE_DOSE,
    Exposure,
    Scene,
    foreground_box_sum,
    sample_settings,
)

#: Seed of the test specimens and their number: the same for every model card, so that cards can be compared.
TEST_SEED = 77
TEST_FRAMES = 16
#: Excitation dose per pixel of the ground truth over that of the low dose (Rahm et al., Table 1): 70.4.
REFERENCE_RATIO = (
    REFERENCE_DOSE.excitation_uw
    * REFERENCE_DOSE.exposure_us
    / (LOW_DOSE.excitation_uw * LOW_DOSE.exposure_us)
)

Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """One low-dose frame of a held-out specimen and the truth behind it; images are [y, x] photons.

    Attributes:
        seed: of the specimen.
        counts: detected photons at the low dose, or at the dose asked for.
        truth: expected photons in focus at that dose, free of noise.
        background: expected photons from elsewhere at that dose.
        labels: uint8 true classes, 0 where nothing is.
        reference_a, reference_b: two independent frames of the same moment at the ground-truth dose, which is
            `REFERENCE_RATIO` times the low dose whatever dose `counts` has. Nothing bleaches between them.
        pixel_nm: pixel size.
        beside: what a denoiser with context is shown beside `counts`, in the order of its channels; of a
            slice the one below and the one above.
    """

    seed: int
    counts: Image
    truth: Image
    background: Image
    labels: NDArray[np.uint8]
    reference_a: Image
    reference_b: Image
    pixel_nm: float
    beside: tuple[Image, ...] = ()

    @property
    def shown(self) -> tuple[Image, ...]:
        """Everything that a denoiser is shown: the frame itself first."""
        return (self.counts, *self.beside)

    @property
    def median_box_sum(self) -> float:
        """Median photon sum of foreground 10x10 boxes of `counts`; nan without foreground."""
        return foreground_box_sum(self.counts, self.labels)


def held_out(
    structure: str, count: int, seed: int, box_sum: float | None = None, size_px: int = 600
) -> tuple[HeldOut, ...]:
    """Frames of `count` specimens of the test range.

    Without `box_sum` they are at the low dose that the test range draws, and their counts are those that the
    model cards are judged on. With it, the light is set so that the median expected photon sum in foreground
    boxes is `box_sum`; specimens and references stay the same.
    """
    return tuple(held_out_one_by_one(structure, count, seed, box_sum, size_px))


def held_out_one_by_one(
    structure: str, count: int, seed: int, box_sum: float | None = None, size_px: int = 600
) -> Iterator[HeldOut]:
    """As `held_out`, each frame when it is asked for."""
    for index in range(count):
        yield _held_out(structure, seed * 1_000_000 + index, box_sum, size_px)


def _held_out(structure: str, seed: int, box_sum: float | None, size_px: int) -> HeldOut:
    # "er" is the default there: its draws are those of the shipped models.
    kind = {} if structure == "er" else {"structure": structure}
    settings, light, time_s = sample_settings("test", seed, (size_px, size_px), **kind)
    exposure = Scene(settings).expose(0, time_s, light)
    expected = exposure.signal + exposure.background
    scale = np.float32(1.0)
    counts = exposure.counts.astype(np.float32)
    if box_sum is not None:
        scale = _scale(exposure, box_sum)
        counts = poisson(expected * scale, seed, 31)
    reference = expected.astype(np.float64) * REFERENCE_RATIO
    return HeldOut(
        seed=seed,
        counts=counts,
        truth=exposure.signal * scale,
        background=exposure.background * scale,
        labels=exposure.labels,
        reference_a=poisson(reference, seed, 32),
        reference_b=poisson(reference, seed, 33),
        pixel_nm=settings.pixel_nm,
    )


def _scale(exposure: Exposure, box_sum: float) -> np.float32:
    """How much more light the level needs; a field without foreground is left as it is."""
    found = foreground_box_sum(exposure.signal + exposure.background, exposure.labels)
    return np.float32(1.0 if np.isnan(found) else box_sum / found)


def laid_out(shown: Sequence[Image], channels: int) -> Image:
    """[channels, y, x] what a network of so many channels is shown; what is missing repeats the nearest."""
    first = list(shown[:channels])
    return np.stack([*first, *first[-1:] * (channels - len(first))])


def poisson(expected: NDArray[np.floating], seed: int, stream: int) -> Image:
    """Counts around expected photons; each stream of a specimen's seed has noise of its own."""
    return np.random.default_rng((seed, stream)).poisson(expected).astype(np.float32)

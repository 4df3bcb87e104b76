"""Frames with their context, for judging what networks make of it: moments before, or slices around.

Specimens are of the test range, which no training has seen; `shift_px` moves them as fast as is asked for, so
that smearing can be measured: does a prediction show where the structure is, or where it was?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamer.simulation.brightness import foreground_box_sum
from streamer.simulation.depth import SLICES, STACK_PIXEL_NM, stack_at_box_sum
from streamer.simulation.sampling import sample_settings
from streamer.simulation.scene import Scene
from streamer.simulation.settings import Light, SceneSettings

Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextExposure:
    """A frame, what was seen with it, and the truth; all photons.

    Attributes:
        counts: [frames, y, x] the frame itself, then the ones before it; or the slice, then below and above.
        truths: [frames, y, x] expected photons in focus of each.
        labels: [y, x] uint8 true classes of the frame itself.
        pixel_nm: pixel size.
    """

    counts: Image
    truths: Image
    labels: NDArray[np.uint8]
    pixel_nm: float

    @property
    def truth(self) -> Image:
        """[y, x] expected photons in focus of the frame itself."""
        image: Image = self.truths[0]
        return image


@dataclass(frozen=True, slots=True, kw_only=True)
class Smear:
    """How much of the past a method shows.

    Attributes:
        error_now: root-mean-square difference to the current truth, photons.
        error_before: the same to the truth one frame earlier.
        share_before: weight of the earlier truth when predictions are fitted by a + b now + c before, as
            c / (b + c): 0 without smear, 1/2 for the mean of both.
    """

    error_now: float
    error_before: float
    share_before: float


def moments(
    settings: SceneSettings, light: Light, frames: int, interval_s: float, shift_px: float = 0.0
) -> tuple[Image, Image, NDArray[np.uint8]]:
    """Signals and expected photons [frames, y, x], newest first, and the newest frame's labels [y, x].

    The specimen drifts by `shift_px` from frame to frame (0: as its settings say) beside its own motion, and
    does not bleach. The oldest frame is at time 0, when drift has carried nothing off.
    """
    if shift_px:
        settings = replace(settings, drift_nm_per_s=shift_px * settings.pixel_nm / interval_s)
    scene = Scene(settings)
    looks = [scene.expected(moment * interval_s, light) for moment in reversed(range(frames))]
    signals = np.stack([signal for signal, _, _ in looks])
    means = np.stack([signal + background for signal, background, _ in looks])
    return signals, means, looks[0][2]


def time_exposures(
    count: int,
    seed: int,
    size_px: int,
    frames: int,
    box_sum: float,
    interval_s: float,
    *,
    structure: str = "er",
    shift_px: float = 0.0,
) -> tuple[ContextExposure, ...]:
    """The newest of `frames` moments of `count` specimens of the test range, with those before.

    Args:
        count: of specimens.
        seed: of specimens and photons.
        size_px: height and width.
        frames: moments, `interval_s` apart.
        box_sum: expected photons of the newest frame's median foreground box.
        interval_s: between frames.
        structure: one of `STRUCTURES`.
        shift_px: drift of the whole specimen from frame to frame, beside its own motion.
    """

    def one(index: int) -> ContextExposure:
        number = seed * 1_000_000 + index
        settings, light, _ = sample_settings("test", number, (size_px, size_px), structure)
        signals, means, labels = moments(settings, light, frames, interval_s, shift_px)
        found = foreground_box_sum(means[0], labels)
        scale = np.float32(1.0 if np.isnan(found) else box_sum / found)
        counts = np.random.default_rng((number, 51)).poisson(means * scale).astype(np.float32)
        return ContextExposure(
            counts=counts, truths=signals * scale, labels=labels, pixel_nm=settings.pixel_nm
        )

    return tuple(one(index) for index in range(count))


def stack_exposures(
    count: int, seed: int, size_px: int, box_sum: float, *, structure: str = "er", slices: int = SLICES
) -> tuple[ContextExposure, ...]:
    """Every slice of `count` stacks of the test range with the ones below and above: count x slices of them.

    At the borders of a stack the slice itself stands in for the one that is missing. Arguments as for
    `time_exposures`; `box_sum` is that of a stack's fullest slice.
    """
    found: list[ContextExposure] = []
    for index in range(count):
        number = seed * 1_000_000 + index
        settings, light, time_s = sample_settings("test", number, (size_px, size_px), structure)
        settings = replace(settings, pixel_nm=STACK_PIXEL_NM)
        stack = stack_at_box_sum(settings, light, time_s, box_sum, slices).expose(0, time_s, light)
        for slice_ in range(slices):
            seen = [slice_, max(slice_ - 1, 0), min(slice_ + 1, slices - 1)]
            found.append(
                ContextExposure(
                    counts=stack.counts[seen].astype(np.float32),
                    truths=stack.signal[seen],
                    labels=stack.labels[slice_],
                    pixel_nm=STACK_PIXEL_NM,
                )
            )
    return tuple(found)


def smear(predictions: Sequence[Image], exposures: Sequence[ContextExposure]) -> Smear:
    """How predictions [y, x] of the newest frames stand to the truth now and one frame before, all together.

    Give exposures of at least two frames, of specimens that move; of still ones both truths are the same.
    """
    shown = np.concatenate([image.ravel() for image in predictions]).astype(np.float64)
    now, before = (
        np.concatenate([exposure.truths[age].ravel() for exposure in exposures]).astype(np.float64)
        for age in (0, 1)
    )
    weights = np.linalg.lstsq(np.stack([np.ones_like(now), now, before], axis=1), shown, rcond=None)[0]
    return Smear(
        error_now=float(np.sqrt(np.mean((shown - now) ** 2))),
        error_before=float(np.sqrt(np.mean((shown - before) ** 2))),
        share_before=float(weights[2] / (weights[1] + weights[2])),
    )

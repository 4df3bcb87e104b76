"""Whole z-stacks of the test range, each slice with those that a denoiser is shown beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from streamer.analysis.held_out import REFERENCE_RATIO, HeldOut, poisson
from streamer.simulation import StackScene, foreground_box_sum, sample_settings
from streamer.simulation.depth import STACK_PIXEL_NM, fullest
from streamer.simulation.sampling import DEFAULT_BOX_SUM


def held_out_stacks(
    structure: str, count: int, seed: int, box_sum: float | None = None, size_px: int = 300
) -> tuple[HeldOut, ...]:
    """Every slice of `count` stacks of the test range, stack by stack, the lowest first.

    Slices of a stack share the seed of their specimen. `box_sum` is the median expected photon sum in the
    foreground boxes of a stack's fullest slice; None takes the low dose, at which the references stay. At the
    borders of a stack the slice itself stands in for the one that is missing, as in the pipeline.
    """
    stacks = [_stack(structure, seed * 1_000_000 + index, box_sum, size_px) for index in range(count)]
    return tuple(held for stack in stacks for held in stack)


def fullest_of(frames: Sequence[HeldOut]) -> HeldOut:
    """The frame with most structure of the first specimen."""
    first = [frame for frame in frames if frame.seed == frames[0].seed]
    return max(first, key=lambda frame: int(np.count_nonzero(frame.labels)))


def _stack(structure: str, seed: int, box_sum: float | None, size_px: int) -> list[HeldOut]:
    settings, light, time_s = sample_settings("test", seed, (size_px, size_px), structure)
    scene = StackScene(replace(settings, pixel_nm=STACK_PIXEL_NM))
    signal, background, labels = scene.expected(time_s, light)
    full = fullest(labels)
    found = foreground_box_sum(signal[full] + background[full], labels[full])
    low = np.float32(1.0 if np.isnan(found) else DEFAULT_BOX_SUM / found)
    level = low if box_sum is None else low * np.float32(box_sum / DEFAULT_BOX_SUM)
    expected = signal + background
    counts = list(poisson(expected * level, seed, 35))
    references = (expected * low).astype(np.float64) * REFERENCE_RATIO
    a, b = (poisson(references, seed, stream) for stream in (36, 37))
    last = len(counts) - 1
    return [
        HeldOut(
            seed=seed,
            counts=own,
            truth=signal[z] * level,
            background=background[z] * level,
            labels=labels[z],
            reference_a=a[z],
            reference_b=b[z],
            pixel_nm=STACK_PIXEL_NM,
            beside=(counts[max(z - 1, 0)], counts[min(z + 1, last)]),
        )
        for z, own in enumerate(counts)
    ]

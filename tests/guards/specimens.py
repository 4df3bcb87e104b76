"""Guards with the settings of these tests, and simulated runs for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from streamer.core import Frame, Result, Verdict
from streamer.guards import Guard, InputRange, Photons, SignalMap, Similarity
from streamer.simulation import LOW_DOSE, Scene, SceneSettings

SIGNAL_MAP = SignalMap(background_max=5, signal_min=25, tiles_min=10, false_pass_rate=1e-3, read_noise_e=0.0)
SIMILARITY = Similarity(
    range_photons=2.0,
    background_max=5,
    boxes_min=5,
    baseline_frames=30,
    spread_min=0.02,
    planned_frames=260,
    false_alarm_rate=0.01,
)
PHOTONS = Photons(
    floor=8.0,
    tolerance=0.1,
    drop=0.1,
    baseline_frames=5,
    tiles_min=10,
    planned_frames=260,
    false_alarm_rate=0.01,
    read_noise_e=0.0,
)
RANGE = InputRange(
    trained_low=2.0,
    trained_high=80.0,
    noise_low=0.8,
    noise_high=1.25,
    saturated_max=1e-3,
    bit_depth=None,
    misfit_max=1.05,
    tiles_min=10,
    signal_min=25,
    read_noise_e=0.0,
)


def as_result(seq: int, counts: NDArray[np.uint16], labels: NDArray[np.uint8]) -> Result:
    """A result whose denoiser is a Gaussian blur, and whose segmenter knows the truth."""
    photons = counts.astype(np.float32)
    return Result(
        frame=Frame(pixels=counts, seq=seq),
        photons=photons,
        denoised=gaussian_filter(photons, 2.0),
        labels=labels,
    )


def simulated(
    settings: SceneSettings, frames: int, *, interval_s: float = 0.6, light: float | Sequence[float] = 1.0
) -> Iterator[Result]:
    """A run on a simulated specimen; `light` scales the excitation, for all or for each frame."""
    scene = Scene(settings)
    for seq, scale in zip(range(frames), np.broadcast_to(light, frames), strict=True):
        power = replace(LOW_DOSE, excitation_uw=LOW_DOSE.excitation_uw * float(scale))
        exposure = scene.expose(seq, seq * interval_s, power)
        yield as_result(seq, exposure.counts, exposure.labels if scale else np.zeros_like(exposure.labels))


def run(guard: Guard[Any], results: Iterator[Result]) -> list[Verdict]:
    """The verdicts of one guard on a run."""
    state, verdicts = guard.start(), []
    for result in results:
        state, verdict = guard.step(state, result)
        verdicts.append(verdict)
    return verdicts


def first_reject(verdicts: Sequence[Verdict]) -> int | None:
    """Number of the first rejected frame."""
    return next((seq for seq, verdict in enumerate(verdicts) if verdict.status == "reject"), None)

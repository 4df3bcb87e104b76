"""Measurements that nobody made, for tests of what reads them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamer.apps.bench.report import BenchReport, Frames, Machine, Measured, Phase, Stage, Sustained
from streamer.apps.bench.timeline import BACK, ON_DISK

MACHINE = Machine(
    cpu="a processor",
    instruction_set="avx2",
    cores=2,
    processors=4,
    memory_gb=16.0,
    gpu="",
    system="Linux",
)


def rounds(median_ms: float, *, seed: int, count: int = 6, each: int = 30) -> list[list[float]]:
    """Times whose logarithm is normal, in rounds of which each has a moment of its own."""
    rng = np.random.default_rng(seed)
    moments = rng.normal(0, 0.02, (count, 1))
    times = median_ms * np.exp(moments + rng.normal(0, 0.1, (count, each)))
    found: list[list[float]] = times.round(4).tolist()
    return found


def measured(*stages: Stage, name: str = "sted-600", waited: int = 1, frames_per_s: float = 1.66) -> Measured:
    """One scenario with an idle phase of these stages."""
    frames = sum(map(len, stages[0].rounds_ms)) if stages else 0
    phase = Phase(
        name="idle",
        words="one frame every 600 ms",
        interval_ms=600.0,
        frames_per_s=frames_per_s,
        frames=Frames(
            exposed=frames,
            recorded=frames,
            processed=frames,
            passed_over=0,
            lost=0,
            waited_at_the_end=waited,
        ),
        stages=list(stages),
    )
    return Measured(
        name=name,
        words="a camera",
        shape_yx=(600, 600),
        channels=1,
        camera="replayed",
        model="er-denoise-live",
        segmenter="er-segment-live",
        segment_every=1,
        engines={"denoiser": [{"runtime": "openvino", "precision": "f32", "threads": 2}]},
        sustained=Sustained(rate_hz=1.67, capacity_hz=4.0, sustained=True, short_by=1.0, words="sustained"),
        phases=[phase],
        baselines=[],
        not_measured=["on screen"],
    )


def report(*scenarios: Measured, machine: Machine = MACHINE, warnings: Sequence[str] = ()) -> BenchReport:
    """A whole measurement."""
    return BenchReport(
        date="2026-01-01T00:00:00+00:00",
        form="quick",
        seconds=200.0,
        machine=machine,
        versions={"streamer": "0.1.0"},
        commit="",
        load_before=0.1,
        load_after=0.5,
        warnings=list(warnings),
        scenarios=list(scenarios),
    )


def typical(back_ms: float = 50.0, *, seed: int = 1) -> BenchReport:
    """One scenario with two stages."""
    stages = (
        Stage(name=BACK, rounds_ms=rounds(back_ms, seed=seed)),
        Stage(name=ON_DISK, rounds_ms=rounds(45.0, seed=seed + 100)),
    )
    return report(measured(*stages))

"""What the guards cost: all that look at every frame, on frames as a simulated microscope gives them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.guards_movies import FULL_LENGTH, INTERVAL_S, specimen
from bench.guards_runs import Study
from bench.measure import percentiles
from streamer.core import Frame, Result
from streamer.guards import warm_up
from streamer.simulation import Scene

#: Field, with its budget in ms on one core, and how many frames are judged after the baselines stand.
SIZES = {600: (10.0, 400), 2048: (60.0, 120)}
#: Different frames that take turns, and frames before those that are timed.
FRAMES, LEARN = 4, 60
#: First seed of these specimens, beside those of the runs.
FIRST = 90_000


def times(study: Study) -> dict[str, Any]:
    """By size: percentiles in ms a frame of all guards together, the median of each, and the budget.

    `all_cpu_ms` is the processor's time alone, which others on the machine lengthen less.
    """
    return {
        f"{size}": _times(study, size, judged) | {"budget_ms": budget}
        for size, (budget, judged) in SIZES.items()
    }


def _times(study: Study, size_px: int, judged: int) -> dict[str, Any]:
    results = _results(study, size_px)
    guards = study.composer.guards(planned=FULL_LENGTH)
    warm_up(guards, (size_px, size_px))
    states: list[Any] = [guard.start() for guard in guards]
    spent: list[list[float]] = []
    worked: list[float] = []
    for seq in range(LEARN + judged):
        known = results[seq % len(results)]
        # A result of its own each time: what guards share is remembered by result. Rows turn, so that no
        # frame is a copy of an earlier one.
        result = _turned(known, seq)
        each, busy = [], time.thread_time()
        for number, guard in enumerate(guards):
            began = time.perf_counter()
            states[number], _ = guard.step(states[number], result)
            each.append(1e3 * (time.perf_counter() - began))
        if seq >= LEARN:
            spent.append(each)
            worked.append(1e3 * (time.thread_time() - busy))
    table = np.array(spent)
    names = [guard.name for guard in guards]
    return {
        "all_ms": _rounded(percentiles(table.sum(axis=1).tolist())),
        "all_cpu_ms": _rounded(percentiles(worked)),
        "each_p50_ms": dict(zip(names, np.median(table, axis=0).round(2).tolist(), strict=True)),
    }


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}


def _turned(known: Result, seq: int) -> Result:
    def turned(image: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(np.roll(image, 10 * (seq % 3), axis=0))

    return Result(
        frame=Frame(pixels=turned(known.frame.pixels), seq=seq),
        photons=turned(known.photons),
        denoised=turned(known.denoised),
        labels=turned(known.labels),
    )


def _results(study: Study, size_px: int) -> list[Result]:
    of, stages = specimen(FIRST + size_px, size_px), study.stages()
    scene = Scene(of.settings)
    shots = [scene.expose(seq, of.start_s + seq * INTERVAL_S, of.light) for seq in range(FRAMES)]
    frames = [Frame(pixels=shot.counts, seq=seq) for seq, shot in enumerate(shots)]
    return [stages.segment(stages.denoise(frame)) for frame in frames]

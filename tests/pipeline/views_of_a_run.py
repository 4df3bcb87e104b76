"""Small runs of several views for tests of this room, and guards for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from guards.specimens import RANGE

from streamer.core import Result, Verdict
from streamer.guards import Guard, Photons, SignalMap, Similarity
from streamer.guards.conformance import movie
from streamer.pipeline import Running, views

RUN: dict[str, Any] = {"planned_frames": 40, "false_alarm_rate": 0.01}
GUARDS: tuple[Guard[Any], ...] = (
    SignalMap(background_max=5, signal_min=25, tiles_min=10, false_pass_rate=1e-3, read_noise_e=0.0),
    Similarity(range_photons=2.0, background_max=5, boxes_min=5, baseline_frames=8, spread_min=0.02, **RUN),
    Photons(floor=8.0, tolerance=0.1, drop=0.1, baseline_frames=5, tiles_min=10, read_noise_e=0.0, **RUN),
    RANGE,
)


def interleaved(*places: Mapping[str, int | str], frames: int = 40) -> list[Result]:
    """A movie at each place, visited by turns; a little darker at each further place."""
    results = []
    for time, result in enumerate(movie(frames)):
        for number, place in enumerate(places):
            frame = replace(result.frame, seq=time * len(places) + number, axes={"time": time, **place})
            photons = np.floor(result.photons * (1 - 0.1 * number)).astype(np.float32)
            results.append(replace(result, frame=frame, photons=photons, denoised=photons))
    return results


def running(state: views.ViewsState | None = None) -> Running[Any, Any, tuple[Verdict, ...]]:
    return Running(lambda s, result: views.step(s, result, guards=GUARDS), state or views.ViewsState())


def judged(results: Iterable[Result]) -> Iterator[tuple[Verdict, ...]]:
    """The verdicts on each result of a run that begins here."""
    return map(running(), results)

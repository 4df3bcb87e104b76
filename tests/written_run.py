"""A small recording with everything in it, written by the sinks of the product."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from streamer.apps.recorder import open_recorder
from streamer.core import CONTINUE, Decision, Frame, Outcome, Result, Verdict
from streamer.profile import load_profile
from streamer.recording import RunFolder, RunInfo, create_run, read_info, write_info

PLANE = (48, 64)
PROFILE = "abberior_er_low"


def counts(seq: int) -> np.ndarray:
    """[y, x] uint16 counts of frame `seq`: a bright bar that moves, over hardly any background."""
    mean = np.full(PLANE, 0.02)
    mean[10:20, (5 + seq) % 40 : (5 + seq) % 40 + 12] = 30 * 0.97**seq
    return np.random.default_rng(seq).poisson(mean).astype(np.uint16)


def outcome(
    seq: int, axes: Mapping[str, int | str], *, decision: Decision = CONTINUE, uncertain: bool = True
) -> Outcome:
    """What the processor says of frame `seq`."""
    pixels = counts(seq)
    photons = pixels.astype(np.float32)
    labels = (photons > 8).astype(np.uint8)
    labels[30:34, 30:40] = 2  # drawn where there is nothing
    frame = Frame(pixels=pixels, seq=seq, axes=dict(axes), wall_time_s=1.7e9 + 0.5 * seq, exposure_ms=500.0)
    result = Result(
        frame=frame,
        photons=photons,
        denoised=photons * 0.5,
        labels=labels,
        uncertainty=np.sqrt(photons) if uncertain else None,
    )
    level = 25 * 0.98**seq
    verdicts = (
        Verdict(guard="photons", status="pass", measured=level, limit=8.0, meaning=f"{level:.1f} photons"),
        Verdict(guard="similarity", status="pass", measured=0.93, limit=0.8, meaning="similarity 0.93"),
    )
    return Outcome(
        frame=frame,
        results=(result,),
        verdicts=verdicts,
        decision=decision,
        timings_ms={"denoise": 30.0, "segment": 4.0},
        lag_ms=40.0 + seq,
    )


@contextmanager
def growing_run(path: Path) -> Iterator[tuple[RunFolder, Callable[[Outcome], None]]]:
    """A recording that goes on, and how to write one more frame of it; closed at the end."""
    profile = load_profile(PROFILE)
    info = RunInfo(
        pixel_nm=20.0, profile=json.loads(profile.model_dump_json()), source={"hook": {"planned": 60}}
    )
    run = create_run(path, info)
    sinks = open_recorder(
        run, profile, pixel_nm=20.0, dose=lambda frame: ({}, {"excitation 640 nm uJ/px": 0.1})
    )

    def put(one: Outcome) -> None:
        sinks.put_raw(one.frame)
        sinks.put(one)

    try:
        yield run, put
    finally:
        sinks.close()
        write_info(run, read_info(run).model_copy(update={"state": "closed", "ended_wall_s": 1.7e9 + 100}))


def write_run(
    path: Path,
    axes: Sequence[Mapping[str, int | str]] = tuple({"time": n} for n in range(40)),
    *,
    uncertain: bool = True,
) -> RunFolder:
    """A closed recording of one frame for each of `axes`; the last one stops it."""
    with growing_run(path) as (run, put):
        for seq, place in enumerate(axes):
            stop = Decision(action="stop", reason="stopped: signal is gone: 6.1 photons per box")
            last = seq == len(axes) - 1
            put(outcome(seq, place, decision=stop if last else CONTINUE, uncertain=uncertain))
    return run

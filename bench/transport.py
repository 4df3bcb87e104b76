"""From the first instruction of the hook to the frame being in the processor's hands."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np
from numpy.typing import NDArray

from bench.beside import PATIENCE_S, PROFILE, listen, waiting
from bench.measure import Asked, Options, Row, keeping_up, percentiles
from streamer import Hook
from streamer.apps.children import Child
from streamer.core import Outcome
from streamer.hook import HookReport

TITLE = "Hook to processor"
METHOD = """\
A process hands frames of a camera to a hook at a steady pace, another one has the live source and
acknowledges each; no engine, no recording, no networks. Milliseconds from the first instruction of the
callback (`Frame.hook_ns`) to the moment `LiveSource.frames()` gives the frame, one clock. Both ways take
turns, run by run; the first 20 frames of each run are warm-up and left out."""
FRAMES_PER_S = 30
WARM_UP = 20
SEED = 1
#: Whether pixels go through shared memory, in words, and the p99 asked of it in ms.
WAYS: Mapping[bool, tuple[str, float]] = {True: ("shared memory", 2.0), False: ("TCP loopback", 10.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Frame size, frames of a run, runs of each way."""

    shape: tuple[int, int]
    frames: int
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run: how long frames were handed over, how long each was on its way, what the hook then said."""

    seconds: float
    arrival_ms: list[float]
    report: HookReport


FULL = Size(shape=(2048, 2048), frames=320, rounds=4)
QUICK = Size(shape=(64, 64), frames=30, rounds=1)


def run(options: Options) -> list[Row]:
    """A row for each way."""
    size = QUICK if options.quick else FULL
    images = np.random.default_rng(SEED).poisson(100, (8, *size.shape)).astype(np.uint16)
    runs: dict[bool, list[Run]] = {shared: [] for shared in WAYS}
    for _ in range(size.rounds):
        for shared, done in runs.items():
            done.append(_one_run(images, size.frames, shared, options))
    megabytes = images[0].nbytes / 1e6
    return [
        _row(f"{words}, {megabytes:.2g} MB", runs[shared], asked_ms)
        for shared, (words, asked_ms) in WAYS.items()
    ]


def take(shared: bool, link: Connection) -> None:
    """Target of the taking process: answer every frame, tell how long each was on its way."""
    source, arrival_ms = listen(), []
    link.send_bytes(json.dumps({"ready": source.endpoint}).encode())
    source.wait_for_hook()
    for frame in source.frames():
        arrival_ms.append((time.monotonic_ns() - frame.hook_ns) / 1e6)
        source.reply(Outcome(frame=frame))
    source.close(len(arrival_ms))
    link.send_bytes(json.dumps({"arrival_ms": arrival_ms}).encode())


def _row(what: str, runs: list[Run], asked_ms: float) -> Row:
    reports = [run.report for run in runs]
    frames, lost = sum(report.acquired for report in reports), sum(report.lost for report in reports)
    behind = sum(waiting(report) for report in reports)
    return Row(
        what=what,
        load=keeping_up(sum(run.seconds for run in runs), frames, behind, lost),
        unit="ms",
        figures=percentiles([ms for run in runs for ms in run.arrival_ms[WARM_UP:]]),
        asked=Asked(figure="p99", at="most", limit=asked_ms),
    )


def _one_run(images: NDArray[np.uint16], frames: int, shared: bool, options: Options) -> Run:
    with Child("taker", take, shared, if_it_dies="a measurement is lost") as taker:
        hook = Hook(PROFILE, taker.expect("ready"), spool_dir=options.folder, shared_memory=shared)
        started_s = time.monotonic()
        for index in range(frames):
            time.sleep(max(0.0, started_s + index / FRAMES_PER_S - time.monotonic()))
            hook.image_process_fn(images[index % len(images)], {"Axes": {"time": index}, "Exposure": 10.0})
        seconds, report = time.monotonic() - started_s, hook.report()
        hook.close(PATIENCE_S)
        return Run(seconds=seconds, arrival_ms=taker.expect("arrival_ms"), report=report)

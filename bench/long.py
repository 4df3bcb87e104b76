"""A run as long as the seven hours of the source: nothing lost, memory flat."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from bench.beside import PATIENCE_S, PROFILE, Work, processor, waiting
from bench.demo_camera import acquire, demo_camera, set_mode
from bench.measure import Asked, Options, Row, keeping_up
from streamer import Hook
from streamer.apps.children import Child
from streamer.recording import RunFolder, iter_lines

TITLE = "A long run"
METHOD = """\
One sequence of the DemoCamera through Pycro-Manager's Python backend, uint16, as many frames as 7 h at
4.6 s. Without inference at 10 ms exposure; with inference (if it was run) at an exposure that leaves the
networks time. Frames per second from the first callback to the last acknowledgement. Resident memory of
both processes (shared memory counts in both) every 0.05 s, means over the second and the last tenth of
that time."""
SAMPLE_S = 0.05
TENTHS = 10
#: Small, so that it does not hide what grows.
BUFFER_MB = 64
MB = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One long run: what the processor does, and the camera."""

    work: Work
    frames: int
    shape: tuple[int, int]
    exposure_ms: float


RECORDING = Run(work="recording", frames=5480, shape=(600, 600), exposure_ms=10.0)
INFERRING = Run(work="inferring", frames=5480, shape=(600, 600), exposure_ms=200.0)
QUICK = Run(work="recording", frames=150, shape=(64, 64), exposure_ms=10.0)


def run(options: Options) -> list[Row]:
    """Frames first, then memory, for each run."""
    runs = (QUICK,) if options.quick else (RECORDING, INFERRING)[: 1 + options.with_inference]
    return [row for index, each in enumerate(runs) for row in _rows(each, options.folder / str(index))]


def microscope(told: tuple[Run, str, Path], link: Connection) -> None:
    """Target of the microscope's process."""
    run, endpoint, spool = told
    with demo_camera(buffer_mb=BUFFER_MB) as core:
        set_mode(core, run.shape, run.exposure_ms)
        hook = Hook(PROFILE, endpoint, planned=run.frames, spool_dir=spool)
        begun_ns: list[int] = []

        def process(image: NDArray[Any], metadata: dict[str, Any]) -> None:
            if not begun_ns:
                begun_ns.append(time.monotonic_ns())
            hook.image_process_fn(image, metadata)

        seconds = acquire(run.frames, process, hook.attach)
        behind = waiting(hook.report())
        report = hook.close(PATIENCE_S)
    answer = {"begun_ns": begun_ns[0], "seconds": seconds, "behind": behind, "acquired": report.acquired}
    link.send_bytes(json.dumps({"report": answer}).encode())


def _rows(run: Run, folder: Path) -> list[Row]:
    folder.mkdir()
    with processor(run.work, folder / "run", run.shape) as beside:
        told = (run, beside.expect("ready")["endpoint"], folder / "spool")
        with Child("microscope", microscope, told, if_it_dies="a measurement is lost") as scope:
            samples = _watch({"microscope": scope, "processor": beside}, until=scope)
            report = scope.expect("report")
        beside.expect("summary")
    during = {name: [mb for ns, mb in taken if ns >= report["begun_ns"]] for name, taken in samples.items()}
    unique = len({row["seq"] for row in iter_lines(RunFolder(folder / "run").frames)})
    lost = report["acquired"] - unique
    load = keeping_up(report["seconds"], report["acquired"], report["behind"], lost)
    words = f"{run.frames} frames of {run.shape[0]}x{run.shape[1]}, {run.work}"
    whole_s = (samples["microscope"][-1][0] - report["begun_ns"]) / 1e9
    frames = Row(
        what=words,
        load=load,
        unit="",
        figures={
            "n": run.frames,
            "acquired": report["acquired"],
            "unique recorded": unique,
            "lost": lost,
            "frames/s": report["acquired"] / whole_s,
        },
        asked=Asked(figure="lost", at="most", limit=0),
    )
    return [frames, *(_memory_row(f"{words}, {name}", load, mb) for name, mb in during.items())]


def _watch(children: Mapping[str, Child], *, until: Child) -> dict[str, list[tuple[int, float]]]:
    """Monotonic clock and resident MB of every child, until one of them has news."""
    processes = {name: psutil.Process(child.process.pid) for name, child in children.items()}
    samples: dict[str, list[tuple[int, float]]] = {name: [] for name in children}
    while not until.has_news():
        for name, process in processes.items():
            samples[name].append((time.monotonic_ns(), process.memory_info().rss / MB))
        time.sleep(SAMPLE_S)
    return samples


def _memory_row(what: str, load: str, resident_mb: list[float]) -> Row:
    tenths = [part.mean() for part in np.array_split(resident_mb, TENTHS)]
    second, last = float(tenths[1]), float(tenths[-1])
    return Row(
        what=f"{what}, resident memory",
        load=load,
        unit="MB",
        figures={
            "n": len(resident_mb),
            "second tenth": second,
            "last tenth": last,
            "max": max(resident_mb),
            "apart, %": 100 * abs(last / second - 1),
        },
        asked=Asked(figure="apart, %", at="most", limit=2),
    )

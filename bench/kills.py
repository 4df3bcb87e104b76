"""A processor that is killed again and again: where every frame of the run ended up.

python -m bench.kills --kills 20
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from bench.measure import machine
from streamer.apps.children import Child
from streamer.apps.live import live
from streamer.apps.processor import ProcessorSettings
from streamer.microscope import MicroscopeSettings, microscope_process, scene_settings
from streamer.profile import load_profile
from streamer.recording import RunFolder, iter_lines, open_raw

PROFILE = "abberior_er_low"
SHAPE_YX = (96, 96)
#: Longest time between a processor's first sign of life and its death.
LIFE_S = 2.0


class Killer:
    """Starts the microscope beside the first processor; kills processors at random moments of their lives.

    Every other life, the first among them, begins to count with its first frame: on a slow machine all would
    die before that, and a run whose processors die in vain one after the other is given up. After the last
    kill the acquisition goes on for a while, then it is asked to end.
    """

    def __init__(self, kills: int, seed: int, folder: Path) -> None:
        self._left, self._random, self._folder = kills, random.Random(seed), folder
        self.microscope: Child | None = None
        self.killed_after_s: list[float] = []

    def on_ready(self, ready: dict[str, Any]) -> None:
        """Told of every processor that is ready."""
        if self.microscope is None:
            self.microscope = self._start(ready["endpoint"])
        if self._left:
            self._left -= 1
            works_first = len(self.killed_after_s) % 2 == 0
            self.killed_after_s.append(self._random.uniform(0.0, LIFE_S))
            lives = (ready["pid"], self.killed_after_s[-1], self._rows() if works_first else -1)
            threading.Thread(target=self._kill, args=lives).start()
        else:
            threading.Timer(LIFE_S, self.microscope.finish).start()

    def _kill(self, pid: int, after_s: float, rows_before: int) -> None:
        while self._rows() <= rows_before:
            time.sleep(0.02)
        time.sleep(after_s)
        os.kill(pid, signal.SIGKILL)

    def _rows(self) -> int:
        """Bytes of rows so far."""
        frames = RunFolder(self._folder / "run").frames
        return frames.stat().st_size if frames.exists() else 0

    def _start(self, endpoint: str) -> Child:
        settings = MicroscopeSettings(
            profile=PROFILE,
            scene=scene_settings(load_profile(PROFILE), seed=1, shape_yx=SHAPE_YX),
            endpoint=endpoint,
            frames=20_000,
            frame_ms=20,
            exposures_path=self._folder / "exposures.jsonl",
        )
        return Child("microscope", microscope_process, settings, if_it_dies="it should not have died")


def run(kills: int, *, seed: int, folder: Path) -> dict[str, Any]:
    """One acquisition during which the processor is killed `kills` times; every count of it."""
    killer = Killer(kills, seed, folder)
    settings = ProcessorSettings(
        profile=PROFILE, out=folder / "run", endpoint="tcp://127.0.0.1:*", shape_yx=SHAPE_YX, dry_run=True
    )
    started_s = time.monotonic()
    summary = live(settings, console=Console(stderr=True), quiet=True, on_ready=killer.on_ready)
    assert killer.microscope is not None
    with killer.microscope as microscope:
        seen = microscope.expect("report")
    hook = seen["hook"]
    return {
        "date": date.today().isoformat(),
        "machine": machine(),
        "seed": seed,
        "kills": len(killer.killed_after_s),
        "seconds": time.monotonic() - started_s,
        "exposed": seen["exposed"],
        "acquired": seen["acquired"],
        **{name: hook[name] for name in ("sent", "spooled", "resent", "lost", "acknowledged")},
        "duplicates_refused_by_the_last_processor": summary["duplicates"],
        "recorded": summary["recorded"],
        **_recording(RunFolder(settings.out), folder / "exposures.jsonl"),
    }


def _recording(run: RunFolder, exposures: Path) -> dict[str, Any]:
    """What the recording holds, against the camera's own log."""
    seqs = Counter(row["seq"] for row in iter_lines(run.frames))
    exposed = [row["sha256"] for row in iter_lines(exposures)]
    raw = open_raw(run)
    planes = (np.asarray(raw[t, 0, 0], dtype="<u2") for t in range(raw.shape[0]))
    return {
        "unique_recorded": len(seqs),
        "recorded_twice": sum(count > 1 for count in seqs.values()),
        "raw_equals_exposed": exposed == [hashlib.sha256(plane.tobytes()).hexdigest() for plane in planes],
    }


def main(
    kills: Annotated[int, typer.Option(min=1, help="How often.")] = 20,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the moments; default a new one.")] = None,
) -> None:
    """Kill and count."""
    with tempfile.TemporaryDirectory() as folder:
        report = run(kills, seed=random.randrange(10**6) if seed is None else seed, folder=Path(folder))
    typer.echo(json.dumps(report, indent=2))


if __name__ == "__main__":
    typer.run(main)

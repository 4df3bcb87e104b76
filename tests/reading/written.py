"""Small recordings for tests of this room, made with the sinks that make real ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sinks.recorder import SMALL, denoised, frame_of, labels, outcome_of, record

from streamer.core import Decision, Outcome, Result, Verdict
from streamer.recording import Row, RunFolder, RunInfo, create_run

REGIONS = {"red": (0, 0, 20, 12), "green": (0, 12, 20, 12)}
SPLITTER = {
    "detector": {"channels": [{"name": name, "region_px": list(region)} for name, region in REGIONS.items()]}
}


def recorded(folder: Path, *outcomes: Outcome, **info: Any) -> RunFolder:
    """A recording of `outcomes` that is not closed; nobody holds its lock."""
    run = create_run(folder, RunInfo(**info))
    record(run, *outcomes)
    assert run.lock is not None
    run.lock.release()
    return RunFolder(folder)


def places(frames: int = 24) -> Iterator[Outcome]:
    """Two positions, two channels, three z; every fifth frame was not processed."""
    for seq in range(frames):
        axes = {
            "time": seq // 12,
            "position": ("left/up", 7)[seq % 2],
            "channel": ("red", "blue")[seq // 2 % 2],
            "z": seq // 4 % 3,
        }
        yield outcome_of(seq, processed=seq % 5 != 3, frame=frame_of(seq, SMALL, axes))


def split(seq: int, *names: str, blank: bool = False) -> Outcome:
    """A frame of an image splitter, of which the channels `names` were processed; one pixel out of reach."""
    frame = frame_of(seq, (20, 24), {"time": seq})
    results = []
    for name in names:
        image = denoised(seq, (20, 12)) + np.float32(list(REGIONS).index(name))
        image[0, 0] = np.nan if blank else 1.0
        part = frame_of(seq, (20, 12), {"time": seq, "channel": name})
        drawn = labels(seq, (20, 12))
        results.append(
            Result(frame=part, photons=image, denoised=image, labels=drawn, uncertainty=image / np.float32(2))
        )
    return Outcome(frame=frame, results=tuple(results))


def faded(seq: int, level: float, status: str = "pass") -> Outcome:
    """A frame whose light the guard measured; bleached below 8 photons it is stopped."""
    verdict = Verdict(
        guard="photons", status=status, measured=level, limit=8.0, meaning=f"{level:.3g} photons"
    )
    outcome = outcome_of(seq, SMALL)
    return Outcome(
        frame=frame_of(seq, SMALL, wall_time_s=1000.0 + 4.6 * seq),
        results=outcome.results,
        verdicts=(verdict,),
        timings_ms={"denoise": 5.0 + seq % 7},
        lag_ms=20.0 + seq % 11,
        waiting=seq % 3,
        decision=Decision(action="stop", reason="stopped: signal is gone", evidence=(verdict,))
        if status == "reject"
        else Decision(action="continue"),
    )


def rewrite(path: Path, change: Callable[[Row], Row]) -> None:
    """Change every row of a file."""
    rows = [change(json.loads(line)) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def append(path: Path, *rows: Row) -> None:
    with path.open("a") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)

"""Time inside the hook on the engine's thread."""

from __future__ import annotations

from dataclasses import dataclass

from bench.beside import Streamed, Work, stream
from bench.demo_camera import demo_camera, set_mode
from bench.measure import Asked, Options, Row, keeping_up, percentiles

TITLE = "Time inside the callback"
METHOD = """\
Pycro-Manager's Python backend on Micro-Manager's DemoCamera, sequences of uint16 frames at 10 ms
exposure, pixels through shared memory, processor on the same machine. Milliseconds inside
`Hook.image_process_fn`. Without inference the processor writes raw pixels and rows and acknowledges; with
inference it is the real one with er-denoise-live and er-segment-live, which records every frame and
processes the newest. The two take turns, sequence by sequence; the first 20 frames of each sequence are
warm-up and left out."""
EXPOSURE_MS = 10.0
#: A whole sequence of the largest frames: where inference leaves the engine too little time, it waits here.
BUFFER_MB = 4096
WARM_UP = 20
NAMES: dict[Work, str] = {"recording": "without inference", "inferring": "with inference"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Frames of a sequence, sequences of each kind, and the p99 asked of every frame size."""

    frames: int
    rounds: int
    asked_ms: dict[tuple[int, int], float]


FULL = Size(frames=420, rounds=3, asked_ms={(600, 600): 1.0, (2048, 2048): 3.0})
QUICK = Size(frames=40, rounds=1, asked_ms={(64, 64): 1.0})


def run(options: Options) -> list[Row]:
    """A row for each frame size and work of the processor."""
    size = QUICK if options.quick else FULL
    rows = []
    with demo_camera(buffer_mb=BUFFER_MB) as core:
        for shape, asked_ms in size.asked_ms.items():
            set_mode(core, shape, EXPOSURE_MS)
            runs: dict[Work, list[Streamed]] = {work: [] for work in NAMES}
            for _ in range(size.rounds):
                for work, done in runs.items():
                    done.append(stream(work, options.folder / "sequence", shape, size.frames))
            rows += [_row(shape, work, done, asked_ms) for work, done in runs.items()]
    return rows


def _row(shape: tuple[int, int], work: Work, runs: list[Streamed], asked_ms: float) -> Row:
    frames, seconds = sum(run.report.acquired for run in runs), sum(run.seconds for run in runs)
    behind, lost = sum(run.behind for run in runs), sum(run.report.lost for run in runs)
    return Row(
        what=f"{shape[0]}x{shape[1]}, {NAMES[work]}",
        load=keeping_up(seconds, frames, behind, lost),
        unit="ms",
        figures=percentiles([ms for run in runs for ms in run.callback_ms[WARM_UP:]]),
        asked=Asked(figure="p99", at="most", limit=asked_ms) if work == "recording" else None,
    )

"""Frame rate of the engine with a hook over that of the bare engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from bench.beside import Work, stream
from bench.demo_camera import ProcessFn, acquire, demo_camera, set_mode
from bench.measure import Asked, Options, Row, ratio

TITLE = "Frame rate with hook over that of the bare engine"
METHOD = """\
Pycro-Manager's Python backend on the DemoCamera, 10 ms exposure, pixels through shared memory. All ways
take turns in one process, sequence by sequence, each repetition from another one on; frames per second
from the start of a sequence to the engine's last frame; intervals of 95 % by bootstrap over repetitions;
n counts repetitions. The engine keeps frames in its store in memory (as by default), or not (the image
processor returns nothing). One repetition before is warm-up."""
EXPOSURE_MS = 10.0
#: A second of the engine's largest frames.
BUFFER_MB = 1024
ASKED = Asked(figure="ratio", at="least", limit=0.97)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to run a sequence: with an image processor that does nothing, with a hook, or with neither."""

    processor: ProcessFn | None = None
    hook_beside: Work | None = None
    engine_keeps: bool = True


def keep(image: NDArray[Any], metadata: dict[str, Any]) -> tuple[NDArray[Any], dict[str, Any]]:
    """An image processor that leaves the frame to the engine's store."""
    return image, metadata


def drop(image: NDArray[Any], metadata: dict[str, Any]) -> None:
    """An image processor that keeps the frame out of the engine's store."""


BARE = Way()
KEPT = Way(processor=keep)
DROPPED = Way(processor=drop)
KEPT_AND_RECORDED = Way(hook_beside="recording")
DROPPED_AND_RECORDED = Way(hook_beside="recording", engine_keeps=False)
DROPPED_AND_TAKEN = Way(hook_beside="taking", engine_keeps=False)
WAYS = (BARE, KEPT, KEPT_AND_RECORDED, DROPPED, DROPPED_AND_RECORDED, DROPPED_AND_TAKEN)

#: What is compared: in words, with hook, bare.
RATIOS = (
    ("engine keeps frames, processor records; bare without image processor", KEPT_AND_RECORDED, BARE),
    ("engine keeps frames, processor records; bare returns its arguments", KEPT_AND_RECORDED, KEPT),
    ("engine keeps nothing, processor records; bare returns nothing", DROPPED_AND_RECORDED, DROPPED),
    ("engine keeps nothing, processor only takes frames; bare returns nothing", DROPPED_AND_TAKEN, DROPPED),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Frame size, frames of a sequence, repetitions before those that count, and those."""

    shape: tuple[int, int]
    frames: int
    warm_up: int
    repetitions: int


FULL = Size(shape=(2048, 2048), frames=200, warm_up=1, repetitions=8)
QUICK = Size(shape=(64, 64), frames=20, warm_up=0, repetitions=1)


def run(options: Options) -> list[Row]:
    """A row for each ratio."""
    size = QUICK if options.quick else FULL
    rates: dict[Way, list[float]] = {way: [] for way in WAYS}
    lost = dict.fromkeys(WAYS, 0)
    with demo_camera(buffer_mb=BUFFER_MB) as core:
        set_mode(core, size.shape, EXPOSURE_MS)
        for repetition in range(-size.warm_up, size.repetitions):
            first = repetition % len(WAYS)
            for way in WAYS[first:] + WAYS[:first]:
                frames_per_s, lost_now = _sequence(way, size, options)
                if repetition >= 0:
                    rates[way].append(frames_per_s)
                    lost[way] += lost_now
    return [
        Row(
            what=f"{size.shape[0]}x{size.shape[1]}, {words}",
            load=f"{_mean(rates[hook]):.1f} over {_mean(rates[bare]):.1f} frames/s, {lost[hook]} frames lost",
            unit="",
            figures=ratio(rates[hook], rates[bare]),
            asked=ASKED,
        )
        for words, hook, bare in RATIOS
    ]


def _sequence(way: Way, size: Size, options: Options) -> tuple[float, int]:
    """Frames per second, and frames lost."""
    if way.hook_beside:
        folder = options.folder / "sequence"
        done = stream(way.hook_beside, folder, size.shape, size.frames, engine_keeps=way.engine_keeps)
        return size.frames / done.seconds, done.report.lost
    return size.frames / acquire(size.frames, way.processor), 0


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)

"""What viewers cost the pipeline."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import psutil

from bench.measure import Asked, Options, Row, percentiles, ratio
from bench.preview_run import Feed, rows_of, viewers, watched_run

TITLE = "What four viewers and a stalled one cost the pipeline"
METHOD = """\
One run of the real processor with er-denoise-live and er-segment-live, every frame recorded, fed through a
hook as fast as it acknowledges (two frames on their way). Blocks without and with viewers take turns; which
comes first alternates. With: the page's process serves four viewers that take every image at 600x600 with
segmentation and trust, and one that has asked and never reads. Without: page and viewers are stopped
(SIGSTOP), so that they take no time at all. Page and viewers have nice +14. **Everything shares this
machine:** priority decides who waits for a core, not how fast two threads run that share one, and real
viewers bring computers of their own; so these ratios overstate what the page costs. Latency is `lag_ms` of
the recording, from the hook's hand-over to the verdict. The first frames of a block are left out. Intervals
of 95 % by bootstrap over pairs of blocks; of p99 over blocks, all frames of a block together. Time on the
processor of page and viewers: user and system, per frame of the pipeline."""
VIEWERS, STALLED = 4, 1
BOOTSTRAP_DRAWS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Frame size, pairs of blocks, frames of a block, and those left out at its start."""

    shape: tuple[int, int]
    pairs: int
    frames: int
    warm_up: int


@dataclass(slots=True)
class Arm:
    """Blocks of one kind: frames per second, ms per frame on the processor of page and of viewers, frames."""

    per_s: list[float] = field(default_factory=list)
    cpu_ms: list[tuple[float, float]] = field(default_factory=list)
    frames: list[tuple[int, int]] = field(default_factory=list)


FULL = Size(shape=(600, 600), pairs=10, frames=110, warm_up=10)
QUICK = Size(shape=(256, 256), pairs=2, frames=20, warm_up=4)


def run(options: Options) -> list[Row]:
    """Throughput, latency at the middle and at the end, with over without."""
    size = QUICK if options.quick else FULL
    arms = {False: Arm(), True: Arm()}
    with watched_run(options.folder / "run", size.shape) as watched:
        watched.feed.as_fast_as_possible(2 * size.warm_up)
        with viewers(watched.page.url, VIEWERS, STALLED, size.shape) as started:
            watched.feed.as_fast_as_possible(2 * size.warm_up)
            stoppable = [watched.page.pid, *(process.pid for process in started)]
            try:
                for pair in range(size.pairs):
                    for with_viewers in (pair % 2 == 0, pair % 2 == 1):
                        _signal(stoppable, signal.SIGCONT if with_viewers else signal.SIGSTOP)
                        _block(watched.feed, size, arms[with_viewers], stoppable)
            finally:
                _signal(stoppable, signal.SIGCONT)
    lag_ms = {row["seq"]: row["lag_ms"] for row in rows_of(watched.path)}
    blocks = {
        who: [[lag_ms[seq] for seq in range(*ends)] for ends in arm.frames] for who, arm in arms.items()
    }
    return _rows(arms, blocks, size)


def _block(feed: Feed, size: Size, arm: Arm, watching: Sequence[int | None]) -> None:
    feed.as_fast_as_possible(size.warm_up)
    first, before_ms = feed.sent, _cpu_ms(watching)
    arm.per_s.append(size.frames / feed.as_fast_as_possible(size.frames))
    page, *others = (now - before for now, before in zip(_cpu_ms(watching), before_ms, strict=True))
    arm.cpu_ms.append((page / size.frames, sum(others) / size.frames))
    arm.frames.append((first, feed.sent))


def _cpu_ms(pids: Iterable[int | None]) -> list[float]:
    """Time that each process has had of a processor."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return [1e3 * (one.user + one.system) for one in times]


def _signal(pids: Iterable[int | None], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid or 0, number) if pid else None


def _rows(arms: dict[bool, Arm], blocks: dict[bool, list[list[float]]], size: Size) -> list[Row]:
    mean = {who: sum(arm.per_s) / len(arm.per_s) for who, arm in arms.items()}
    load = f"{mean[True]:.2f} over {mean[False]:.2f} frames/s, as fast as inference allows"
    middle = {who: [float(np.median(block)) for block in lags] for who, lags in blocks.items()}
    what = f"{size.shape[0]}x{size.shape[1]}, {VIEWERS} viewers and {STALLED} stalled over none"
    return [
        Row(
            what=f"{what}, throughput",
            load=load,
            unit="",
            figures=ratio(arms[True].per_s, arms[False].per_s),
            asked=Asked(figure="ratio", at="least", limit=0.97),
        ),
        Row(
            what=f"{what}, p50 latency",
            load=load,
            unit="",
            figures=ratio(middle[True], middle[False]),
            asked=Asked(figure="ratio", at="most", limit=1.03),
        ),
        *(
            Row(what=f"latency {words}", load=load, unit="ms", figures=_latency(blocks[who]))
            for who, words in ((False, "without viewers"), (True, "with viewers"))
        ),
        *(
            Row(what=f"{who}, time on the processor per frame", load=load, unit="ms", figures=percentiles(ms))
            for who, ms in zip(("page", "viewers"), zip(*arms[True].cpu_ms, strict=True), strict=True)
        ),
    ]


def _latency(blocks: Sequence[Sequence[float]]) -> dict[str, float]:
    """Percentiles of all frames, and the ends of the interval of p99 where so many frames carry one."""
    found = percentiles([ms for block in blocks for ms in block])
    if "p99" not in found:
        return found
    random = np.random.default_rng(0)
    held = [np.asarray(block) for block in blocks]
    drawn = [
        np.percentile(np.concatenate([held[n] for n in random.integers(0, len(held), len(held))]), 99)
        for _ in range(BOOTSTRAP_DRAWS)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {**found, "p99 low": float(low), "p99 high": float(high)}

"""Memory of the page over a run as long as the seven hours of the source."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession
from playwright.sync_api import Page as BrowserPage

from bench.measure import Asked, Options, Row
from bench.preview_run import PROFILE, page_of, rows_of, watched_run
from bench.preview_screen import chromium, opened, wait_until
from streamer.apps.children import Child
from streamer.apps.recorder import open_recorder
from streamer.core import CONTINUE, Frame, Outcome, Result, Verdict
from streamer.profile import load_profile
from streamer.reading import WatchedRun, read_planes
from streamer.recording import RunInfo, close_run, create_run
from streamer.sinks.preview import PreviewSink

TITLE = "Memory of the page"
METHOD = """\
A real Chromium looks at a recording that grows by 5,480 frames, as many as 7 h at 4.6 s, with pixels,
verdicts and snapshots of a few frames that the networks had made before, over and over; no network runs
meanwhile. The JavaScript heap is what is in use after a garbage collection, over the DevTools protocol, so
that it holds what the page keeps and not what it has yet to clear away. Curves and log have a bounded
length, which is reached within the run; medians over the second and the last tenth, because a look now and
then finds an image half unpacked, which is the maximum."""
FRAMES_PER_S = 40.0
TENTHS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Frame size, frames of the long run, and frames between two looks at the heap."""

    shape: tuple[int, int]
    frames: int
    every: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What the playing process is told: what it plays, where it records, how many frames."""

    source: Path
    out: Path
    frames: int


FULL = Size(shape=(600, 600), frames=5480, every=50)
QUICK = Size(shape=(256, 256), frames=400, every=20)


def run(options: Options) -> list[Row]:
    """The heap, and how many elements the page has."""
    size = QUICK if options.quick else FULL
    source = options.folder / "source"
    with watched_run(source, size.shape) as watched:
        watched.feed.as_fast_as_possible(12)
    out = options.folder / "long"
    told = Played(source=source, out=out, frames=size.frames)
    with Child("player", play, told, if_it_dies="a measurement is lost") as player:
        publisher = player.expect("ready")
        with page_of(out, publisher) as page, chromium() as browser:
            shown = opened(browser, page.url, until="hello_ms")
            player.finish()  # the first word lets it play, a second one ends it
            session = shown.context.new_cdp_session(shown)
            looks = _look(session, shown, size)
            images = shown.evaluate("window.streamer.counts.images")
            player.expect("done")
    heap_mb = [heap for heap, _ in looks]
    nodes = [float(count) for _, count in looks]
    load = f"{size.frames} frames at {FRAMES_PER_S:g}/s, {images} images painted"
    asked = Asked(figure="apart, %", at="most", limit=10.0)
    return [
        Row(
            what=f"{size.frames} frames, heap in use, MB",
            load=load,
            unit="",
            figures=_tenths(heap_mb),
            asked=asked,
        ),
        Row(what=f"{size.frames} frames, elements of the page", load=load, unit="", figures=_tenths(nodes)),
    ]


def play(told: Played, link: Connection) -> None:
    """Target of the playing process: records and publishes the same few results under new numbers."""
    profile, results = load_profile(PROFILE), _results(told.source)
    run = create_run(told.out, RunInfo(pixel_nm=profile.pixel_nm, source={"hook": {"planned": told.frames}}))
    dose: dict[str, float] = {}
    counts = {"planned": told.frames, "received": 0, "dropped": 0}
    preview = PreviewSink(run=told.out.name, dose=lambda: dose, counts=lambda: counts)
    link.send_bytes(json.dumps({"ready": preview.endpoint}).encode())
    link.recv_bytes()
    recorder = open_recorder(
        run, profile, pixel_nm=profile.pixel_nm, dose=lambda frame: ({}, dose), further=(preview,)
    )
    started_s = time.monotonic()
    with recorder:
        for seq in range(told.frames):
            time.sleep(max(0.0, started_s + seq / FRAMES_PER_S - time.monotonic()))
            if link.poll(0):
                break
            outcome = results[seq % len(results)]
            frame = replace(outcome.frame, seq=seq, axes={"time": seq}, wall_time_s=time.time())
            result = replace(outcome.results[0], frame=frame)
            dose["excitation 640 nm uJ/px"] = 2.4e-6 * (seq + 1)
            counts["received"] = seq + 1
            recorder.put_raw(frame)
            recorder.put(replace(outcome, frame=frame, results=(result,)))
    preview.end(failed=False)
    close_run(run)
    link.send_bytes(json.dumps({"done": True}).encode())


def _results(source: Path) -> list[Outcome]:
    """Outcomes of a recorded run, as the recorder would be handed them."""
    run = WatchedRun(source)
    run.update()
    (view,) = run.index.views()
    outcomes = []
    for row in rows_of(source):
        entry = run.index.at(view, row["seq"])
        planes = read_planes(run.folder, entry, view.channel) if entry else None
        if planes is None or planes.denoised is None or planes.segmentation is None:
            continue
        frame = Frame(pixels=planes.raw, seq=row["seq"], axes=row["axes"], exposure_ms=row["exposure_ms"])
        result = Result(
            frame=frame,
            photons=planes.raw.astype("float32"),
            denoised=planes.denoised,
            labels=planes.segmentation,
            uncertainty=planes.uncertainty,
        )
        verdicts = tuple(Verdict(**verdict) for verdict in row["verdicts"])
        told: dict[str, Any] = {key: row[key] for key in ("timings_ms", "lag_ms", "waiting")}
        outcomes.append(Outcome(frame=frame, results=(result,), verdicts=verdicts, decision=CONTINUE, **told))
    return outcomes


def _look(session: CDPSession, shown: BrowserPage, size: Size) -> list[tuple[float, int]]:
    """Heap in MB and elements, each `size.every` frames until the last one is shown."""
    looks, due = [], 0
    while True:
        wait_until(shown, f"(window.streamer.shown.seq ?? -1) >= {due}")
        session.send("HeapProfiler.collectGarbage")
        used_mb = session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
        looks.append((used_mb, shown.evaluate("window.streamer.counts.nodes")))
        if due == size.frames - 1:
            return looks
        due = min(max(due + size.every, shown.evaluate("window.streamer.shown.seq") + 1), size.frames - 1)


def _tenths(samples: Sequence[float]) -> dict[str, float]:
    """Medians over the second and the last tenth, and how far they are apart in percent of the first."""
    length = max(1, len(samples) // TENTHS)
    second, last = samples[length : 2 * length] or samples[:1], samples[-length:]
    early, late = statistics.median(second), statistics.median(last)
    return {
        "n": len(samples),
        "second tenth": early,
        "last tenth": late,
        "max": max(samples),
        "apart, %": 100.0 * (late - early) / early,
    }

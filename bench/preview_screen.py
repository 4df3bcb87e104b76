"""From the end of an exposure to pixels on the screen, and how soon a page is there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Page as BrowserPage

from bench.measure import Asked, Options, Row, percentiles
from bench.preview_run import WatchedRun, rows_of, watched_run
from streamer.errors import ProcessDiedError

TITLE = "On the screen"
METHOD = """\
A real Chromium (headless, software rendering, on this machine) looks at a run of the real processor at one
frame each 0.6 s over the loopback. The page itself notes when an image has been painted
(`window.streamer.timings`, wall clock); the hook notes when the exposure had ended; of the difference the
time in the networks (denoise, segment and, on one frame of 20, halves, as recorded) is taken away. What
remains is hook, link, guards, recording, page server, transport, decoding and painting. The first frames
are left out, and a frame that was never painted because a newer one had come is in no percentile. Ready:
from the navigation to the greeting of the server and to the first image painted, by the page's own clock; a
new context (no cache) each time, while the run goes on."""
INTERVAL_S = 0.6
#: Stages of a frame in which networks run.
INFERENCE = ("denoise", "segment", "halves")
CHROMIUM = "/usr/bin/chromium"
VIEWPORT = {"width": 1600, "height": 1000}
LOADED_WITHIN_MS = 60_000
ASKED_EACH_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Frame size, frames shown, those left out at the start, and pages opened."""

    shape: tuple[int, int]
    frames: int
    warm_up: int
    pages: int


FULL = Size(shape=(600, 600), frames=320, warm_up=10, pages=25)
QUICK = Size(shape=(256, 256), frames=24, warm_up=4, pages=3)


def run(options: Options) -> list[Row]:
    """Rows of latency and of readiness."""
    size = QUICK if options.quick else FULL
    with watched_run(options.folder / "run", size.shape) as watched, chromium() as browser:
        watched.feed.as_fast_as_possible(size.warm_up)
        page = opened(browser, watched.page.url)
        noted = _shown(watched, page, size)
        page.context.close()
        ready = [_ready(watched, browser) for _ in range(size.pages)]
    return [*_latency_rows(noted, rows_of(watched.path), size), *_ready_rows(ready, size)]


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--enable-precise-memory-info"]
        )
        try:
            yield browser
        finally:
            browser.close()


def opened(browser: Browser, url: str, until: str = "image_ms") -> BrowserPage:
    """The page in a context of its own, with its first image painted, or as `until` says only greeted."""
    page = browser.new_context(viewport=VIEWPORT).new_page()
    page.goto(url, timeout=LOADED_WITHIN_MS)
    wait_until(page, f"window.streamer?.ready?.{until} != null")
    return page


def wait_until(page: BrowserPage, condition: str) -> None:
    """Wait for what the page can tell; asked from outside, as its own policy forbids to evaluate words.

    Raises:
        ProcessDiedError: it did not come true.
    """
    give_up_s = time.monotonic() + LOADED_WITHIN_MS / 1e3
    while not page.evaluate(condition):
        if time.monotonic() > give_up_s:
            raise ProcessDiedError(f"the page was waited for in vain: {condition}; nothing is measured")
        time.sleep(ASKED_EACH_S)


def _shown(watched: WatchedRun, page: BrowserPage, size: Size) -> list[dict[str, Any]]:
    """What the page notes of each frame; it keeps the newest 500 and is asked before they are more."""
    first = watched.feed.sent + size.warm_up
    watched.feed.at_a_pace(size.warm_up + size.frames, INTERVAL_S)
    last = watched.feed.sent - 1
    wait_until(page, f"window.streamer.timings.some(one => one.seq >= {last})")
    noted: list[dict[str, Any]] = page.evaluate("window.streamer.timings")
    newest = {one["seq"]: one for one in reversed(noted)}  # of a frame painted twice the first time counts
    return [one for one in newest.values() if one["seq"] >= first and one["wall_time_s"]]


def _ready(watched: WatchedRun, browser: Browser) -> dict[str, float]:
    started_s = time.monotonic()
    watched.feed.at_a_pace(1, INTERVAL_S)
    page = opened(browser, watched.page.url)
    ready: dict[str, float] = page.evaluate("window.streamer.ready")
    page.context.close()
    time.sleep(max(0.0, started_s + INTERVAL_S - time.monotonic()))
    return ready


def _latency_rows(noted: list[dict[str, Any]], rows: list[dict[str, Any]], size: Size) -> Iterator[Row]:
    by_seq = {row["seq"]: row for row in rows}
    total, beyond = [], []
    for one in noted:
        timings = by_seq[one["seq"]]["timings_ms"]
        ms = (one["drawn_wall_s"] - one["wall_time_s"]) * 1e3
        total.append(ms)
        beyond.append(ms - sum(timings.get(stage, 0.0) for stage in INFERENCE))
    what = f"{size.shape[0]}x{size.shape[1]}, end of exposure to screen"
    load = f"a frame each {INTERVAL_S:g} s, {len(noted)} of {size.frames} painted"
    asked = Asked(figure="p95", at="most", limit=150.0)
    yield Row(
        what=f"{what}, beyond inference", load=load, unit="ms", figures=percentiles(beyond), asked=asked
    )
    yield Row(what=what, load=load, unit="ms", figures=percentiles(total))


def _ready_rows(ready: list[dict[str, float]], size: Size) -> Iterator[Row]:
    load = f"a frame each {INTERVAL_S:g} s or more slowly"
    asked = Asked(figure="p95", at="most", limit=1000.0)
    for key, words in (("hello_ms", "page ready"), ("image_ms", "first image painted")):
        figures = percentiles([one[key] for one in ready])
        limit = asked if key == "hello_ms" else None
        yield Row(what=f"{words} after opening the link", load=load, unit="ms", figures=figures, asked=limit)

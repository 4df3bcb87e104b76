"""Looking back, small screens, and long runs, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest
from fake_run import FakeRun


def test_looking_back_while_live_goes_on(run: FakeRun, watched: Any) -> None:
    watched.until("document.querySelectorAll('.thumb').length", lambda count: count > 5)
    inked = watched.get(
        """[...document.querySelectorAll(".thumb canvas")].map((thumb) => thumb.getContext("2d")
        .getImageData(0, 0, thumb.width, thumb.height).data.some((value, i) => i % 4 < 3 && value > 60))"""
    )
    assert all(inked)
    live = watched.pixels()
    watched.page.locator(".thumb").nth(1).click()
    watched.until("window.streamer.shown", lambda shown: not shown["live"] and shown["seq"] < run.seq)
    past = watched.get("window.streamer.shown.seq")
    assert watched.pixels() != live
    assert "Looking back" in watched.text("when-text")
    run.seq += 12
    counted = f"{run.seq + 1} of 260"
    watched.until("document.getElementById('vital-left').textContent", lambda text: counted in text)
    assert watched.get("window.streamer.shown.seq") == past
    watched.page.click("#back-to-live")
    watched.until("window.streamer.shown", lambda shown: shown["live"] and shown["seq"] == run.seq)
    assert not watched.page.locator("#back-to-live").is_visible()
    assert watched.errors == []


def test_the_slider_reaches_every_frame(run: FakeRun, watched: Any) -> None:
    watched.page.focus(".when-slider")
    watched.press("ArrowLeft", "ArrowLeft", "ArrowLeft")
    watched.until("window.streamer.shown.seq", lambda seq: seq == run.seq - 3)
    watched.press("Home")
    watched.until("window.streamer.shown.seq", lambda seq: seq == 0)
    watched.press("End")
    watched.until("window.streamer.shown", lambda shown: shown["live"] and shown["seq"] == run.seq)


def overflow(watched: Any) -> list[float]:
    """Pixels by which the page is wider and higher than its window."""
    root = "document.documentElement"
    return list(watched.get(f"[{root}.scrollWidth - innerWidth, {root}.scrollHeight - innerHeight]"))


@pytest.mark.parametrize("control", [True, False], ids=["control", "view only"])
def test_a_phone_shows_everything_without_sideways_scrolling(
    run: FakeRun, open_page: Any, control: bool
) -> None:
    run.control = control
    watched = open_page(390, 844, device_scale_factor=2, is_mobile=True, has_touch=True)
    assert overflow(watched)[0] <= 0
    stage = watched.page.locator("#stage").bounding_box()
    assert stage["y"] + stage["height"] < 844  # the whole picture without scrolling
    assert stage["width"] > 350
    watched.page.tap("#display-open")
    assert watched.page.locator("#map-denoised").is_visible()
    assert overflow(watched)[0] <= 0
    run.state, run.reason = "stopped", "a-very-long-word" * 30
    watched.until("window.streamer.state", lambda state: state == "stopped")
    assert overflow(watched)[0] <= 0
    assert watched.errors == []


@pytest.mark.parametrize("size", [(1280, 720), (1024, 768), (1920, 1080)], ids=str)
def test_a_desk_screen_holds_everything(run: FakeRun, open_page: Any, size: tuple[int, int]) -> None:
    watched = open_page(*size)
    run.seq += 1
    watched.until("window.streamer.shown.seq", lambda seq: seq == run.seq)
    watched.until("document.querySelectorAll('.thumb').length", lambda count: count > 4)
    watched.until("document.querySelectorAll('.chart').length", lambda count: count == 6)
    assert max(overflow(watched)) <= 0
    for part in ("#state", "#vital-left", "#stage", "#strip", "#charts", "#log", "#do-stop"):
        box = watched.page.locator(part).bounding_box()
        assert box["x"] >= 0, part
        assert box["x"] + box["width"] <= size[0], part
        assert box["y"] + box["height"] <= size[1], part
    assert watched.page.locator("#stage").bounding_box()["height"] > size[1] / 2


def test_memory_stays_flat_over_a_long_run(browser: Any, open_page: Any, run: FakeRun) -> None:
    """Ten thousand frames of curves and log, fifty of them drawn; a page must not grow with them."""
    run.planned = None
    watched = open_page()
    session = watched.page.context.new_cdp_session(watched.page)
    session.send("Performance.enable")

    def heap_mb() -> float:
        session.send("HeapProfiler.collectGarbage")
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(each["value"] for each in metrics if each["name"] == "JSHeapUsedSize")) / 1e6

    def goes_on(frames: int, step: int) -> None:
        for _ in range(0, frames, step):
            run.log += [run.entry(run.seq, "notice", "info", f"after frame {run.seq}") for _ in range(40)]
            run.seq += step
            watched.until("window.streamer.shown.seq", lambda seq: seq == run.seq)

    goes_on(4950, 330)  # beyond what is kept of curves and log, and until all of the page has been compiled
    before, nodes = heap_mb(), watched.get("window.streamer.counts.nodes")
    goes_on(9100, 140)
    counts = watched.get("window.streamer.counts")
    curves = len(run.curve_values(0))
    assert counts["points"] <= 800 * curves
    assert counts["log"] <= 300
    assert counts["nodes"] <= nodes + 20
    assert heap_mb() < 1.1 * before
    assert len(watched.get("window.streamer.timings")) <= 500

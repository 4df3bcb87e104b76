"""The page of a real `streamer demo` in a real browser, from its first images to the guards' stop.

With $STREAMER_SCREENSHOTS=FOLDER the pictures for the docs are kept there; $STREAMER_SCREENSHOTS_SIZE=600
makes them those of a plain `streamer demo`. $STREAMER_SCREENSHOTS_FRAME_MS is the time of an exposure: longer
than the profile's where one core has to run the networks and to draw the page without a graphics card.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import Watched

from streamer.apps.page import NICENESS

pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and nice are POSIX"),
]

#: Seconds in which anything has to come on a machine that is busy with something else.
PATIENCE_S = 400.0
SIZE = os.environ.get("STREAMER_SCREENSHOTS_SIZE", "256")
#: Slow enough that both pages are open long before the guards stop the run, some 110 frames after its start.
FRAME_MS = os.environ.get("STREAMER_SCREENSHOTS_FRAME_MS", "300")
PHONE = {"device_scale_factor": 2, "is_mobile": True, "has_touch": True}


class Demo:
    """A `streamer demo` that goes on."""

    def __init__(self, out: Path) -> None:
        options = ("--size", SIZE, "--frame-ms", FRAME_MS, "--seed", "5", "--page", "0", "--control")
        command = [sys.executable, "-m", "streamer", "demo", "--out", str(out), *options]
        self.lines: list[str] = []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        found = until(lambda: re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", self.said), self.said)
        self.url: str = found.group()

    def _listen(self) -> None:
        assert self.process.stdout
        self.lines.extend(self.process.stdout)

    @property
    def said(self) -> str:
        return "".join(self.lines)

    def page_process(self) -> psutil.Process:
        """The process that serves the page: the only one that gives way to all others."""
        nice = psutil.Process(self.process.pid).nice() + NICENESS
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if child.nice() == min(nice, 19))

    def end(self) -> None:
        children = psutil.Process(self.process.pid).children(True) if self.process.poll() is None else []
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        self.listener.join()
        assert self.process.stdout
        self.process.stdout.close()


def until(value: Callable[[], Any], what: str = "", wanted: Callable[[Any], Any] = bool) -> Any:
    deadline_s = time.monotonic() + PATIENCE_S
    while not wanted(found := value()):
        assert time.monotonic() < deadline_s, f"{what}: still {found!r}"
        time.sleep(0.05)
    return found


def becomes(watched: Watched, expression: str, wanted: Callable[[Any], Any] = bool) -> Any:
    return until(lambda: watched.get(expression), expression, wanted)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    going = Demo(tmp_path / "demo")
    yield going
    going.end()


@pytest.fixture
def tabs(browser: Any, demo: Demo) -> Iterator[Callable[..., Watched]]:
    """Opens the printed address in browsers of their own."""
    contexts = []

    def opened(width: int, height: int, **how: Any) -> Watched:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **how))
        watched = Watched(contexts[-1].new_page())
        watched.page.goto(demo.url)
        becomes(watched, "window.streamer?.ready.image_ms")
        return watched

    yield opened
    for context in contexts:
        context.close()


def keep(watched: Watched, name: str) -> None:
    folder = os.environ.get("STREAMER_SCREENSHOTS")
    if folder:
        watched.settled()
        Path(folder).mkdir(parents=True, exist_ok=True)
        watched.page.screenshot(path=str(Path(folder) / name))


def seen_from(watched: Watched, seq: int) -> int:
    return int(
        becomes(watched, "window.streamer.shown.seq", lambda shown: shown is not None and shown >= seq)
    )


def ask(watched: Watched, action: str, note: str = "") -> None:
    watched.page.click(f"#do-{action}")
    watched.page.fill("#confirm-note", note)
    watched.page.click("#confirm-yes")


def test_a_demo_is_watched_from_its_first_images_to_its_stop(
    demo: Demo, tabs: Callable[..., Watched]
) -> None:
    desk, phone = tabs(1280, 720), tabs(390, 844, **PHONE)
    images_change_and_charts_grow(desk)
    overlays_toggle_in_a_pause_and_a_moment_is_marked(desk)
    for watched, name in ((phone, "preview-phone.png"), (desk, "preview-desktop.png")):
        seen_from(watched, 48)
        if name == "preview-desktop.png":
            becomes(watched, "document.querySelectorAll('.thumb').length", lambda count: count > 5)
        keep(watched, name)
    assert phone.get("document.documentElement.scrollWidth") <= 390
    assert desk.errors == phone.errors == []
    the_page_comes_back_after_it_was_killed(demo, desk)
    the_guards_stop_the_run_and_the_page_says_why(desk)
    assert until(demo.process.poll, "the demo", lambda code: code is not None) == 0, demo.said
    becomes(
        desk, "document.getElementById('reason-text').textContent", lambda text: "closed with the run" in text
    )
    assert desk.get("window.streamer.state") == "stopped"
    refused = [error for error in desk.errors if "ERR_CONNECTION_" not in error]
    assert refused == []


def images_change_and_charts_grow(desk: Watched) -> None:
    first, before = desk.get("window.streamer.shown.seq"), desk.pixels()
    points = desk.get("window.streamer.counts.points")
    seen_from(desk, first + 3)
    assert desk.pixels() != before
    becomes(desk, "window.streamer.counts.points", lambda now: now > points)
    becomes(desk, "document.querySelectorAll('.chart canvas').length", lambda count: count >= 4)
    assert "/" not in desk.text("run-name")
    assert desk.text("scale-text").endswith("µm")


def overlays_toggle_in_a_pause_and_a_moment_is_marked(desk: Watched) -> None:
    ask(desk, "pause", "to look closer")
    becomes(desk, "window.streamer.state", lambda state: state == "paused")
    last = becomes(
        desk, "document.getElementById('vital-machine').textContent", lambda text: "Resting" in text
    )
    assert "processed" in last
    for key in ("s", "t"):
        until(lambda key=key: overlay_shows(desk, key), f"the overlay of key {key}")
    ask(desk, "resume")
    becomes(desk, "window.streamer.state", lambda state: state != "paused")
    ask(desk, "mark", "drug added")
    becomes(desk, "document.getElementById('log').textContent", lambda text: "marked: drug added" in text)


def overlay_shows(desk: Watched, key: str) -> bool:
    """Whether a key lays something over the picture, and again takes it away: of one and the same image."""
    images = desk.get("window.streamer.counts.images")
    without = desk.pixels()
    desk.press(key)
    laid = desk.pixels()
    desk.press(key)
    same = desk.pixels() == without
    return bool(laid != without and same and desk.get("window.streamer.counts.images") == images)


def the_page_comes_back_after_it_was_killed(demo: Demo, desk: Watched) -> None:
    last = desk.get("window.streamer.shown.seq")
    killed = demo.page_process()
    os.kill(killed.pid, signal.SIGKILL)
    becomes(desk, "window.streamer.state", lambda state: state == "lost")
    becomes(desk, "window.streamer.state", lambda state: state != "lost")
    seen_from(desk, last + 1)
    assert desk.page.url.split("?")[0] == demo.url.split("?")[0]
    assert not killed.is_running()


def the_guards_stop_the_run_and_the_page_says_why(desk: Watched) -> None:
    becomes(desk, "window.streamer.state", lambda state: state == "stopped")
    assert desk.text("state-word") == "Stopped"
    assert "signal is gone" in desk.text("reason-text")
    assert "Too dim" in desk.page.locator("#vital-cell").inner_text()
    assert "Do not trust" in desk.page.locator("#vital-picture").inner_text()
    assert "stop decided" in desk.page.locator("#log").inner_text()
    becomes(desk, "document.getElementById('when-text').textContent", lambda text: "Last image" in text)
    desk.get("document.getElementById('toasts').replaceChildren()")
    keep(desk, "preview-stopped.png")

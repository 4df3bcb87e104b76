"""A real browser on the page, and how tests look at it."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fake_run import FakeRun, FakeServer

#: Seconds in which whatever is waited for has to come, on a busy machine too.
PATIENCE_S = 60.0
#: Of the picture's pixels, row after row, every so many are looked at.
THIN = 17


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium, one for a module."""
    required = os.environ.get("STREAMER_TEST_BROWSER") == "required"
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        if required:
            pytest.fail("no Chromium on the path, and STREAMER_TEST_BROWSER says that it is required")
        pytest.skip("no Chromium on the path: the page's tests need a real browser")
    if not required:
        pytest.importorskip("playwright", reason="the page's tests drive the browser by playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        args = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]
        launched = driver.chromium.launch(executable_path=found, args=args)
        yield launched
        launched.close()


class Watched:
    """A page in the browser, what went wrong in it, and where it sent requests."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requested: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._said)
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("websocket", lambda socket: self.requested.append(socket.url))

    def _said(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def get(self, expression: str) -> Any:
        return self.page.evaluate(expression)

    def until(self, expression: str, wanted: Callable[[Any], Any] = bool) -> Any:
        """The value of an expression in the page as soon as it is as wanted."""
        return wait_for(lambda: self.get(expression), wanted, expression)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def text(self, element: str) -> str:
        return str(self.get(f"document.getElementById({json.dumps(element)}).textContent"))

    def settled(self) -> None:
        """Everything that was asked for before is drawn."""
        self.get("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def pixels(
        self, left: float = 0.0, top: float = 0.2, width: float = 1.0, height: float = 0.6
    ) -> list[int]:
        """RGB of a part of the picture, in shares of it, thinned: three numbers a pixel."""
        self.settled()
        return list(
            self.get(
                f"""(() => {{
                const canvas = document.getElementById("canvas");
                const part = [{left} * canvas.width, {top} * canvas.height,
                              {width} * canvas.width, {height} * canvas.height].map(Math.round);
                const {{ data }} = canvas.getContext("2d").getImageData(...part);
                const kept = [];
                for (let i = 0; i < data.length; i += 4 * {THIN}) kept.push(...data.slice(i, i + 3));
                return kept;
                }})()"""
            )
        )


def wait_for(value: Callable[[], Any], wanted: Callable[[Any], Any] = bool, what: str = "") -> Any:
    """The value as soon as it is as wanted."""
    until = time.monotonic() + PATIENCE_S
    while not wanted(found := value()):
        assert time.monotonic() < until, f"{what or 'the value'} is still {found!r}"
        time.sleep(0.03)
    return found


@pytest.fixture
def run() -> FakeRun:
    """A synthetic run of 60 frames so far."""
    return FakeRun()


@pytest.fixture
def server(run: FakeRun) -> Iterator[FakeServer]:
    served = FakeServer(run)
    served.start()
    yield served
    served.stop()


@pytest.fixture
def open_page(browser: Any, server: FakeServer) -> Iterator[Callable[..., Watched]]:
    """Opens the page of the run; by default once its first image is on the screen."""
    contexts = []

    def opened(width: int = 1280, height: int = 720, *, image: bool = True, **context: Any) -> Watched:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **context))
        watched = Watched(contexts[-1].new_page())
        watched.page.goto(server.url)
        if image:
            watched.until("window.streamer?.ready.image_ms")
        return watched

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def watched(open_page: Callable[..., Watched]) -> Watched:
    """The page at a desk; it must not have complained by the end of the test."""
    return open_page()

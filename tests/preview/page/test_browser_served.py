"""The page on its real server, about a recording that grows, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from conftest import Watched

from tests.preview.server.pages import Growing, served


@pytest.fixture
def growing(tmp_path: Path) -> Iterator[Growing]:
    growing = Growing(tmp_path / "run")
    growing.put(6)
    yield growing
    growing.leave()


@pytest.fixture
def tab(browser: Any) -> Iterator[Watched]:
    """An empty tab of a browser that knows no link yet."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    yield Watched(context.new_page())
    context.close()


def shows(tab: Watched, seq: int) -> None:
    tab.until("window.streamer?.shown.seq", lambda shown: shown == seq)


def test_the_link_opens_the_run_and_images_follow_it(growing: Growing, tab: Watched) -> None:
    with served(growing.folder.path) as page:
        tab.page.goto(page.url)
        shows(tab, 5)
        assert tab.page.url == page.http + "/"
        before, points = tab.pixels(), tab.get("window.streamer.counts.points")
        growing.put(4)
        shows(tab, 9)
        assert tab.pixels() != before
        tab.until("window.streamer.counts.points", lambda now: now > points)
        assert tab.text("scale-text").endswith("µm")
        assert tab.page.locator("#view-only").is_visible()
        tab.until("document.querySelectorAll('.thumb').length", lambda count: count > 4)
        tab.page.focus(".when-slider")
        tab.press("Home")
        shows(tab, 0)
        tab.page.focus("#stage")
        tab.press("+", "+", "+")
        tab.until("window.streamer.shown.region", lambda region: region[3] < growing.plane[1])
        tab.press("l")
        shows(tab, 9)
        assert {urlsplit(url).netloc for url in tab.requested} == {page.place}
        assert tab.errors == []


def test_a_page_that_is_killed_and_started_again_goes_on(growing: Growing, tab: Watched) -> None:
    with served(growing.folder.path) as page:
        port = int(page.place.split(":")[1])
        tab.page.goto(page.url)
        shows(tab, 5)
    tab.until("window.streamer.state", lambda state: state == "lost")
    seq = growing.put(3)
    with served(growing.folder.path, port=port):
        shows(tab, seq)
        tab.until("window.streamer.state", lambda state: state == "running")
        growing.put(1, stop="too little light for a true picture")
        growing.close()
        tab.until("window.streamer.state", lambda state: state == "stopped")
        assert "too little light for a true picture" in tab.text("reason-text")


def test_without_the_link_there_is_a_page_that_says_so(growing: Growing, tab: Watched) -> None:
    with served(growing.folder.path) as page:
        tab.page.goto(page.http)
        assert "needs its link" in tab.page.inner_text("body")


def test_a_position_and_a_channel_are_chosen(tmp_path: Path, tab: Watched) -> None:
    growing = Growing(tmp_path / "run")
    places = [(position, channel) for position in (1, 2) for channel in ("green", "red")]
    for position, channel in places:
        growing.put(1, axes={"time": 0, "position": position, "channel": channel})
    with served(growing.folder.path) as page:
        tab.page.goto(page.url)
        shows(tab, places.index((1, "green")))
        tab.page.get_by_label("Position").select_option(label="2")
        shows(tab, places.index((2, "green")))
        tab.page.get_by_label("Channel").select_option(label="red")
        shows(tab, places.index((2, "red")))
        assert tab.errors == []
    growing.leave()

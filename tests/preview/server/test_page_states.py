"""What is told to several pages is put together once, and what each of them is told is the same as alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pages import Growing

from streamer.preview.server import states as module
from streamer.preview.server import telling
from streamer.preview.server.states import States
from streamer.preview.server.telling import Now, Told
from streamer.reading import View, WatchedRun

NOW = Now(snapshot=None, link="live", control={}, foresees=True)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Growing]:
    monkeypatch.setattr(module, "SHARED_S", 1e6)
    run = Growing(tmp_path / "run")
    yield run
    run.leave()


def told(texts: list[str]) -> list[dict[str, Any]]:
    return [{**json.loads(text), "now_wall_s": 0} for text in texts]


def test_pages_that_know_the_same_are_told_the_same_at_once(run: Growing) -> None:
    run.put(30)
    watched = WatchedRun(run.folder.path)
    watched.update()
    states, pages = States(watched), [Told() for _ in range(4)]
    for made in (1, 2):
        first, *others = [states.new(View(), NOW, page) for page in pages]
        assert all(texts is first for texts in others)
        assert states.made == made
        assert all(page == pages[0] for page in pages)
        run.put(1)
        watched.update()
    late = Told()
    alone = telling.state(watched, View(), NOW, replace(late))
    assert told(states.new(View(), NOW, late)) == told(alone)
    assert late.rows == 32
    assert states.made == 3


def test_a_page_that_looks_elsewhere_or_later_is_told_anew(run: Growing) -> None:
    run.put(4)
    watched = WatchedRun(run.folder.path)
    watched.update()
    states, page = States(watched), Told()
    states.new(None, NOW, page)
    again = told(states.new(None, NOW, page))
    assert again[-1]["points"] == []
    lost = told(states.new(None, replace(NOW, link="lost"), page))
    assert lost[-1]["link"] == "lost"
    assert states.made == 3


def test_nothing_is_forecast_before_what_it_takes_is_loaded(run: Growing) -> None:
    run.put(30)
    watched = WatchedRun(run.folder.path)
    watched.update()
    page = Told()
    (*_, early) = told(States(watched).new(None, replace(NOW, foresees=False), page))
    assert "forecast" not in early
    (later,) = told(States(watched).new(None, NOW, page))
    assert later["forecast"]["key"] == "photons"

"""How `streamer live` and `streamer demo` end: a stop that somebody asked for is no failure."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streamer.apps import live as live_app
from streamer.apps.demo import DemoSettings, stopped_rightly
from streamer.apps.summary import Tally
from streamer.cli.main import app
from streamer.microscope import planned_light
from streamer.profile import load_profile
from streamer.recording import RunInfo, close_run, create_run
from streamer.simulation import bleaching_for
from streamer.sources.live import LinkCounts

GUARDS: dict[str, Any] = {"frame": 3, "reason": "too dark", "evidence": []}
ASKED = {**GUARDS, "reason": "stopped from the page: lunch", "by": "the page"}


def summary(tmp_path: Path, **changed: Any) -> dict[str, Any]:
    """Of a run without frames, as the processor sends it."""
    run = create_run(tmp_path / "run", RunInfo())
    run.frames.touch()
    close_run(run)
    made = Tally().summary(run.path, LinkCounts(received=0))
    return {name: getattr(made, name) for name in made.__slots__} | {"report": None} | changed


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, 0),
        ({"stop": GUARDS}, 3),
        ({"stop": ASKED}, 0),
        ({"stop": ASKED, "dropped": 1}, 1),
        ({"silent": True}, 1),
    ],
    ids=["ended", "stopped by a guard", "stopped by somebody", "frames are missing", "silent hook"],
)
def test_the_exit_code_says_who_stopped_a_live_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], code: int
) -> None:
    told = summary(tmp_path, **changed)
    monkeypatch.setattr(live_app, "live", lambda settings, **how: told)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)  # this process keeps its own
    done = CliRunner().invoke(app, ["live", "--profile", "abberior_er_low", "--json"])
    assert done.exit_code == code
    assert json.loads(done.stdout)["stop"] == changed.get("stop")


@pytest.mark.parametrize(
    ("survival", "stop", "rightly"),
    [
        (0.01, GUARDS, True),
        (0.01, None, False),
        (0.01, ASKED, True),
        (0.99, GUARDS, False),
        (0.99, None, True),
        (0.99, ASKED, True),
    ],
)
def test_a_demo_ends_as_it_should_when_somebody_stops_it(
    tmp_path: Path, survival: float, stop: dict[str, Any] | None, rightly: bool
) -> None:
    settings = DemoSettings(out=tmp_path, profile="abberior_er_low", frames=100, bleaching=1, seed=1)
    rate = bleaching_for(survival, settings.frames, planned_light(load_profile(settings.profile)))
    assert stopped_rightly(settings, rate, stop) is rightly

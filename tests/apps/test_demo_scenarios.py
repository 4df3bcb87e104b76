"""Each scenario of the demo ends as it should, with the reason in words, on a real acquisition engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from apps_cli import QUICK, Cli

from streamer.apps.scenarios import SCENARIOS, Scenario, ScenarioName
from streamer.microscope import scene_settings
from streamer.profile import load_profile
from streamer.simulation import LOW_DOSE, Scene

#: What the stop says in each, and who says it.
REASONS = {
    "shutter": ("no foreground: the field looks empty", "signal_map"),
    "defocus": ("signal is gone: ", "photons"),
    "leave": ("no foreground: the field looks empty", "signal_map"),
    "dark": ("no foreground: the field looks empty", "signal_map"),
}
LIGHT_GONE = {"frame": 44, "evidence": [{"guard": "photons"}]}


@pytest.mark.live
@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name != "bleach"])
def test_it_ends_as_it_should(scenario: ScenarioName, cli: Cli, tmp_path: Path) -> None:
    done = cli("demo", "--scenario", scenario, "--out", tmp_path / "run", *QUICK)
    assert done.code == 0, done.err
    report = done.json
    assert (report["scenario"], report["as_it_should"], report["lasers_safe"]) == (scenario, True, True)
    if scenario == "healthy":
        assert report["stop"] is None
        assert report["recorded"] == SCENARIOS[scenario].frames
        return
    words, guard = REASONS[scenario]
    assert words in report["stop"]["reason"]
    assert guard in [verdict["guard"] for verdict in report["stop"]["evidence"]]
    exposed = [json.loads(line) for line in (tmp_path / "run" / "exposures.jsonl").read_text().splitlines()]
    _check_what_happened(scenario, exposed)


def _check_what_happened(scenario: str, exposed: list[dict[str, Any]]) -> None:
    """The camera's own log shows the incident, not only its picture."""
    if scenario == "shutter":
        assert [row["excitation_uw"] for row in exposed[38:42]] == [4.8, 4.8, 0.0, 0.0]
    if scenario == "defocus":
        assert [round(row["focus_um"], 3) for row in exposed[23:28]] == [0, 0, 0.007, 0.014, 0.021]


def test_the_cell_of_leave_is_gone_before_the_end() -> None:
    """Whatever the seed, and in fields of any size."""
    profile = load_profile("abberior_er_low")
    scenario = SCENARIOS["leave"]
    for seed, side in ((1, 128), (2, 128), (3, 256), (4, 600)):
        scene = scene_settings(profile, seed=seed, shape_yx=(side, side), bleaching=0.0)
        changes = scenario.scene(profile, scene.shape_yx, scene.pixel_nm)
        moving = Scene(scene_settings(profile, seed=seed, shape_yx=(side, side), bleaching=0.0, **changes))
        frame_s = scenario.speed * side * scene.pixel_nm / changes["drift_nm_per_s"]
        first, last = (moving.expected(frame * frame_s, LOW_DOSE)[2].mean() for frame in (0, scenario.frames))
        assert first > 0.1
        assert last < 0.02 * first


@pytest.mark.parametrize(
    ("frames", "stop", "rightly"),
    [
        (70, LIGHT_GONE, True),
        (70, None, False),
        (45, None, True),  # it ended before anybody could tell
        (70, LIGHT_GONE | {"frame": 20}, False),
        (70, LIGHT_GONE | {"evidence": [{"guard": "similarity"}]}, False),
    ],
    ids=["in time", "missed", "over before", "before it happened", "for another reason"],
)
def test_a_stop_is_right_in_time_and_for_its_reason(
    frames: int, stop: dict[str, Any] | None, rightly: bool
) -> None:
    assert SCENARIOS["shutter"].ended_rightly(frames, stop) is rightly


def test_nothing_may_stop_a_healthy_run() -> None:
    healthy: Scenario = SCENARIOS["healthy"]
    assert healthy.ended_rightly(100, None)
    assert not healthy.ended_rightly(100, LIGHT_GONE)

"""Guards that adjust and pause a real run, from the verdict to the light on the next frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from profiles import written_profile

from streamer.apps.children import Child
from streamer.apps.live import processor_child
from streamer.apps.processor import ProcessorSettings
from streamer.microscope import MicroscopeSettings, microscope_process, scene_settings
from streamer.profile import load_profile
from streamer.recording import Row, RunFolder, read_decisions, read_frames

SHAPE_YX = (128, 128)
#: A floor that no frame reaches: the photon guard flags from the first frame of its baseline on.
FLAGGED = """
[guards.photons]
floor = 1000

[guards.actions.photons]
flag = "{reaction}"
reject = "{reaction}"

[policy]
minimum_frames = 5

[recorded]
properties = [["Excitation", "Power_uW"], ["Focus", "No such property"]]

[control]
pause_s = 0.2

[[control.knobs]]
quantity = "excitation_uw"
set_by = ["Excitation", "Power_uW"]
minimum = 2.4
maximum = 6.5
factor = 1.25
"""
LINE = "excitation 640 nm uJ/px"


def run(folder: Path, reaction: str, *, frames: int, dry_run: bool = False) -> tuple[list[Row], list[Row]]:
    """Rows of frames and of decisions of a run on the simulated rig under such a profile."""
    rig = written_profile(folder, FLAGGED.format(reaction=reaction))
    settings = ProcessorSettings(
        profile=rig,
        out=folder / "run",
        endpoint="tcp://127.0.0.1:*",
        shape_yx=SHAPE_YX,
        dry_run=dry_run,
    )
    with processor_child(settings) as processor:
        imaging = MicroscopeSettings(
            profile=rig,
            scene=scene_settings(load_profile(rig), seed=5, shape_yx=SHAPE_YX),
            endpoint=processor.expect("ready")["endpoint"],
            frames=frames,
            frame_ms=60,
        )
        with Child("microscope", microscope_process, imaging, if_it_dies="") as microscope:
            seen, summary = microscope.expect("report"), processor.expect("summary")
    assert seen["exposed"] == summary["recorded"] == frames
    return read_frames(RunFolder(folder / "run")), read_decisions(RunFolder(folder / "run"))


def of_kind(rows: list[Row], kind: str) -> list[Row]:
    return [row for row in rows if row["kind"] == kind]


def light(row: Row) -> float:
    energy_uj: float = row["light"][LINE]
    return energy_uj


@pytest.mark.live
def test_an_adjustment_stays_inside_the_limits_and_is_in_the_ledger(tmp_path: Path) -> None:
    frames, decisions = run(tmp_path, "adjust", frames=40)
    (asked, *more), (done, *_) = of_kind(decisions, "decision"), of_kind(decisions, "carried out")
    assert (asked["action"], asked["change"]) == ("adjust", {"excitation_uw": 6.0})
    assert asked["evidence"][0]["guard"] == "photons"
    assert (done["action"], done["seq"], done["ok"]) == ("adjust", asked["seq"], True)
    assert done["values"] == {"excitation_uw": 6.0}
    assert [row["change"] for row in more] == [{"excitation_uw": 6.5}]  # the limit; then there is no further
    powers = {float(row["state"]["Excitation-Power_uW"]) for row in frames}
    assert powers == {4.8, 6.0, 6.5}
    assert light(frames[-1]) / light(frames[0]) == pytest.approx(6.5 / 4.8)
    total: Any = sum(light(row) for row in frames)
    assert frames[-1]["dose"][LINE] == pytest.approx(total)


@pytest.mark.live
def test_a_dry_run_says_what_it_would_have_done_and_leaves_the_light_alone(tmp_path: Path) -> None:
    frames, decisions = run(tmp_path, "adjust", frames=16, dry_run=True)
    assert {row["withheld"] for row in decisions} == {"adjust"}
    assert "excitation_uw" in decisions[0]["reason"]
    assert of_kind(decisions, "carried out") == []
    assert {light(row) for row in frames} == {light(frames[0])}


@pytest.mark.live
def test_a_pause_ends_by_itself_and_the_run_goes_on(tmp_path: Path) -> None:
    frames, decisions = run(tmp_path, "pause", frames=20)
    done = [row["action"] for row in of_kind(decisions, "carried out")]
    assert done[:2] == ["pause", "resume"]
    assert all(row["ok"] for row in of_kind(decisions, "carried out"))
    assert [row["seq"] for row in frames] == list(range(20))

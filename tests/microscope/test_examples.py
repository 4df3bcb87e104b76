"""The scripts that docs/engines.md shows, as a user runs them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from miniature import Processor
from profiles import KNOBS, written_profile

from streamer.core import Decision

pytestmark = [pytest.mark.live, pytest.mark.timeout(60, method="thread")]

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture
def processor() -> Iterator[Processor]:
    processor = Processor()
    yield processor
    processor.close()


def run(script: str, processor: Processor, folder: Path) -> str:
    command = [sys.executable, str(EXAMPLES / script), processor.endpoint, written_profile(folder, KNOBS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr.replace("WARNING: Core", "")
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("script", ["pycromanager_script.py", "pymmcore_plus_script.py"])
def test_the_script_of_each_engine_streams_time_channels_and_z(
    processor: Processor, tmp_path: Path, script: str
) -> None:
    assert run(script, processor, tmp_path) == "12 frames, 12 of them recorded"
    assert [frame.axes for frame in processor.frames] == [
        {"time": time, "channel": channel, "z": z}
        for time in range(3)
        for channel in ("DAPI", "FITC")
        for z in range(2)
    ]


def test_the_adaptive_script_is_paused_and_adjusted(processor: Processor, tmp_path: Path) -> None:
    processor.script[3] = Decision(action="pause", pause_s=0.2)
    processor.script[5] = Decision(action="adjust", change={"exposure_ms": 5.0, "interval_s": 0.05})
    assert run("adaptive_script.py", processor, tmp_path) == "60 frames, 60 of them recorded"
    assert sorted(processor.actions()) == ["adjust", "pause", "resume"]
    assert all(done.ok for done in processor.done)
    assert {frame.exposure_ms for frame in processor.frames} == {10.0, 5.0}

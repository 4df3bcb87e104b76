"""Deaths of the processor in one run: every exposed frame is recorded, none of them twice.

Twenty of them are in bench/results/kills.json; a few show the same in a minute.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import luck
import pytest

from bench.kills import run

KILLS = 4


@pytest.mark.live
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_processor_killed_again_and_again_loses_no_frame_and_records_none_twice(tmp_path: Path) -> None:
    report = run(KILLS, seed=luck.seed(10**6), folder=tmp_path)
    print(json.dumps(report, indent=2))
    assert report["kills"] == KILLS
    assert report["exposed"] == report["sent"] == report["unique_recorded"] == report["acknowledged"]
    assert report["recorded_twice"] == report["lost"] == 0
    assert report["raw_equals_exposed"]

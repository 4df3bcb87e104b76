"""Twenty deaths of the processor in one run: every exposed frame is recorded, none of them twice."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

from bench.kills import run


@pytest.mark.live
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_processor_killed_twenty_times_loses_no_frame_and_records_none_twice(tmp_path: Path) -> None:
    report = run(20, seed=random.randrange(10**6), folder=tmp_path)
    print(json.dumps(report, indent=2))
    assert report["kills"] == 20
    assert report["exposed"] == report["sent"] == report["unique_recorded"] == report["acknowledged"]
    assert report["recorded_twice"] == report["lost"] == 0
    assert report["raw_equals_exposed"]

"""The hook on a Micro-Manager core that is not ours: mm-test-adapters' DemoCamera."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.wire import read_spool

SCRIPT = Path(__file__).with_name("stock_core_run.py")


@pytest.mark.live
@pytest.mark.parametrize("mode", ["snap", "sequence"])
def test_a_hook_in_a_stock_acquisition_gets_every_frame(mode: str) -> None:
    done = subprocess.run([sys.executable, SCRIPT, mode], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["acquired"], report["stored"], report["errors"]) == (12, 12, [])
    assert report["dtypes"] == ["uint16"]
    frames = list(read_spool(Path(report["kept"])))
    assert [frame.seq for frame in frames] == list(range(12))
    assert [frame.axes for frame in frames] == [{"time": index} for index in range(12)]

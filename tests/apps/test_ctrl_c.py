"""Ctrl-C as a terminal sends it: to every process of the command, at any moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX")

LIVE = ("live", "--profile", "abberior_er_low", "--endpoint", "tcp://127.0.0.1:*", "--quiet")
DEMO = ("demo", "--size", "256", "--frame-ms", "40", "--bleaching", "0", "--frames", "5000", "--quiet")


def interrupted(args: tuple[str, ...], out: Path, moment: Callable[[], bool]) -> subprocess.Popen[str]:
    """Start a command, wait for the moment, send Ctrl-C to all of it, and let it end."""
    command = [sys.executable, "-m", "streamer", *args, "--out", str(out)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    tick = threading.Event()
    while not moment():
        assert process.poll() is None, process.communicate()
        tick.wait(0.05)
    os.killpg(process.pid, signal.SIGINT)
    return process


def rows(out: Path) -> int:
    frames = out / "frames.jsonl"
    return frames.read_bytes().count(b"\n") if frames.exists() else 0


@pytest.mark.live
@pytest.mark.parametrize(
    ("args", "frames"), [(LIVE, 0), (DEMO, 0), (DEMO, 10)], ids=["waiting for a hook", "starting", "running"]
)
def test_ctrl_c_closes_the_recording(tmp_path: Path, args: tuple[str, ...], frames: int) -> None:
    out = tmp_path / "run"
    process = interrupted(args, out, lambda: (out / "run.json").exists() and rows(out) >= frames)
    said, err = process.communicate(timeout=60)
    assert process.returncode == 130, (said, err)
    assert err.strip().splitlines() == ["interrupted; the recording is closed"]
    assert json.loads((out / "run.json").read_text())["state"] == "closed"
    assert rows(out) >= frames


def test_ctrl_c_before_anything_is_there_leaves_quietly(tmp_path: Path) -> None:
    process = interrupted(LIVE, tmp_path / "run", lambda: True)
    _, err = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT, 1)
    assert "processor" not in err

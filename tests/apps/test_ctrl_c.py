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
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX")

LIVE = ("live", "--profile", "abberior_er_low", "--endpoint", "tcp://127.0.0.1:*", "--quiet")
DEMO = ("demo", "--size", "256", "--frame-ms", "40", "--bleaching", "0", "--frames", "5000", "--quiet")


def interrupted(
    args: tuple[str, ...], out: Path, moment: Callable[[], bool], number: int = signal.SIGINT
) -> subprocess.Popen[str]:
    """Start a command, wait for the moment, send Ctrl-C to all of it, and let it end."""
    command = [sys.executable, "-m", "streamer", *args, "--out", str(out)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A suite that runs in the background inherits that Ctrl-C is ignored; a terminal's command does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until(lambda: moment() or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    os.killpg(process.pid, number)
    return process


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    for _ in range(int(seconds / 0.05)):
        if true():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not come true")


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
    assert err.strip().splitlines() == [f"interrupted; {out} is closed"]
    assert json.loads((out / "run.json").read_text())["state"] == "closed"
    assert rows(out) >= frames


def test_a_service_manager_that_terminates_all_of_it_closes_the_recording_too(tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = interrupted(LIVE, out, (out / "run.json").exists, signal.SIGTERM)
    said, err = process.communicate(timeout=60)
    assert process.returncode == 130, (said, err)
    assert "goes on" not in said + err
    assert json.loads((out / "run.json").read_text())["state"] == "closed"


@pytest.mark.live
def test_ctrl_c_in_a_replay_closes_what_there_is(
    quick_demo: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    process = interrupted(("replay", str(quick_demo[0]), "--quiet"), out, lambda: rows(out) >= 5)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip() == f"interrupted; {out} is closed"
    assert json.loads((out / "run.json").read_text())["state"] == "closed"
    assert (out / "frames.parquet").exists()


def test_a_processor_without_a_hook_ends_with_the_command_that_started_it(tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "streamer", *LIVE, "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    until(lambda: (out / "run.json").exists())
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    gone, alive = psutil.wait_procs(children, timeout=60)
    assert gone
    assert not alive
    assert json.loads((out / "run.json").read_text())["state"] == "closed"


def test_a_further_ctrl_c_while_the_command_ends_leaves_no_traceback(tmp_path: Path) -> None:
    """Python's own end waits for processes, where a Ctrl-C was printed as an ignored exception."""
    script = """
import atexit, os, signal
from pathlib import Path
import typer
from streamer.cli import options

app = typer.Typer()

@app.command()
def command() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    atexit.register(os.kill, os.getpid(), signal.SIGINT)
    with options.interruptible(Path("run")):
        raise KeyboardInterrupt

app()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr.strip()) == (130, "interrupted")

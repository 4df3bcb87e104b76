"""The microscope as a spawned process, with a real hook and no processor listening."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from streamer.errors import UsageError
from streamer.microscope import MicroscopeSettings, microscope_process, run_microscope, scene_settings
from streamer.profile import load_profile
from streamer.wire import read_spool

pytestmark = [pytest.mark.live, pytest.mark.timeout(60, method="thread")]


@pytest.fixture(autouse=True)
def _spool_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def _settings(tmp_path: Path, **changes: Any) -> MicroscopeSettings:
    scene = scene_settings(load_profile("abberior_er_low"), seed=3, shape_yx=(48, 48))
    plain: dict[str, Any] = {
        "profile": "abberior_er_low",
        "scene": scene,
        "endpoint": "tcp://127.0.0.1:9",  # the discard port: nobody is there
        "frames": 5,
        "frame_ms": 2.0,
        "exposures_path": tmp_path / "exposures.jsonl",
        "patience_s": 0.2,
    }
    return MicroscopeSettings(**plain | changes)


def _spawn(settings: MicroscopeSettings) -> tuple[Any, Any]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=microscope_process, args=(settings, theirs))
    process.start()
    theirs.close()
    return process, ours


def test_a_run_without_a_processor_keeps_every_frame(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    process, link = _spawn(_settings(tmp_path))
    report = json.loads(link.recv_bytes())["report"]
    process.join()
    assert process.exitcode == 0
    assert (report["exposed"], report["acquired"], report["hook"]["acquired"]) == (5, 5, 5)
    assert report["safe"] is True
    assert report["stopped"] is False
    rows = [json.loads(line) for line in (tmp_path / "exposures.jsonl").read_text().splitlines()]
    assert [row["index"] for row in rows] == list(range(5))
    assert {row["excitation_uw"] for row in rows} == {4.8}
    assert len(list(read_spool(Path(report["hook"]["kept"])))) == 5
    assert capfd.readouterr().out == ""


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be signalled there")
def test_a_signal_ends_the_run_after_the_exposure_in_progress(tmp_path: Path) -> None:
    process, link = _spawn(_settings(tmp_path, frames=100_000))
    exposures = tmp_path / "exposures.jsonl"
    while not (exposures.exists() and exposures.stat().st_size):
        assert process.is_alive()
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    report = json.loads(link.recv_bytes())["report"]
    process.join()
    assert process.exitcode == 0
    assert report["stopped"] is True
    assert report["exposed"] == report["acquired"] == report["hook"]["acquired"] < 100_000


def test_an_error_leaves_the_process_as_one_line_with_its_exit_code(tmp_path: Path) -> None:
    process, link = _spawn(_settings(tmp_path, profile="abberior_er_lwo"))
    error = json.loads(link.recv_bytes())["error"]
    process.join()
    assert process.exitcode == 2
    assert "did you mean abberior_er_low" in error
    assert "\n" not in error


def test_an_endpoint_that_is_refused_leaves_no_core_open(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(UsageError, match=r"192\.0\.2\.1"):
            run_microscope(_settings(tmp_path, endpoint="tcp://192.0.2.1:5555"))

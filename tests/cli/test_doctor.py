"""`streamer doctor` looks at everything, and no trouble of one part hides the others."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from streamer.apps import doctor as checks
from streamer.apps.doctor import Finding, doctor, works
from streamer.cli.doctor import doctor as command
from streamer.engines.nvidia import Gpu, Nvidia

APP = typer.Typer()
APP.command()(command)

PARTS = {
    "python",
    "base packages",
    "cpu",
    "openvino",
    "torch",
    "gpu",
    "engine",
    "Pycro-Manager",
    "pymmcore-plus",
    "java bridge",
    "disk",
    "shared memory",
    "port",
    "clock",
    "user folder",
    "profiles",
    "models",
}


#: The trial of engines takes seconds: one test waits for it.
TRIED = checks._engine


@pytest.fixture(autouse=True)
def no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_engine", lambda: iter([Finding("engine", "ok", "openvino f32, 37 ms")]))


def examined(out: Path) -> dict[str, Finding]:
    """Findings by part, the last of each."""
    return {finding.part: finding for finding in doctor(out)}


def test_every_part_is_examined_and_nothing_is_left_behind(tmp_path: Path) -> None:
    out = tmp_path / "runs" / "today"
    begun = time.monotonic()
    assert examined(out).keys() >= PARTS
    assert time.monotonic() - begun < 60  # a check that hangs
    assert list(tmp_path.iterdir()) == []


def test_whatever_is_not_ok_has_a_cure(tmp_path: Path) -> None:
    assert [
        part for part, found in examined(tmp_path).items() if found.status != "ok" and not found.cure
    ] == []


def test_the_command_tells_the_same_in_words_and_as_json(tmp_path: Path) -> None:
    told = CliRunner().invoke(APP, ["--out", str(tmp_path)], catch_exceptions=False)
    listed = CliRunner().invoke(APP, ["--out", str(tmp_path), "--json"], catch_exceptions=False)
    parts = {finding["part"] for finding in json.loads(listed.output)}
    assert parts >= PARTS
    assert [part for part in parts if part not in told.output] == []
    assert (told.exit_code, listed.exit_code) == (0, 0)


def test_a_check_that_fails_is_a_finding_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Any:
        raise ZeroDivisionError("no cores at all")

    monkeypatch.setattr("streamer.engines.cpu.cpu_name", fail)
    found = examined(tmp_path)
    assert found["cpu"].status == "problem"
    assert "ZeroDivisionError: no cores at all" in found["cpu"].words
    assert found.keys() >= PARTS


@pytest.mark.parametrize("needed", [True, False])
def test_the_exit_code_is_that_of_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needed: bool
) -> None:
    def broken() -> Iterator[Finding]:
        yield Finding("clock", "problem", "it stands still", "wind it up", needed=needed)

    monkeypatch.setattr(checks, "_clock", broken)
    done = CliRunner().invoke(APP, ["--out", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == (1 if needed else 0)
    assert "wind it up" in done.output


def test_a_taken_port_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        monkeypatch.setattr(checks, "DEFAULT_ENDPOINT", address)
        found = examined(tmp_path)["port"]
    assert found.status == "problem"
    assert address in found.words


def test_a_java_bridge_that_answers_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as bridge:
        bridge.bind(("127.0.0.1", 0))
        bridge.listen()
        monkeypatch.setattr(checks, "BRIDGE_PORT", bridge.getsockname()[1])
        assert examined(tmp_path)["java bridge"].status == "ok"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    findings = list(doctor(tmp_path))
    told = {finding.part for finding in findings if "Permission denied" in finding.words}
    assert told == {"disk", "user folder"}
    assert not works(findings)


def test_adapters_of_another_interface_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"pymmcore": "12.5.1.75.0", "mm-test-adapters": "74.20250101"}
    monkeypatch.setattr(checks, "_version", lambda name: versions.get(name, ""))
    found = examined(tmp_path)
    assert found["test adapters"].status == "problem"
    assert "speaks device interface 75" in found["test adapters"].words
    assert found["base packages"].status == "missing"


H200 = Gpu(name="NVIDIA H200", capability=(9, 0), memory_bytes=141 << 30)


@pytest.mark.parametrize(
    ("told", "status", "words"),
    [
        pytest.param(
            Nvidia(driver="580.1", cuda=(13, 0), gpus=(H200,)),
            "ok",
            "NVIDIA H200 (compute capability 9.0, 141 GiB); driver 580.1, CUDA 13.0",
            id="one",
        ),
        pytest.param(
            Nvidia(problem="NVIDIA driver installed but not running (NVML error 9)"),
            "problem",
            "not running",
            id="broken driver",
        ),
        pytest.param(Nvidia(problem="no NVIDIA GPU"), "missing", "no NVIDIA GPU", id="none"),
    ],
)
def test_gpus_are_asked_for(monkeypatch: pytest.MonkeyPatch, told: Nvidia, status: str, words: str) -> None:
    monkeypatch.setattr("streamer.engines.nvidia.nvidia", lambda: told)
    (found,) = checks._gpu()
    assert (found.status, words in found.words) == (status, True)


def test_the_engine_that_auto_takes_is_told_with_its_time() -> None:
    (found,) = TRIED()
    assert found.status == "ok"
    assert found.words.startswith("er-denoise-live at 608x608: ")
    assert " ms" in found.words


def test_a_machine_without_engines_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("openvino", "torch"):
        monkeypatch.setitem(sys.modules, name, None)
    (found,) = TRIED()
    assert found.status == "problem"
    assert "no engine is installed" in found.words
    assert found.cure == "pip install 'scope-streamer[processor]'"


def test_a_broken_profile_of_the_user_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[profile]\n", encoding="utf-8")
    monkeypatch.setattr(checks, "list_profiles", lambda: {"mine": path})
    found = examined(tmp_path)["profiles"]
    assert (found.status, found.words, found.cure) == (
        "problem",
        "broken: mine",
        "streamer profiles check mine",
    )

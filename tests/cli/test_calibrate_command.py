"""`streamer calibrate` as users meet it, and every command of its page."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from camera_rig import write_movie, write_rig
from typer.testing import CliRunner

from streamer.cli.main import app
from streamer.errors import UsageError

PAGE = Path(__file__).parents[2] / "docs" / "calibrating.md"


def commands() -> list[str]:
    """Every `streamer ...` line of the page's blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("streamer ")]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the rig and the movies of the page."""
    folder = tmp_path_factory.mktemp("calibrating")
    write_rig(folder, "rig2")
    write_movie(folder / "flat.tif", 150.0, seed=2)
    write_movie(folder / "dark.tif", 0.0)
    return folder


def test_the_page_can_be_followed(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All commands in their order, since each uses what those before it made."""
    monkeypatch.chdir(workplace)
    for command in commands():
        networks = "--photon-transfer" not in command and command.startswith("streamer calibrate")
        quickly = ["--threads", "1", "--precision", "f32"] if networks else []
        done = CliRunner().invoke(app, [*shlex.split(command)[1:], *quickly])
        assert done.exit_code == 0, (command, done.exception)
    stored = json.loads((workplace / "rig2m-er-denoise-live.calibration.json").read_text())
    assert stored["profile"] == "rig2m"
    assert stored["dark"]["source"]["kind"] == "movie"


def test_a_script_reads_the_numbers(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    asked = "calibrate rig2.toml --photon-transfer --flat flat.tif --dark dark.tif --json"
    done = CliRunner().invoke(app, asked.split())
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["found"]["gain_e_per_adu"]["value"] == pytest.approx(0.46, rel=0.03)
    assert found["toml"]["offset_adu"].startswith("offset_adu = 100.")
    assert found["written"] is None


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("--photon-transfer --flat flat.tif", "--dark: is missing"),
        ("--photon-transfer --dark dark.tif", "--flat: is missing"),
        ("--flat flat.tif --dark dark.tif", "add it, or leave them out"),
        ("--photon-transfer --flat flat.tif --dark dark.tif --frames 9", "leave other options out"),
        ("--photon-transfer --flat flat.tif --dark dark.tif --write rig.txt", "a profile is a .toml file"),
        ("", "nothing to calibrate with"),
        ("--dark dark.tif", "measure them first: streamer calibrate rig2.toml --photon-transfer"),
    ],
)
def test_a_wrong_wish_is_told(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, asked: str, words: str
) -> None:
    monkeypatch.chdir(workplace)
    done = CliRunner().invoke(app, ["calibrate", "rig2.toml", *asked.split()])
    assert isinstance(done.exception, UsageError)
    assert words in str(done.exception)

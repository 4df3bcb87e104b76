"""Bad input: one clear line with the cure, the right exit code, nothing lost."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from apps_cli import Cli

from streamer.resources import search_path


def one_line(text: str) -> str:
    """The error, which must be all there is to read."""
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("error: ")
    return lines[0]


def a_profile(tmp_path: Path, old: str, new: str) -> Path:
    text = next(
        folder / "abberior_er_low.toml" for folder in search_path("hardware_profiles") if folder.is_dir()
    )
    path = tmp_path / "rig2.toml"
    changed = text.read_text().replace(old, new).replace('name = "abberior_er_low"', 'name = "rig2"')
    path.write_text(changed)
    assert changed != text.read_text()
    return path


@pytest.mark.parametrize("command", ["demo", "live"])
def test_an_unknown_profile_names_the_close_ones(cli: Cli, tmp_path: Path, command: str) -> None:
    done = cli(command, "--profile", "aberior_er_low", "--out", tmp_path / "run", "--json")
    assert done.code == 2
    assert "did you mean abberior_er_low" in one_line(done.err)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("power_uw = 4.8", "power_w = 4.8", "power_uw"),
        ("dwell_us = 0.5", "dwell_us = -1", "dwell_us = -1"),
        ("dwell_us = 0.5", 'dwell_us = "fast"', "dwell_us"),
        ("dwell_us = 0.5", "dwell_us = ", "rig2.toml"),
    ],
    ids=["wrong unit", "impossible value", "text for a number", "not TOML"],
)
def test_a_wrong_profile_says_where_and_what_instead(
    cli: Cli, tmp_path: Path, old: str, new: str, said: str
) -> None:
    done = cli("live", "--profile", a_profile(tmp_path, old, new), "--out", tmp_path / "run")
    assert done.code == 2
    assert said in done.err
    assert "rig2.toml" in done.err
    assert "Traceback" not in done.err


def test_a_missing_model_names_the_known_ones(cli: Cli, tmp_path: Path) -> None:
    done = cli("demo", "--model", "er-denoise-life", "--out", tmp_path / "run")
    assert done.code == 2
    assert "did you mean er-denoise-live" in one_line(done.err)


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damaged_weights_are_refused(cli: Cli, tmp_path: Path, damage: str) -> None:
    folder = next(path for path in search_path("models") if (path / "er-denoise-live").is_dir())
    model = Path(shutil.copytree(folder / "er-denoise-live", tmp_path / "mine"))
    weights = bytearray((model / "weights.onnx").read_bytes())
    if damage == "cut":
        del weights[-100:]
    else:
        weights[len(weights) // 2] ^= 1
    (model / "weights.onnx").write_bytes(weights)
    done = cli("demo", "--model", model, "--out", tmp_path / "run")
    assert done.code == 2
    assert "weights.onnx: sha256" in one_line(done.err)
    assert not (tmp_path / "run").exists()


def test_a_port_in_use_is_told_and_leaves_no_recording(cli: Cli, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        done = cli("live", "--profile", "abberior_er_low", "--endpoint", address, "--out", tmp_path / "run")
    assert done.code == 1
    assert "in use" in one_line(done.err)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_holds_something_is_not_touched(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    done = cli("demo", "--out", tmp_path / "run")
    assert done.code == 2
    assert "choose a new folder" in one_line(done.err)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.txt"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], capture_output=True
    ).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.live
def test_a_full_disk_ends_the_run_and_every_frame_is_somewhere(
    cli: Cli, small_disk: Path, tmp_path: Path
) -> None:
    out = small_disk / "run"
    quick = ("--size", 256, "--frame-ms", 40, "--frames", 60, "--bleaching", 0, "--quiet")
    done = cli("demo", "--out", out, *quick)
    assert done.code == 1
    told = re.search(
        r"disk full; .*; (\d+) of (\d+) frames are in the recording, the others in (\S+): streamer replay",
        one_line(done.err),
    )
    assert told, done.err
    acknowledged, acquired, kept = int(told[1]), int(told[2]), Path(told[3])
    rescue = one_line(done.err).rsplit("streamer ", 1)[1].split()
    again = cli(*rescue, "--out", tmp_path / "rest", "--json")
    kept.unlink()
    assert again.code == 0, again.err
    recorded = [json.loads(line)["seq"] for line in (out / "frames.jsonl").read_text().splitlines()]
    rest = [json.loads(line)["seq"] for line in (tmp_path / "rest" / "frames.jsonl").read_text().splitlines()]
    assert recorded[:acknowledged] == list(range(acknowledged))
    assert set(recorded) | set(rest) == set(range(acquired))


def test_a_read_only_disk_is_told(cli: Cli, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    done = cli("live", "--profile", "abberior_er_low", "--out", small_disk / "run")
    assert done.code == 1
    assert "read-only" in one_line(done.err)


@pytest.mark.parametrize(
    "args",
    [
        ("demo", "--frames", "0"),
        ("demo", "--bleaching", "-1"),
        ("demo", "--bleaching", "inf"),
        ("demo", "--frame-ms", "nan"),
        ("demo", "--engine", "abacus"),
        ("replay",),
        ("replay", "x.tif", "--offset", "nan"),
        ("nonsense",),
    ],
    ids=lambda args: " ".join(args),
)
def test_bad_usage_ends_with_2(cli: Cli, args: tuple[str, ...]) -> None:
    assert cli(*args).code == 2

"""Runs that go on are found by their user alone, as long as they go on."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.apps.registry import ENTRY_FILE, Entry, Going, going_on, going_on_in, runs_dir
from streamer.recording import WriterLock


@pytest.fixture(autouse=True)
def _nothing_else_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runtime").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def entries() -> list[Path]:
    return list(runs_dir().iterdir())


def test_a_run_is_found_while_it_goes_on(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.parent)
    with Entry(Going(run=Path("run"), command="live")) as entry:
        entry.say(publisher="tcp://127.0.0.1:1", requests="tcp://127.0.0.1:2", secret="s", page="http://x/")
        (found,) = going_on()
        assert found == entry.going
        assert found.run == run
        assert going_on_in(run) == going_on_in(Path("run")) == found
        assert going_on_in(run.parent) is None
    assert going_on() == []
    assert not entries()


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_nobody_else_can_read_the_secret(run: Path) -> None:
    with Entry(Going(run=run, secret="s")):
        (folder,) = entries()
        for path, mode in ((runs_dir(), 0o700), (folder, 0o700), (folder / ENTRY_FILE, 0o600)):
            assert stat.S_IMODE(path.stat().st_mode) == mode


DIES = """
import os, sys
from pathlib import Path
from streamer.apps.registry import Entry, Going
entry = Entry(Going(run=Path(sys.argv[1])))
os._exit(9)
"""


def left_by_a_killed_command(run: Path) -> None:
    assert subprocess.run([sys.executable, "-c", DIES, str(run)]).returncode == 9
    assert len(entries()) == 1


def test_what_a_killed_command_left_is_removed(run: Path) -> None:
    left_by_a_killed_command(run)
    assert going_on() == []
    assert not entries()


def test_a_processor_that_outlives_its_command_is_still_found(run: Path) -> None:
    left_by_a_killed_command(run)
    processor = WriterLock(run)
    assert [going.run for going in going_on()] == [run]
    processor.release()
    assert going_on() == []


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 50_000,
        b"{}",
        b'{"run": 3, "started_wall_s": 1}',
        b'{"run": "/r", "started_wall_s": "x"}',
        b"\xff",
    ],
    ids=lambda entry: entry[:20].decode(errors="replace") or "empty",
)
def test_an_entry_that_is_none_is_passed_over(run: Path, entry: bytes) -> None:
    folder = runs_dir() / "1-junk"
    folder.mkdir()
    (folder / ENTRY_FILE).write_bytes(entry)
    with Entry(Going(run=run)):
        assert [going.run for going in going_on()] == [run]


def test_what_another_version_adds_is_left_out(run: Path) -> None:
    with Entry(Going(run=run)):
        path = entries()[0] / ENTRY_FILE
        path.write_text(json.dumps(json.loads(path.read_text()) | {"colour": "blue"}))
        assert [going.run for going in going_on()] == [run]


@pytest.mark.skipif(sys.platform == "win32", reason="owners are POSIX")
def test_a_folder_of_somebody_else_is_neither_read_nor_written(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Entry(Going(run=run)):
        monkeypatch.setattr(os, "getuid", lambda: 12345)
        assert going_on() == []
        with Entry(Going(run=run, secret="s")) as entry:
            entry.say(page="http://x/")
        monkeypatch.undo()


def test_a_run_goes_on_where_entries_cannot_be_made(run: Path, tmp_path: Path) -> None:
    (tmp_path / "runtime" / "scope-streamer").touch()
    with Entry(Going(run=run)) as entry:
        entry.say(page="http://x/")
        assert going_on() == []

"""`streamer bench` and `streamer bench compare` as typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from bench_sample import MACHINE, typical
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from streamer.apps.bench.report import write_report
from streamer.cli.bench import app
from streamer.errors import SourceError, UsageError


def test_the_scenarios_are_named() -> None:
    done = CliRunner().invoke(app, ["--list"])
    assert done.exit_code == 0
    assert "sted-600" in done.output
    assert "2048x2048 at 100 Hz" in done.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--scenario", "nose"], "--scenario nose: unknown; use sted-600"),
        (["--picture", "out.gif"], r"--picture out.gif: unknown kind of file; use .png or .html"),
        (["--json", "nowhere/out.json"], "nowhere is no folder; make it first"),
        (["--json", "."], "is a folder; name a file"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_measured(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, UsageError)
    assert told in str(done.exception)


def test_two_measurements_are_compared_in_words(tmp_path: Path) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    write_report(typical(50.0), before)
    write_report(typical(30.0, seed=2), after)
    done = CliRunner().invoke(app, ["compare", str(before), str(after)])
    assert done.exit_code == 0, done.exception
    assert "verdict back at the hook" in done.output
    assert "faster" in done.output


def test_unlike_machines_need_a_word(tmp_path: Path) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    write_report(typical(), before)
    write_report(typical().model_copy(update={"machine": MACHINE.model_copy(update={"cores": 8})}), after)
    refused = CliRunner().invoke(app, ["compare", str(before), str(after)])
    assert isinstance(refused.exception, UsageError)
    allowed = CliRunner().invoke(app, ["compare", str(before), str(after), "--anyway"])
    assert allowed.exit_code == 0
    assert "WARNING: unlike machines" in allowed.output


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    done = CliRunner().invoke(app, ["compare", str(tmp_path / "a.json"), str(tmp_path / "a.json")])
    assert isinstance(done.exception, SourceError)


PAGE = (Path(__file__).parents[2] / "docs" / "bench.md").read_text(encoding="utf-8")
DOCUMENTED = sorted(set(re.findall(r"`streamer bench([^`]*)`", PAGE)))


@pytest.mark.parametrize("words", DOCUMENTED)
def test_documented_commands_are_understood(words: str) -> None:
    args = shlex.split(words)
    command = get_command(app)
    if args[:1] == ["compare"] and isinstance(command, TyperGroup):
        command, args = command.commands["compare"], args[1:] or ["a.json", "b.json"]
    command.make_context("bench", args).close()

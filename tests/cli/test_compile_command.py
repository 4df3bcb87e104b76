"""`streamer models compile`: engines for this machine, and ahead of time for others."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from tiny_package import MakePackage
from typer.testing import CliRunner, Result

from streamer.cli.compile_models import compile_
from streamer.engines import cache
from streamer.engines.plan import tensorrt_of
from streamer.errors import EngineError, UsageError

Run = Callable[..., Result]
AHEAD = "--ahead-of-time"


@pytest.fixture
def run(make_package: MakePackage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """The command on the tiny package, with an engine cache of its own."""
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path / "cache"))
    folder = make_package("tiny")
    app = typer.Typer()
    app.command()(compile_)

    def invoke(*words: object) -> Result:
        told = [str(folder), "--shape", "30", "33", *map(str, words)]
        return CliRunner().invoke(app, told, catch_exceptions=False)

    return invoke


@pytest.fixture
def rtx() -> None:
    pytest.importorskip("tensorrt_rtx", reason="pip install 'scope-streamer[rtx]'")


def test_here_it_says_what_was_taken_and_why(run: Run) -> None:
    (row,) = json.loads(run("--json").stdout)
    assert row["shape_yx"] == [32, 40]  # padded to multiples of 8
    assert row["engine"] in row["words"]
    assert not row["failed"]
    assert "1 of 1 engines in" in run("--precision", "f32").stdout


def test_what_cannot_be_had_is_told_and_fails(run: Run) -> None:
    with pytest.raises(EngineError, match="1 of 1 engines cannot be had: "):
        run("--precision", "int8")


@pytest.mark.usefixtures("rtx")
def test_ahead_of_time_each_kind_of_card_gets_its_precisions(run: Run, tmp_path: Path) -> None:
    done = run(AHEAD, "--capability", "8.9", "--capability", "7.5", "--json", "--out", tmp_path / "out")
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    made = [(row["device"].split()[-1], row["precision"]) for row in rows]
    assert made == [("8.9", "f32"), ("8.9", "f16"), ("8.9", "bf16"), ("7.5", "f32"), ("7.5", "f16")]
    assert {Path(row["path"]) for row in rows} == set((tmp_path / "out").iterdir())
    for row in rows:
        assert cache.header_of(Path(row["path"]))["bytes"] == row["bytes"]
    assert not (tmp_path / "cache").exists()


@pytest.mark.usefixtures("rtx")
def test_ahead_of_time_in_words(run: Run, tmp_path: Path) -> None:
    done = run(AHEAD, "--capability", "12.0", "--precision", "f16")
    first, last = done.stdout.splitlines()
    assert first.startswith("tiny                 tensorrt-rtx f16   32x40      compute capability 12.0, ")
    assert first.endswith(".engine")
    assert str(tmp_path / "cache") in first
    assert last.startswith("1 of 1 engines in ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--capability", "8.9"], "--capability: belongs to --ahead-of-time; add it"),
        (["--out", "engines"], "--out: belongs to --ahead-of-time; add it"),
        ([AHEAD, "--capability", "89"], "--capability 89: not a compute capability; give one like 8.9"),
    ],
    ids=["capability", "out", "no capability"],
)
def test_what_makes_no_sense_is_refused(run: Run, words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        run(*words)


@pytest.mark.usefixtures("rtx")
def test_a_card_that_it_does_not_build_for_is_one_line(run: Run) -> None:
    with pytest.raises(EngineError, match=r"does not build for compute capability 9\.0"):
        run(AHEAD, "--capability", "9.0")


def test_without_the_wheel_the_cure_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    tensorrt_of.cache_clear()
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(
        EngineError, match=r"tensorrt_rtx is not installed; pip install 'scope-streamer\[rtx\]'"
    ):
        run(AHEAD)
    tensorrt_of.cache_clear()

"""Commands that are printed to be copied: the shell must take a path in them for one word."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from streamer import shell
from streamer.apps.registry import Going
from streamer.apps.watched import write_its_report
from streamer.cli import attach, options, train
from streamer.shell import quoted

RUN = Path("runs/day 3's; $HOME")


@pytest.mark.parametrize("path", [str(RUN), 'say "no"', "runs/demo", "*.x", "a&b", "", "über"])
def test_a_posix_shell_gets_it_back_as_one_word(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "os", SimpleNamespace(name="posix"))
    assert shlex.split(f"streamer attach {quoted(path)}") == ["streamer", "attach", path]


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (r"C:\runs\demo-1", r"C:\runs\demo-1"),
        (r"C:\my runs\demo", r'"C:\my runs\demo"'),
        (r"runs\a&b", r'"runs\a&b"'),
    ],
)
def test_windows_gets_double_quotation_marks(
    path: str, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "os", SimpleNamespace(name="nt"))
    assert quoted(path) == written


def _left(tmp_path: Path) -> str:
    run = tmp_path / RUN
    run.mkdir(parents=True)
    (run / "run.json").write_text('{"state": "running"}')
    return options._left(run)


def _no_report(tmp_path: Path) -> str:
    words: list[str] = []
    write_its_report(tmp_path / RUN, words.extend)
    return words[-1]


@pytest.mark.parametrize(
    "printed",
    [
        lambda tmp_path: options.afterwards(tmp_path / RUN, None)[-1],
        lambda tmp_path: attach._choice([Going(run=tmp_path / RUN, command="live")])[-1],
        lambda tmp_path: train._next(tmp_path / RUN, {}),
        _left,
        _no_report,
    ],
    ids=["look back", "choice", "evaluate", "resume", "report"],
)
def test_a_printed_command_holds_the_path_as_one_word(
    tmp_path: Path, printed: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "os", SimpleNamespace(name="posix"))
    assert shlex.quote(str(tmp_path / RUN)) in printed(tmp_path)

"""Who is told of a failure, and what is refused before a run begins."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streamer.apps.processor import ProcessorSettings, _check_targets, _told, run_processor
from streamer.errors import RecordingError, UsageError
from streamer.recording import RunFolder, read_decisions
from streamer.sinks import DecisionsSink


def settings(folder: Path, **changes: Any) -> ProcessorSettings:
    return ProcessorSettings(out=folder / "run", profile="abberior_er_low", **changes)


@pytest.mark.parametrize("option", ["on_stop", "on_decision"])
def test_a_target_that_cannot_be_told_is_refused_before_anything_is_begun(
    tmp_path: Path, option: str
) -> None:
    with pytest.raises(UsageError, match=f"--{option.replace('_', '-')} no-such-program: no such command"):
        run_processor(settings(tmp_path, **{option: "no-such-program"}))
    assert not (tmp_path / "run").exists()


def test_a_failure_of_the_run_is_told_and_stays_the_failure(tmp_path: Path) -> None:
    told, words = tmp_path / "told", []
    on_stop = f"{sys.executable} -c \"import sys; open(r'{told}', 'w').write(sys.stdin.read())\""
    chosen = settings(tmp_path, on_stop=on_stop)
    _check_targets(chosen)
    folder = RunFolder(tmp_path)
    session: Any = SimpleNamespace(run=folder)
    source: Any = SimpleNamespace(newest_seq=17)
    with (
        pytest.raises(RecordingError, match="disk full"),
        _told(chosen, session, DecisionsSink(folder), source, words.extend),
    ):
        raise RecordingError("disk full")
    assert '"action": "failed", "reason": "disk full", "by": "run", "seq": 17' in told.read_text()
    (row,) = read_decisions(folder)
    assert (row["kind"], row["action"], row["ok"]) == ("notified", "failed", True)
    assert words[0].endswith("was told of it")

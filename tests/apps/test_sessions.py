"""What a processor that goes on in a recording tells the link of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamer.apps.sessions import _recorded
from streamer.recording import Parts, Resumed, RunFolder, RunInfo


def resumed(path: Path, *, frames: int, next_seq: int, first_seq: int = 0) -> Resumed:
    hook = {"run": "a" * 32, "first_seq": first_seq}
    return Resumed(
        run=RunFolder(path),
        info=RunInfo(source={"hook": hook}),
        next_seq=next_seq,
        frames=frames,
        processed=frames,
        last_row=None,
        parts=Parts(),
        volumes={},
    )


def order(seq: int, action: str) -> dict[str, Any]:
    row = {"kind": "decision", "seq": seq, "action": action, "reason": "", "evidence": [], "change": {}}
    return row | {"pause_s": 0.0}


def done(seq: int, action: str) -> dict[str, Any]:
    return {"kind": "carried out", "seq": seq, "action": action}


@pytest.mark.parametrize(
    ("rows", "unanswered"),
    [
        ([order(5, "adjust"), done(5, "adjust")], []),
        ([order(5, "adjust"), done(5, "adjust"), order(9, "stop")], [9]),
        # The user paused at 150; a processor that lagged behind decided the stop of 120 after that.
        ([done(150, "pause"), order(120, "stop")], [120]),
        ([order(120, "stop"), done(150, "make safe")], [120]),
        ([order(5, "continue")], []),
    ],
    ids=["answered", "the last one is not", "user's pause", "make safe", "dry run"],
)
def test_an_order_is_repeated_until_its_own_answer_is_recorded(
    tmp_path: Path, rows: list[dict[str, Any]], unanswered: list[int]
) -> None:
    recorded = _recorded(resumed(tmp_path, frames=10, next_seq=10), rows)
    assert recorded is not None
    assert [report.seq for report in recorded.unanswered] == unanswered
    assert recorded.done == sum(row["kind"] == "carried out" for row in rows)


@pytest.mark.parametrize(
    ("frames", "next_seq", "first_seq", "missing", "goes_on_at"),
    [(10, 10, 0, 0, 10), (10, 13, 0, 3, 13), (5, 505, 500, 0, 505), (0, 0, 500, 0, 500)],
    ids=["whole", "a gap", "begun in mid-run", "killed before its first frame"],
)
def test_what_was_missing_before_stays_counted(
    tmp_path: Path, frames: int, next_seq: int, first_seq: int, missing: int, goes_on_at: int
) -> None:
    recorded = _recorded(resumed(tmp_path, frames=frames, next_seq=next_seq, first_seq=first_seq), [])
    assert recorded is not None
    assert (recorded.first_seq, recorded.missing, recorded.next_seq) == (first_seq, missing, goes_on_at)

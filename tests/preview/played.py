"""A recording shown as if it were live; run as a program in a terminal: `played.py RUN FRAMES`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from streamer.preview import Snapshot, parse_snapshot, watch


def snapshot_of(rows: list[dict[str, Any]], name: str, planned: int) -> Snapshot:
    """What the processor publishes at the last of `rows`."""
    row, first = rows[-1], rows[0]
    elapsed_s = row["wall_time_s"] - first["wall_time_s"]
    decided = next((each for each in reversed(rows) if each["decision"] != "continue"), None)
    fields = {
        "run": name,
        "state": "stopping" if decided else "running",
        "seq": row["seq"],
        "planned": planned,
        "received": len(rows),
        "recorded": len(rows),
        "processed": sum(each["processed"] for each in rows),
        "dropped": 0,
        "waiting": row["waiting"],
        "lag_ms": row["lag_ms"],
        "fps": (len(rows) - 1) / elapsed_s if elapsed_s else 0.0,
        "timings_ms": row["timings_ms"],
        "dose": row["dose"],
        "verdicts": row["verdicts"],
        "decision": {"action": decided["decision"] if decided else "continue"}
        | {"reason": decided["reason"] if decided else ""},
        "elapsed_s": elapsed_s,
    }
    return parse_snapshot(json.dumps(fields).encode())


class Played:
    """A feed of one snapshot, again and again."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def newest(self, timeout_s: float) -> Snapshot | None:
        time.sleep(0.05)
        return self._snapshot


def up_to(run: Path, frames: int, to: Path) -> Path:
    """`run` as it was after that many frames: the same pixels, fewer rows, and not closed."""
    to.mkdir()
    for each in run.iterdir():
        if each.name not in ("frames.jsonl", "decisions.jsonl", "run.json", "frames.parquet"):
            (to / each.name).symlink_to(each.resolve())
    lines = (run / "frames.jsonl").read_text().splitlines(keepends=True)[:frames]
    (to / "frames.jsonl").write_text("".join(lines))
    decisions = (
        (run / "decisions.jsonl").read_text().splitlines(keepends=True)
        if (run / "decisions.jsonl").exists()
        else []
    )
    (to / "decisions.jsonl").write_text("".join(one for one in decisions if json.loads(one)["seq"] < frames))
    info = json.loads((run / "run.json").read_text())
    (to / "run.json").write_text(json.dumps(info | {"state": "running", "ended_wall_s": None}))
    return to


def rows_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "frames.jsonl").read_text().splitlines()]


def main(run: Path, planned: int) -> None:
    console = Console()
    feed = Played(snapshot_of(rows_of(run), "demo-0001", planned))
    watch(feed, console=console, run=run)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

"""What a run would say of itself, put together from its recording: where nobody publishes, or no more."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from streamer.errors import StreamerError
from streamer.preview.snapshot import Snapshot, parse_snapshot
from streamer.reading import WatchedRun
from streamer.reading.writer import is_locked
from streamer.recording import Row

#: The newest row is looked for in so many bytes at the end of the rows.
_TAIL_BYTES = 1 << 18


def snapshot_of(run: WatchedRun) -> dict[str, Any] | None:
    """The fields of a snapshot, of what the recording knows; None before the first row.

    The state is that of the recording, which also may be "left".
    """
    row = _last_row(run.folder.frames)
    return None if row is None else _fields(run, row, run.state)


def ending_of(path: Path) -> Snapshot | str | None:
    """How the run in folder `path` ended; in words where it is not closed, and None where nobody can tell.

    Where somebody writes the recording, the run goes on.
    """
    locked = is_locked(path)  # first: it is let go of behind the closing
    try:
        run = WatchedRun(path)
        while run.update():
            pass
    except StreamerError:
        return None
    if run.info.state != "closed":
        if locked is not False:
            return None
        return "nothing more is heard of the run, and its recording is not closed: what recorded it has ended"
    fields = _fields(run, _last_row(run.folder.frames) or {}, run.state)
    return None if fields is None else parse_snapshot(json.dumps(fields).encode())


def _fields(run: WatchedRun, row: Row, state: str) -> dict[str, Any] | None:
    """A snapshot as JSON takes it, of the run at its newest row; None where that cannot be read."""
    known = run.summary()
    elapsed_s, frames = known["elapsed_s"], known["frames"]
    fields = {
        "run": run.folder.path.name,
        "state": "running",
        "planned": known["planned"],
        "received": frames,
        "recorded": frames,
        "processed": known["processed"],
        "dropped": known["missing"],
        "fps": (frames - 1) / elapsed_s if elapsed_s > 0 else 0.0,
        "elapsed_s": elapsed_s,
        "dose": known["dose"],
        "decision": {
            "action": "stop" if run.stop else "continue",
            "reason": run.stop.text if run.stop else "",
        },
        "seq": -1 if known["last_seq"] is None else known["last_seq"],
        "timings_ms": row.get("timings_ms") or {},
        "lag_ms": row.get("lag_ms") or 0.0,
        "waiting": row.get("waiting") or 0,
        "verdicts": row.get("verdicts") or [],
    }
    try:
        parsed = parse_snapshot(json.dumps(fields).encode())
    except (ValueError, TypeError):
        return None
    return {**as_fields(parsed), "state": state}


def as_fields(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as JSON takes it."""
    fields = {name: getattr(snapshot, name) for name in Snapshot.__slots__}
    fields["timings_ms"], fields["dose"] = dict(snapshot.timings_ms), dict(snapshot.dose)
    fields["decision"] = {"action": snapshot.decision.action, "reason": snapshot.decision.reason}
    fields["verdicts"] = [
        {
            "guard": each.guard,
            "status": each.status,
            "measured": each.measured,
            "limit": each.limit,
            "meaning": each.meaning,
            "values": dict(each.values),
            "view": each.view,
        }
        for each in snapshot.verdicts
    ]
    return fields


def known(number: float) -> float | None:
    """A number as JSON takes it; None for what is none."""
    return number if math.isfinite(number) else None


def _last_row(path: Path) -> Row | None:
    """The newest whole row; None where there is none that can be read."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _TAIL_BYTES))
            lines = stream.read(_TAIL_BYTES).split(b"\n")
        row = json.loads(lines[-2]) if len(lines) > 1 else None
    except (OSError, ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None

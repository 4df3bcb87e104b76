"""Rows of runs that a report must understand, without pixels; tests write them straight into a folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from streamer.recording import RunFolder, RunInfo, close_run, create_run

BEGAN_S = 1.7e9


def verdict(guard: str = "photons", status: str = "pass", **changes: Any) -> dict[str, Any]:
    """A verdict as a row holds it."""
    said = {"measured": 20.0, "limit": 8.0, "meaning": f"{guard} says {status}", "values": {}, "view": ""}
    return {"guard": guard, "status": status, **said, **changes}


def row(seq: int, *verdicts: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """A frame's row."""
    processed = {
        "processed": True,
        "verdicts": list(verdicts or [verdict()]),
        "timings_ms": {"denoise": 30.0 + seq % 7, "segment": 5.0},
        "lag_ms": 40.0 + seq % 11,
        "waiting": seq % 3,
    }
    where = {
        "image": "raw.ome.zarr",
        "raw_index": seq,
        "annotated_image": None,
        "annotated_place": None,
        "annotated_channels": [],
        "axes": {"time": seq},
    }
    light = {
        "light": {"excitation 640 nm uJ/px": 2e-6},
        "dose": {"excitation 640 nm uJ/px": 2e-6 * (seq + 1)},
    }
    camera = {
        "exposure_ms": 40.0,
        "bit_depth": 16,
        "state": {},
        "metadata": {},
        "hook_ns": 0,
        "received_ns": 0,
    }
    decided = {"decision": "continue", "reason": ""}
    return {
        "seq": seq,
        "wall_time_s": BEGAN_S + 0.5 * seq,
        **where,
        **processed,
        **light,
        **camera,
        **decided,
        **changes,
    }


def stop(seq: int, reason: str = "stopped: signal is gone") -> dict[str, Any]:
    """A decision to stop with its evidence."""
    evidence = [verdict(status="reject", measured=6.03, meaning="signal is gone", values={"retention": 0.27})]
    decided = {"kind": "decision", "seq": seq, "wall_time_s": BEGAN_S + 0.5 * seq, "action": "stop"}
    return {**decided, "reason": reason, "evidence": evidence, "withheld": None, "change": {}, "pause_s": 0.0}


def write_rows(
    path: Path,
    rows: Iterable[Mapping[str, Any]],
    decisions: Iterable[Mapping[str, Any]] = (),
    *,
    closed: bool = True,
    **info: Any,
) -> RunFolder:
    """A recording of these rows."""
    run = create_run(path, RunInfo(started_wall_s=BEGAN_S, **info))
    run.frames.write_text("".join(f"{json.dumps(one)}\n" for one in rows))
    run.decisions.write_text("".join(f"{json.dumps(one)}\n" for one in decisions))
    if closed:
        close_run(run, ended_wall_s=BEGAN_S + 1000)
    elif run.lock:
        run.lock.release()
    return run

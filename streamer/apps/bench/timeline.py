"""From the clocks of three processes on one machine to the times of each stage."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.apps.bench.camera import Exposed
from streamer.apps.bench.inside import INFERENCE, TAKE
from streamer.apps.bench.report import Frames, Stage

#: What people wait for, and what is not anybody's inference.
BACK, DECIDED, ON_DISK, TOLD = (
    "verdict back at the hook",
    "verdict decided",
    "on disk",
    "news at a view",
)
OWN = "everything but inference"
BARE = "the same without guards"
#: Order of the stages in tables; guards by name come after "guards".
ORDER = (
    BACK,
    DECIDED,
    ON_DISK,
    TOLD,
    OWN,
    BARE,
    INFERENCE,
    "camera to hook",
    "wire",
    "queue",
    "sinks' hand-over",
    "recording",
    "way back",
    "denoise",
    "segment",
    "halves",
    "guards",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """All that is known of the frames of a run, by sequence number.

    Attributes:
        end_ns: end of exposure.
        rows: what `streamer.apps.bench.inside` has stamped.
        back_ns: when the hook had the verdict, of those that were processed.
        told_ns: when a view heard that there is something new.
    """

    end_ns: Mapping[int, int]
    rows: Mapping[int, Mapping[str, Any]]
    back_ns: Mapping[int, float]
    told_ns: Mapping[int, int]


def read_stamps(path: Path) -> dict[int, dict[str, Any]]:
    """What the processor has stamped of the frames whose row stands."""
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return {row["seq"]: row for row in rows if "row" in row}


def verdict_times(rows: Mapping[int, Mapping[str, Any]], lag_ms: Sequence[float]) -> dict[int, float]:
    """When each verdict was back at the hook, which keeps the lags of processed frames in their order."""
    processed = sorted(seq for seq, row in rows.items() if row["processed"])
    newest = processed[len(processed) - len(lag_ms) :]
    return {seq: rows[seq]["hook"] + 1e6 * ms for seq, ms in zip(newest, lag_ms, strict=True)}


def stages(clocks: Clocks, rounds: Sequence[Exposed]) -> list[Stage]:
    """Times by stage of the frames of these rounds that were processed."""
    by_name: dict[str, list[list[float]]] = {}
    for number, exposed in enumerate(rounds):
        for seq in numbers(exposed):
            row = clocks.rows.get(seq)
            if row is None or not row["processed"]:
                continue
            for name, ms in _times(clocks, seq, row):
                by_name.setdefault(name, [[] for _ in rounds])[number].append(round(ms, 4))
    return [Stage(name=name, rounds_ms=by_name[name]) for name in sorted(by_name, key=_place)]


def frames_of(clocks: Clocks, rounds: Sequence[Exposed]) -> Frames:
    """What became of the frames of these rounds."""
    seqs = [seq for exposed in rounds for seq in numbers(exposed)]
    recorded = [clocks.rows[seq] for seq in seqs if seq in clocks.rows]
    processed = sum(bool(row["processed"]) for row in recorded)
    return Frames(
        exposed=len(seqs),
        recorded=len(recorded),
        processed=processed,
        passed_over=len(recorded) - processed,
        lost=len(seqs) - len(recorded),
        waited_at_the_end=max((exposed.waiting for exposed in rounds), default=0),
    )


def frames_per_s(times_ns: Sequence[Sequence[float]]) -> float | None:
    """Of events in rounds: intervals over the time that they took; None where no round has two of them."""
    intervals = sum(max(len(each) - 1, 0) for each in times_ns)
    spent_ns = sum(max(each) - min(each) for each in times_ns if len(each) > 1)
    return intervals / (spent_ns / 1e9) if spent_ns > 0 else None


def numbers(exposed: Exposed) -> range:
    """Sequence numbers of an order's frames."""
    return range(exposed.first, exposed.first + len(exposed.end_ns))


def _times(clocks: Clocks, seq: int, row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Stages of one processed frame in ms."""
    end_ns, hook_ns = clocks.end_ns[seq], row["hook"]
    decided_ns = hook_ns + 1e6 * row["lag_ms"]
    spent, done_ns = row["ms"], row.get("done", decided_ns)
    inference_ms = spent.get(INFERENCE, 0.0)
    wire_ms = (row["received"] - hook_ns) / 1e6
    yield DECIDED, (decided_ns - end_ns) / 1e6
    yield ON_DISK, (row["row"] - end_ns) / 1e6
    if seq in clocks.back_ns:
        yield BACK, (clocks.back_ns[seq] - end_ns) / 1e6
        yield "way back", (clocks.back_ns[seq] - row["row"]) / 1e6
    if seq in clocks.told_ns:
        yield TOLD, (clocks.told_ns[seq] - end_ns) / 1e6
    yield "camera to hook", (hook_ns - end_ns) / 1e6
    yield "wire", wire_ms
    yield "queue", (row["taken"] - row["received"]) / 1e6
    own_ms = wire_ms + (done_ns - row["taken"]) / 1e6 - inference_ms
    yield OWN, own_ms
    yield BARE, own_ms - row["stages"].get("guards", 0.0)
    yield INFERENCE, inference_ms
    yield "sinks' hand-over", spent.get(TAKE, 0.0) + (done_ns - decided_ns) / 1e6
    yield "recording", (row["row"] - decided_ns) / 1e6
    yield from row["stages"].items()
    yield from ((name, ms) for name, ms in spent.items() if name.startswith("guard "))


def _place(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)

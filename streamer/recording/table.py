"""`frames.parquet`: the rows of a finished run as one flat table, and the closing of a run.

Columns keep their type whatever the run held: indices and clocks int64, measurements float64, words string.
A verdict of guard `g` becomes `g_status`, `g_measured`, `g_limit` and one column for each further value;
where a run has several views, `g[view]_status` and so on. `timings_ms` become `<stage>_ms`, `light` and
`dose` become `light_<line>` and `dose_<line>`, `annotated_place` becomes `annotated_t`, `_c` and `_z`. `axes`
and `state` become `axis_<name>` and `state_<property>` as text, because an engine may name a channel by
number or by word; `metadata` stays JSON.
"""

from __future__ import annotations

import json
import time
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq

from streamer.recording.files import writing
from streamer.recording.frames import iter_frames
from streamer.recording.lines import Row
from streamer.recording.run import RunFolder, RunInfo, read_info, write_info
from streamer.recording.stacks import mark_supported

_FIXED = {
    "seq": pa.int64(),
    "image": pa.string(),
    "raw_index": pa.int64(),
    "annotated_image": pa.string(),
    "annotated_t": pa.int64(),
    "annotated_c": pa.int64(),
    "annotated_z": pa.int64(),
    "wall_time_s": pa.float64(),
    "hook_ns": pa.int64(),
    "received_ns": pa.int64(),
    "exposure_ms": pa.float64(),
    "bit_depth": pa.int64(),
    "processed": pa.bool_(),
    "labels_seq": pa.list_(pa.int64()),
    "decision": pa.string(),
    "reason": pa.string(),
    "lag_ms": pa.float64(),
    "waiting": pa.int64(),
    "metadata": pa.string(),
}
_WORDS = ("axis_", "state_")
_BATCH = 2000  # rows in memory at once: a run of days has more than fit


def flatten(row: Row) -> Row:
    """One row as columns."""
    flat: Row = {name: row.get(name) for name in _FIXED} | {"metadata": json.dumps(row["metadata"])}
    if row["annotated_place"] is not None:
        flat |= zip(("annotated_t", "annotated_c", "annotated_z"), row["annotated_place"], strict=True)
    for prefix, words in (("axis", row["axes"]), ("state", row["state"])):
        flat |= {f"{prefix}_{_text(name)}": _text(value) for name, value in words.items()}
    for verdict in row["verdicts"]:
        judged = verdict["guard"] + (f"[{_text(verdict['view'])}]" if verdict["view"] else "")
        flat |= {f"{judged}_{name}": value for name, value in verdict["values"].items()}
        flat |= {f"{judged}_{name}": verdict[name] for name in ("status", "measured", "limit")}
    flat |= {f"{stage}_ms": value for stage, value in row["timings_ms"].items()}
    for prefix in ("light", "dose"):
        flat |= {f"{prefix}_{line}": value for line, value in row[prefix].items()}
    return flat


def write_table(run: RunFolder) -> None:
    """Write `frames.parquet` from the rows, in one step; reads them twice, never all at once."""
    names = dict.fromkeys(_FIXED) | dict.fromkeys(
        name for row in iter_frames(run) for name in flatten(row)
    )  # in the order of their first appearance
    schema = pa.schema([(name, _column_type(name)) for name in names])
    draft = run.table.with_name(run.table.name + ".new")
    rows = iter_frames(run)
    with writing(run.table):
        with pq.ParquetWriter(draft, schema) as writer:
            while batch := [flatten(row) for row in islice(rows, _BATCH)]:
                writer.write_table(pa.Table.from_pylist(batch, schema=schema))
        draft.replace(run.table)


def close_run(run: RunFolder, *, ended_wall_s: float | None = None) -> RunInfo:
    """Finish a run whose writers are closed: write the table, mark what signal supports of stacks, say that
    it is closed, let go of the lock.
    """
    stacks = None
    if run.frames.exists():
        write_table(run)
        stacks = mark_supported(run)
    ended = time.time() if ended_wall_s is None else ended_wall_s
    info = read_info(run).model_copy(update={"state": "closed", "ended_wall_s": ended, "stacks": stacks})
    write_info(run, info)
    if run.lock:
        run.lock.release()
    return info


def _column_type(name: str) -> pa.DataType:
    if name in _FIXED:
        return _FIXED[name]
    return pa.string() if name.startswith(_WORDS) or name.endswith("_status") else pa.float64()


def _text(value: object) -> str:
    """A stranger's word as Arrow takes it: half a surrogate pair becomes its escape."""
    return str(value).encode(errors="backslashreplace").decode()

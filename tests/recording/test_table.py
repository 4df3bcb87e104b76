"""The table of a closed run."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from streamer.recording import LineWriter, RunInfo, close_run, create_run, read_info

ROW = {
    "seq": 0,
    "image": "raw.ome.zarr",
    "raw_index": 0,
    "annotated_image": None,
    "annotated_place": None,
    "annotated_channels": [],
    "exposure_ms": 10.0,
    "bit_depth": None,
    "state": {"Focus-Status": "locked", "Laser-Power": 4.5},
    "axes": {"time": 0, "channel": "GFP"},
    "wall_time_s": 1.5,
    "hook_ns": 2**60,
    "received_ns": 1,
    "processed": False,
    "decision": "continue",
    "verdicts": [],
    "timings_ms": {},
    "lag_ms": 0.0,
    "waiting": 0,
    "light": {"excitation_561_uj": 0.5},
    "dose": {"excitation_561_uj": 0},
    "metadata": {"Camera": {"Gain": 1}},
}
JUDGED = ROW | {
    "seq": 1,
    "raw_index": 1,
    "annotated_image": "annotated.ome.zarr",
    "annotated_place": [3, 1, 2],
    "bit_depth": 12,
    "processed": True,
    "timings_ms": {"denoise": 3},
    "verdicts": [
        {
            "guard": "ssim",
            "status": "flag",
            "measured": 1,
            "limit": None,
            "meaning": "fading",
            "values": {"foreground_px": 12.0},
            "view": view,
        }
        for view in ("", "channel red")
    ],
}


def test_rows_become_columns_of_stable_type(tmp_path: Path) -> None:
    run = create_run(tmp_path, RunInfo())
    writer = LineWriter(run.frames)
    for row in (ROW, JUDGED):
        writer.put(row)
    writer.close()
    close_run(run, ended_wall_s=9.0)
    assert (read_info(run).state, read_info(run).ended_wall_s) == ("closed", 9.0)
    table = pq.read_table(run.table)
    types = {field.name: field.type for field in table.schema}
    assert (
        types.items()
        >= {
            "seq": pa.int64(),
            "hook_ns": pa.int64(),
            "axis_time": pa.string(),
            "ssim_status": pa.string(),
            "ssim_measured": pa.float64(),
            "ssim_limit": pa.float64(),
            "ssim_foreground_px": pa.float64(),
            "ssim[channel red]_status": pa.string(),
            "ssim[channel red]_measured": pa.float64(),
            "ssim[channel red]_foreground_px": pa.float64(),
            "exposure_ms": pa.float64(),
            "bit_depth": pa.int64(),
            "state_Focus-Status": pa.string(),
            "state_Laser-Power": pa.string(),
            "light_excitation_561_uj": pa.float64(),
            "denoise_ms": pa.float64(),
            "dose_excitation_561_uj": pa.float64(),
        }.items()
    )
    first, second = table.to_pylist()
    assert (first["ssim_status"], first["annotated_t"], first["hook_ns"]) == (None, None, 2**60)
    assert (first["state_Laser-Power"], first["exposure_ms"], first["bit_depth"]) == ("4.5", 10.0, None)
    assert [second[f"annotated_{axis}"] for axis in "tcz"] == [3, 1, 2]
    assert (second["annotated_image"], second["ssim[channel red]_limit"]) == ("annotated.ome.zarr", None)
    assert (second["ssim_status"], second["ssim_measured"], second["ssim_limit"]) == ("flag", 1.0, None)
    assert second["metadata"] == '{"Camera": {"Gain": 1}}'


def test_a_run_without_a_frame_can_be_closed(tmp_path: Path) -> None:
    run = create_run(tmp_path, RunInfo())
    LineWriter(run.frames).close()
    close_run(run)
    assert pq.read_table(run.table).num_rows == 0


def test_a_word_that_is_no_text_does_not_keep_a_run_from_closing(tmp_path: Path) -> None:
    run = create_run(tmp_path, RunInfo())
    writer = LineWriter(run.frames)
    writer.put(ROW | {"axes": {"position": "\ud800"}, "state": {"a\udfff": "\ud800"}})
    writer.close()
    close_run(run)
    (row,) = pq.read_table(run.table).to_pylist()
    assert (row["axis_position"], row["state_a\\udfff"]) == ("\\ud800", "\\ud800")

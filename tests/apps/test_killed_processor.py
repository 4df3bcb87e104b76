"""kill -9 in mid-run: every acknowledged frame is in the recording, every other one still with the hook."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import zarr

from streamer import Hook
from streamer.apps.live import processor_child
from streamer.apps.processor import ProcessorSettings
from streamer.errors import RunError
from streamer.wire import read_spool

SHAPE = (96, 128)


def image(seq: int) -> np.ndarray:
    return np.random.default_rng(seq).poisson(0.4, SHAPE).astype(np.uint16)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_every_frame_is_in_the_recording_or_with_the_hook(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    kill_after = random.Random(seed).randrange(5, 60)
    settings = ProcessorSettings(
        profile="abberior_er_low", out=tmp_path / "run", endpoint="tcp://127.0.0.1:*", shape_yx=SHAPE
    )
    with processor_child(settings) as processor:
        endpoint = processor.expect("ready")["endpoint"]
        hook = Hook("abberior_er_low", endpoint, spool_dir=tmp_path / "spool")
        for seq in range(100):
            hook.image_process_fn(image(seq), {"Axes": {"time": seq}})
        while hook.report().acknowledged < kill_after:
            threading.Event().wait(0.005)
        os.kill(processor.process.pid or 0, signal.SIGKILL)
        processor.process.join()
        report = hook.close(timeout_s=0.2)
        with pytest.raises(RunError, match=r"processor process died \(exit code -9\)"):
            processor.expect("summary")

    rows = [json.loads(line) for line in (tmp_path / "run" / "frames.jsonl").read_text().splitlines()]
    raw = zarr.open_array(tmp_path / "run" / "raw.ome.zarr" / "0", mode="r")
    annotated = zarr.open_array(tmp_path / "run" / "annotated.ome.zarr" / "0", mode="r")
    assert report.acknowledged >= kill_after
    assert [row["seq"] for row in rows][: report.acknowledged] == list(range(report.acknowledged))
    for row in rows:
        np.testing.assert_array_equal(raw[row["raw_index"], 0, 0], image(row["seq"]))
        assert np.isfinite(annotated[tuple(row["annotated_place"])]).all()
    assert len(rows) <= annotated.shape[0] <= raw.shape[0] <= 100
    assert report.kept is not None
    kept = {frame.seq for frame in read_spool(report.kept)}
    assert kept | {row["seq"] for row in rows} == set(range(100))


@pytest.mark.parametrize("ends", ["hook", "parent"])
def test_an_ended_run_is_closed_and_tells_both_sides(tmp_path: Path, ends: str) -> None:
    settings = ProcessorSettings(
        profile="abberior_er_low", out=tmp_path / "run", endpoint="tcp://127.0.0.1:*", shape_yx=SHAPE
    )
    with processor_child(settings) as processor:
        endpoint = processor.expect("ready")["endpoint"]
        hook = Hook("abberior_er_low", endpoint, spool_dir=tmp_path / "spool")
        for seq in range(5):
            hook.image_process_fn(image(seq), {})
        if ends == "parent":
            while hook.report().acknowledged < 5:
                threading.Event().wait(0.005)
            processor.finish()
        else:
            hook.close()
        summary = processor.expect("summary")
        report = hook.close(timeout_s=5)
    assert (summary["recorded"], summary["dropped"], report.acknowledged) == (5, 0, 5)
    assert report.kept is None
    assert json.loads((tmp_path / "run" / "run.json").read_text())["state"] == "closed"
    assert (tmp_path / "run" / "frames.parquet").exists()

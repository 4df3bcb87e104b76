"""What a run leaves behind, read by others than its writer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorstore
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader

pytestmark = pytest.mark.live

Demo = tuple[Path, dict[str, Any]]
IMAGES = ("raw.ome.zarr", "annotated.ome.zarr")


@pytest.mark.parametrize("image", IMAGES)
def test_ome_zarr_py_reads_axes_scale_and_labels(quick_demo: Demo, image: str) -> None:
    run, report = quick_demo
    location = parse_url(run / image, mode="r")
    assert location is not None
    nodes = list(Reader(location)())
    pixels, metadata = nodes[0].data[0], nodes[0].metadata
    channels = 1 if image == "raw.ome.zarr" else 3  # denoised, its uncertainty, and trust
    assert pixels.shape == (report["recorded"], channels, 1, 256, 256)
    assert [axis["name"] for axis in metadata["axes"]] == ["t", "c", "z", "y", "x"]
    assert [axis.get("unit") for axis in metadata["axes"]] == [
        "second",
        None,
        None,
        "micrometer",
        "micrometer",
    ]
    scale = metadata["coordinateTransformations"][0][0]["scale"]
    assert scale == [0.6, 1.0, 1.0, 0.02, 0.02]
    labels = {node.zarr.path.rstrip("/").rsplit("/", 1)[-1] for node in nodes[1:]} - {"labels"}
    assert labels == (set() if image == "raw.ome.zarr" else {"segmentation", "trust"})


@pytest.mark.parametrize("image", IMAGES)
def test_zarr_python_and_tensorstore_read_the_same_pixels(quick_demo: Demo, image: str) -> None:
    path = quick_demo[0] / image / "0"
    theirs = tensorstore.open({"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}).result()
    np.testing.assert_array_equal(zarr.open_array(path, mode="r")[:], theirs.read().result())


def test_run_json_names_everything_the_numbers_depend_on(quick_demo: Demo) -> None:
    info = json.loads((quick_demo[0] / "run.json").read_text())
    assert info["state"] == "closed"
    assert info["profile"]["profile"]["name"] == "abberior_er_low"
    assert [package["id"] for package in info["packages"]] == ["er-denoise-live", "er-segment-live"]
    assert all(len(sha) == 64 for package in info["packages"] for sha in package["sha256"].values())
    keys = info["engine_keys"]["denoiser"][0]
    assert {"weights_sha256", "device", "instruction_set", "precision", "threads"} <= keys.keys()
    assert info["source"]["hook"]["planned"] == 260
    assert (info["seeds"], info["notes"]["simulated"]) == ({"specimen": 5}, {"bleaching": 1.0})
    assert {check["check"] for check in info["notes"]["checks"]} >= {"disk", "calibration", "stop"}
    assert (info["source"]["link"]["missing"], info["source"]["link"]["refused"]) == (0, {})


def test_rows_decisions_and_table_agree(quick_demo: Demo) -> None:
    run, report = quick_demo
    rows = [json.loads(line) for line in (run / "frames.jsonl").read_text().splitlines()]
    decisions = [json.loads(line) for line in (run / "decisions.jsonl").read_text().splitlines()]
    table = pq.read_table(run / "frames.parquet").to_pylist()
    assert [row["seq"] for row in rows] == [row["seq"] for row in table] == list(range(report["recorded"]))
    assert [row["photons_measured"] for row in table] == [
        next(v["measured"] for v in row["verdicts"] if v["guard"] == "photons") for row in rows
    ]
    stopped = report["stop"]["frame"]
    assert [(d["kind"], d["seq"], d["action"]) for d in decisions] == [
        ("decision", stopped, "stop"),
        ("carried out", stopped, "stop"),
    ]
    doses = [row["dose"]["excitation 640 nm uJ/px"] for row in rows]
    assert doses == pytest.approx([(n + 1) * 4.8 * 0.5e-6 for n in range(len(rows))])

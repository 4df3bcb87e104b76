"""A camera that nobody has calibrated: a preview that is recorded, replayed, and claims nothing."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import camera_rig
import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray

from streamer.apps.compose import ModelSettings
from streamer.apps.live import processor_child
from streamer.apps.processor import ProcessorSettings
from streamer.apps.replay import ReplaySettings, replay
from streamer.errors import UsageError
from streamer.hook import Hook
from streamer.reading import FrameIndex, read_planes
from streamer.recording import RunFolder, read_info
from streamer.report import write_report
from streamer.simulation import camera_grey_levels

QUICK = ModelSettings(precision="f32", threads=1)


def grey_levels(frames: int = 4) -> NDArray[np.uint16]:
    """[t, y, x] stripes of a few photons."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:64, :64]
    expected = (0.2 + 20.0 * ((x + 2 * y) % 30 < 10)).astype(np.float32)
    return np.stack([camera_grey_levels(expected, camera_rig.TRUE, rng) for _ in range(frames)])


@pytest.fixture
def settings(tmp_path: Path) -> ReplaySettings:
    tifffile.imwrite(tmp_path / "cell.tif", grey_levels(), photometric="minisblack")
    return ReplaySettings(
        paths=(tmp_path / "cell.tif",),
        out=tmp_path / "run",
        profile=str(camera_rig.write_rig(tmp_path)),
        models=QUICK,
    )


def annotated(run: Path) -> NDArray[np.float32]:
    return np.asarray(zarr.open_array(run / "annotated.ome.zarr" / "0", mode="r")[:])


def test_it_is_told_recorded_and_replayed_to_the_bit(settings: ReplaySettings, tmp_path: Path) -> None:
    told: list[str] = []

    def hear(lines: Sequence[str]) -> None:
        told.extend(lines)

    report = replay(settings, on_words=hear)
    (line,) = (words for words in told if "off" in words)
    assert line.startswith("calibration: all guards but health are off")
    assert "streamer calibrate PROFILE --photon-transfer --flat FLAT --dark DARK" in line

    run = RunFolder(tmp_path / "run")
    assert json.loads(run.info.read_text())["calibration"] == {"provisional": True}
    assert read_info(run).calibration == {"provisional": True}
    assert report.summary.stop is None
    assert report.verdicts.pop("health") == {"pass": 4}
    assert set(map(str, report.verdicts.values())) == {"{'flag': 4}"}

    again = replay(ReplaySettings(paths=(tmp_path / "run",), out=tmp_path / "again", models=QUICK))
    assert again.comparison is not None
    assert again.comparison.identical == 4
    np.testing.assert_array_equal(annotated(tmp_path / "run"), annotated(tmp_path / "again"))


def test_nothing_is_said_of_trust(settings: ReplaySettings, tmp_path: Path) -> None:
    replay(settings)
    image = tmp_path / "run" / "annotated.ome.zarr"
    attributes = json.loads((image / "zarr.json").read_text())["attributes"]
    labels = [channel["label"] for channel in attributes["ome"]["omero"]["channels"]]
    assert labels == ["denoised", "uncertainty"]
    assert [path.name for path in (image / "labels").iterdir() if path.is_dir()] == ["segmentation"]

    run, index = RunFolder(tmp_path / "run"), FrameIndex()
    for row in (json.loads(line) for line in run.frames.read_text().splitlines()):
        index.add(row)
    (view,) = index.views()
    entry = index.newest(view)
    assert entry is not None
    planes = read_planes(run, entry, view.channel)
    assert planes.segmentation is not None
    assert planes.trust is None


def test_no_slice_of_a_stack_is_called_unsupported_and_no_grey_level_a_photon(
    settings: ReplaySettings, tmp_path: Path
) -> None:
    stack = grey_levels(8).reshape(2, 4, 64, 64)
    tifffile.imwrite(tmp_path / "stack.ome.tif", stack, metadata={"axes": "TZYX"}, ome=True)
    replay(replace(settings, paths=(tmp_path / "stack.ome.tif",)))
    run = RunFolder(tmp_path / "run")
    assert read_info(run).stacks is None
    attributes = (run.path / "annotated.ome.zarr" / "zarr.json").read_text()
    assert "supported" not in attributes
    write_report(run.path, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "grey levels, scaled" in page
    assert "photons a pixel" not in page


def test_a_replay_says_whose_spread_consistency_judges_by(settings: ReplaySettings, tmp_path: Path) -> None:
    told: list[str] = []
    rig = str(camera_rig.write_rig(tmp_path, "measured", camera_rig.known()))
    models = replace(QUICK, model="er-denoise-causal")
    replay(replace(settings, profile=rig, models=models), on_words=told.extend)
    (line,) = (words for words in told if words.startswith("guard consistency:"))
    assert "er-denoise-live" in line
    assert "er-denoise-causal" in line


def test_once_the_camera_is_measured_its_raw_frames_are_judged(
    settings: ReplaySettings, tmp_path: Path
) -> None:
    replay(settings)
    measured = camera_rig.write_rig(tmp_path, "measured", camera_rig.known())
    report = replay(
        replace(settings, paths=(tmp_path / "run",), out=tmp_path / "judged", profile=str(measured))
    )
    assert read_info(RunFolder(tmp_path / "judged")).calibration["gain_e_per_adu"] == 0.46
    assert report.verdicts["signal_map"] == {"pass": 4}
    assert (tmp_path / "judged" / "annotated.ome.zarr" / "labels" / "trust").is_dir()


def test_an_offset_alone_is_refused(settings: ReplaySettings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--offset 100 is not enough: .* leave out --offset"):
        replay(replace(settings, offset_adu=100.0))
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_live_run_goes_on_after_its_processor_died(tmp_path: Path) -> None:
    rig, said = str(camera_rig.write_rig(tmp_path)), list[str]()
    settings = ProcessorSettings(
        profile=rig, out=tmp_path / "run", endpoint="tcp://127.0.0.1:*", models=QUICK, shape_yx=(64, 64)
    )
    images = grey_levels(8)
    with processor_child(settings) as processor:
        endpoint = processor.expect("ready")["endpoint"]
        hook = Hook(rig, endpoint, spool_dir=tmp_path / "spool")
        for pixels in images[:4]:
            hook.image_process_fn(pixels, {})
        while hook.report().acknowledged < 4:
            threading.Event().wait(0.005)
        os.kill(processor.process.pid or 0, signal.SIGKILL)
        processor.process.join()
    again = replace(settings, resume=True, restarted=True, endpoint=endpoint)
    with processor_child(again, said.extend) as processor:
        processor.expect("ready")
        for pixels in images[4:]:
            hook.image_process_fn(pixels, {})
        hook.close()
        summary = processor.expect("summary")
    assert (summary["recorded"], summary["processed"], summary["stop"]) == (8, 8, None)
    assert next(line for line in said if "guards but health are off" in line).startswith("calibration: ")
    replayed = replay(ReplaySettings(paths=(tmp_path / "run",), out=tmp_path / "again", models=QUICK))
    assert replayed.comparison is not None
    assert replayed.comparison.identical == 8

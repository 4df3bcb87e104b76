"""The same acquisition (time, z, two channels) through three engines leaves equal recordings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import zarr
from microscope.same_acquisition import (
    PLAN,
    PROFILE,
    SHAPE_YX,
    pixels,
    with_java_wire,
    with_pycromanager,
    with_pymmcore_plus,
)

from streamer.apps.live import processor_child
from streamer.apps.processor import ProcessorSettings
from streamer.hook import HookReport
from streamer.recording import RunFolder, open_annotated, open_labels, open_raw, read_frames

ENGINES: dict[str, Callable[[str], HookReport]] = {
    "pycromanager": with_pycromanager,
    "pymmcore-plus": with_pymmcore_plus,
    "java wire": with_java_wire,
}
#: What a row says of a frame, apart from clocks and the engine's own notes.
SAID = (
    "seq", "axes", "image", "raw_index", "annotated_image", "annotated_place", "annotated_channels",
    "exposure_ms", "bit_depth", "processed", "verdicts", "decision", "light", "dose",
)  # fmt: skip


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunFolder]:
    """One run with each engine."""
    made = {}
    for name, acquire in ENGINES.items():
        out = tmp_path_factory.mktemp("engines") / "run"
        settings = ProcessorSettings(
            profile=PROFILE, out=out, endpoint="tcp://127.0.0.1:*", shape_yx=SHAPE_YX
        )
        with processor_child(settings) as processor:
            report = acquire(processor.expect("ready")["endpoint"])
            summary = processor.expect("summary")
        assert report.acknowledged == summary["recorded"] == summary["processed"] == PLAN.frames, report
        made[name] = RunFolder(out)
    return made


def said(run: RunFolder) -> list[dict[str, Any]]:
    return [{name: row[name] for name in SAID} for row in read_frames(run)]


def images(run: RunFolder) -> dict[str, zarr.Array[Any]]:
    labels = {name: open_labels(run, name) for name in ("segmentation", "trust")}
    return {"raw": open_raw(run), "annotated": open_annotated(run), **labels}


@pytest.mark.live
@pytest.mark.parametrize("engine", ["pymmcore-plus", "java wire"])
def test_recordings_are_equal(recordings: dict[str, RunFolder], engine: str) -> None:
    first, other = recordings["pycromanager"], recordings[engine]
    assert said(other) == said(first)
    for name, image in images(first).items():
        np.testing.assert_array_equal(images(other)[name][:], image[:], err_msg=name)


@pytest.mark.live
def test_the_recording_holds_every_frame_at_its_place(recordings: dict[str, RunFolder]) -> None:
    run = recordings["pycromanager"]
    raw = open_raw(run)
    assert [row["seq"] for row in read_frames(run)] == list(range(PLAN.frames))
    for index in range(PLAN.frames):
        np.testing.assert_array_equal(raw[index, 0, 0], pixels(index))
    annotated = open_annotated(run)
    planes = 3 * len(PLAN.channels)  # denoised, its uncertainty, and trust
    assert annotated.shape == (PLAN.time_points, planes, len(PLAN.z_um), *SHAPE_YX)
    (row, *_) = read_frames(run)
    is_trust = np.arange(planes) % 3 == 2
    assert row["annotated_channels"][2].startswith("trust")
    assert np.isfinite(annotated[:][:, ~is_trust]).all()

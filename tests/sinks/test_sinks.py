"""What the sinks write, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from recorder import SCALE, denoised, outcome_of, pixels, sinks_of, trust

from streamer.core import Frame
from streamer.errors import RecordingError
from streamer.recording import (
    RunFolder,
    RunInfo,
    create_run,
    open_annotated,
    open_raw,
    read_decisions,
    read_frames,
)
from streamer.sinks import AnnotatedSink, RawSink

PLANE = (20, 24)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return create_run(tmp_path / "run", RunInfo())


def test_unprocessed_frames_are_in_raw_only_and_rows_tell_where_the_others_are(run: RunFolder) -> None:
    raw, sinks = sinks_of(run)
    for seq in range(4):
        outcome = outcome_of(seq, PLANE, processed=seq in (1, 3))
        raw.put(outcome.frame)
        for sink in sinks:
            sink.put(outcome)
    rows = read_frames(run)
    places = [(row["seq"], row["processed"], row["raw_index"], row["annotated_index"]) for row in rows]
    assert places == [(0, False, 0, None), (1, True, 1, 0), (2, False, 2, None), (3, True, 3, 1)]
    assert open_raw(run).shape == (4, 1, 1, *PLANE)
    np.testing.assert_array_equal(open_annotated(run)[1, 0, 0], denoised(3, PLANE))
    for sink in sinks:
        sink.close()


def test_a_gap_in_the_numbers_leaves_no_hole_in_the_pixels(run: RunFolder) -> None:
    raw, (annotated, rows, decisions) = sinks_of(run)
    for seq in (0, 5, 19):
        outcome = outcome_of(seq, PLANE)
        raw.put(outcome.frame)
        for sink in (annotated, rows, decisions):
            sink.put(outcome)
    assert [(row["seq"], row["raw_index"]) for row in read_frames(run)] == [(0, 0), (5, 1), (19, 2)]
    np.testing.assert_array_equal(open_raw(run)[2, 0, 0], pixels(19, PLANE))
    (stop,) = read_decisions(run)
    assert (stop["seq"], stop["action"], stop["reason"]) == (19, "stop", "faded")
    assert stop["evidence"][0]["measured"] == pytest.approx(0.05)
    for sink in (annotated, rows, decisions):
        sink.close()


def test_a_row_is_refused_while_its_pixels_are_missing(run: RunFolder) -> None:
    _, sinks = sinks_of(run)
    _, rows, _ = sinks
    with pytest.raises(RecordingError, match="frame 0 has no pixels"):
        rows.put(outcome_of(0, PLANE))
    assert read_frames(run) == []
    for sink in sinks:
        sink.close()


@pytest.mark.parametrize(
    "changed", [np.zeros((20, 25), np.uint16), np.zeros(PLANE, np.uint8)], ids=["size", "pixel type"]
)
def test_a_change_of_camera_mode_in_mid_run_is_refused(run: RunFolder, changed: np.ndarray) -> None:
    raw = RawSink(run, SCALE)
    raw.put(Frame(pixels=pixels(0, PLANE), seq=0))
    with pytest.raises(RecordingError, match=r"raw\.ome\.zarr.*start a new recording"):
        raw.put(Frame(pixels=changed, seq=1))


def test_uncertainty_becomes_a_second_channel_where_the_model_gives_one(run: RunFolder) -> None:
    sink = AnnotatedSink(run, SCALE, trust)
    outcome = outcome_of(0, PLANE)
    assert outcome.result is not None
    uncertainty = np.full(PLANE, 0.25, np.float32)
    sink.put(replace(outcome, result=replace(outcome.result, uncertainty=uncertainty)))
    assert open_annotated(run, ()).shape == (1, 2, 1, *PLANE)
    channels = dict(zarr.open_group(run.annotated, mode="r").attrs)["ome"]["omero"]["channels"]
    assert [channel["label"] for channel in channels] == ["denoised", "uncertainty"]
    with pytest.raises(RecordingError, match="frame has 1 channels, this recording 2"):
        sink.put(outcome_of(1, PLANE))

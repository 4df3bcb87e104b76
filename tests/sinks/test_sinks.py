"""What the sinks write, and what they refuse."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from recorder import (
    SCALE,
    SMALL,
    check_holes,
    check_pixels,
    denoised,
    draw,
    frame_of,
    outcome_of,
    pixels,
    record,
    sinks_of,
)

from streamer.core import Frame, Outcome, Result
from streamer.errors import RecordingError
from streamer.recording import (
    RunFolder,
    RunInfo,
    create_run,
    open_annotated,
    open_labels,
    open_raw,
    parts,
    read_checkpoint,
    read_decisions,
    read_frames,
)
from streamer.sinks import DecisionsSink, RawSink


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return create_run(tmp_path / "run", RunInfo())


def channels_of(run: RunFolder, image: str = "annotated.ome.zarr") -> list[str]:
    ome = dict(zarr.open_group(run.path / image, mode="r").attrs)["ome"]
    return [channel["label"] for channel in ome["omero"]["channels"]]


def test_unprocessed_frames_are_in_raw_only_and_rows_tell_where_the_others_are(run: RunFolder) -> None:
    record(run, *(outcome_of(seq, SMALL, processed=seq in (1, 3)) for seq in range(4)))
    rows = read_frames(run)
    places = [(row["seq"], row["processed"], row["raw_index"], row["annotated_place"]) for row in rows]
    assert places == [
        (0, False, 0, None),
        (1, True, 1, [0, 0, 0]),
        (2, False, 2, None),
        (3, True, 3, [1, 0, 0]),
    ]
    assert open_raw(run).shape == (4, 1, 1, *SMALL)
    np.testing.assert_array_equal(open_annotated(run)[1, 0, 0], denoised(3, SMALL))


def test_a_row_says_all_that_is_known_of_its_frame(run: RunFolder) -> None:
    state = {"Focus-Status": "locked", "Laser-Power": 4.5}
    frame = frame_of(2, SMALL, {"time": 0, "z": 1}, exposure_ms=10.0, bit_depth=12, state=state)
    record(run, outcome_of(2, frame=frame))
    (row,) = read_frames(run)
    said = {name: row[name] for name in ("image", "exposure_ms", "bit_depth", "state", "light", "axes")}
    assert said == {
        "image": "raw.ome.zarr",
        "exposure_ms": 10.0,
        "bit_depth": 12,
        "state": state,
        "light": {"excitation_uj": 0.1},
        "axes": {"time": 0, "z": 1},
    }
    assert row["dose"] == {"excitation_uj": pytest.approx(0.3)}
    assert (row["annotated_image"], row["annotated_place"]) == ("annotated.ome.zarr", [0, 0, 1])
    assert row["annotated_channels"] == ["denoised"]
    checkpoint = read_checkpoint(run)
    assert checkpoint is not None
    assert (checkpoint[0], checkpoint[1]["seen"].tolist()) == (2, [2])


def test_a_gap_in_the_numbers_leaves_no_hole_in_the_pixels(run: RunFolder) -> None:
    record(run, *(outcome_of(seq, SMALL) for seq in (0, 5, 19)))
    assert [(row["seq"], row["raw_index"]) for row in read_frames(run)] == [(0, 0), (5, 1), (19, 2)]
    np.testing.assert_array_equal(open_raw(run)[2, 0, 0], pixels(19, SMALL))
    (stop,) = read_decisions(run)
    assert (stop["kind"], stop["seq"], stop["action"], stop["reason"]) == ("decision", 19, "stop", "faded")
    assert stop["evidence"][0]["measured"] == pytest.approx(0.05)


def test_a_decision_says_when_it_was_made_beside_when_its_frame_was_taken(run: RunFolder) -> None:
    before_s = time.time()
    record(run, *(outcome_of(seq, SMALL) for seq in range(10)))
    (stop,) = read_decisions(run)
    assert before_s <= stop["decided_wall_s"] <= time.time()
    assert stop["wall_time_s"] == read_frames(run)[9]["wall_time_s"] < before_s


def test_what_the_microscope_did_is_written_from_any_thread_and_after_the_end(run: RunFolder) -> None:
    decisions = DecisionsSink(run)
    threads = [
        threading.Thread(target=decisions.put_done, args=({"action": "stop", "seq": seq, "ok": True},))
        for seq in range(20)
    ]
    for thread in threads:
        thread.start()
    for seq in range(9, 200, 10):
        decisions.put(outcome_of(seq, SMALL))
    decisions.close()
    for thread in threads:
        thread.join()
    decisions.put_done({"action": "stop", "seq": 20, "ok": False, "detail": "no shutter"})
    rows = read_decisions(run)
    done = [row for row in rows if row["kind"] == "carried out"]
    assert sorted(row["seq"] for row in done) == list(range(21))
    assert rows[-1] == {
        "kind": "carried out",
        "action": "stop",
        "seq": 20,
        "ok": False,
        "detail": "no shutter",
    }
    assert [row["seq"] for row in rows if row["kind"] == "decision"] == list(range(9, 200, 10))


def test_a_row_is_refused_while_its_pixels_are_missing(run: RunFolder) -> None:
    _, sinks = sinks_of(run)
    with pytest.raises(RecordingError, match="frame 0 has no pixels"):
        sinks[2].put(outcome_of(0, SMALL))
    assert read_frames(run) == []
    for sink in sinks:
        sink.close()


def test_a_volume_is_no_frame(run: RunFolder) -> None:
    with pytest.raises(RecordingError, match=r"shape \(2, 20, 24\); hand over single planes"):
        RawSink(run, SCALE).put(Frame(pixels=np.zeros((2, *SMALL), np.uint16), seq=0))


def test_a_change_of_camera_mode_in_mid_run_opens_a_segment(run: RunFolder) -> None:
    frames = [
        frame_of(0, SMALL, exposure_ms=10.0),
        frame_of(1, SMALL, exposure_ms=20.0),
        frame_of(2, (30, 16), exposure_ms=20.0),
        replace(frame_of(3, SMALL), pixels=pixels(3, SMALL).astype(np.uint8)),
        frame_of(4, SMALL, exposure_ms=10.0),
    ]
    record(run, *(outcome_of(frame.seq, frame=frame) for frame in frames))
    rows = read_frames(run)
    names = ["raw.ome.zarr", "raw.s1.ome.zarr", "raw.s2.ome.zarr", "raw.s3.ome.zarr", "raw.ome.zarr"]
    assert [row["image"] for row in rows] == names
    assert [row["annotated_image"] for row in rows] == [n.replace("raw", "annotated") for n in names]
    assert [row["raw_index"] for row in rows] == [0, 0, 0, 0, 1]
    check_pixels(run, rows)
    about = zarr.open_group(run.path / "raw.s1.ome.zarr", mode="r").attrs["streamer"]
    assert about == {
        "position": None,
        "segment": 1,
        "exposure_ms": 20.0,
        "bit_depth": None,
        "channels": ["detector"],
    }


def test_positions_with_hostile_names_are_recorded_apart_and_named_truly(run: RunFolder) -> None:
    names = ["../../etc/passwd", "a/b", "A1", "a1", "\ud800", "", 7, "7", "x" * 3000]
    for_each = [frame_of(seq, SMALL, {"position": names[seq % len(names)]}) for seq in range(2 * len(names))]
    record(run, *(outcome_of(frame.seq, frame=frame) for frame in for_each))
    assert {path.name for path in run.path.parent.iterdir()} == {"run"}
    rows = read_frames(run)
    check_pixels(run, rows)
    assert [row["axes"]["position"] for row in rows] == names * 2
    assert [part.part.position for part in parts(run)] == names
    for part in parts(run):
        for image in (part.part.raw, part.part.annotated):
            about = zarr.open_group(run.path / image, mode="r").attrs["streamer"]
            assert about["position"] == part.part.position
        assert (part.frames, part.extent) == (2, (2, 1, 1))


def test_planes_missing_and_out_of_order_leave_holes_where_they_belong(run: RunFolder) -> None:
    places = [(0, "red", 2), (0, "red", 0), (0, "blue", 1), (1, "blue", 0), (0, "blue", 3), (1, "red", 1)]
    frames = [
        frame_of(seq, SMALL, {"time": time, "channel": channel, "z": z})
        for seq, (time, channel, z) in enumerate(places)
    ]
    record(run, *(outcome_of(frame.seq, frame=frame) for frame in frames))
    rows = read_frames(run)
    assert [row["annotated_place"] for row in rows] == [[t, int(c == "blue"), z] for t, c, z in places]
    check_pixels(run, rows)
    (part,) = parts(run)
    assert part.extent == (2, 2, 4)
    check_holes(run, part, rows)
    assert channels_of(run) == ["denoised red", "denoised blue"]
    assert open_raw(run).shape == (6, 1, 1, *SMALL)


def splitter_outcome(seq: int) -> Outcome:
    """One sensor frame of which two channels were made."""
    frame = frame_of(seq, (20, 48))
    results = []
    for number, name in enumerate(("red", "yellow")):
        half = frame.pixels[:, 24 * number : 24 * (number + 1)]
        channel = replace(frame, pixels=half, axes={**frame.axes, "channel": name})
        image = half.astype(np.float32)
        results.append(
            Result(frame=channel, photons=image, denoised=image, labels=(half % 3).astype(np.uint8))
        )
    return Outcome(frame=frame, results=tuple(results))


def test_channels_of_a_splitter_lie_side_by_side_with_their_labels(run: RunFolder) -> None:
    record(run, *map(splitter_outcome, range(3)))
    rows = read_frames(run)
    assert [row["annotated_place"] for row in rows] == [[n, 0, 0] for n in range(3)]
    assert {tuple(row["annotated_channels"]) for row in rows} == {("denoised red", "denoised yellow")}
    assert channels_of(run) == ["denoised red", "denoised yellow"]
    assert open_raw(run).shape == (3, 1, 1, 20, 48)
    both, drawn = open_annotated(run), open_labels(run, "segmentation")
    assert both.shape == drawn.shape == (3, 2, 1, 20, 24)
    for seq in range(3):
        for number in range(2):
            half = pixels(seq, (20, 48))[:, 24 * number : 24 * (number + 1)]
            np.testing.assert_array_equal(both[seq, number, 0], half)
            np.testing.assert_array_equal(drawn[seq, number, 0], half % 3)


def test_uncertainty_is_a_channel_of_its_own_where_the_model_gives_one(run: RunFolder) -> None:
    outcomes = [outcome_of(seq, SMALL) for seq in range(2)]
    (result,) = outcomes[1].results
    uncertainty = np.full(SMALL, 0.25, np.float32)
    outcomes[1] = replace(outcomes[1], results=(replace(result, uncertainty=uncertainty),))
    record(run, *outcomes)
    assert channels_of(run) == ["denoised", "uncertainty"]
    stored = open_annotated(run)
    assert stored.shape == (2, 2, 1, *SMALL)
    assert np.isnan(stored[0, 1, 0]).all()
    np.testing.assert_array_equal(stored[1, 1, 0], uncertainty)


def test_a_registered_plane_without_a_value_at_its_edge_can_be_shown(run: RunFolder) -> None:
    (result,) = outcome_of(0, SMALL).results
    edge = result.denoised.copy()
    edge[:2] = np.nan
    record(run, Outcome(frame=result.frame, results=(replace(result, denoised=edge),)))
    ome = dict(zarr.open_group(run.annotated, mode="r").attrs)["ome"]
    (window,) = [channel["window"] for channel in ome["omero"]["channels"]]
    assert np.isfinite(list(window.values())).all()
    np.testing.assert_array_equal(
        open_annotated(run)[0, 0, 0], draw(replace(result, denoised=edge)).images["denoised"]
    )

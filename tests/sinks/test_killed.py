"""A recorder killed at any moment leaves a recording in which every acknowledged frame is whole."""

from __future__ import annotations

import random
import subprocess
import sys
import time
import warnings
from pathlib import Path

import luck
import numpy as np
import pytest
import zarr
from recorder import SCRIPTS, check_holes, check_pixels, denoised, labels, pixels

from streamer.recording import (
    RunFolder,
    chunk_file,
    close_run,
    open_raw,
    parts,
    read_checkpoint,
    read_decisions,
    read_frames,
    read_info,
    resume_run,
)

SEED = luck.seed()


def record_and_kill(folder: Path, script: str, after_s: float) -> list[int]:
    """The frames that the recorder said were acknowledged before it was killed `after_s` into its work."""
    command = [sys.executable, str(Path(__file__).with_name("recorder.py")), str(folder), script]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as recorder:
        assert recorder.stdout is not None
        first = recorder.stdout.readline()
        time.sleep(after_s)
        recorder.kill()
        rest = recorder.stdout.read()
    return [int(line) for line in (first + rest).splitlines(keepends=True) if line.endswith(b"\n")]


@pytest.fixture(scope="module", params=["simple 1", "simple 2", "complex 1", "complex 2"])
def killed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunFolder, list[int], str]:
    script, number = request.param.split()
    after_s = random.Random(SEED + int(number)).uniform(0, 0.4)
    print(f"seed {SEED}: killed {after_s:.4f} s after the first frame")
    folder = tmp_path_factory.mktemp("killed") / "run"
    return RunFolder(folder), record_and_kill(folder, script, after_s), script


Killed = tuple[RunFolder, list[int], str]


def test_every_acknowledged_frame_is_whole(killed: Killed) -> None:
    run, said, script = killed
    rows = read_frames(run)
    assert [row["seq"] for row in rows] == list(range(len(rows)))
    assert len(said) <= len(rows) <= len(said) + 1  # killed between a row and the word about it
    assert [row["processed"] for row in rows] == [bool(SCRIPTS[script](row["seq"]).results) for row in rows]
    check_pixels(run, rows)
    assert read_info(run).state == "running"
    stops = [row["seq"] for row in read_decisions(run)]
    expected = [seq for seq in range(len(rows) + 1) if SCRIPTS[script](seq).decision.action == "stop"]
    assert stops == expected[: len(stops)]
    assert len(stops) >= len([seq for seq in expected if seq < len(rows)])


def test_no_raw_image_is_longer_than_what_was_written(killed: Killed) -> None:
    for one in parts(killed[0]):
        array = killed[0].path / one.part.raw / "0"
        length = zarr.open_array(array, mode="r").shape[0]
        assert length >= one.frames > 0
        assert all(chunk_file(array, frame).is_file() for frame in range(length))


@pytest.mark.parametrize("killed", ["simple 1", "simple 2"], indirect=True)
def test_frames_that_were_not_acknowledged_in_time_are_whole_too(killed: Killed) -> None:
    run, _, _ = killed
    raw = zarr.open_array(run.raw / "0", mode="r")
    for seq in range(len(read_frames(run)), raw.shape[0]):
        np.testing.assert_array_equal(raw[seq, 0, 0], pixels(seq))


def test_an_independent_reader_opens_what_is_left(killed: Killed) -> None:
    run, _, _ = killed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own dependencies warn while they are imported
        from ome_zarr.io import parse_url
        from ome_zarr.reader import Reader

        (part, *_) = parts(run)
        raw_location = parse_url(run.path / part.part.raw)
        annotated_location = parse_url(run.path / part.part.annotated)
        assert raw_location is not None
        assert annotated_location is not None
        (raw,) = list(Reader(raw_location)())
        nodes = {Path(str(node.zarr.path)).name: node for node in Reader(annotated_location)()}
    row = next(row for row in read_frames(run) if row["image"] == part.part.raw and row["annotated_place"])
    seq, place, plane = row["seq"], tuple(row["annotated_place"]), raw.data[0].shape[-2:]
    np.testing.assert_array_equal(np.asarray(raw.data[0][row["raw_index"], 0, 0]), pixels(seq, plane))
    np.testing.assert_array_equal(np.asarray(nodes["segmentation"].data[0][place]), labels(seq, plane))
    np.testing.assert_array_equal(np.asarray(nodes[part.part.annotated].data[0][place]), denoised(seq, plane))


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_recorder_killed_again_and_again_records_every_frame_once_and_in_order(
    tmp_path: Path, script: str
) -> None:
    print(f"seed {SEED}")
    times = random.Random(SEED)
    folder, said = tmp_path / "run", list[int]()
    for _ in range(5):
        said += record_and_kill(folder, script, times.uniform(0, 0.15))
    resumed = resume_run(folder)
    rows = read_frames(resumed.run)
    assert [row["seq"] for row in rows] == list(range(resumed.next_seq))
    assert set(said) <= set(range(resumed.next_seq))
    assert [session.first_seq for session in resumed.info.sessions] == sorted(
        session.first_seq for session in resumed.info.sessions
    )
    assert len(resumed.info.sessions) == 5
    check_pixels(resumed.run, rows)
    for one in parts(resumed.run):
        assert open_raw(resumed.run, one).shape[0] == one.frames
        check_holes(resumed.run, one, rows)
    stops = [seq for seq in range(resumed.next_seq) if SCRIPTS[script](seq).decision.action == "stop"]
    assert [row["seq"] for row in read_decisions(resumed.run)] == stops
    checkpoint = read_checkpoint(resumed.run)
    assert checkpoint is not None
    assert checkpoint[0] == checkpoint[1]["seen"][0] < resumed.next_seq
    close_run(resumed.run)

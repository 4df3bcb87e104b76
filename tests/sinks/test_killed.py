"""A recorder killed at any moment leaves a recording in which every acknowledged frame is whole."""

from __future__ import annotations

import random
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import zarr
from recorder import denoised, labels, pixels

from streamer.recording import (
    RunFolder,
    chunk_file,
    open_annotated,
    open_labels,
    open_raw,
    read_decisions,
    read_frames,
    read_info,
)

SEED = random.SystemRandom().randrange(2**32)


def record_and_kill(folder: Path, after_s: float) -> list[int]:
    """The frames that the recorder said were acknowledged before it was killed `after_s` into its work."""
    command = [sys.executable, str(Path(__file__).with_name("recorder.py")), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as recorder:
        assert recorder.stdout is not None
        first = recorder.stdout.readline()
        time.sleep(after_s)
        recorder.kill()
        rest = recorder.stdout.read()
    return [int(line) for line in (first + rest).splitlines(keepends=True) if line.endswith(b"\n")]


@pytest.fixture(scope="module", params=range(4), ids="kill {}".format)
def killed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunFolder, list[int]]:
    after_s = random.Random(SEED + request.param).uniform(0, 0.4)
    print(f"seed {SEED}: killed {after_s:.4f} s after the first frame")
    folder = tmp_path_factory.mktemp("killed") / "run"
    return RunFolder(folder), record_and_kill(folder, after_s)


def test_every_acknowledged_frame_is_whole(killed: tuple[RunFolder, list[int]]) -> None:
    run, said = killed
    rows = read_frames(run)
    assert [row["seq"] for row in rows] == list(range(len(rows)))
    assert len(said) <= len(rows) <= len(said) + 1  # killed between a row and the word about it
    raw, annotated = open_raw(run, rows), open_annotated(run, rows)
    segmentation, trust = open_labels(run, "segmentation"), open_labels(run, "trust")
    for row in rows:
        seq, place = row["seq"], row["annotated_index"]
        np.testing.assert_array_equal(raw[row["raw_index"], 0, 0], pixels(seq))
        assert (place is not None) == row["processed"] == (seq % 4 != 3)
        if place is not None:
            np.testing.assert_array_equal(annotated[place, 0, 0], denoised(seq))
            np.testing.assert_array_equal(segmentation[place, 0, 0], labels(seq))
            np.testing.assert_array_equal(trust[place, 0, 0], (labels(seq) > 0) * np.uint8(2))
    assert read_info(run).state == "running"
    stops = [row["seq"] for row in read_decisions(run)]
    assert stops == [seq for seq in range(len(rows)) if seq % 10 == 9 and seq % 4 != 3][: len(stops)]


@pytest.mark.parametrize(
    "image",
    [
        "raw.ome.zarr",
        "annotated.ome.zarr",
        *(f"annotated.ome.zarr/labels/{n}" for n in ("segmentation", "trust")),
    ],
)
def test_no_array_is_longer_than_what_was_written(killed: tuple[RunFolder, list[int]], image: str) -> None:
    array = killed[0].path / image / "0"
    length = zarr.open_array(array, mode="r").shape[0]
    assert length > 0
    assert all(chunk_file(array, frame).is_file() for frame in range(length))


def test_frames_that_were_not_acknowledged_in_time_are_whole_too(killed: tuple[RunFolder, list[int]]) -> None:
    raw = zarr.open_array(killed[0].raw / "0", mode="r")
    acknowledged = len(read_frames(killed[0]))
    for seq in range(acknowledged, raw.shape[0]):
        np.testing.assert_array_equal(raw[seq, 0, 0], pixels(seq))


def test_an_independent_reader_opens_what_is_left(killed: tuple[RunFolder, list[int]]) -> None:
    run, said = killed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own dependencies warn while they are imported
        from ome_zarr.io import parse_url
        from ome_zarr.reader import Reader

        raw_location, annotated_location = parse_url(run.raw), parse_url(run.annotated)
        assert raw_location is not None
        assert annotated_location is not None
        (raw,) = list(Reader(raw_location)())
        nodes = {Path(str(node.zarr.path)).name: node for node in Reader(annotated_location)()}
    np.testing.assert_array_equal(np.asarray(raw.data[0][said[-1], 0, 0]), pixels(said[-1]))
    np.testing.assert_array_equal(np.asarray(nodes["segmentation"].data[0][0, 0, 0]), labels(0))
    np.testing.assert_array_equal(np.asarray(nodes["annotated.ome.zarr"].data[0][0, 0, 0]), denoised(0))

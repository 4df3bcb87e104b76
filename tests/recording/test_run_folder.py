"""The folder of a run and its provenance."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from streamer.errors import RecordingError, SourceError, UsageError
from streamer.recording import (
    PackageUsed,
    RunFolder,
    RunInfo,
    WriterLock,
    close_run,
    create_run,
    is_run,
    profile_hash,
    read_info,
)
from streamer.recording.files import writing

INFO = RunInfo(
    source={"kind": "engine", "host": "rig"},
    profile={"name": "low", "pixel_nm": 20.0},
    profile_sha256=profile_hash({"pixel_nm": 20.0, "name": "low"}),
    packages=(PackageUsed(id="live", sha256={"weights.onnx": "0" * 64}),),
    engine_keys={"denoiser": {"device": "CPU", "precision": "f32"}},
    thresholds={"ssim": 0.4},
    seeds={"simulation": 7},
    versions={"streamer": "0.1.0"},
    calibration={"offset_adu": 100.0},
    pixel_nm=20.0,
)


def test_provenance_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", INFO)
    assert is_run(run.path)
    assert read_info(run) == INFO
    assert read_info(run).state == "running"


def test_a_new_run_is_locked_until_it_is_closed(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", INFO)
    with pytest.raises(RecordingError, match="another processor is writing this recording; let it end, or"):
        WriterLock(run.path)
    close_run(run)
    WriterLock(run.path).release()


def test_a_folder_left_by_a_run_that_never_began_is_taken(tmp_path: Path) -> None:
    WriterLock(tmp_path).release()
    assert create_run(tmp_path, RunInfo()).info.is_file()


def test_the_hash_of_a_profile_does_not_depend_on_the_order_of_its_keys() -> None:
    assert profile_hash({"a": 1, "b": {"c": 2, "d": 3}}) == profile_hash({"b": {"d": 3, "c": 2}, "a": 1})
    assert profile_hash({"a": 1}) != profile_hash({"a": 2})


@pytest.mark.parametrize("existing", ["file", "folder with a file"])
def test_a_place_that_is_taken_is_refused_and_left_alone(tmp_path: Path, existing: str) -> None:
    place = tmp_path / "run"
    mine = place if existing == "file" else place / "mine.txt"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(UsageError, match=r"exists and is not empty; choose a new folder with --out"):
        create_run(place, RunInfo())
    assert mine.read_text() == "mine"


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert create_run(tmp_path, RunInfo()).info.is_file()


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param("{", r"run\.json: document: .*; restore it", id="torn"),
        pytest.param(
            json.dumps({"format_version": 3}), "format_version: .*version that wrote it", id="newer"
        ),
        pytest.param(json.dumps({"started_wall_s": "now"}), "started_wall_s: ", id="wrong type"),
        pytest.param(json.dumps({"stat": "closed"}), "stat: ", id="unknown key"),
        pytest.param(None, "give the folder of a recording", id="missing"),
    ],
)
def test_a_run_that_cannot_be_read_says_where_and_what_to_do(
    tmp_path: Path, document: str | None, message: str
) -> None:
    if document is not None:
        (tmp_path / "run.json").write_text(document)
    with pytest.raises(SourceError, match=message):
        read_info(RunFolder(tmp_path))


@pytest.mark.parametrize(
    ("code", "cure"),
    [
        (errno.ENOSPC, "disk full; free space or record to another disk"),
        (errno.EROFS, "file system is read-only; choose another folder with --out"),
        (errno.EACCES, "may not be written; choose another folder with --out or change its permissions"),
        (errno.EIO, "check the disk and record again"),
    ],
    ids=["full", "read-only", "no permission", "failing"],
)
def test_what_a_disk_refuses_becomes_a_cure(code: int, cure: str) -> None:
    with pytest.raises(RecordingError, match=cure) as caught, writing(Path("RUN/frames.jsonl")):
        raise OSError(code, "refused")
    assert str(caught.value).startswith("RUN/frames.jsonl: ")
    assert "\n" not in str(caught.value)

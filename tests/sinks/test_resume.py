"""Going on in a recording whose writer died between any two steps, or within one."""

from __future__ import annotations

import gc
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import luck
import numpy as np
import pytest
from recorder import SMALL, check_holes, check_pixels, complex_, outcome_of, record

from streamer.errors import RecordingError, SourceError, UsageError
from streamer.recording import (
    LineWriter,
    RunFolder,
    RunInfo,
    WriterLock,
    chunk_file,
    close_run,
    create_run,
    is_run,
    open_annotated,
    open_raw,
    parts,
    read_decisions,
    read_frames,
    read_info,
    resume_run,
)

SEED = luck.seed()


class Death(BaseException):
    """The end of a writer that nothing may catch."""


@contextmanager
def dying_at(step: int) -> Iterator[None]:
    """Every file operation is a step; at `step` the writer dies in the middle of it."""
    left = [step]

    def dies() -> bool:
        left[0] -= 1
        return left[0] < 0

    def torn_bytes(path: Path, data: bytes) -> int:
        if dies():
            whole_bytes(path, data[: len(data) // 2])
            raise Death
        return whole_bytes(path, data)

    def torn_line(writer: LineWriter, row: dict[str, object]) -> None:
        if dies():
            with writer.path.open("ab") as stream:
                stream.write(json.dumps({"seq": row["seq"], "torn": "x" * 70000}).encode())
            raise Death
        whole_line(writer, row)

    def never_begun(operation: Callable[..., object]) -> Callable[..., object]:
        def step_or_die(*args: object, **kwargs: object) -> object:
            if dies():
                raise Death
            return operation(*args, **kwargs)

        return step_or_die

    whole_bytes, whole_line = Path.write_bytes, LineWriter.put
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "write_bytes", torn_bytes)
        patch.setattr(LineWriter, "put", torn_line)
        for owner, name in ((Path, "replace"), (Path, "rename"), (Path, "unlink"), (shutil, "rmtree")):
            patch.setattr(owner, name, never_begun(getattr(owner, name)))
        yield


def go_on(folder: Path, until: int) -> None:
    """Record the complex run from where it was left to frame `until`."""
    resumed = resume_run(folder) if is_run(folder) else None
    run = resumed.run if resumed else create_run(folder, RunInfo())
    first = resumed.next_seq if resumed else 0
    record(run, *map(complex_, range(first, until)), resumed=resumed)
    close_run(run)


def bury(folder: Path, within_s: float = 60.0) -> None:
    """Wait until a dead writer lets go of its lock: its process lives on here, and may hold its frames."""
    deadline = time.monotonic() + within_s
    while True:
        gc.collect()
        try:
            WriterLock(folder).release()
        except RecordingError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def test_a_writer_that_dies_anywhere_leaves_every_frame_once_and_in_order(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    steps, folder, deaths = random.Random(SEED), tmp_path / "run", 0
    create_run(folder, RunInfo())
    while deaths < 40:
        try:
            with dying_at(steps.randrange(120)):
                go_on(folder, until=120)
        except Death:
            deaths += 1
        else:
            break
        bury(folder)
        assert [row["seq"] for row in read_frames(RunFolder(folder))] == list(
            range(len(read_frames(RunFolder(folder))))
        )
    assert deaths >= 10
    go_on(folder, until=120)
    run = RunFolder(folder)
    rows = read_frames(run)
    assert [row["seq"] for row in rows] == list(range(120))
    check_pixels(run, rows)
    for part in parts(run):
        check_holes(run, part, rows)
        assert open_raw(run, part).shape[0] == part.frames
    stops = [seq for seq in range(120) if complex_(seq).decision.action == "stop"]
    assert [row["seq"] for row in read_decisions(run)] == stops


def test_an_interrupted_recording_equals_one_that_was_not(tmp_path: Path) -> None:
    go_on(tmp_path / "whole", until=60)
    for until in (1, 17, 23, 60):
        go_on(tmp_path / "parts", until)
    places = [
        [(row["image"], row["raw_index"], row["annotated_image"], row["annotated_place"]) for row in rows]
        for rows in (read_frames(RunFolder(tmp_path / name)) for name in ("whole", "parts"))
    ]
    assert places[0] == places[1]
    files = [
        {path.relative_to(folder): path.read_bytes() for path in folder.glob("*.zarr/**/*") if path.is_file()}
        for folder in (tmp_path / "whole", tmp_path / "parts")
    ]
    assert files[0] == files[1]


def left_behind(folder: Path) -> Path:
    """A killed recording of four frames, with pixels of two more, and a torn row."""
    run = create_run(folder, RunInfo())
    record(run, *(outcome_of(seq, SMALL) for seq in range(6)))
    lines = run.frames.read_bytes().splitlines(keepends=True)
    run.frames.write_bytes(b"".join(lines[:4]) + lines[4][:30])
    del run
    bury(folder)
    return folder


def test_resuming_cuts_back_to_the_rows_and_says_so(tmp_path: Path) -> None:
    folder = left_behind(tmp_path / "run")
    close_run(RunFolder(folder))
    resumed = resume_run(folder, engine_keys={"denoiser": [{"precision": "f32"}]}, versions={"zarr": "3"})
    run = resumed.run
    assert (resumed.next_seq, resumed.frames, resumed.processed) == (4, 4, 4)
    assert resumed.last_row is not None
    assert resumed.last_row["dose"] == {"excitation_uj": 0.4}
    assert run.frames.read_bytes().count(b"\n") == 4
    assert run.frames.read_bytes().endswith(b"\n")
    assert open_raw(run).shape[0] == open_annotated(run).shape[0] == 4
    assert not any(chunk_file(image / "0", 4).exists() for image in (run.raw, run.annotated))
    assert not run.table.exists()
    info = read_info(run)
    assert (info.state, info.ended_wall_s) == ("running", None)
    (session,) = info.sessions
    assert (session.first_seq, session.engine_keys, session.versions) == (
        4,
        {"denoiser": [{"precision": "f32"}]},
        {"zarr": "3"},
    )


def test_a_run_that_was_killed_before_its_first_frame_is_resumed(tmp_path: Path) -> None:
    create_run(tmp_path / "run", RunInfo())
    resumed = resume_run(tmp_path / "run")
    assert (resumed.next_seq, resumed.frames, resumed.last_row) == (0, 0, None)
    record(resumed.run, outcome_of(0, SMALL), resumed=resumed)
    assert len(read_frames(resumed.run)) == 1


def as_first_version(folder: Path) -> None:
    info = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(info | {"format_version": 1}))


def swap_rows(folder: Path) -> None:
    lines = (folder / "frames.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "frames.jsonl").write_bytes(b"".join([lines[1], lines[0], *lines[2:4]]))


@pytest.mark.parametrize(
    ("harm", "error", "message"),
    [
        (as_first_version, UsageError, "older version; replay it"),
        (lambda folder: (folder / "run.json").unlink(), UsageError, "leave out --resume to begin one"),
        (swap_rows, SourceError, "line 1 contradicts those before; restore it"),
        (lambda folder: shutil.rmtree(folder / "raw.ome.zarr"), SourceError, "raw.ome.zarr: damaged"),
        (lambda folder: shutil.rmtree(folder / "annotated.ome.zarr"), SourceError, "annotated.*: damaged"),
    ],
    ids=["older layout", "no run", "rows out of order", "no raw image", "no annotated image"],
)
def test_what_cannot_be_continued_is_refused(
    tmp_path: Path, harm: Callable[[Path], None], error: type[Exception], message: str
) -> None:
    folder = left_behind(tmp_path / "run")
    harm(folder)
    with pytest.raises(error, match=message):
        resume_run(folder)


def test_an_image_shorter_than_its_rows_is_refused(tmp_path: Path) -> None:
    folder = left_behind(tmp_path / "run")
    metadata = folder / "raw.ome.zarr" / "0" / "zarr.json"
    metadata.write_text(json.dumps(json.loads(metadata.read_text()) | {"shape": [3, 1, 1, *SMALL]}))
    with pytest.raises(SourceError, match=r"\(3, 1, 1\) planes, but rows name \(4, 1, 1\)"):
        resume_run(folder)


HOLD = """
import sys, time
from pathlib import Path
from streamer.recording import WriterLock
lock = WriterLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_recording_that_another_processor_writes_is_refused_until_that_one_is_gone(tmp_path: Path) -> None:
    folder = left_behind(tmp_path / "run")
    before = (folder / "frames.jsonl").read_bytes()
    with subprocess.Popen([sys.executable, "-c", HOLD, folder], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        try:
            assert other.stdout.readline() == b"held\n"
            with pytest.raises(RecordingError, match="another processor is writing this recording"):
                resume_run(folder)
            assert (folder / "frames.jsonl").read_bytes() == before
        finally:
            other.kill()
    resumed = resume_run(folder)
    with pytest.raises(RecordingError, match="another processor"):
        resume_run(folder)
    close_run(resumed.run)
    np.testing.assert_array_equal(resume_run(folder).next_seq, 4)

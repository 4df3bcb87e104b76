"""One recording, growing or closed, of this version or another."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from reading.written import append, faded, places, recorded
from recording.test_read import as_first_version, write
from sinks.recorder import SMALL, outcome_of, record

from streamer.errors import UsageError
from streamer.reading import View, WatchedRun
from streamer.reading import run as module
from streamer.recording import LineWriter, RunFolder, RunInfo, close_run, create_run, resume_run

FADING = [faded(seq, 30 * 0.97**seq, "reject" if seq == 59 else "pass") for seq in range(60)]
HOOK = {"kind": "live", "hook": {"planned": 400}}


def later(seconds: float) -> Callable[[], float]:
    return lambda: time.time() + seconds


def watched(path: Path) -> WatchedRun:
    run = WatchedRun(path, clock=later(3600.0))
    run.update()
    return run


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed recording that a guard stopped."""
    run = recorded(tmp_path_factory.mktemp("reading") / "run", *FADING, source=HOOK, pixel_nm=20.0)
    close_run(run)
    return run.path


@pytest.fixture
def own(stopped: Path, tmp_path: Path) -> RunFolder:
    """A copy of it that a test may change."""
    return RunFolder(Path(shutil.copytree(stopped, tmp_path / "run")))


def test_a_stopped_run_says_why(stopped: Path) -> None:
    run = watched(stopped)
    assert run.state == "stopped"
    assert run.newest is not None
    assert run.newest["seq"] == 59
    assert run.stop is not None
    assert (run.stop.seq, run.stop.text) == (59, "stop decided: signal is gone")
    kinds = [said.kind for said in run.log.entries]
    assert (kinds[0], kinds[-2:]) == ("begun", ["decision", "ended"])
    assert run.log.entries[0].text == "run begun: 400 frames planned"
    assert run.log.entries[-1].text == "stopped: 60 frames recorded, 60 processed"


def test_the_numbers_are_those_of_the_table(stopped: Path) -> None:
    numbers, table = watched(stopped).summary(), parquet.read_table(stopped / "frames.parquet").to_pydict()
    assert (numbers["frames"], numbers["processed"], numbers["planned"]) == (60, sum(table["processed"]), 400)
    assert numbers["lag_ms"] == {
        "n": 60,
        "p50": float(np.quantile(table["lag_ms"], 0.5)),
        "p95": None,
        "p99": None,
        "max": max(table["lag_ms"]),
    }
    assert numbers["stage_ms"]["denoise"]["max"] == max(table["denoise_ms"])
    assert numbers["dose"] == {"excitation_uj": table["dose_excitation_uj"][-1]}
    assert numbers["elapsed_s"] == table["wall_time_s"][-1] - table["wall_time_s"][0]
    curve = watched(stopped).series.curves()["photons"]
    assert (curve.value, curve.limit) == (table["photons_measured"], table["photons_limit"])


def test_a_run_that_is_followed_ends_with_what_one_read_at_once_has(stopped: Path, tmp_path: Path) -> None:
    """Bytes arrive in pieces that end anywhere."""
    growing = RunFolder(tmp_path / "growing")
    growing.path.mkdir()
    shutil.copy(stopped / "run.json", growing.info)
    run, rows = WatchedRun(growing.path), 0
    whole = (stopped / "frames.jsonl").read_bytes()
    for start in range(0, len(whole), 777):
        with growing.frames.open("ab") as stream:
            stream.write(whole[start : start + 777])
        rows += run.update()
    shutil.copy(stopped / "decisions.jsonl", growing.decisions)
    assert (rows, run.update(), run.update()) == (60, 0, 0)
    at_once = watched(stopped)
    assert run.summary() == at_once.summary()
    assert run.series.curves() == at_once.series.curves()
    assert run.index.spread(View(), 99) == at_once.index.spread(View(), 99)
    said = {(each.kind, each.text) for each in run.log.entries if each.kind != "ended"}
    assert said == {(each.kind, each.text) for each in at_once.log.entries if each.kind != "ended"}


def test_following_a_run_with_nothing_new_opens_no_file(
    stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = watched(stopped)
    for name in ("open", "read_bytes", "read_text"):
        monkeypatch.setattr(Path, name, lambda *_, **__: pytest.fail("a file was opened"))
    assert run.update() == 0


def test_a_folder_without_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no recording; give the folder of a recording"):
        WatchedRun(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda info: {"format_version": 3, "frames": []}, "newer streamer .layout 3.*update it"),
        (lambda info: info | {"format_version": "new"}, "format_version.*version that wrote it"),
        (lambda info: [info], "document.*version that wrote it"),
        (lambda info: info | {"surprise": 1}, "surprise.*version that wrote it"),
    ],
    ids=["newer", "no version", "no table", "unknown key"],
)
def test_a_recording_of_another_version_is_refused_with_the_cure(
    own: RunFolder, change: Callable[[object], object], words: str
) -> None:
    own.info.write_text(json.dumps(change(json.loads(own.info.read_text()))))
    with pytest.raises(UsageError, match=words):
        WatchedRun(own.path)


def test_damaged_provenance_is_refused(own: RunFolder) -> None:
    own.info.write_bytes(own.info.read_bytes()[:50])
    with pytest.raises(UsageError, match=r"damaged .*restore it from a copy"):
        WatchedRun(own.path)


def test_provenance_that_is_damaged_later_is_said_and_ends_nothing(own: RunFolder) -> None:
    run = watched(own.path)
    own.info.write_text("{")
    assert run.update() == 0
    assert run.info.state == "closed"
    assert "cannot be read any more" in run.log.entries[-1].text


def test_a_damaged_line_is_said_and_the_others_are_read(own: RunFolder) -> None:
    lines = own.frames.read_bytes().splitlines(keepends=True)
    lines[5] = b"{damaged\n"
    own.frames.write_bytes(b"".join(lines))
    run = watched(own.path)
    assert run.summary()["frames"] == 59
    assert run.summary()["missing"] == 1
    texts = [said.text for said in run.log.entries if said.kind == "notice"]
    assert texts == [
        "frame 5 is missing: not recorded, or in a damaged line of the rows",
        "1 line of the record is damaged and left out; restore it from a copy",
    ]


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"seq": None},
        {"seq": 60},
        {"seq": 60, "raw_index": 60, "verdicts": [3]},
        {"seq": 60, "axes": [], "dose": 7},
    ],
    ids=str,
)
def test_a_row_that_is_none_ends_nothing(own: RunFolder, row: dict[str, object]) -> None:
    append(own.frames, row)
    run = watched(own.path)
    append(own.frames, row)
    run.update()
    assert run.summary()["frames"] >= 60
    assert run.index.newest(View()).seq == 59


def test_a_run_of_the_first_layout_is_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", {"time": 0}, {"time": 1})
    as_first_version(folder)
    run = watched(folder.path)
    assert (run.info.format_version, len(run.index), run.index.views()) == (1, 2, (View(),))
    assert run.series.curves()["ssim"].value == [1.0, 1.0]


def test_a_run_without_frames_is_read(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", RunInfo())
    found = WatchedRun(tmp_path / "run")
    assert (found.update(), found.state, found.forecast()) == (0, "waiting", None)
    assert found.summary()["lag_ms"] == {"n": 0, "p50": None, "p95": None, "p99": None, "max": None}
    assert run.lock is not None
    run.lock.release()


def test_a_run_is_left_when_its_writer_was_killed(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", RunInfo())
    record(run, *(outcome_of(seq, SMALL) for seq in range(3)))
    found = watched(run.path)
    assert found.state == "running"  # long ago, but the lock is held
    assert run.lock is not None
    run.lock.release()
    assert found.state == "left"
    assert WatchedRun(run.path).state == "waiting"  # just written: over a network no lock is seen


def test_the_log_says_that_a_recording_broke_off_and_that_it_goes_on(tmp_path: Path) -> None:
    found = watched(recorded(tmp_path / "run", *(outcome_of(seq, SMALL) for seq in range(3))).path)
    found.update()
    (broke_off,) = (said for said in found.log.entries if said.kind == "ended")
    assert (broke_off.seq, broke_off.gravity) == (2, "alarm")
    assert broke_off.text.startswith("the recording broke off after frame 2: it was not closed")
    assert "what was sent and not recorded is not known here" in broke_off.text
    resumed = resume_run(found.folder.path)
    found.update()
    assert found.log.entries[-1].text == "the recording goes on"
    record(resumed.run, outcome_of(3, SMALL), resumed=resumed)
    close_run(resumed.run)
    found.update()
    assert [said.gravity for said in found.log.entries if said.kind == "ended"] == ["alarm", "info"]


def test_a_recording_that_broke_off_without_a_frame_says_so(tmp_path: Path) -> None:
    found = watched(recorded(tmp_path / "run").path)
    assert "broke off before its first frame" in found.log.entries[-1].text


def test_a_stop_is_under_way_until_the_run_is_closed(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", RunInfo())
    record(run, *FADING)
    found = watched(run.path)
    assert found.state == "stopping"
    close_run(run)
    found.update()
    assert found.state == "stopped"


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ([{"kind": "request", "action": "pause"}], "paused"),
        ([{"kind": "request", "action": "pause"}, {"kind": "request", "action": "resume"}], "running"),
        ([{"kind": "decision", "action": "pause", "pause_s": 30.0}], "running"),
        (
            [{"kind": "request", "action": "pause"}, {"kind": "carried out", "action": "pause", "ok": False}],
            "running",
        ),
        ([{"kind": "request", "action": "pause", "wall_time_s": 0.0}], "running"),
        ([{"kind": "mark", "note": "look"}], "running"),
        ([{"kind": "request", "action": "stop", "note": "enough", "by": "the page"}], "stopping"),
    ],
    ids=["paused", "resumed", "for a time", "refused", "frames came since", "marked", "stopped by a person"],
)
def test_what_was_asked_for_tells_the_state(
    tmp_path: Path, rows: list[dict[str, object]], state: str
) -> None:
    run = create_run(tmp_path / "run", RunInfo())
    record(run, *FADING[:5])
    append(run.decisions, *({"seq": 4, "wall_time_s": 1018.4} | row for row in rows))
    assert watched(run.path).state == state
    assert run.lock is not None
    run.lock.release()


def test_a_recording_that_goes_on_tells_nothing_twice(tmp_path: Path) -> None:
    """The torn row and the decision of a frame without row are cut off, and come again."""
    run = recorded(tmp_path / "run", *(outcome_of(seq, SMALL) for seq in range(12)))
    append(run.decisions, {"kind": "decision", "action": "stop", "seq": 12, "reason": "faded again"})
    with run.frames.open("a") as stream:
        stream.write('{"seq": 12, "torn')
    found = watched(run.path)
    assert found.summary()["frames"] == 12
    resumed = resume_run(run.path)
    record(resumed.run, *(outcome_of(seq, SMALL) for seq in range(12, 15)), resumed=resumed)
    append(run.decisions, {"kind": "mark", "seq": 14, "note": "back"})
    assert found.update() == 3
    texts = [said.text for said in found.log.entries]
    assert texts.count("stop decided: faded") == 1
    assert "a new processor went on from frame 12 on" in texts
    assert "marked: back" in texts
    assert resumed.run.lock is not None
    resumed.run.lock.release()


def test_what_is_decided_again_for_a_frame_that_comes_again_is_told_once(tmp_path: Path) -> None:
    run = recorded(tmp_path / "run", *(outcome_of(seq, SMALL) for seq in range(3)))
    decision = {"kind": "decision", "action": "stop", "seq": 3, "reason": "dark", "wall_time_s": 5.0}
    append(run.decisions, {**decision, "decided_wall_s": 6.0})
    found = watched(run.path)
    resumed = resume_run(run.path)
    append(run.decisions, {**decision, "decided_wall_s": 60.0})
    found.update()
    assert [said.text for said in found.log.entries].count("stop decided: dark") == 1
    assert resumed.run.lock is not None
    resumed.run.lock.release()


def test_decisions_are_told_at_their_frames(own: RunFolder) -> None:
    append(own.decisions, {"kind": "mark", "seq": 10, "note": "drug"})
    lines = own.decisions.read_text().splitlines(keepends=True)
    own.decisions.write_text("".join([lines[-1], *lines[:-1]]))
    seqs = [said.seq for said in watched(own.path).log.entries]
    assert seqs == sorted(seqs)


def test_the_light_that_is_left_is_forecast(stopped: Path, tmp_path: Path) -> None:
    """30 photons that lose 3 % a frame meet 8 photons at frame 43."""
    run = recorded(tmp_path / "run", *FADING[:30], source=HOOK)
    found = watched(run.path)
    ahead = found.forecast()
    assert ahead is not None
    assert ahead.floor == 8.0
    assert ahead.frames_left == pytest.approx(14.4, abs=2.0)
    assert ahead.seq[-1] == 29 + 370  # to the planned end
    assert found.forecast() is ahead  # nothing new
    assert watched(stopped).forecast().frames_left == 0.0
    assert found.photon_views() == ("",)
    assert found.forecast("channel red") is None


@pytest.mark.parametrize(("least_s", "is_renewed"), [(0.0, True), (1e6, False)])
def test_a_forecast_is_renewed_as_the_run_grows_but_not_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least_s: float, is_renewed: bool
) -> None:
    monkeypatch.setattr(module, "RENEWED_S", least_s)
    folder = recorded(tmp_path / "run", *FADING[:25], source=HOOK)
    found = watched(folder.path)
    first = found.forecast()
    resumed = resume_run(folder.path)
    record(resumed.run, *FADING[25:30], resumed=resumed)
    assert found.update() == 5
    assert (found.forecast() is not first) is is_renewed


def test_each_view_has_its_own_curves(tmp_path: Path) -> None:
    run = watched(recorded(tmp_path / "run", *places(24)).path)
    assert len(run.index.views()) == 12
    assert run.summary()["not_processed"] == sum(seq % 5 == 3 for seq in range(24))
    assert any("without being denoised" in said.text for said in run.log.entries)


def test_what_is_said_can_be_sent_as_json(stopped: Path) -> None:
    run = watched(stopped)
    sent = [*map(asdict, run.log.entries), run.summary(), *map(asdict, run.series.curves().values())]
    assert json.loads(json.dumps(sent, allow_nan=False))


def test_lines_of_a_writer_are_read_as_they_are_put(tmp_path: Path, stopped: Path) -> None:
    rows = [json.loads(line) for line in (stopped / "frames.jsonl").read_text().splitlines()]
    folder = create_run(tmp_path / "run", RunInfo())
    writer, found = LineWriter(folder.frames), WatchedRun(folder.path)
    for row in rows:
        writer.put(row)
        assert found.update() == 1
    writer.close()
    assert folder.lock is not None
    folder.lock.release()

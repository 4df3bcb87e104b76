"""The pixels of one frame, as they are shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reading.written import REGIONS, SPLITTER, places, recorded, split
from recording.test_read import as_first_version, plane, write
from sinks.recorder import SMALL, denoised, labels, outcome_of, pixels, record

from streamer.errors import SourceError
from streamer.reading import View, WatchedRun, planes, read_planes
from streamer.recording import RunFolder, resume_run


def watched(run: RunFolder) -> WatchedRun:
    found = WatchedRun(run.path)
    found.update()
    return found


def test_every_frame_of_every_view_is_read_from_its_place(tmp_path: Path) -> None:
    run = watched(recorded(tmp_path / "run", *places(24), pixel_nm=20.0))
    for seq in range(24):
        (view,) = (v for v in run.index.views() if run.index.at(v, seq).seq == seq)
        entry = run.index.at(view, seq)
        shown = read_planes(run.folder, entry, view.channel)
        np.testing.assert_array_equal(shown.raw, pixels(seq, SMALL))
        assert (shown.seq, shown.pixel_um, shown.uncertainty) == (seq, 0.02, None)
        if seq % 5 == 3:
            assert (shown.denoised, shown.segmentation, shown.trust) == (None, None, None)
            continue
        np.testing.assert_array_equal(shown.denoised, denoised(seq, SMALL))
        np.testing.assert_array_equal(shown.segmentation, labels(seq, SMALL))
        np.testing.assert_array_equal(shown.trust, (labels(seq, SMALL) > 0) * np.uint8(2))


def test_channels_of_a_splitter_are_cut_from_the_sensor_and_found_by_name(tmp_path: Path) -> None:
    """The second frame showed its channels in another order than the image knows them."""
    outcomes = (split(0, "green"), split(1, "red", "green", blank=True), split(2))
    run = watched(recorded(tmp_path / "run", *outcomes, profile=SPLITTER))
    green, red = run.index.views()
    assert (green.channel, red.channel) == ("green", "red")
    for view in (red, green):
        y, x, height, width = REGIONS[view.channel]
        shown = read_planes(run.folder, run.index.at(view, 1), view.channel)
        np.testing.assert_array_equal(shown.raw, pixels(1, (20, 24))[y : y + height, x : x + width])
        expected = denoised(1, (20, 12)) + list(REGIONS).index(view.channel)
        expected[0, 0] = 0.0  # not a number where the channel does not reach
        np.testing.assert_array_equal(shown.denoised, expected)
        np.testing.assert_array_equal(shown.uncertainty, expected / 2)
        np.testing.assert_array_equal(shown.segmentation, labels(1, (20, 12)))
        unprocessed = read_planes(run.folder, run.index.at(view, 2), view.channel)
        assert (unprocessed.raw.shape, unprocessed.denoised) == ((height, width), None)


def test_a_region_beyond_the_frame_shows_the_whole_sensor(tmp_path: Path) -> None:
    run = watched(recorded(tmp_path / "run", outcome_of(0, SMALL)))
    entry = run.index.newest(View())
    assert read_planes(run.folder, entry, "", region_px=(0, 0, 500, 500)).raw.shape == SMALL
    assert read_planes(run.folder, entry, "", region_px=(1, 2, 3, 4)).raw.shape == (3, 4)


def test_planes_of_a_run_that_goes_on_are_read_as_they_come(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "run", *(outcome_of(seq, SMALL) for seq in range(2)))
    run = watched(folder)
    read_planes(run.folder, run.index.newest(View()))  # the images are known with two frames now
    resumed = resume_run(folder.path)
    record(resumed.run, *(outcome_of(seq, SMALL) for seq in range(2, 5)), resumed=resumed)
    assert run.update() == 3
    shown = read_planes(run.folder, run.index.newest(View()))
    np.testing.assert_array_equal(shown.denoised, denoised(4, SMALL))


def test_planes_of_the_first_layout_are_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", {"time": 0}, {"time": 1})
    as_first_version(folder)
    run = watched(folder)
    shown = read_planes(run.folder, run.index.newest(View()))
    np.testing.assert_array_equal(shown.raw, plane(1))
    np.testing.assert_array_equal(shown.denoised, plane(1))
    np.testing.assert_array_equal(shown.trust, plane(1) % 4)
    assert (shown.segmentation, shown.uncertainty) == (None, None)


@pytest.mark.parametrize("image", ["raw.ome.zarr", "annotated.ome.zarr", "annotated.ome.zarr/labels/trust"])
@pytest.mark.parametrize("damage", ["missing", "torn", "no metadata"])
def test_damaged_pixels_are_refused_with_their_place(tmp_path: Path, image: str, damage: str) -> None:
    run = watched(recorded(tmp_path / "run", *(outcome_of(seq, SMALL) for seq in range(2))))
    array = run.folder.path / image / "0"
    chunk = array / "c" / "1" / "0" / "0" / "0" / "0"
    if damage == "missing":
        chunk.unlink()
    elif damage == "torn":
        chunk.write_bytes(chunk.read_bytes()[:20])
    else:
        (array / "zarr.json").write_text("{")
    with pytest.raises(SourceError, match=image):
        read_planes(run.folder, run.index.newest(View()))


@pytest.mark.parametrize("name", ["../raw.ome.zarr", "/etc", "raw.ome.zarr/..", "annotated/../../x"])
def test_a_name_that_leads_out_of_the_recording_is_refused(tmp_path: Path, name: str) -> None:
    run = watched(recorded(tmp_path / "run", outcome_of(0, SMALL)))
    entry = run.index.newest(View())
    for lead in (replace(entry, image=name), replace(entry, annotated_image=name)):
        with pytest.raises(SourceError, match="no raw image is called so"):
            read_planes(run.folder, lead)


def test_a_row_that_names_more_than_was_written_is_refused(tmp_path: Path) -> None:
    run = watched(recorded(tmp_path / "run", outcome_of(0, SMALL)))
    entry = replace(run.index.newest(View()), raw_index=7)
    with pytest.raises(SourceError, match="missing"):
        read_planes(run.folder, entry)


def test_damaged_provenance_shows_the_frame_without_a_scale(tmp_path: Path) -> None:
    run = watched(recorded(tmp_path / "run", outcome_of(0, SMALL)))
    odd = {"pixel_nm": "small", "profile": {"detector": {"channels": [{"name": 3, "region_px": [1, 2]}]}}}
    for text in ("{", "[]", json.dumps(odd)):
        run.folder.info.write_text(text)
        shown = read_planes(run.folder, run.index.newest(View()))
        assert (shown.raw.shape, shown.pixel_um) == (SMALL, None)


def test_planes_are_read_alike_from_their_files_and_by_zarr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = watched(recorded(tmp_path / "run", *places(4), pixel_nm=20.0))
    names = ("raw", "denoised", "uncertainty", "segmentation", "trust")

    def read() -> list[dict[str, np.ndarray | None]]:
        found = [read_planes(run.folder, run.index.newest(view), view.channel) for view in run.index.views()]
        return [{name: getattr(each, name) for name in names} for each in found]

    def never(*_: object) -> None:
        raise AssertionError("zarr was asked")

    with monkeypatch.context() as patched:
        patched.setattr(planes, "read_plane", never)
        straight = read()
    monkeypatch.setattr(planes, "read_chunk", lambda *_: None)
    for mine, theirs in zip(straight, read(), strict=True):
        for name in names:
            assert (mine[name] is None) == (theirs[name] is None)
            assert mine[name] is None or (mine[name] == theirs[name]).all()
            assert mine[name] is None or mine[name].dtype == theirs[name].dtype


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    run = watched(recorded(tmp_path / "run", *places(2), pixel_nm=20.0))
    (view, *_) = run.index.views()
    entry = run.index.newest(view)
    found = read_planes(run.folder, entry, view.channel, only=("trust",))
    everything = read_planes(run.folder, entry, view.channel)
    assert (found.denoised, found.uncertainty, found.segmentation) == (None, None, None)
    assert (found.trust == everything.trust).all()
    assert (found.raw == everything.raw).all()

"""Reading a run back, also one of the first layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamer.core import Frame, Outcome
from streamer.errors import SourceError
from streamer.recording import (
    Channel,
    LineWriter,
    Part,
    Parts,
    RunFolder,
    RunInfo,
    Scale,
    Stored,
    create_image,
    create_run,
    frame_row,
    open_annotated,
    open_labels,
    open_raw,
    parts,
    read_frames,
    read_volume,
)

PLANE = (20, 24)
DETECTOR = Channel(label="detector", low=0, high=9)


def plane(seq: int) -> np.ndarray:
    return np.random.default_rng(seq).poisson(3, PLANE).astype(np.uint16)


def write(folder: Path, *axes: dict[str, int | str]) -> RunFolder:
    """A run of one frame for each of `axes`; nothing of it was processed."""
    run, chooser, images = create_run(folder, RunInfo()), Parts(), dict[str, object]()
    rows = LineWriter(run.frames)
    for seq, place in enumerate(axes):
        frame = Frame(pixels=plane(seq), seq=seq, axes=place)
        part = chooser.part_of(place.get("position"), place.get("channel"), frame.mode)
        path = run.path / part.raw
        if part.raw not in images:
            images[part.raw] = create_image(
                path, plane=PLANE, dtype=np.dtype(np.uint16), scale=Scale(), channels=(DETECTOR,)
            )
        index = images[part.raw].pixels.extent[0]
        images[part.raw].put({(index, 0, 0): frame.pixels})
        rows.put(frame_row(Outcome(frame=frame), Stored(part=part, raw_index=index), light={}, dose={}))
    rows.close()
    return run


STACKS = [
    {"time": 0, "position": 4, "z": 1},
    {"time": 0, "position": 5, "z": 0},
    {"time": 0, "position": 4, "z": 0},
    {"time": 0, "position": 4, "z": 2},
    {"time": 1, "position": 4, "z": 2},
    {"time": 1, "position": 4, "z": 0, "channel": "red"},
    {"time": 1, "position": 4, "z": 0},
    {"time": 1, "position": 4, "z": 0},
]


@pytest.mark.parametrize(
    ("place", "seqs", "z", "missing"),
    [
        ({"time": 0, "position": 4}, [2, 0, 3], (0, 1, 2), ()),
        ({"time": 1, "position": 4}, [7, 4], (0, 2), (1,)),
        ({"time": 0, "position": 5}, [1], (0,), ()),
        ({"time": 1, "position": 4, "channel": "red"}, [5], (0,), ()),
    ],
    ids=["whole", "a plane missing and one taken twice", "another position", "another channel"],
)
def test_a_raw_stack_is_read_in_the_order_of_z_and_says_what_is_missing(
    tmp_path: Path, place: dict[str, int], seqs: list[int], z: tuple[int, ...], missing: tuple[int, ...]
) -> None:
    volume = read_volume(write(tmp_path / "run", *STACKS), **place)
    np.testing.assert_array_equal(volume.pixels, [plane(seq) for seq in seqs])
    assert (volume.z, volume.missing) == (z, missing)


def test_a_stack_that_was_not_recorded_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no frame at time 9, position 4, channel None"):
        read_volume(write(tmp_path / "run", *STACKS), time=9, position=4)


def test_parts_are_told_in_the_order_in_which_they_began(tmp_path: Path) -> None:
    run = write(tmp_path / "run", *STACKS)
    assert [(one.part.position, one.frames) for one in parts(run)] == [(4, 7), (5, 1)]
    assert open_raw(run, parts(run)[1]).shape == (1, 1, 1, *PLANE)
    assert open_raw(run).shape[0] == 7


def old_row(row: dict[str, object], index: int) -> dict[str, object]:
    """A row as the first layout had it."""
    gone = ("image", "annotated_image", "annotated_place", "annotated_channels", "light", "state")
    kept = {name: value for name, value in row.items() if name not in (*gone, "exposure_ms", "bit_depth")}
    verdict = {"guard": "ssim", "status": "pass", "measured": 1, "limit": None, "meaning": "", "values": {}}
    return kept | {"annotated_index": index, "processed": True, "verdicts": [verdict]}


def as_first_version(run: RunFolder) -> None:
    """Rewrite a run of one image in the first layout, with an annotated image."""
    labels = {"trust": {0: "background"}}
    image = create_image(
        run.annotated,
        plane=PLANE,
        dtype=np.dtype(np.float32),
        scale=Scale(),
        channels=(DETECTOR,),
        labels=labels,
    )
    rows = []
    for index, row in enumerate(read_frames(run)):
        shown = plane(index).astype(np.float32)
        image.put({(index, 0, 0): shown}, {"trust": {(index, 0, 0): (plane(index) % 4).astype(np.uint8)}})
        rows.append(json.dumps(old_row(row, index)) + "\n")
    run.frames.write_text("".join(rows))
    info = json.loads(run.info.read_text()) | {"format_version": 1}
    run.info.write_text(json.dumps({name: value for name, value in info.items() if name != "sessions"}))


def test_a_recording_of_the_first_layout_is_read(tmp_path: Path) -> None:
    run = write(tmp_path / "run", {"time": 0}, {"time": 1})
    as_first_version(run)
    (part,) = parts(run)
    assert (part.part, part.frames, part.extent) == (Part(), 2, (2, 1, 1))
    for seq, row in enumerate(read_frames(run)):
        assert (row["image"], row["annotated_place"]) == ("raw.ome.zarr", [seq, 0, 0])
        assert (row["state"], row["exposure_ms"], row["verdicts"][0]["view"]) == ({}, None, "")
        np.testing.assert_array_equal(open_raw(run)[seq, 0, 0], plane(seq))
        np.testing.assert_array_equal(open_annotated(run)[seq, 0, 0], plane(seq))
        np.testing.assert_array_equal(open_labels(run, "trust")[seq, 0, 0], plane(seq) % 4)
    np.testing.assert_array_equal(read_volume(run, time=1).pixels, [plane(1)])


def rename_in_rows(folder: Path) -> None:
    rows = (folder / "frames.jsonl").read_text().replace("raw.p-4", "../raw.p-4")
    (folder / "frames.jsonl").write_text(rows)


def claim_a_plane(folder: Path) -> None:
    rows = (
        (folder / "frames.jsonl").read_text().replace('"annotated_place":null', '"annotated_place":[0,"x",1]')
    )
    (folder / "frames.jsonl").write_text(rows)


METADATA = "raw.p-4.ome.zarr/0/zarr.json"
CHUNK = "raw.p-4.ome.zarr/0/c/2/0/0/0/0"


def read_first_stack(run: RunFolder) -> object:
    return read_volume(run, time=0, position=4)


@pytest.mark.parametrize(
    ("harm", "read", "message"),
    [
        (rename_in_rows, parts, r"'\.\./raw\.p-4\.ome\.zarr': no raw image is called so"),
        (claim_a_plane, parts, "line 1 is damaged; restore it"),
        (lambda folder: (folder / METADATA).unlink(), open_raw, "is missing; restore it"),
        (lambda folder: (folder / METADATA).write_text("{"), open_raw, "damaged"),
        (lambda folder: (folder / CHUNK).unlink(), read_first_stack, "pixels of frame 3 are missing"),
    ],
    ids=["name that leads out", "place that is none", "no image", "image damaged", "no pixels"],
)
def test_damage_is_named(
    tmp_path: Path, harm: Callable[[Path], None], read: Callable[[RunFolder], object], message: str
) -> None:
    run = write(tmp_path / "run", *STACKS)
    harm(run.path)
    with pytest.raises(SourceError, match=message):
        read(run)

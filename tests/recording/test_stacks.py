"""Which slices of a stack signal supports: borders are told apart, and nothing is taken away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from streamer.core import Frame, Outcome, Verdict
from streamer.recording import (
    Channel,
    LineWriter,
    Part,
    Places,
    Row,
    RunFolder,
    RunInfo,
    Scale,
    Stored,
    close_run,
    create_image,
    create_run,
    frame_row,
    open_annotated,
    read_info,
    resume_run,
    supported_slices,
)
from streamer.recording.stacks import Range

PLANE = (6, 8)
IMAGE = "annotated.ome.zarr"
#: What the guards say of a slice: signal, no foreground, values that are no numbers, too many views.
SAID = {
    "#": ("signal_map", "pass"),
    ".": ("signal_map", "reject"),
    "n": ("signal_map", "flag"),
    "v": ("views", "flag"),
}


def verdict(guard: str, status: Any) -> Verdict:
    return Verdict(guard=guard, status=status, measured=None, limit=None, meaning="")


def row(
    seq: int,
    time: int,
    z: int | str,
    said: str,
    channels: Iterable[str] = ("denoised",),
    place: int | None = None,
) -> Row:
    """A row whose results, one for each letter of `said`, were judged so; an empty word is not processed."""
    judged = [SAID[letter] for letter in said]
    verdicts = tuple(each for one in judged for each in (verdict(*one), verdict("range", "pass")))
    frame = Frame(pixels=np.zeros(PLANE, np.uint16), seq=seq, axes={"time": time, "z": z})
    at = z if place is None else place
    places = Places(t=time, z=int(at), c={name: c for c, name in enumerate(channels)}) if said else None
    stored = Stored(part=Part(), raw_index=seq, places=places)
    made = frame_row(Outcome(frame=frame, verdicts=verdicts), stored, light={}, dose={})
    return {**made, "annotated_place": places and list(places.first)}


def rows(*stacks: str) -> Iterator[Row]:
    """One time point for each word, one slice for each letter; a space is a slice that was not processed."""
    seq = 0
    for time, stack in enumerate(stacks):
        for z, letter in enumerate(stack):
            yield row(seq, time, z, letter.strip())
            seq += 1


@pytest.mark.parametrize(
    ("stack", "supported", "slices", "border"),
    [
        ("..###..", (2, 4), 7, 4),
        ("#####", (0, 4), 5, 0),
        ("#.###", (0, 4), 5, 0),
        (".....", None, 5, 5),
        ("....#", (4, 4), 5, 4),
        ("n.#v", (2, 2), 4, 3),
        (" .## .", (2, 3), 4, 2),
    ],
    ids=["both borders", "all", "a gap within", "nothing", "the last", "not judged", "not processed"],
)
def test_borders_without_signal_are_told(stack: str, supported: Range, slices: int, border: int) -> None:
    support = supported_slices(rows(stack))[IMAGE]
    assert support.ranges == {"denoised": (supported,)}
    assert (support.slices, support.border) == (slices, border)


def test_every_time_point_and_channel_has_a_range_of_its_own() -> None:
    channels = ("denoised red", "uncertainty red", "denoised green", "uncertainty green")
    said = [("#.", "##", ".#"), ("..", ".#", "#.")]  # red and green, by time and z
    judged = [
        row(3 * time + z, time, z, each, channels)
        for time, stack in enumerate(said)
        for z, each in enumerate(stack)
    ]
    support = supported_slices(judged)[IMAGE]
    assert support.ranges == {"denoised red": ((0, 1), (2, 2)), "denoised green": ((1, 2), (1, 1))}
    assert (support.slices, support.border) == (12, 6)


def test_slices_may_come_in_any_order_and_time_points_without_any_have_no_range() -> None:
    judged = list(rows("..##", "", ".#.."))
    support = supported_slices(reversed(judged))[IMAGE]
    assert support.ranges == {"denoised": ((2, 3), None, (1, 1))}


@pytest.mark.parametrize(
    "judged",
    [
        list(rows("#", ".", "#")),
        [row(0, 0, 0, "")],
        [row(seq, 0, z, ".", place=place) for seq, (z, place) in enumerate([(-1, 0), (0, 1), (1, 2)])],
        [row(seq, 0, z, ".", place=seq) for seq, z in enumerate(["top", "bottom"])],
    ],
    ids=["a time series", "nothing processed", "z below zero", "z in words"],
)
def test_what_has_no_order_in_z_has_no_borders(judged: list[Row]) -> None:
    assert supported_slices(judged) == {}


def record(folder: Path, *stacks: str) -> RunFolder:
    """A run whose writers are closed; every plane is one."""
    run, judged = create_run(folder, RunInfo()), list(rows(*stacks))
    for name, dtype, label in ((Part().raw, np.uint16, "detector"), (IMAGE, np.float32, "denoised")):
        channel = Channel(label=label, low=0, high=1)
        image = create_image(
            run.path / name, plane=PLANE, dtype=np.dtype(dtype), scale=Scale(), channels=(channel,)
        )
        plane = np.ones(PLANE, dtype)
        if name == IMAGE:
            image.put({tuple(each["annotated_place"]): plane for each in judged})
        else:
            image.put({(each["raw_index"], 0, 0): plane for each in judged})
    lines = LineWriter(run.frames)
    for each in judged:
        lines.put(each)
    lines.close()
    return run


def said_of(run: RunFolder) -> dict[str, Any]:
    return dict(zarr.open_group(run.path / IMAGE, mode="r").attrs["streamer"])


def test_a_closed_run_says_what_is_supported_beside_complete_pixels(tmp_path: Path) -> None:
    run = record(tmp_path / "run", ".##.", "....")
    assert "supported_z" not in said_of(run)
    info = close_run(run)
    assert said_of(run) == {"channels": ["denoised"], "supported_z": {"denoised": [[1, 2], None]}}
    assert info == read_info(run)
    assert info.stacks is not None
    assert (info.stacks.slices, info.stacks.border) == (8, 6)
    assert np.isfinite(open_annotated(run)[:]).all()
    assert open_annotated(run).shape == (2, 1, 4, *PLANE)


def test_a_resumed_run_says_nothing_until_it_is_closed_again(tmp_path: Path) -> None:
    run = record(tmp_path / "run", ".##.")
    close_run(run)
    resumed = resume_run(run.path)
    assert resumed.info.stacks is read_info(run).stacks is None
    assert said_of(run) == {"channels": ["denoised"]}
    close_run(resumed.run)
    assert said_of(run)["supported_z"] == {"denoised": [[1, 2]]}


def test_a_run_without_stacks_says_nothing_of_them(tmp_path: Path) -> None:
    run = record(tmp_path / "run", "#", ".")
    assert close_run(run).stacks is None
    assert "supported_z" not in said_of(run)


def test_a_run_whose_annotated_image_was_taken_away_can_be_closed(tmp_path: Path) -> None:
    run = record(tmp_path / "run", ".#")
    (run.path / IMAGE).rename(tmp_path / "elsewhere")
    assert close_run(run).state == "closed"

"""Which image a frame belongs to, and what it may be called."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core import CameraMode
from streamer.errors import SourceError
from streamer.recording import Name, Parts, part_named


def mode(
    exposure_ms: float = 10, *, size: int = 20, dtype: str = "uint16", bit_depth: int = 12
) -> CameraMode:
    return CameraMode(shape_yx=(size, 24), dtype=dtype, exposure_ms=exposure_ms, bit_depth=bit_depth)


def images(*frames: tuple[Name, Name, CameraMode]) -> list[str]:
    parts = Parts()
    return [parts.part_of(*frame).raw.removesuffix(".ome.zarr") for frame in frames]


@pytest.mark.parametrize(
    "changed",
    [mode(20), mode(size=30), mode(dtype="uint8"), mode(bit_depth=16)],
    ids=["exposure", "size", "pixel type", "bit depth"],
)
def test_another_camera_mode_is_a_new_segment_and_the_old_one_goes_on_where_it_was(
    changed: CameraMode,
) -> None:
    frames = [(None, None, m) for m in (mode(), changed, changed, mode())]
    assert images(*frames) == ["raw", "raw.s1", "raw.s1", "raw"]


def test_positions_have_images_and_segments_of_their_own() -> None:
    frames = [(3, None, mode()), ("B2", None, mode()), (3, None, mode(20)), ("B2", None, mode())]
    assert images(*frames) == ["raw.p-3", "raw.p-B2", "raw.p-3.s1", "raw.p-B2"]


def test_channels_of_different_exposure_share_an_image() -> None:
    frames = [(None, "red", mode(10)), (None, "blue", mode(90))] * 3
    assert images(*frames) == ["raw"] * 6


def test_a_change_of_one_channel_takes_the_others_along() -> None:
    frames = [
        (None, "red", mode(10)),
        (None, "blue", mode(90)),
        (None, "red", mode(15)),
        (None, "blue", mode(90)),
    ]
    assert images(*frames) == ["raw", "raw", "raw.s1", "raw.s1"]


def test_two_cameras_that_take_turns_need_two_images() -> None:
    frames = [(None, "red", mode()), (None, "blue", mode(size=30))] * 3
    assert images(*frames) == ["raw", "raw.s1"] * 3


HOSTILE = [
    "",
    ".",
    "..",
    "../../etc",
    "a/b",
    "a\\b",
    "C:\\x",
    "CON",
    "x" * 5000,
    "a\0b",
    "-rf",
    "\ud800",
    "π",
    "a b",
]


@pytest.mark.parametrize("position", HOSTILE, ids=ascii)
def test_a_hostile_position_stays_in_the_folder(tmp_path: Path, position: str) -> None:
    part = Parts().part_of(position, None, mode())
    for name in (part.raw, part.annotated):
        assert len(name) < 90
        assert (tmp_path / name).resolve().parent == tmp_path.resolve()
        assert name.isascii()
    assert part_named(part.raw, position) == part


@given(st.lists(st.text(max_size=60) | st.integers(), unique=True, max_size=30))
def test_no_two_positions_share_a_name_on_any_disk(positions: list[Name]) -> None:
    parts = Parts()
    names = [parts.part_of(position, None, mode()).raw.casefold() for position in positions]
    assert len(set(names)) == len(positions)


@pytest.mark.parametrize(
    "name",
    ["../raw.ome.zarr", "raw.p-a/b.ome.zarr", "raw.s0.ome.zarr", "/raw.ome.zarr", "annotated.ome.zarr", ""],
)
def test_an_image_name_that_no_recording_gives_is_refused(name: str) -> None:
    with pytest.raises(SourceError, match=r"no raw image is called so; restore"):
        part_named(name)

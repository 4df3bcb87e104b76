"""Arrays that grow frame by frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from streamer.errors import RecordingError
from streamer.recording import Channel, GrowingImage, Scale, chunk_file, create_image

PLANE = (24, 30)


def make(path: Path, dtype: str = "uint16", channels: int = 1) -> GrowingImage:
    return create_image(
        path,
        plane=PLANE,
        dtype=np.dtype(dtype),
        scale=Scale(pixel_um=0.02, interval_s=0.6),
        channels=tuple(Channel(label=f"c{n}", low=0, high=9) for n in range(channels)),
    )


def draw(dtype: str, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).poisson(3, PLANE)
    return values.astype(dtype) if dtype != "float32" else (values * np.float32(0.37)).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("reader", ["zarr-python", "tensorstore"])
def test_every_appended_plane_is_read_back_bit_by_bit(tmp_path: Path, dtype: str, reader: str) -> None:
    array = make(tmp_path / "a.ome.zarr", dtype, channels=2).pixels
    planes = [[draw(dtype, 2 * n), draw(dtype, 2 * n + 1)] for n in range(3)]
    assert [array.append(pair) for pair in planes] == [0, 1, 2]
    if reader == "zarr-python":
        stored = zarr.open_array(array.path, mode="r")[:]
    else:
        tensorstore = pytest.importorskip("tensorstore")
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(array.path)}}
        stored = tensorstore.open(spec).result().read().result()
    assert stored.dtype == dtype
    np.testing.assert_array_equal(stored[:, :, 0], np.array(planes))


def test_a_frame_of_zeros_is_stored_and_not_implied(tmp_path: Path) -> None:
    array = make(tmp_path / "a.ome.zarr").pixels
    array.append([np.zeros(PLANE, np.uint16)])
    assert chunk_file(array.path, 0).is_file()


@pytest.mark.parametrize(
    ("planes", "message"),
    [
        pytest.param([np.zeros((24, 31), np.uint16)], "frame is 24x31 uint16, this recording", id="size"),
        pytest.param([np.zeros(PLANE, np.uint8)], "holds 24x30 uint16; start a new", id="pixel type"),
        pytest.param([np.zeros(PLANE, np.uint16)] * 2, "2 channels, this recording 1", id="channels"),
    ],
)
def test_a_frame_of_another_camera_mode_is_refused(
    tmp_path: Path, planes: list[np.ndarray], message: str
) -> None:
    array = make(tmp_path / "a.ome.zarr").pixels
    array.append([draw("uint16", 0)])
    with pytest.raises(RecordingError, match=message):
        array.append(planes)
    assert len(array) == 1


def test_an_array_does_not_grow_when_its_pixels_cannot_be_written(tmp_path: Path) -> None:
    array = make(tmp_path / "a.ome.zarr", channels=2).pixels
    array.append([draw("uint16", 0), draw("uint16", 1)])
    blocked = chunk_file(array.path, frame=1, channel=1).parent
    blocked.parent.mkdir(parents=True)
    blocked.write_bytes(b"a file where a folder should be")
    with pytest.raises(RecordingError, match=r"a\.ome\.zarr/0: .*check the disk"):
        array.append([draw("uint16", 2), draw("uint16", 3)])
    assert len(array) == zarr.open_array(array.path, mode="r").shape[0] == 1
    blocked.unlink()
    assert array.append([draw("uint16", 2), draw("uint16", 3)]) == 1
    np.testing.assert_array_equal(zarr.open_array(array.path, mode="r")[1, 1, 0], draw("uint16", 3))

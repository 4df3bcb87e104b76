"""Arrays that grow plane by plane."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from streamer.errors import RecordingError
from streamer.recording import Channel, Place, PlaneArray, Scale, chunk_file, create_image

PLANE = (24, 30)


def make(path: Path, dtype: str = "uint16") -> PlaneArray:
    image = create_image(
        path,
        plane=PLANE,
        dtype=np.dtype(dtype),
        scale=Scale(pixel_um=0.02, interval_s=0.6),
        channels=(Channel(label="counts", low=0, high=9),),
    )
    return image.pixels


def draw(dtype: str, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).poisson(3, PLANE)
    return values.astype(dtype) if dtype != "float32" else (values * np.float32(0.37)).astype(dtype)


def read(path: Path, reader: str) -> np.ndarray:
    if reader == "zarr-python":
        return zarr.open_array(path, mode="r")[:]
    tensorstore = pytest.importorskip("tensorstore")
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}
    return tensorstore.open(spec).result().read().result()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("reader", ["zarr-python", "tensorstore"])
def test_every_plane_is_read_back_bit_by_bit_and_a_hole_is_no_measurement(
    tmp_path: Path, dtype: str, reader: str
) -> None:
    array = make(tmp_path / "a.ome.zarr", dtype)
    places: list[Place] = [(0, 0, 0), (0, 0, 2), (1, 1, 1), (0, 1, 0), (3, 0, 0)]
    for seed, place in enumerate(places):
        array.put({place: draw(dtype, seed)})
    assert array.extent == (4, 2, 3)
    stored = read(array.path, reader)
    assert (stored.dtype, stored.shape) == (dtype, (4, 2, 3, *PLANE))
    for place in np.ndindex(4, 2, 3):
        if place in places:
            np.testing.assert_array_equal(stored[place], draw(dtype, places.index(place)))
        else:
            assert np.isnan(stored[place]).all() if dtype == "float32" else not stored[place].any()


def test_a_plane_of_zeros_is_stored_and_not_implied(tmp_path: Path) -> None:
    array = make(tmp_path / "a.ome.zarr")
    array.put({(0, 0, 0): np.zeros(PLANE, np.uint16)})
    assert chunk_file(array.path, 0).is_file()


@pytest.mark.parametrize(
    ("plane", "message"),
    [
        pytest.param(np.zeros((24, 31), np.uint16), "plane is 24x31 uint16, this image", id="size"),
        pytest.param(np.zeros(PLANE, np.uint8), "holds 24x30 uint16; planes of another", id="pixel type"),
    ],
)
def test_a_plane_of_another_camera_mode_is_refused(tmp_path: Path, plane: np.ndarray, message: str) -> None:
    array = make(tmp_path / "a.ome.zarr")
    array.put({(0, 0, 0): draw("uint16", 0)})
    with pytest.raises(RecordingError, match=message):
        array.put({(1, 0, 0): plane})
    assert array.extent == (1, 1, 1)


def test_an_array_does_not_grow_when_its_pixels_cannot_be_written(tmp_path: Path) -> None:
    array = make(tmp_path / "a.ome.zarr")
    array.put({(0, 0, 0): draw("uint16", 0)})
    blocked = chunk_file(array.path, 1, 1).parent
    blocked.parent.mkdir(parents=True)
    blocked.write_bytes(b"a file where a folder should be")
    pair = {(1, 0, 0): draw("uint16", 2), (1, 1, 0): draw("uint16", 3)}
    with pytest.raises(RecordingError, match=r"a\.ome\.zarr/0: .*check the disk"):
        array.put(pair)
    assert array.extent == zarr.open_array(array.path, mode="r").shape[:3] == (1, 1, 1)
    blocked.unlink()
    array.put(pair)
    np.testing.assert_array_equal(zarr.open_array(array.path, mode="r")[1, 1, 0], draw("uint16", 3))


def test_a_plane_that_arrives_late_is_never_seen_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = make(tmp_path / "a.ome.zarr", "float32")
    array.put({(0, 0, 1): draw("float32", 0)})

    def torn(path: Path, data: bytes) -> int:
        with path.open("wb") as stream:
            stream.write(data[:20])
        raise OSError(5, "cut off")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", torn)
        with pytest.raises(RecordingError, match="cut off"):
            array.put({(0, 0, 0): draw("float32", 1)})
    assert np.isnan(zarr.open_array(array.path, mode="r")[0, 0, 0]).all()
    array.put({(0, 0, 0): draw("float32", 1)})
    np.testing.assert_array_equal(zarr.open_array(array.path, mode="r")[0, 0, 0], draw("float32", 1))

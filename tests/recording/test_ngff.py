"""What other people's readers make of an image and its labels."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from streamer.recording import Channel, Scale, create_image

CLASSES = {0: "background", 1: "tubule", 2: "sheet"}


LABELS = {"segmentation": CLASSES, "trust": {0: "background", 1: "uncertain"}}
FILLED = [(0, 0, 0), (0, 1, 0), (1, 0, 2), (2, 1, 1)]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Two channels, of which the second appears later, and three z, with holes."""
    path = tmp_path / "annotated.ome.zarr"
    growing = create_image(
        path,
        plane=(16, 20),
        dtype=np.dtype(np.float32),
        scale=Scale(pixel_um=0.02, interval_s=0.6),
        channels=(Channel(label="denoised red", low=0, high=7),),
        labels=LABELS,
    )
    for n, place in enumerate(FILLED):
        growing.put(
            {place: np.full((16, 20), n + 0.5, np.float32)},
            {name: {place: np.full((16, 20), n % 2, np.uint8)} for name in LABELS},
            new_channels=(Channel(label="denoised blue", low=0, high=2),) if n == 1 else (),
        )
    return path


def expected(dtype: type) -> np.ndarray:
    values = np.full((3, 2, 3, 16, 20), np.nan if dtype is np.float32 else 0, dtype)
    for n, place in enumerate(FILLED):
        values[place] = n + 0.5 if dtype is np.float32 else n % 2
    return values


def test_ome_zarr_py_finds_axes_scales_channels_and_labels(image: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own dependencies warn while they are imported
        from ome_zarr.io import parse_url
        from ome_zarr.reader import Reader

        location = parse_url(image)
        assert location is not None
        nodes = {Path(str(node.zarr.path)).name: node for node in Reader(location)()}
    assert nodes.keys() == {"annotated.ome.zarr", "labels", "segmentation", "trust"}
    pixels = nodes["annotated.ome.zarr"]
    assert [(axis["name"], axis.get("unit")) for axis in pixels.metadata["axes"]] == [
        ("t", "second"),
        ("c", None),
        ("z", None),
        ("y", "micrometer"),
        ("x", "micrometer"),
    ]
    (level,) = pixels.metadata["coordinateTransformations"]
    assert level == [{"type": "scale", "scale": [0.6, 1.0, 1.0, 0.02, 0.02]}]
    assert pixels.metadata["channel_names"] == ["denoised red", "denoised blue"]
    assert pixels.metadata["contrast_limits"] == [[0, 7], [0, 2]]
    assert pixels.metadata["visible"] == [True, False]
    np.testing.assert_array_equal(np.asarray(pixels.data[0]), expected(np.float32))
    for name in LABELS:
        np.testing.assert_array_equal(np.asarray(nodes[name].data[0]), expected(np.uint8))


@pytest.mark.parametrize("part", ["", "labels/segmentation", "labels/trust"])
def test_zarr_python_and_tensorstore_read_the_same_holes(image: Path, part: str) -> None:
    tensorstore = pytest.importorskip("tensorstore")
    path = image / part / "0"
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}
    values = expected(np.uint8 if part else np.float32)
    np.testing.assert_array_equal(zarr.open_array(path, mode="r")[:], values, strict=True)
    np.testing.assert_array_equal(tensorstore.open(spec).result().read().result(), values, strict=True)


@pytest.mark.parametrize("part", ["", "labels/segmentation", "labels/trust"])
def test_every_image_names_its_channels(image: Path, part: str) -> None:
    attributes = zarr.open_group(image / part, mode="r").attrs["streamer"]
    assert attributes == {"channels": ["denoised red", "denoised blue"]}


@pytest.mark.parametrize("part", ["", "labels/segmentation", "labels/trust"])
def test_the_metadata_pass_an_independent_validator(image: Path, part: str) -> None:
    yaozarrs: Any = pytest.importorskip("yaozarrs")
    yaozarrs.validate_zarr_store(str(image / part))


def test_what_nobody_stated_has_no_unit(tmp_path: Path) -> None:
    from streamer.recording.ngff import image_attributes

    (multiscale,) = image_attributes("raw", Scale(), ())["ome"]["multiscales"]
    assert [axis for axis in multiscale["axes"] if "unit" in axis] == []
    assert multiscale["datasets"][0]["coordinateTransformations"][0]["scale"] == [1.0] * 5

"""What other people's readers make of an image and its labels."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.recording import Channel, Scale, create_image

CLASSES = {0: "background", 1: "tubule", 2: "sheet"}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "annotated.ome.zarr"
    growing = create_image(
        path,
        plane=(16, 20),
        dtype=np.dtype(np.float32),
        scale=Scale(pixel_um=0.02, interval_s=0.6),
        channels=(Channel(label="denoised", low=0, high=7), Channel(label="uncertainty", low=0, high=2)),
        labels={"segmentation": CLASSES, "trust": {0: "background", 1: "uncertain"}},
    )
    for n in range(3):
        for labels in growing.labels.values():
            labels.append([np.full((16, 20), n, np.uint8)])
        growing.pixels.append([np.full((16, 20), n + 0.5, np.float32)] * 2)
    return path


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
    assert pixels.metadata["channel_names"] == ["denoised", "uncertainty"]
    np.testing.assert_array_equal(np.asarray(pixels.data[0])[2, 1, 0], np.full((16, 20), 2.5))
    np.testing.assert_array_equal(np.asarray(nodes["trust"].data[0])[1], np.ones((1, 1, 16, 20)))


@pytest.mark.parametrize("part", ["", "labels/segmentation", "labels/trust"])
def test_the_metadata_pass_an_independent_validator(image: Path, part: str) -> None:
    yaozarrs: Any = pytest.importorskip("yaozarrs")
    yaozarrs.validate_zarr_store(str(image / part))


def test_what_nobody_stated_has_no_unit(tmp_path: Path) -> None:
    from streamer.recording.ngff import image_attributes

    (multiscale,) = image_attributes("raw", Scale(), ())["ome"]["multiscales"]
    assert [axis for axis in multiscale["axes"] if "unit" in axis] == []
    assert multiscale["datasets"][0]["coordinateTransformations"][0]["scale"] == [1.0] * 5

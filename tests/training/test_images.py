"""Recorded images become photons by calibration; what cannot be learned from is refused in one line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray

from streamer.core import Calibration
from streamer.errors import SourceError
from streamer.training.images import read_images

COUNTS = np.random.default_rng(1).poisson(3.0, (70, 80)).astype(np.uint16)


def test_grey_levels_become_photons(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", COUNTS + 100)
    (image,) = read_images(tmp_path, Calibration(offset_adu=100, gain_e_per_adu=0.5))
    assert np.array_equal(image.photons, COUNTS * np.float32(0.5))
    assert image.photons.dtype == np.float32
    assert image.name == "a"


def test_pages_of_a_stack_are_images_of_their_own(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.ome.tif", np.stack([COUNTS, COUNTS + 1, COUNTS]))
    names = [image.name for image in read_images(tmp_path / "a.ome.tif", Calibration())]
    assert names == ["a#0", "a#1", "a#2"]


def test_signed_images_keep_their_zero(tmp_path: Path) -> None:
    levels = COUNTS.astype(np.int16) - 20
    tifffile.imwrite(tmp_path / "a.tif", levels)
    (image,) = read_images(tmp_path / "a.tif", Calibration(offset_adu=-20))
    assert np.array_equal(image.photons, COUNTS)


def test_ome_zarr_is_read(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.create_array("0", data=np.stack([COUNTS, COUNTS]))
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [
            {
                "axes": [{"name": name, "type": "space"} for name in "zyx"],
                "datasets": [
                    {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1]}]}
                ],
            }
        ],
    }
    for path in (tmp_path, tmp_path / "a.zarr"):
        assert [image.name for image in read_images(path, Calibration())] == ["a#0", "a#1"]


def test_the_day_is_that_of_the_sub_folder_then_of_the_metadata_then_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "monday").mkdir()
    tifffile.imwrite(tmp_path / "monday" / "a.tif", COUNTS)
    tifffile.imwrite(tmp_path / "b.tif", COUNTS, datetime="2017:09:01 12:50:43")
    tifffile.imwrite(tmp_path / "c.tif", COUNTS)
    os.utime(tmp_path / "c.tif", (1_600_000_000, 1_600_000_000))
    found = {image.name: (image.day, image.day_from) for image in read_images(tmp_path, Calibration())}
    assert found["monday/a"] == ("monday", "folder")
    assert found["b"] == ("2017-09-01", "metadata")
    assert found["c"][1] == "modification date"
    assert found["c"][0].startswith("2020-09-1")


def test_floats_are_read_where_the_user_says_what_they_are(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", COUNTS.astype(np.float32) / 4)
    (image,) = read_images(tmp_path, Calibration(), floats=True)
    assert np.array_equal(image.photons, COUNTS / np.float32(4))


def spoiled(change: Callable[[NDArray[np.float32]], None]) -> NDArray[np.float32]:
    image = COUNTS.astype(np.float32)
    change(image)
    return image


def nan(image: NDArray[np.float32]) -> None:
    image[3, 4] = np.nan


def bright(bits: int) -> NDArray[np.uint16]:
    image = COUNTS * 20
    image[:10] = 2**bits - 1
    return image


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (COUNTS.astype(np.float32), r"pixel type float32; convert it to counts"),
        (np.stack([COUNTS] * 3, axis=-1).astype(np.uint8), r"give grey-level images"),
        (np.full((70, 80), 7, np.uint16), r"a\.tif: empty, every pixel is 7"),
        (np.full((70, 80), 65535, np.uint16), r"a\.tif: saturated, every pixel is 65535"),
        (bright(16), r"saturated, 14\.3% of the pixels are 65535, the top of the scale"),
        (bright(12), r"saturated, 14\.3% of the pixels are 4095"),
        (np.stack([COUNTS, np.zeros_like(COUNTS)]), r"a\.tif: page 1: empty, every pixel is 0"),
        (COUNTS.astype(np.uint32), r"pixel type uint32; convert it"),
    ],
    ids=["floats", "colour", "empty", "all saturated", "saturated", "12 bits", "empty page", "wide integers"],
)
def test_images_that_cannot_be_learned_from_are_refused(
    pixels: NDArray[np.generic], words: str, tmp_path: Path
) -> None:
    rgb = {"photometric": "rgb"} if pixels.shape[-1] == 3 else {"photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "a.tif", pixels, **rgb)  # type: ignore[arg-type]
    with pytest.raises(SourceError, match=words) as refused:
        read_images(tmp_path / "a.tif", Calibration())
    assert "\n" not in str(refused.value)


def test_pixels_that_are_not_numbers_are_counted(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", spoiled(nan))
    with pytest.raises(SourceError, match=r"a\.tif: 1 pixels are not numbers"):
        read_images(tmp_path, Calibration(), floats=True)


def test_an_offset_above_the_image_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", COUNTS)
    with pytest.raises(SourceError, match=r"photons per pixel on average; correct the offset"):
        read_images(tmp_path, Calibration(offset_adu=50))


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        read_images(tmp_path / "x", Calibration())
    with pytest.raises(SourceError, match="holds no image"):
        read_images(tmp_path, Calibration())

"""OME-Zarr images of a recording: created whole, then grown plane by plane."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.recording.array import Place, PlaneArray, covering, create_array
from streamer.recording.files import replace_file, writing
from streamer.recording.ngff import (
    Channel,
    Scale,
    image_attributes,
    label_attributes,
    labels_attributes,
    with_channel_count,
    with_channels,
)

Planes = Mapping[Place, NDArray[Any]]


class GrowingImage:
    """The image in folder `path` and its label images, by name, open for writing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pixels = PlaneArray(path / "0")
        names = json.loads((path / "labels" / "zarr.json").read_bytes()) if (path / "labels").is_dir() else {}
        listed = names["attributes"]["ome"]["labels"] if names else ()
        self.labels = {name: PlaneArray(path / "labels" / name / "0") for name in listed}

    def put(
        self,
        planes: Planes,
        labels: Mapping[str, Planes] | None = None,
        *,
        new_channels: Sequence[Channel] = (),
    ) -> None:
        """Write planes of pixels and of every label image; all of them cover the same places afterwards.

        Labels come first, so that every plane that an image shows has its labels; the names of channels that
        appear with these planes come last, each document in one step.

        Raises:
            RecordingError: a plane of another shape or type, or a disk that will not have it.
        """
        extent = covering(planes, self.pixels.extent)
        for name, array in self.labels.items():
            array.put((labels or {}).get(name, {}), extent)
        self.pixels.put(planes)
        if new_channels:
            for group in self._groups():
                write_group(group, with_channels(read_attributes(group), new_channels))

    def cut(self, extent: Place, unless: Mapping[int, Iterable[tuple[int, int]]]) -> None:
        """Leave `extent` of it, and at t in `unless` the planes at its (c, z) only; lengths before planes."""
        arrays = (self.pixels, *self.labels.values())
        for array in arrays:
            array.resize(extent)
        for group in self._groups():
            write_group(group, with_channel_count(read_attributes(group), extent[1]))
        for array in arrays:
            array.discard(extent[0], unless)

    def _groups(self) -> tuple[Path, ...]:
        return (*(array.path.parent for array in self.labels.values()), self.path)


def create_image(
    path: Path,
    *,
    plane: tuple[int, int],
    dtype: np.dtype[Any],
    scale: Scale,
    channels: tuple[Channel, ...],
    labels: Mapping[str, Mapping[int, str]] | None = None,
    about: Mapping[str, Any] | None = None,
) -> GrowingImage:
    """Create the OME-Zarr image `path` without planes; `labels` maps each label image to its classes.

    It is made beside its place and renamed into it, so that a reader never meets half an image. `about` is
    what else its attributes say.

    Raises:
        RecordingError: the disk will not have it.
    """
    labels = labels or {}
    draft = path.with_name(path.name + ".new")
    with writing(path):
        shutil.rmtree(draft, ignore_errors=True)
        create_array(draft / "0", plane=plane, dtype=dtype)
        write_group(draft, image_attributes(path.name, scale, channels, about))
        for name, classes in labels.items():
            folder = draft / "labels" / name
            create_array(folder / "0", plane=plane, dtype=np.dtype(np.uint8))
            write_group(folder, label_attributes(name, scale, classes, channels))
        if labels:
            write_group(draft / "labels", labels_attributes(tuple(labels)))
        draft.rename(path)
    return GrowingImage(path)


def describe_image(path: Path, about: Mapping[str, Any]) -> None:
    """Say more of the image `path` in its attributes, beside position and segment.

    Raises:
        RecordingError: the disk will not have it.
    """
    attributes = read_attributes(path)
    write_group(path, {**attributes, "streamer": {**attributes["streamer"], **about}})


def discard_image(path: Path) -> None:
    """Delete the image `path`; it is gone in one step."""
    draft = path.with_name(path.name + ".new")
    with writing(path):
        shutil.rmtree(draft, ignore_errors=True)
        path.rename(draft)
        shutil.rmtree(draft)


def write_group(path: Path, attributes: Mapping[str, Any]) -> None:
    """Write the Zarr group `path` in one step; what it describes should be there before."""
    path.mkdir(parents=True, exist_ok=True)
    document = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    with writing(path):
        replace_file(path / "zarr.json", json.dumps(document, indent=2).encode())


def read_attributes(path: Path) -> dict[str, Any]:
    """Attributes of the Zarr group `path`."""
    attributes: dict[str, Any] = json.loads((path / "zarr.json").read_bytes())["attributes"]
    return attributes

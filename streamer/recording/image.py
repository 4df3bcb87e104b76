"""OME-Zarr images of a recording: created whole, then appended to."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamer.recording.append import AppendArray, create_array, write_group
from streamer.recording.files import writing
from streamer.recording.ngff import (
    Channel,
    Scale,
    image_attributes,
    label_attributes,
    labels_attributes,
)


@dataclass(frozen=True, slots=True)
class GrowingImage:
    """An image and its label images, by name, each open for appending."""

    pixels: AppendArray
    labels: Mapping[str, AppendArray]


def create_image(
    path: Path,
    *,
    plane: tuple[int, int],
    dtype: np.dtype[Any],
    scale: Scale,
    channels: tuple[Channel, ...],
    labels: Mapping[str, Mapping[int, str]] | None = None,
) -> GrowingImage:
    """Create the OME-Zarr image `path` without frames; `labels` maps each label image to its classes.

    It is made beside its place and renamed into it, so that a reader never meets half an image.

    Raises:
        RecordingError: the disk will not have it.
    """
    labels = labels or {}
    draft = path.with_name(path.name + ".new")
    with writing(path):
        shutil.rmtree(draft, ignore_errors=True)
        create_array(draft / "0", plane=plane, dtype=dtype, channels=len(channels))
        write_group(draft, image_attributes(path.name, scale, channels))
        for name, classes in labels.items():
            folder = draft / "labels" / name
            create_array(folder / "0", plane=plane, dtype=np.dtype(np.uint8), channels=1)
            write_group(folder, label_attributes(name, scale, classes))
        if labels:
            write_group(draft / "labels", labels_attributes(tuple(labels)))
        draft.rename(path)
        return GrowingImage(
            AppendArray(path / "0"), {name: AppendArray(path / "labels" / name / "0") for name in labels}
        )

"""OME-Zarr images of any origin: any subset of t, c, z before y, x; every plane is a frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from streamer.errors import SourceError
from streamer.recording import read_plane
from streamer.sources.planes import Plane, Planes, check_plane

_AXES = {"t": "time", "c": "channel", "z": "z"}
_NM_PER = {"nanometer": 1.0, "micrometer": 1e3, "millimeter": 1e6}
_MARKS = ("zarr.json", ".zgroup", ".zattrs")


def is_zarr(path: Path) -> bool:
    """Whether `path` is a Zarr group, of format 2 or 3."""
    return any((path / mark).is_file() for mark in _MARKS)


def open_ome_zarr(path: Path) -> Planes:
    """Read the metadata of the image `path`; planes are read later in the order of the stored axes.

    Raises:
        SourceError: no image, damaged metadata, or axes that hold no planes.
    """
    try:
        group = zarr.open_group(path, mode="r")
        attributes: Any = group.attrs.asdict()
        multiscale = attributes.get("ome", attributes)["multiscales"][0]
        axes = [axis if isinstance(axis, str) else axis["name"] for axis in multiscale["axes"]]
        level = multiscale["datasets"][0]
        array = group[level["path"]]
        pixel_nm = _pixel_nm(multiscale["axes"][-1], level)
    except Exception as error:  # a damaged document can raise nearly anything
        raise SourceError(
            f"{path}: no OME-Zarr image ({type(error).__name__}: {error}); give the folder of one image"
        ) from error
    if not isinstance(array, zarr.Array) or axes[-2:] != ["y", "x"] or not set(axes[:-2]) <= _AXES.keys():
        raise SourceError(f"{path}: axes {axes}; images of t, c, z, y, x, or some of them, are read")
    if array.ndim != len(axes):
        raise SourceError(f"{path}: {array.ndim} dimensions but {len(axes)} axes; restore it from a copy")
    return Planes(
        kind="OME-Zarr",
        shape=check_plane(str(path), array.shape[-2:], np.dtype(array.dtype)),
        dtype=np.dtype(array.dtype),
        count=int(np.prod(array.shape[:-2])),
        read=lambda: _read(path, array, axes),
        pixel_nm=pixel_nm,
    )


def _read(path: Path, array: zarr.Array[Any], axes: list[str]) -> Iterator[Plane]:
    names = [_AXES[axis] for axis in axes[:-2]]
    for place in np.ndindex(*array.shape[:-2]):
        yield read_plane(path, array, place), dict(zip(names, place, strict=True)) or {"time": 0}, {}


def _pixel_nm(axis: str | Mapping[str, Any], level: Mapping[str, Any]) -> float | None:
    unit = axis.get("unit") if isinstance(axis, Mapping) else None
    scales = [step["scale"] for step in level.get("coordinateTransformations", ()) if "scale" in step]
    return float(scales[0][-1]) * _NM_PER[unit] if unit in _NM_PER and scales else None

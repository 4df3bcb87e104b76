"""The folder of a run as napari layers; pixels are read when they are looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from streamer.errors import SourceError
from streamer.reading.index import channel_of
from streamer.reading.planes import Region, regions_of
from streamer.recording import (
    Name,
    Row,
    RunFolder,
    is_run,
    iter_frames,
    open_image,
    part_named,
    read_info,
    read_plane,
)
from streamer.viewer.looks import contrast, image_look, in_words, labels_look

#: What napari calls a layer: data, arguments, kind.
LayerData = tuple[Any, dict[str, Any], str]
#: Where the raw frame of one denoised plane lies: name of its image, place on the t axis there.
Source = tuple[str, int]

_LABELS = ("segmentation", "trust")


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[LayerData]] | None:
    """What reads `path`; None where it is no recording of ours.

    Args:
        path: folder of a run, or its `run.json`; of several the first decides.
    """
    first = path[0] if isinstance(path, list) else path
    return read_runs if is_run(_folder(first)) else None


def read_runs(path: str | list[str]) -> list[LayerData]:
    """Layers of one recording, or of several.

    Raises:
        SourceError: no recording, nothing in it, or damaged.
    """
    paths = path if isinstance(path, list) else [path]
    return [layer for one in paths for layer in read_run(_folder(one))]


def read_run(folder: Path) -> list[LayerData]:
    """Layers of the recording in `folder`, growing or closed, as it is now.

    Every position, camera mode and channel is a group of layers: raw counts, denoised photons, uncertainty,
    segmentation, trust. All have the axes t (time points), z where there are several, y and x, so that they
    lie above each other; frames that were not processed are in none but where none was processed at all.

    Raises:
        SourceError: nothing was recorded, or what was is damaged.
    """
    run = RunFolder(folder)
    info = read_info(run)
    groups = _groups(run)
    if not groups:
        return _unprocessed(run, info.pixel_nm)
    channels = len({group.channel for group in groups})
    regions = regions_of(info.profile)
    layers: list[LayerData] = []
    for group in groups:
        group.region = regions.get(group.channel.rpartition(" / ")[2])
        layers.extend(_layers(run, group, info.pixel_nm, channels))
    return layers


@dataclass(slots=True, kw_only=True)
class _Group:
    """One channel of one part: the annotated image, and where the raw frame of each (t, z) lies."""

    annotated: str
    channel: str
    position: Name
    number: int = 0
    region: Region | None = None
    sources: dict[tuple[int, int], Source] = field(default_factory=dict)
    seqs: dict[tuple[int, int], int] = field(default_factory=dict)


class _Gathered:
    """Raw frames [t, z, y, x] in the places of the denoised planes that were made of them; holes are 0.

    Looks enough like an array for dask.
    """

    ndim = 4

    def __init__(self, run: RunFolder, group: _Group, extent: tuple[int, int]) -> None:
        self._run, self._sources, self._region = run, group.sources, group.region
        names = {name for name, _ in group.sources.values()}
        self._images = {name: open_image(run.path / part_named(name).raw) for name in names}
        first = next(iter(self._images.values()))
        self.dtype = first.dtype
        height, width = group.region[2:] if group.region else first.shape[-2:]
        self.shape = (*extent, height, width)

    def __getitem__(self, place: tuple[slice | int, ...]) -> NDArray[Any]:
        t, z, *within = place
        times, depths = _places(t, self.shape[0]), _places(z, self.shape[1])
        found = np.zeros((len(times), len(depths), *self.shape[2:]), self.dtype)
        for i, time in enumerate(times):
            for k, depth in enumerate(depths):
                if (source := self._sources.get((time, depth))) is not None:
                    found[i, k] = self._plane(source)
        whole = tuple(0 if isinstance(part, int) else slice(None) for part in (t, z))
        chosen: NDArray[Any] = found[(*whole, *within)]
        return chosen

    def _plane(self, source: Source) -> NDArray[Any]:
        name, index = source
        plane = read_plane(self._run.path / part_named(name).raw, self._images[name], (index, 0, 0))
        if self._region is None:
            return plane
        y, x, height, width = self._region
        return plane[y : y + height, x : x + width]


def _places(part: slice | int, length: int) -> range:
    return range(part, part + 1) if isinstance(part, int) else range(*part.indices(length))


def _folder(path: str) -> Path:
    found = Path(path)
    return found.parent if found.name == "run.json" else found


def _groups(run: RunFolder) -> list[_Group]:
    """The channels of all annotated images, in the order of their appearance.

    Raises:
        SourceError: a row lacks what it must say.
    """
    groups: dict[tuple[str, str], _Group] = {}
    try:
        for row in iter_frames(run):
            _sort(row, groups)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(f"{run.frames}: damaged ({error}); restore it from a copy") from error
    ordered = dict.fromkeys(group.channel for group in groups.values())
    for group in groups.values():
        group.number = list(ordered).index(group.channel)
    return list(groups.values())


def _sort(row: Row, groups: dict[tuple[str, str], _Group]) -> None:
    if not row["annotated_place"]:
        return
    t, _, z = row["annotated_place"]
    name = row["annotated_image"]
    for plane in row["annotated_channels"]:
        if (channel := channel_of(plane)) is not None:
            new = _Group(annotated=name, channel=channel, position=row["axes"].get("position"))
            group = groups.setdefault((name, channel), new)
            group.sources[t, z] = (row["image"], row["raw_index"])
            group.seqs[t, z] = row["seq"]


def _layers(run: RunFolder, group: _Group, pixel_nm: float | None, channels: int) -> Iterator[LayerData]:
    image = run.path / part_named(next(iter(group.sources.values()))[0]).annotated
    pixels = open_image(image)
    names, z_um = _described(image)
    extent = max(t for t, _ in group.sources) + 1, max(z for _, z in group.sources) + 1
    first = min(group.sources)
    flat = extent[1] == 1
    stated = {"position": group.position, "channel": group.channel}
    about = _placed(pixel_nm, flat=flat, z_um=z_um)

    def shown(kind: str, data: Any, look: dict[str, Any], layer: str) -> LayerData:
        told = {"metadata": {"run": str(run.path), "frames": dict(group.seqs)} | look.pop("metadata", {})}
        return data[:, 0] if flat else data, {"name": in_words(kind, stated), **about, **look, **told}, layer

    raw = _lazy(_Gathered(run, group, extent))
    yield shown("camera", raw, _grey("raw", raw, first, group, channels), "image")
    for kind in ("denoised", "uncertainty"):
        if (name := f"{kind} {group.channel}".rstrip()) in names:
            data = _of_channel(pixels, names.index(name), extent)
            yield shown(kind, data, _grey(kind, data, first, group, channels), "image")
    for kind in _LABELS:
        if (image / "labels" / kind).is_dir():
            place = names.index(f"denoised {group.channel}".rstrip())
            data = _of_channel(open_image(image / "labels" / kind), place, extent)
            yield shown(kind, data, labels_look(kind), "labels")


def _grey(kind: str, data: Any, first: tuple[int, int], group: _Group, channels: int) -> dict[str, Any]:
    limits = contrast(np.asarray(data[first]))
    return {"contrast_limits": limits, **image_look(kind, group.number, channels)}


def _of_channel(pixels: zarr.Array[Any], c: int, extent: tuple[int, int]) -> Any:
    """[t, z, y, x] of one channel; a running image may be longer than its rows."""
    return _lazy(pixels)[: extent[0], c, : extent[1]]


def _lazy(pixels: Any) -> Any:
    """A dask array of single planes."""
    from dask import array

    untyped: Any = array
    chunks = (*(1 for _ in pixels.shape[:-2]), *pixels.shape[-2:])
    return untyped.from_array(pixels, chunks=chunks, name=False)


def _unprocessed(run: RunFolder, pixel_nm: float | None) -> list[LayerData]:
    """Raw frames in the order of their arrival, of a recording of which nothing was processed.

    Raises:
        SourceError: nothing was recorded.
    """
    frames: dict[str, int] = {}
    for row in iter_frames(run):
        frames[row["image"]] = max(frames.get(row["image"], 0), row["raw_index"] + 1)
    if not frames:
        raise SourceError(f"{run.path}: no frame was recorded; give another recording")
    about = _placed(pixel_nm, flat=True)
    layers: list[LayerData] = []
    for name, count in frames.items():
        data = _lazy(open_image(run.path / part_named(name).raw))[:count, 0, 0]
        look = {"contrast_limits": contrast(np.asarray(data[-1])), "colormap": "gray"}
        layers.append((data, {"name": name.removesuffix(".ome.zarr"), **about, **look}, "image"))
    return layers


def _placed(pixel_nm: float | None, *, flat: bool, z_um: float | None = None) -> dict[str, Any]:
    """Scale, units and names of the axes; time points count one by one."""
    across = (pixel_nm / 1e3, "um") if pixel_nm else (1.0, "pixel")
    along = (z_um, "um") if z_um else (1.0, "pixel")
    steps = [(1.0, "pixel"), across, across] if flat else [(1.0, "pixel"), along, across, across]
    scale, units = zip(*steps, strict=True)
    return {"scale": scale, "units": units, "axis_labels": ("t", "y", "x") if flat else ("t", "z", "y", "x")}


def _described(image: Path) -> tuple[list[str], float | None]:
    """Names along the c axis of an annotated image, and the distance of two slices, None if nobody stated it.

    Raises:
        SourceError: it does not say.
    """
    try:
        attributes: dict[str, Any] = json.loads((image / "zarr.json").read_bytes())["attributes"]
        names = [str(name) for name in attributes["streamer"]["channels"]]
        multiscale = attributes["ome"]["multiscales"][0]
        axes = {axis["name"]: axis.get("unit") for axis in multiscale["axes"]}
        step = multiscale["datasets"][0]["coordinateTransformations"][0]["scale"][list(axes).index("z")]
        return names, float(step) if axes["z"] == "micrometer" else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise SourceError(f"{image}: damaged ({error!r}); restore it from a copy") from error

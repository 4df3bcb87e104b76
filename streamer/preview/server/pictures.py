"""Pictures of a recording at a viewer's size: read, scaled and compressed once for all who want the same.

Used by one thread only, the one that owns the recording.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from streamer.preview.picture import (
    Bytes2D,
    Layer,
    Region,
    clipped,
    compressed,
    fitted,
    grey,
    labels,
    message,
    shrunk,
)
from streamer.preview.server.messages import ViewWanted
from streamer.preview.server.views import Choice
from streamer.reading import Entry, Planes, View, WatchedRun, read_planes

#: Frames whose planes are held, compressed pictures, and thumbnails.
PLANES_KEPT, PICTURES_KEPT, THUMBNAILS_KEPT = 3, 16, 512
#: Viewers' boxes are rounded up to this, so that windows of nearly the same size share a picture.
BOX_STEP = 32
#: Of one core for live pictures, at most, in time that they really had of it; the rest is the run's. However
#: long one took, the next one may follow after so long. By whether frames of the run wait.
SHARE, REST_MAX_S = {False: 0.15, True: 0.008}, {False: 1.0, True: 2.0}

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """The last few results of what is worth doing once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, Value] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """What was made for `key`, made now if it is not held."""
        if key not in self._kept:
            self._kept[key] = make()
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One frame as a viewer wants it.

    Attributes:
        seq: of the frame.
        message: what is sent.
    """

    seq: int
    message: bytes


@dataclass(frozen=True, slots=True)
class _Shown:
    """What viewers share of a picture."""

    full: tuple[int, int]
    region: Region
    size: tuple[int, int]
    layers: tuple[Layer, ...]
    body: bytes
    pixel_um: float | None


class Pictures:
    """Pictures and thumbnails of a recording.

    Args:
        run: the recording.

    Attributes:
        rested_s: when the next live picture may be made, of a monotonic clock.
        is_behind: whether frames of the run wait: it needs the machine more than the pictures do.
    """

    def __init__(self, run: WatchedRun) -> None:
        self._run = run
        self.rested_s = 0.0
        self.is_behind = False
        self._planes: Kept[Planes] = Kept(PLANES_KEPT)
        self._shown: Kept[_Shown] = Kept(PICTURES_KEPT)
        self._thumbnails: Kept[NDArray[np.float32]] = Kept(THUMBNAILS_KEPT)

    def view_of(self, wanted: ViewWanted, choice: Choice) -> View | None:
        """What comes closest to what a page wants; None before the first frame.

        Raises:
            ValueError: a position, channel or z that the run does not have.
        """
        views = self._run.index.views()
        exact = View(position=wanted.position, channel=wanted.channel, z=wanted.z)
        return choice.among(views, exact) if views else None

    def entry(self, wanted: ViewWanted, choice: Choice) -> Entry | None:
        """The frame that is wanted; None before there is one.

        Raises:
            ValueError: see `view_of`.
        """
        view = self.view_of(wanted, choice)
        if view is None:
            return None
        index = self._run.index
        return index.newest(view) if wanted.seq is None else index.at(view, wanted.seq)

    def picture(self, wanted: ViewWanted, entry: Entry) -> Picture:
        """The frame of `entry` as it is wanted.

        Raises:
            SourceError: its pixels are missing or damaged.
        """
        shown = self._shown.get(_key(wanted, entry), lambda: self._make(wanted, entry))
        header = {
            "kind": "image",
            **_of(entry, self._run.series.first_wall_s),
            "live": wanted.seq is None,
            "width": shown.size[1],
            "height": shown.size[0],
            "full": list(shown.full),
            "region": list(shown.region),
            "pixel_um": shown.pixel_um,
            "layers": [layer.header() for layer in shown.layers],
        }
        return Picture(seq=entry.seq, message=message(header, shown.body))

    def is_made(self, wanted: ViewWanted, entry: Entry) -> bool:
        """Whether the picture only has to be sent."""
        return _key(wanted, entry) in self._shown

    def _make(self, wanted: ViewWanted, entry: Entry) -> _Shown:
        began_s = time.thread_time()  # on a busy machine a clock goes on while nothing is done here
        planes = self._read(entry, wanted.layers)
        full = _shape(planes)
        region = clipped(wanted.region, full)
        size = fitted(region, _box(wanted))
        layers = []
        for name in wanted.layers:
            plane = getattr(planes, name)
            if plane is None:
                continue
            make = labels if name in ("segmentation", "trust") else grey
            layers.append(make(name, _to(plane, full), region, size))
        body = compressed([layer.pixels for layer in layers])
        rest_s = (time.thread_time() - began_s) * (1 / SHARE[self.is_behind] - 1)
        self.rested_s = time.monotonic() + min(rest_s, REST_MAX_S[self.is_behind])
        return _Shown(
            full=full,
            region=region,
            size=size,
            layers=tuple(layers),
            body=body,
            pixel_um=planes.pixel_um,
        )

    def _read(self, entry: Entry, layers: tuple[str, ...]) -> Planes:
        key = (entry.view, entry.seq, entry.processed, layers)
        return self._planes.get(
            key, lambda: read_planes(self._run.folder, entry, entry.view.channel, only=layers)
        )

    def thumbnail(self, entry: Entry, width: int) -> NDArray[np.float32]:
        """[y, x] values of a frame, denoised where it was, at most `width` wide.

        Raises:
            SourceError: its pixels are missing or damaged.
        """

        def make() -> NDArray[np.float32]:
            planes = read_planes(self._run.folder, entry, entry.view.channel, only=("denoised",))
            plane = planes.raw if planes.denoised is None else planes.denoised
            region = clipped(None, (plane.shape[0], plane.shape[1]))
            return shrunk(plane, region, fitted(region, (region[2], width)))

        return self._thumbnails.get((entry.view, entry.seq, entry.processed, width), make)


def strip(thumbnails: list[tuple[int, NDArray[np.float32]]]) -> tuple[tuple[int, int], bytes]:
    """Thumbnails of frames (seq, [y, x] values) as (height, width) of each and a binary message.

    All have the contrast of the whole run, so that one can see it fade. Those of another shape than the
    first are cut or padded to it.
    """
    shape = thumbnails[0][1].shape if thumbnails else (1, 1)
    height, width = int(shape[0]), int(shape[1])
    stack = [_to(values, (height, width)) for _, values in thumbnails]
    column = np.concatenate(stack) if stack else np.zeros((0, width), np.float32)
    low, high = np.percentile(column, (1, 99.7)) if column.size else (0.0, 1.0)
    stretched = np.sqrt(np.clip((column - low) / max(high - low, 1e-9), 0, 1)) * 255
    header = {
        "kind": "strip",
        "count": len(stack),
        "width": width,
        "height": height,
        "seqs": [seq for seq, _ in thumbnails],
    }
    pixels: Bytes2D = np.rint(stretched).astype(np.uint8)
    return (height, width), message(header, compressed([pixels]))


def _box(wanted: ViewWanted) -> tuple[int, int]:
    height, width = (math.ceil(side / BOX_STEP) * BOX_STEP for side in wanted.box)
    return height, width


def _key(wanted: ViewWanted, entry: Entry) -> Hashable:
    return entry.view, entry.seq, entry.processed, wanted.region, _box(wanted), wanted.layers


def seconds(entry: Entry, first_wall_s: float) -> float | None:
    """Seconds of a frame since the first one of the run; None where nobody knows."""
    since = entry.wall_time_s - first_wall_s
    return since if math.isfinite(since) else None


def _of(entry: Entry, first_wall_s: float) -> dict[str, object]:
    view = entry.view
    return {
        "seq": entry.seq,
        "wall_time_s": entry.wall_time_s if math.isfinite(entry.wall_time_s) else None,
        "time_s": seconds(entry, first_wall_s),
        "view": {"position": view.position, "channel": view.channel, "z": view.z},
        "labels_seq": entry.labels_seq,
    }


def _shape(planes: Planes) -> tuple[int, int]:
    shape = (planes.raw if planes.denoised is None else planes.denoised).shape
    return int(shape[0]), int(shape[1])


def _to(plane: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """A plane cut or padded with zeros: only the raw part of an unregistered channel may differ."""
    if plane.shape == shape:
        return plane
    cut = plane[: shape[0], : shape[1]]
    return np.pad(cut, [(0, shape[0] - cut.shape[0]), (0, shape[1] - cut.shape[1])])

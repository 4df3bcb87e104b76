"""Layers of the newest frame of a run that goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from streamer.errors import StreamerError
from streamer.reading import Planes, View, WatchedRun, read_planes
from streamer.recording import is_run
from streamer.viewer.looks import contrast, image_look, in_words, labels_look

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

#: How often the recording is looked at where nobody wakes.
LOOK_EVERY_S = 0.3
#: States after which nothing follows.
ENDED = ("stopped", "finished", "left")

_IMAGES = {"raw": "camera", "denoised": "denoised", "uncertainty": "uncertainty"}
_LABELS = ("segmentation", "trust")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class News:
    """What there is to show.

    Attributes:
        state: of the run, in a word; a sentence where it cannot be read.
        seq: newest frame, -1 before the first.
        planes: of that frame by view; only of views that have a newer one than before.
    """

    state: str
    seq: int
    planes: Mapping[View, Planes]


class Hears(Protocol):
    """What wakes who watches; a `streamer.preview.Feed` does."""

    def newest(self, timeout_s: float) -> object:
        """Return as soon as there is news, at the latest after the time."""
        ...


def follow(
    path: Path,
    *,
    hear: Callable[[], AbstractContextManager[Hears]] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[News, None, None]:
    """The newest frame of each view of the run in `path`, whenever there is a newer one, until it has ended.

    Frames between two looks are passed over. Nothing is written, and nothing that is wrong with the
    recording is raised: it is said as the state.

    Args:
        path: folder of the run; it need not be there yet.
        hear: makes what tells when there is news; without it the recording is looked at now and then.
        stop: whether to end.
    """
    with hear() if hear else nullcontext() as feed:
        yield from _followed(path, feed.newest if feed else time.sleep, stop)


def _followed(
    path: Path, wait: Callable[[float], object], stop: Callable[[], bool]
) -> Generator[News, None, None]:
    run: WatchedRun | None = None
    shown: dict[View, int] = {}
    said = ""
    while not stop():
        try:
            run = run or (WatchedRun(path) if is_run(path) else None)
            news = _news(run, shown) if run else News(state="waiting", seq=-1, planes={})
        except StreamerError as error:
            news = News(state=str(error), seq=-1, planes={})
        if news.planes or news.state != said:
            said = news.state
            yield news
        if said in ENDED:
            return
        wait(LOOK_EVERY_S)


def _news(run: WatchedRun, shown: dict[View, int]) -> News:
    """What is newer than `shown`, which is up to date afterwards."""
    state = "" if run.update() else run.state  # frames that come while it ends are shown before it has ended
    planes = {}
    for view in _on_show(run.index.views()):
        entry = run.index.newest(view)
        if entry is not None and shown.get(view) != entry.seq:
            planes[view] = read_planes(run.folder, entry, view.channel)
            shown[view] = entry.seq
    return News(state=state or "running", seq=max(shown.values(), default=-1), planes=planes)


def _on_show(views: tuple[View, ...]) -> list[View]:
    """All channels of the first position and the first z."""
    return [view for view in views if (view.position, view.z) == (views[0].position, views[0].z)]


class LiveLayers:
    """Layers that show the newest frame of a run in a viewer, one for each kind and channel.

    Layers that a user has removed stay away; what a user changed of their look stays as it is.

    Args:
        viewer: napari's viewer, or its model.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layers: dict[tuple[str, str], Layer] = {}
        self._channels: list[str] = []

    def show(self, news: News) -> None:
        """Show `news`; to be called in the thread of the viewer."""
        for view, planes in news.planes.items():
            if view.channel not in self._channels:
                self._channels.append(view.channel)
            for kind in (*_IMAGES, *_LABELS):
                plane = getattr(planes, kind)
                if plane is not None:
                    self._put(kind, view.channel, plane, planes)
        overlay = _overlay(self._viewer)
        overlay.text, overlay.visible = _words(news), True

    def close(self) -> None:
        """Take the layers away."""
        for layer in self._layers.values():
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._layers.clear()
        _overlay(self._viewer).visible = False

    def _put(self, kind: str, channel: str, plane: Any, planes: Planes) -> None:
        known = self._layers.get((kind, channel))
        if known is None:
            self._layers[kind, channel] = self._viewer.add_layer(self._new(kind, channel, plane, planes))
        elif known in self._viewer.layers:
            known.data = plane
            known.metadata["frame"] = planes.seq

    def _new(self, kind: str, channel: str, plane: Any, planes: Planes) -> Layer:
        from napari.layers import Image, Labels

        pixel = planes.pixel_um or 1.0
        unit = "um" if planes.pixel_um else "pixel"
        name = in_words(f"live {_IMAGES.get(kind, kind)}", {"channel": channel})
        about: dict[str, Any] = {"name": name, "scale": (pixel, pixel), "units": (unit, unit)}
        told = {"frame": planes.seq}
        if kind in _LABELS:
            look = labels_look(kind)
            return Labels(plane, **about, **look | {"metadata": look["metadata"] | told})
        number = self._channels.index(channel)
        look = image_look(kind, number, max(len(self._channels), number + 1))
        return Image(plane, contrast_limits=contrast(np.asarray(plane)), **about, **look, metadata=told)


def _words(news: News) -> str:
    return news.state if news.seq < 0 else f"{news.state}, frame {news.seq + 1}"


def _overlay(viewer: ViewerModel) -> Any:
    """The text on top of the picture, which has moved in napari 0.9."""
    canvas: Any = getattr(viewer, "canvas", None)
    return viewer.text_overlay if canvas is None else canvas.overlays.text

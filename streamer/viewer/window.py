"""A run in a window of napari."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from streamer.errors import RunError, SourceError
from streamer.reading import WatchedRun
from streamer.viewer.live import ENDED, Hears
from streamer.viewer.reader import read_run
from streamer.viewer.widget import Watcher

_CURE = "pip install 'scope-streamer[napari]' 'napari[pyqt6]'"


def open_window(path: Path, *, hear: Callable[[], AbstractContextManager[Hears]] | None = None) -> None:
    """Show the recording in `path` until the window is closed; one that goes on is followed.

    Args:
        path: folder of the run.
        hear: as in `streamer.viewer.follow`.

    Raises:
        UsageError: no recording, one of a newer version, or nothing in it yet.
        RunError: napari or what it draws with is not installed.
    """
    goes_on = WatchedRun(path).state not in ENDED
    try:
        import napari
        from napari.layers import Layer

        viewer = napari.Viewer(title=f"streamer: {path.name}")
    except ImportError as error:  # also of Qt, which napari looks for when it opens a window
        raise RunError(f"napari cannot be opened ({error}); {_CURE}") from error
    try:
        for layer in read_run(path):
            viewer.add_layer(Layer.create(*layer))
    except SourceError:
        if not goes_on:  # of a run that has just begun there is nothing to look back at
            raise
    watcher = Watcher(viewer)
    if goes_on:
        watcher.start(path, hear=hear)
    napari.run()
    watcher.stop()

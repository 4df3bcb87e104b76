"""The widget "Watch a run" of napari."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.recording import is_run
from streamer.viewer.live import LiveLayers, follow

if TYPE_CHECKING:
    from magicgui.widgets import Container
    from napari.viewer import Viewer

    from streamer.viewer.live import News


class Watcher:
    """Follows one run after another in a viewer: reads in a thread of napari's, shows in the viewer's own.

    Args:
        viewer: napari's viewer.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._stop = threading.Event()
        self._layers: LiveLayers | None = None

    def start(self, run: Path, **how: Any) -> None:
        """Show the newest frames of `run` until it has ended; `how` as in `streamer.viewer.follow`."""
        from napari.qt.threading import create_worker

        self.stop()
        stop = self._stop = threading.Event()
        layers = self._layers = LiveLayers(self._viewer)

        def show(news: News) -> None:
            if not stop.is_set():  # what was on its way when the user stopped
                layers.show(news)

        worker = create_worker(follow, run, stop=stop.is_set, **how)
        worker.yielded.connect(show)
        worker.start()

    def stop(self) -> None:
        """End, and take the layers away."""
        self._stop.set()
        if self._layers is not None:
            self._layers.close()
            self._layers = None


def watch_widget(napari_viewer: Viewer) -> Container[Any]:
    """A folder to choose, and a button that starts and ends watching the run in it."""
    from magicgui.types import FileDialogMode
    from magicgui.widgets import Container, FileEdit, Label, PushButton

    watcher = Watcher(napari_viewer)
    folder = FileEdit(mode=FileDialogMode.EXISTING_DIRECTORY, label="Run")
    button, said = PushButton(text="Watch"), Label(value="")

    def toggle() -> None:
        run = folder.value
        if button.text == "Stop watching":
            watcher.stop()
            button.text, said.value = "Watch", ""
        elif not (isinstance(run, Path) and is_run(run)):
            said.value = f"{run}: holds no recording; choose the folder of a run"
        else:
            watcher.start(run)
            button.text, said.value = "Stop watching", ""

    button.clicked.connect(toggle)
    return Container(widgets=[folder, button, said])

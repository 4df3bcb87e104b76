"""Recordings in napari: a reader for the folder of a run, and layers that follow a run that goes on.

napari itself is imported by what napari calls, so that everything here can be imported without it.
"""

from streamer.viewer.live import LiveLayers, follow
from streamer.viewer.reader import get_reader, read_run

__all__ = ["LiveLayers", "follow", "get_reader", "read_run"]

"""A run read back while it grows, or long after: its planes, its numbers, what happened, what is left.

The rows are the one source. Nothing here writes, locks or waits, and a file that is torn, damaged or of
another version ends nothing but its own line.
"""

from streamer.reading.curve import Curve
from streamer.reading.index import Entry, FrameIndex, View
from streamer.reading.log import Log, Said
from streamer.reading.planes import Planes, read_planes
from streamer.reading.run import WatchedRun
from streamer.reading.series import Series
from streamer.reading.tail import Tail

__all__ = [
    "Curve",
    "Entry",
    "FrameIndex",
    "Log",
    "Planes",
    "Said",
    "Series",
    "Tail",
    "View",
    "WatchedRun",
    "read_planes",
]

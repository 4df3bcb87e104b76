"""The page of a run in a browser: a process of its own that reads the recording and is woken by snapshots.

Watching costs the run nothing: rows and pixels come from the recording, which the system still has in memory,
and the processor does not know who watches.
"""

from streamer.preview.server.serve import serve
from streamer.preview.server.settings import PageSettings

__all__ = ["PageSettings", "serve"]

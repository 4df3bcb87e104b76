"""The view of a run that is going on: a process of its own, which only pulls the newest snapshot.

It never blocks the processor and knows nothing of networks or engines: a snapshot is one JSON object.
"""

from __future__ import annotations

from streamer.preview.feed import Feed
from streamer.preview.snapshot import Snapshot, parse_snapshot
from streamer.preview.terminal import View
from streamer.preview.watch import watch
from streamer.preview.words import line, summary

__all__ = ["Feed", "Snapshot", "View", "line", "parse_snapshot", "summary", "watch"]

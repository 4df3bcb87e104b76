"""Where outcomes go: the recording's images and rows, written behind the loop in one thread."""

from streamer.sinks.background import Background
from streamer.sinks.pixels import SEGMENTATION, TRUST, AnnotatedSink, Drawn, RawSink
from streamer.sinks.protocol import Sink
from streamer.sinks.rows import CheckpointSink, DecisionsSink, Dose, FramesSink

__all__ = [
    "SEGMENTATION",
    "TRUST",
    "AnnotatedSink",
    "Background",
    "CheckpointSink",
    "DecisionsSink",
    "Dose",
    "Drawn",
    "FramesSink",
    "RawSink",
    "Sink",
]

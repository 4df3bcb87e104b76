"""Engines: a model package compiled for one shape here, and refused where it strays from the test output.

`choose` goes down a ladder of engines and takes the fastest that is here and passes. OpenVINO runs the ONNX
weights; plain PyTorch runs the state dict and is the oracle of the others. An engine pads nothing and is
called by one thread at a time.
"""

from streamer.engines.check import Agreement, relative_rms
from streamer.engines.choice import Choice, choose
from streamer.engines.key import Engine, EngineKey, Precision
from streamer.engines.ladder import LADDER, absence, absences
from streamer.engines.memory import is_of_memory, keep_buffers
from streamer.engines.select import ENGINES, check, compile_engine
from streamer.engines.survey import Row, auto_of, survey

__all__ = [
    "ENGINES",
    "LADDER",
    "Agreement",
    "Choice",
    "Engine",
    "EngineKey",
    "Precision",
    "Row",
    "absence",
    "absences",
    "auto_of",
    "check",
    "choose",
    "compile_engine",
    "is_of_memory",
    "keep_buffers",
    "relative_rms",
    "survey",
]

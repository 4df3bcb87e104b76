"""Engines: a model package compiled for one shape here, and refused where it strays from the test output.

OpenVINO runs the ONNX weights; plain PyTorch runs the state dict and is the oracle of the other. An
engine pads nothing and is called by one thread at a time.
"""

from streamer.engines.check import Agreement, relative_rms
from streamer.engines.key import Engine, EngineKey, Precision
from streamer.engines.select import ENGINES, check, compile_engine

__all__ = [
    "ENGINES",
    "Agreement",
    "Engine",
    "EngineKey",
    "Precision",
    "check",
    "compile_engine",
    "relative_rms",
]

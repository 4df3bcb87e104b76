"""What happens to a frame: split, calibrate, denoise, segment, judge, decide."""

from streamer.pipeline.checkpoint import Checkpoints, RunState, restored
from streamer.pipeline.compiled import Compiled
from streamer.pipeline.knobs import present_values
from streamer.pipeline.neighbours import SLICES
from streamer.pipeline.process import process
from streamer.pipeline.running import Running
from streamer.pipeline.splitter import fits, region_of, registered, split
from streamer.pipeline.stages import Denoised, denoise, denoise_together, padded_shape, segment
from streamer.pipeline.turns import Turns

__all__ = [
    "SLICES",
    "Checkpoints",
    "Compiled",
    "Denoised",
    "RunState",
    "Running",
    "Turns",
    "denoise",
    "denoise_together",
    "fits",
    "padded_shape",
    "present_values",
    "process",
    "region_of",
    "registered",
    "restored",
    "segment",
    "split",
]

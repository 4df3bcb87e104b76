"""What happens to a frame: calibrate, denoise, segment, judge, decide."""

from streamer.pipeline.compiled import Compiled
from streamer.pipeline.process import process
from streamer.pipeline.running import running
from streamer.pipeline.stages import Denoised, denoise, padded_shape, segment

__all__ = ["Compiled", "Denoised", "denoise", "padded_shape", "process", "running", "segment"]

"""Torch networks: UNet-RCAN as published, its live variant, the live segmenter, and `build` by name.

Tensors are float32 [b, channels, y, x]. A denoiser takes photons and gives expected photons, a
segmenter takes the denoiser's photons and gives class probabilities; both do all scaling inside.
"""

from streamer.networks.live import LiveDenoiser, LiveSegmenter
from streamer.networks.registry import NAMES, build
from streamer.networks.unet_rcan import UNetRCAN

__all__ = ["NAMES", "LiveDenoiser", "LiveSegmenter", "UNetRCAN", "build"]

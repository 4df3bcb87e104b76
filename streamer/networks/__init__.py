"""Torch networks: published UNet-RCAN, its live variants, CARE's U-Net, segmenters; `build` by name.

Tensors are float32 [b, channels, y, x]. A denoiser takes photons and gives expected photons, a
segmenter takes the denoiser's photons and gives class probabilities; both do all scaling inside.
"""

from streamer.networks.care import CareUNet
from streamer.networks.ernet import ERnet
from streamer.networks.live import LiveDenoiser, LiveSegmenter
from streamer.networks.photons import InPhotons
from streamer.networks.registry import NAMES, build, size_multiple
from streamer.networks.tiling import halo_px, tiled
from streamer.networks.unet_rcan import UNetRCAN

__all__ = [
    "NAMES",
    "CareUNet",
    "ERnet",
    "InPhotons",
    "LiveDenoiser",
    "LiveSegmenter",
    "UNetRCAN",
    "build",
    "halo_px",
    "size_multiple",
    "tiled",
]

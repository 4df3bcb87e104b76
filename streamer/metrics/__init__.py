"""Image measures as compiled kernels: photon sums in boxes, the signal map, structural similarity, noise,
registration.

Shared by guards, training and analysis. A kernel is compiled on its first call and kept on disk.
"""

from __future__ import annotations

from streamer.metrics.boxes import (
    BACKGROUND,
    SIGNAL,
    UNCERTAIN,
    box_sum,
    signal_map,
)
from streamer.metrics.noise import noise_ratio
from streamer.metrics.similarity import ssim, ssim_map
from streamer.metrics.tiles import all_finite, foreground_tiles, tile_halves, tile_sums
from streamer.metrics.warp import warp, warp_labels

__all__ = [
    "BACKGROUND",
    "SIGNAL",
    "UNCERTAIN",
    "all_finite",
    "box_sum",
    "foreground_tiles",
    "noise_ratio",
    "signal_map",
    "ssim",
    "ssim_map",
    "tile_halves",
    "tile_sums",
    "warp",
    "warp_labels",
]

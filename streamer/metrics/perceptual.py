"""Learned perceptual similarity (LPIPS), where its package and its weights are installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.errors import RunError

Image = NDArray[np.generic]
Distance = Callable[[Image, Image, float], float]

#: What torchvision calls the weights of the VGG network that Rahm et al. used.
VGG_FILE = "vgg16-397923af.pth"


def why_no_lpips() -> str | None:
    """What is missing for LPIPS on this machine, with the cure; None where it works.

    Nothing is downloaded: a measurement must not depend on the network.
    """
    for module in ("lpips", "torchvision", "torch"):
        if importlib.util.find_spec(module) is None:
            return f"LPIPS is left out: {module} is not installed; pip install lpips torchvision"
    weights = _weights()
    if not weights.is_file():
        return f"LPIPS is left out: {weights} is missing; put torchvision's VGG-16 weights there"
    return None


@lru_cache(maxsize=1)
def lpips_distance() -> Distance:
    """(image, image, data range) -> distance, 0 for equal images: Zhang et al., CVPR 2018, VGG variant.

    Images [y, x] are scaled so that 0 to the data range becomes -1 to 1, and shown to the network as grey.

    Raises:
        RunError: something is missing.
    """
    missing = why_no_lpips()
    if missing is not None:
        raise RunError(missing)
    torch = importlib.import_module("torch")
    network = importlib.import_module("lpips").LPIPS(net="vgg", verbose=False).eval()

    def distance(a: Image, b: Image, data_range: float) -> float:
        shown = []
        for image in (a, b):
            scaled = np.clip(image.astype(np.float32) * np.float32(2.0 / data_range) - 1, -1, 1)
            shown.append(torch.from_numpy(np.ascontiguousarray(scaled)).expand(1, 3, *scaled.shape))
        with torch.inference_mode():
            return float(network(*shown))

    return distance


def _weights() -> Path:
    hub = importlib.import_module("torch.hub")
    return Path(hub.get_dir()) / "checkpoints" / VGG_FILE

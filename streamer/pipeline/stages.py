"""The two network stages: calibrate and pad, run the engine, crop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.core import Calibration, Frame, Result

#: A compiled network: float32 [1, c, y, x] to float32 [1, k, y, x].
Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
#: The network compiled for one padded shape (y, x).
NetworkFor = Callable[[tuple[int, int]], Network]


@dataclass(frozen=True, slots=True, kw_only=True)
class Denoised:
    """A frame between the two stages.

    Attributes:
        frame: the frame.
        photons: [y, x] detected photons.
        image: [y, x] expected photons, as the network sees them.
    """

    frame: Frame
    photons: NDArray[np.float32]
    image: NDArray[np.float32]


def denoise(
    frame: Frame, *, calibration: Calibration, network_for: NetworkFor, size_multiple: int
) -> Denoised:
    """A frame's pixels as photons, and what the denoiser expects behind them."""
    photons = calibration.to_photons(frame.pixels)
    expected = _run(network_for, photons, size_multiple)[0]
    return Denoised(frame=frame, photons=photons, image=np.ascontiguousarray(expected))


def segment(denoised: Denoised, *, network_for: NetworkFor, size_multiple: int) -> Result:
    """The most probable class of every pixel, from the denoised image."""
    probabilities = _run(network_for, denoised.image, size_multiple)  # [class, y, x]
    return Result(
        frame=denoised.frame,
        photons=denoised.photons,
        denoised=denoised.image,
        labels=probabilities.argmax(axis=0).astype(np.uint8),
    )


def padded_shape(shape: tuple[int, int], multiple: int) -> tuple[int, int]:
    """The smallest shape (y, x) that holds `shape` and divides by `multiple`."""
    y, x = shape
    return y + -y % multiple, x + -x % multiple


def _run(network_for: NetworkFor, image: NDArray[np.float32], multiple: int) -> NDArray[np.float32]:
    """[y, x] through a network, reflect-padded at the far edges; [k, y, x]."""
    y, x = image.shape
    padded_y, padded_x = padded_shape((y, x), multiple)
    padded = np.pad(image, ((0, padded_y - y), (0, padded_x - x)), mode="reflect")
    output = network_for((padded_y, padded_x))(padded[None, None])
    return output[0, :, :y, :x]

"""The two network stages: calibrate and pad, run the engine, crop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.core import Calibration, Frame, Provisional, Result
from streamer.metrics.planes import most_probable, reflected

Image = NDArray[np.float32]
#: A compiled network: float32 [1, c, y, x] to float32 [1, k, y, x].
Network = Callable[[Image], Image]
#: The network compiled for one padded shape (y, x).
NetworkFor = Callable[[tuple[int, int]], Network]
#: A frame, its photons [y, x] and, where it has one, those of the slice above, to what the network is shown,
#: [c, y, x], of which the first is the frame.
Shown = Callable[..., Image]


@dataclass(frozen=True, slots=True, kw_only=True)
class Denoised:
    """A frame between the two stages.

    Attributes:
        frame: the frame.
        photons: [y, x] detected photons.
        image: [y, x] expected photons, as the network sees them.
        uncertainty: [y, x] standard deviation of `image` in photons, where the network gives one.
        shown: [c, y, x] what the network was shown: the photons, and what belongs beside them.
        channel: which of the shown images is the frame's own, and which of the network's is `image`.
    """

    frame: Frame
    photons: Image
    image: Image
    uncertainty: Image | None = None
    shown: Image | None = None
    channel: int = 0


def alone(frame: Frame, photons: Image) -> Image:
    """The frame without its past, or what is beside it."""
    return photons[None]


def denoise(
    frame: Frame,
    above: Frame | None = None,
    *,
    calibration: Calibration | Provisional,
    network_for: NetworkFor,
    size_multiple: int,
    shown: Shown = alone,
) -> Denoised:
    """A frame's pixels as photons, what the denoiser expects behind them, and how sure it is.

    `above` is the slice above the frame in its stack, for a denoiser that is shown it.
    """
    photons = calibration.to_photons(frame.pixels)
    seen_with = () if above is None else (calibration.to_photons(above.pixels),)
    images = shown(frame, photons, *seen_with)
    expected, *sure = map(np.ascontiguousarray, infer(network_for, images, size_multiple))
    return Denoised(
        frame=frame,
        photons=photons,
        image=expected,
        uncertainty=sure[0] if sure else None,
        shown=images,
    )


def denoise_together(
    parts: Sequence[Frame],
    *,
    calibration: Calibration | Provisional,
    network_for: NetworkFor,
    size_multiple: int,
) -> tuple[Denoised, ...]:
    """All detection channels of one sensor frame, of one size, by a network that takes them at once."""
    shown = np.stack([calibration.to_photons(part.pixels) for part in parts])
    made = infer(network_for, shown, size_multiple)  # photons of each, then their deviations if there are any
    count = len(parts)
    return tuple(
        Denoised(
            frame=part,
            photons=shown[channel],
            image=np.ascontiguousarray(made[channel]),
            uncertainty=np.ascontiguousarray(made[count + channel]) if len(made) > count else None,
            shown=shown,
            channel=channel,
        )
        for channel, part in enumerate(parts)
    )


def segment(denoised: Denoised, *, network_for: NetworkFor, size_multiple: int) -> Result:
    """The most probable class of every pixel, from the denoised image."""
    return Result(
        frame=denoised.frame,
        photons=denoised.photons,
        denoised=denoised.image,
        labels=classes(network_for, denoised.image, size_multiple),
        uncertainty=denoised.uncertainty,
    )


def classes(network_for: NetworkFor, image: Image, size_multiple: int) -> NDArray[np.uint8]:
    """[y, x] most probable class of every pixel of a denoised image."""
    return most_probable(infer(network_for, image[None], size_multiple))


def padded_shape(shape: tuple[int, int], multiple: int) -> tuple[int, int]:
    """The smallest shape (y, x) that holds `shape` and divides by `multiple`."""
    y, x = shape
    return y + -y % multiple, x + -x % multiple


def infer(network_for: NetworkFor, images: Image, multiple: int) -> Image:
    """[c, y, x] through a network, reflect-padded at the far edges; [k, y, x]."""
    _, y, x = images.shape
    shape = padded_shape((y, x), multiple)
    output = network_for(shape)(reflected(images, shape)[None])
    return output[0, :, :y, :x]

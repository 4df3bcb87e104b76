"""Classical denoisers of low-dose frames, each with the grid its setting is chosen from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

Image = NDArray[np.float32]
Denoiser = Callable[[Image], Image]


def gaussian(photons: Image, sigma_px: float) -> Image:
    """Blur [y, x] photons."""
    blurred: Image = gaussian_filter(photons, sigma_px, mode="reflect")
    return blurred


def total_variation(photons: Image, weight: float) -> Image:
    """Chambolle's total-variation projection, J. Math. Imaging Vision 20, 89 (2004), on [y, x] photons."""
    smooth: Image = denoise_tv_chambolle(photons, weight=weight, max_num_iter=100)
    return smooth


def anscombe_non_local_means(
    photons: Image, *, bin_px: int, strength: float, noise: float, patch_px: int
) -> Image:
    """Non-local means between the Anscombe transform and its unbiased inverse.

    Below about one photon per pixel the transform no longer stabilises the variance, so pixels may be binned
    first, as Azzari and Foi, IEEE Signal Proc. Lett. 23, 1086 (2016), do; `bin_px` must divide the image.
    `strength` is the filter's h, `noise` the standard deviation it subtracts from patch distances.
    """
    rows, columns = (size // bin_px for size in photons.shape)
    binned = photons.reshape(rows, bin_px, columns, bin_px).sum(axis=(1, 3))
    stabilised = 2.0 * np.sqrt(binned + 0.375)
    smooth = denoise_nl_means(
        stabilised, patch_size=patch_px, patch_distance=7, h=strength, sigma=noise, fast_mode=True
    )
    expected = _unbiased_inverse(smooth) / bin_px**2
    enlarged: Image = zoom(expected, bin_px, order=1, grid_mode=True, mode="nearest")
    return enlarged


def _unbiased_inverse(stabilised: NDArray[np.float32]) -> Image:
    """Closed form of the exact unbiased inverse: Makitalo, Foi, IEEE Trans. Image Proc. 20, 2697 (2011)."""
    value = np.maximum(stabilised, 2.0 * np.sqrt(0.375))
    root = np.sqrt(1.5)
    inverse = value**2 / 4 + root / 4 / value - 11 / 8 / value**2 + 5 / 8 * root / value**3 - 1 / 8
    photons: Image = np.maximum(inverse, 0.0).astype(np.float32)
    return photons


def _choices(method: Callable[..., Image], **grid: tuple[float, ...]) -> Iterator[tuple[str, Denoiser]]:
    for values in product(*grid.values()):
        setting = dict(zip(grid, values, strict=True))
        yield ", ".join(f"{name} {value:g}" for name, value in setting.items()), partial(method, **setting)


#: Name of the method -> (setting in words, denoiser) for every point of its grid.
GRIDS: Mapping[str, tuple[tuple[str, Denoiser], ...]] = {
    "Gaussian": tuple(
        _choices(gaussian, sigma_px=(1.0, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0, 5.0))
    ),
    "total variation": tuple(
        _choices(total_variation, weight=(0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.2))
    ),
    "Anscombe + NLM": (
        # Without binning every setting comes out alike, and below the others: one stands for all.
        *_choices(anscombe_non_local_means, bin_px=(1,), strength=(0.5,), noise=(1.0,), patch_px=(7,)),
        *_choices(
            anscombe_non_local_means,
            bin_px=(3, 4, 5),
            strength=(0.3, 0.4, 0.5, 0.6, 0.8),
            noise=(0.25, 0.5, 0.75),
            patch_px=(3, 5, 7),
        ),
    ),
}
#: Image sizes must divide by every bin of the grid.
SIZE_MULTIPLE = 60
